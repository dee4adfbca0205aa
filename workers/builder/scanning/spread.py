"""Whole numbers of a file as keys of a dict or a set, whoever chose them.

Python spreads texts by a secret and numbers by their value alone: of 44,000 numbers that were made
for it each is looked for in the place of every other, of 90,000 for a minute.
"""

from secrets import randbits

# Python goes by the rest that this leaves. A number times a secret is another key for each number,
# and stands where nobody can tell beforehand; but of those that have no bound as many as anybody
# likes leave one rest, whatever they are multiplied by.
PRIME = 2**61 - 1
SECRET = randbits(60) | 1


def key(number: int) -> int | bytes:
    """Return what stands for a whole number of any length."""
    return number * SECRET if -PRIME < number < PRIME else b"%x" % number
