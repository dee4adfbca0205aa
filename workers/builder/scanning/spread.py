"""Whole numbers of a file as keys of a dict or a set, whoever chose them.

Python spreads texts by a secret and numbers by their value alone: of 44,000 numbers that were made
for it each is looked for in the place of every other, of 90,000 for a minute.
"""

from secrets import randbits

# A number times this is another key for each number, and stands where nobody can tell beforehand:
# Python goes by the rest that 2**61 - 1 leaves, a prime.
SECRET = randbits(60) | 1
