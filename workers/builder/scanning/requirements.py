"""Requirements that lead to other files: MLflow and pip follow them wherever they are.

MLflow opens a model's ``requirements.txt`` whenever it loads it, and what that names
(mlflow/utils/requirements_utils.py ``_parse_requirements``); the lists of ``conda.yaml`` and
``python_env.yaml`` it hands to pip, which follows the same lines
(pip/_internal/req/req_file.py).
"""

import posixpath
import re
import shlex
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path, PurePosixPath

MAX_BYTES, MAX_FOLLOWED = 8 << 20, 50
MAX_LINE = 10_000
CALLED = re.compile(r"requirements|constraints")
ENDINGS = frozenset({"", ".txt", ".in", ".lock", ".pip"})
OPENS = re.compile(r"(?:^|\s)(?:-[rc]\s*|--(?:requirement|constraint)(?:\s+|\s*=\s*))(\S+)")
REST = re.compile(r"(?:-[rc]\s*|--(?:requirement|constraint)(?:\s+|\s*=\s*))(.+)$")  # for MLflow
LONG = ("--requirement", "--constraint")  # which optparse also takes shortened
CODED = re.compile(r"#.*?coding[:=]\s*([-\w.]+)")  # pip/_internal/utils/encoding.py
ODD_BREAKS = re.compile("[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
COMMENT = re.compile(r"(?:^|\s)#.*")
Lines = tuple[list[str], list[str]]  # as they are, and what a locale makes of them
# What a shell, pip or another system makes something else of than a name.
ODD = re.compile(r"[\\$%~:*?\"']")
# How a path begins, or goes on, that may lead out: from a root, a home, a variable, an address, a
# drive, or upwards.
OUT = re.compile(
    r"^(?:[/\\~$]|(?:file|https?):|[a-z][\w+.-]*://|[a-z]:\S)|(?:^|[/\\])\.\.(?:[/\\]|$)", re.I
)


def is_called_so(own: PurePosixPath) -> bool:
    """Tell whether a file of this name is read as requirements."""
    return own.suffix.lower() in ENDINGS and CALLED.search(own.name.lower()) is not None


def led_out(
    text: str,
    name: str,
    root: Path,
    garbled: Iterable[str] = (),
    beside: Collection[str] = (),
) -> Iterator[str]:
    """Yield each path that requirements lead to and that is not a file of the artifact; ``name``
    says where they stand, and ``beside`` what is in the same archive. What they lead to is
    followed.

    ``garbled`` is what a machine may make of the same text whose locale is another: of the paths in
    that, those are told that lead out of the artifact: nothing else is there to be opened.
    """
    packed, _, own = name.rpartition("!")
    yield from _coded(text)
    waiting, seen, read = [(own, _read(text, garbled))], {own}, len(text)
    while waiting:
        source, lines = waiting.pop()
        for path, is_garbled in _opened(lines):
            joined = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
            inside = not (posixpath.isabs(joined) or joined.startswith("..") or ODD.search(path))
            there = joined in beside if packed else _is_file(root / joined)
            if is_garbled and not (there or OUT.search(path)):
                continue
            # what is called so in an archive is read by itself
            known = inside and (is_called_so(PurePosixPath(joined)) if packed else there)
            if not known or len(seen) > MAX_FOLLOWED or read > MAX_BYTES:
                yield path
            elif not packed and joined not in seen:
                seen.add(joined)
                with (root / joined).open("rb") as stream:  # which may be gigabytes of weights
                    raw = stream.read(MAX_BYTES + 1)
                read += len(raw)
                if len(raw) > MAX_BYTES:
                    yield path
                followed = raw[:MAX_BYTES].decode("utf-8", "replace")
                yield from _coded(followed)
                waiting.append((joined, _read(followed)))


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # no file has a name of that length
        return False


def _read(text: str, garbled: Iterable[str] = ()) -> Lines:
    """Return the lines, and those that a locale makes of them, which one byte may end."""
    elsewhere = [] if text.isascii() else [text.encode("utf-8", "replace").decode("latin-1")]
    return _lines(text), [line for one in (*elsewhere, *garbled) for line in _lines(one)]


def _lines(text: str) -> list[str]:
    """Return the lines, and those that are said to go on as each reader joins them: with or without
    the blanks between, and with the backslashes before."""
    text = text.lstrip("\ufeff")
    written = text.splitlines()
    stripped = [line.strip() for line in written]
    bare = [COMMENT.sub("", line).strip() for line in written]
    parts = [line for line in stripped if not line.endswith("\\")]
    return [*parts, *_joined(written), *_joined(stripped), *_joined(bare)]


def _joined(lines: list[str]) -> Iterator[str]:
    joined = ""
    for line in lines:
        joined += line.strip("\\")
        if not line.endswith("\\"):
            yield joined
            joined = ""
    yield joined


def _opened(lines: Lines) -> list[tuple[str, bool]]:
    """Return what is opened, and whether a locale is needed for that."""
    read, garbled = map(_opened_of, lines)
    return sorted([*((path, False) for path in read), *((path, True) for path in garbled - read)])


def _opened_of(lines: list[str]) -> set[str]:
    """Return what is opened; of a line that begins with a requirement pip takes no such option."""
    options = {line.strip() for line in lines if line.strip().startswith("-")}
    if max(map(len, options), default=0) > MAX_LINE:  # shlex takes a square of its length
        return {f"a line of options (over {MAX_LINE} letters: shorten it)"}
    bare = {COMMENT.sub("", line).strip() for line in options}
    options |= bare
    found = {path for line in options for path in OPENS.findall(line)}
    # MLflow takes a comment for one where it stands behind a blank, and not behind a tab
    whole = bare | {line.partition(" #")[0].strip() for line in options}
    found |= {rest[1] for line in whole if (rest := REST.match(line))}
    return found.union(*map(_as_pip, options))


def _as_pip(line: str) -> set[str]:
    """Return what pip opens of a line of options, which it splits as a shell does."""
    try:
        words = shlex.split(line)
    except ValueError:  # nor can pip
        return set()
    found = set()
    for word, following in zip(words, [*words[1:], ""], strict=True):
        name, _, value = word.partition("=")
        if word[:2] in {"-r", "-c"} and word[2:3] != "-":
            found.add(word[2:] or following)
        elif len(name) > 2 and any(option.startswith(name) for option in LONG):
            found.add(value or following)
    return found - {""}


def _coded(text: str) -> Iterator[str]:
    """Yield an encoding that a text declares and that it is not read in here, and that it has
    breaks which only some readers end a line at."""
    if "-" in text and ODD_BREAKS.search(text):
        yield "an odd break of lines"
    for line in text.split("\n")[:2]:
        found = CODED.match(line)
        if found and found[1].lower().replace("_", "-") not in {"utf-8", "utf8", "ascii"}:
            yield f"coding {found[1]}"
