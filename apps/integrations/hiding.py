"""What is hidden of an answer that repeats the address it came from. Pure.

The text is read as an automaton reads it, for all secrets at once: each way to read a letter moves
one number, whose bits are the letters of the secrets. So the work is one walk there and one back,
whatever a receiver repeats and in however many ways it may be read.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from html.entities import html5
from itertools import groupby
from urllib.parse import unquote, unquote_plus

from apps.integrations.rules import origin_of

SHORT = 6  # characters of a part of an address: what is shorter is no secret
MOST_CUT = 12  # characters of a letter that is cut in the middle of how it is written
LAST_CODE = 0x10FFFF  # of Unicode
_PARTED = re.compile(r"[/?&=:;,@ ]")
_CUT_LETTER = re.compile(r"[%&\\][\w%#]{0,11}|")  # or none
_QUOTED = re.compile(r"%((?:25)*)([0-9a-f]{2})", re.IGNORECASE)
_CODE = re.compile(r"\\u([0-9a-f]{4,6})", re.IGNORECASE)
_ENTITY = re.compile(
    r"&(?:#([0-9]{1,13})|#x([0-9a-f]{1,12})|([0-9a-z]{1,40}));", re.IGNORECASE | re.ASCII
)
# What Unicode says to draw nothing of, and a blank of Braille: printable to Python all the same
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U000e0100-\U000e01ef]"
)

Letters = Iterator[tuple[int, str]]  # each with where it ends


@dataclass(frozen=True, slots=True)
class _Secrets:
    """Parts of an address in a row; each number has a bit for each of their letters."""

    where: dict[str, int]  # a letter stands
    first: int
    last: int
    begun: int  # so much of a part is read that it is a secret, and it is not through

    @classmethod
    def of(cls, parts: set[str]) -> "_Secrets":
        """Lay out ``parts``."""
        where: dict[str, int] = {}
        first = last = begun = at = 0
        for part in parts:
            first |= 1 << at
            for number, letter in enumerate(map(_folded, part), 1):
                where[letter] = where.get(letter, 0) | 1 << at
                begun |= (SHORT <= number < len(part)) << at
                at += 1
            last |= 1 << at - 1
        return cls(where, first, last, begun)


def hidden(text: str, url: str) -> str:
    """Return ``text``, in which whoever answers may repeat the address, without what is secret
    of ``url``: its parts in whatever case, escaped for a URL, HTML or JSON, and with whatever
    blanks or letters that nobody sees between theirs. The text may end anywhere: a part that is
    only begun there is none to see either."""
    parts = _parts(url.removeprefix(origin_of(url)))
    if not parts:
        return text
    secrets = _Secrets.of(parts)
    covered = _covered(text, secrets)
    _cover_apart(covered, text, secrets)
    runs = groupby(zip(text, covered, strict=True), key=lambda one: one[1])
    return "".join("…" if secret else "".join(one for one, _ in run) for secret, run in runs)


def _parts(target: str) -> set[str]:
    """Return what is secret of an address, as it stands there and as it is read."""
    whole = (target, *_PARTED.split(target))
    read = {form(one) for one in whole for form in (str, unquote, unquote_plus)}
    return {part for part in read.union(*map(_PARTED.split, read)) if len(part) >= SHORT}


def _covered(text: str, secrets: _Secrets) -> list[bool]:
    """Tell of each character whether it is of a secret: one that began before it or with it, and
    that goes on behind it to its end or to that of the text."""
    steps = [_steps(text, at, secrets) for at in range(len(text))]
    reached = _reached(steps, secrets)
    ahead = secrets.last
    leading = [0] * len(text) + [ahead | secrets.begun]
    covered = [False] * len(text)
    for at in range(len(text) - 1, -1, -1):
        cut = len(text) - at <= MOST_CUT and _CUT_LETTER.fullmatch(text, at)
        leading[at] = secrets.last | (secrets.begun if cut else 0)
        if cut and reached[at] & secrets.begun:
            covered[at:] = [True] * (len(text) - at)
        for end, where in steps[at]:
            leads = leading[end] & where
            leading[at] |= leads >> 1
            if leads & (reached[at] << 1 | secrets.first):
                covered[at:end] = [True] * (end - at)
    return covered


def _cover_apart(covered: list[bool], text: str, secrets: _Secrets) -> None:
    """Cover the secrets whose letters stand apart too, as those of two bytes do that are read byte
    by byte, with what stands between."""
    seen = [at for at, letter in enumerate(text) if _is_seen(letter)]
    together = _covered("".join(text[at] for at in seen), secrets)
    before: int | None = None  # the last letter, where that is of a secret too
    for at, secret in zip(seen, together, strict=True):
        if secret and not covered[at]:
            begin = at if before is None else before
            covered[begin : at + 1] = [True] * (at + 1 - begin)
        before = at if secret else None


def _is_seen(letter: str) -> bool:
    return letter.isprintable() and letter not in " \ufffd" and not _UNSEEN.match(letter)


def _reached(steps: list[list[tuple[int, int]]], secrets: _Secrets) -> list[int]:
    """Return for each place the letters of secrets that may have been read just before it, all of
    their secret up to there."""
    reached = [0] * (len(steps) + 1)
    for at, ways in enumerate(steps):
        following = reached[at] << 1 | secrets.first
        for end, where in ways:
            reached[end] |= following & where
    return reached


def _steps(text: str, at: int, secrets: _Secrets) -> list[tuple[int, int]]:
    """Return the ways to read a letter of a secret at a place: where it ends, and which it is."""
    ways = ((end, secrets.where.get(_folded(one), 0)) for end, one in _letters(text, at))
    return [(end, where) for end, where in ways if where]


def _letters(text: str, at: int) -> Letters:
    """Yield all that may be read at a place."""
    yield at + 1, text[at]
    match text[at]:
        case "+":
            yield at + 1, " "
        case "%":
            yield from _quoted(text, at)
        case "&":
            yield from _entity(text, at)
        case "\\":
            yield from ((at + 2, one) for one in text[at + 1 : at + 2])
            yield from _coded(text, at)


def _quoted(text: str, at: int) -> Letters:
    """Yield what is quoted for a URL, once or again and again: of what is a percent sign itself
    each sign but the first may be quoted."""
    raw, end = b"", at
    while len(raw) < 4 and (found := _QUOTED.match(text, end)):
        if not raw:
            yield from ((end + 1 + 2 * more, "%") for more in range(1, len(found[1]) // 2 + 1))
        raw, end = raw + bytes.fromhex(found[2]), found.end()
        try:
            yield end, raw.decode()
        except UnicodeDecodeError:
            continue
        return


def _coded(text: str, at: int) -> Letters:
    """Yield what is escaped for JSON."""
    if found := _CODE.match(text, at):
        for digits in range(4, len(found[1]) + 1):
            yield from ((at + 2 + digits, one) for one in _of_code(int(found[1][:digits], 16)))


def _entity(text: str, at: int) -> Letters:
    """Yield what is escaped for HTML."""
    if found := _ENTITY.match(text, at):
        decimal, hexadecimal, name = found.groups()
        if name:
            letters = _named().get(name.lower(), "")
        else:
            letters = _of_code(int(decimal) if decimal else int(hexadecimal, 16))
        yield from ((found.end(), one) for one in letters)


def _of_code(code: int) -> str:
    return chr(code) if code <= LAST_CODE else ""


@cache
def _named() -> dict[str, str]:
    """Return the letters that HTML calls by a name, in whatever case."""
    named: dict[str, str] = {}
    for name, said in html5.items():
        if len(said) == 1 and name[-1] == ";":
            named[name[:-1].lower()] = named.get(name[:-1].lower(), "") + said
    return named


@cache
def _folded(letter: str) -> str:
    """Return what a letter has in common with all that differ from it in case."""
    return letter.lower().upper().lower()
