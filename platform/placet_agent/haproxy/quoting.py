"""The one way in which a name that other people chose gets into what HAProxy reads.

HAProxy reads words in four places, each with rules of its own: a line of the configuration, the
arguments of a sample in it, a line of a map, and a command on the admin socket. Nothing but what
stands here puts somebody else's text into any of them; what cannot be written is a ``ValueError``
that says which text it was. A word may always be mistaken for a flag, quoted or not: patterns are
written by ``patterns``, and on a line that nothing follows on, for a ``}`` ends a condition.
"""

import re

_PLAIN = re.compile(r"[A-Za-z0-9_./:@%,][A-Za-z0-9_./:@%,-]*")
_ARGUMENT = re.compile(r"[A-Za-z0-9_.-]+")
_KEY = re.compile(r"[!-~]+")
_VALUE = re.compile(r"[!-~]+(?: +[!-~]+)*")
_COMMAND = re.compile(r"[A-Za-z0-9_./@:-]+")
_LONGEST = 1024  # characters; no name is as long, and a line of HAProxy's is not endless


def _printable(text: str) -> str:
    if len(text) > _LONGEST or not text.isprintable():
        raise ValueError(f"{text[:80]!r} cannot be a word of HAProxy's configuration")
    return text


def word(text: str) -> str:
    """Return ``text`` as one word of a configuration line, strongly quoted where it must be."""
    if _PLAIN.fullmatch(text):
        return _printable(text)
    return "'" + _printable(text).replace("'", r"'\''") + "'"


def patterns(*values: str) -> str:
    """Return what a sample is compared with, as the end of a line: none of it is a flag."""
    return " ".join(["--", *map(word, values)])


def sample(name: str, argument: str) -> str:
    """Return a sample with one argument, as one word: ``req.fhdr(X-User)``."""
    if not _ARGUMENT.fullmatch(argument):
        argument = "'" + _printable(argument).replace("'", r"'\''") + "'"
    return word(f"{name}({argument})") if "'" in argument else f"{name}({argument})"


def fields(*parts: str | int) -> str:
    """Return a value of which HAProxy takes single parts: joined by a colon, which none holds."""
    texts = [str(part) for part in parts]
    for text in texts:
        if not text or ":" in text:
            raise ValueError(f"{text[:80]!r} cannot be a part of a route")
    return ":".join(texts)


def map_line(key: str, value: str) -> str:
    """Return a line of a map, in a file and on the socket alike."""
    if not _KEY.fullmatch(key) or key.startswith("#"):
        raise ValueError(f"{key[:80]!r} cannot be a key of HAProxy's maps")
    if not _VALUE.fullmatch(value):
        raise ValueError(f"{value[:80]!r} cannot be a value of HAProxy's maps")
    return f"{key} {value}\n"


def command(*parts: str) -> str:
    """Return a command of the admin socket, where a semicolon or a line break begins another."""
    for part in parts:
        if not _COMMAND.fullmatch(part):
            raise ValueError(f"{part[:80]!r} cannot be a word of a command to HAProxy")
    return " ".join(parts)
