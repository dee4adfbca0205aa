"""Scans a folder and writes the report as JSON. Runs in a sandbox of its own."""

import json
import pickletools
import sys
from _compat_pickle import IMPORT_MAPPING as NEWER
from collections.abc import Iterator
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any
from unittest import mock

from workers.builder.scanning import kinds
from workers.builder.scanning.files import Scanner
from workers.builder.scanning.headers import LONG
from workers.builder.scanning.known import judge, leads_nowhere, shown
from workers.builder.scanning.loaders import takes
from workers.builder.scanning.report import Report
from workers.builder.scanning.spread import key
from workers.builder.scanning.texts import CHUNK, is_plain

MAX_LISTED, MAX_HELD = 4_000_000, 256 << 20  # opcodes, and bytes of them, of a file
BEGUN = 20  # opcodes that take as long as to begin a pickle
UNLISTED = "is a pickle that is too long for picklescan, which did not look at it"
UNFOLLOWED = "begins like a pickle that is too long for picklescan, which did not look at its end"
MAX_LOOKED = 1 << 29  # letters: picklescan looks for each part of a module with all before it
HEADER = (
    f"has an array with a header of more than {LONG:,} bytes, which NumPy reads with "
    "max_header_size alone: picklescan did not look at it. Give it fewer fields, or shorter names"
)
PUT = next(one for one in pickletools.opcodes if one.name == "LONG_BINPUT")
PUTS = frozenset({"PUT", "BINPUT", "LONG_BINPUT"})
PLACES = PUTS | {"GET", "BINGET", "LONG_BINGET"}
DOTTED = "asks for modules of too many parts, which picklescan did not look for"


class TooLong(BaseException):
    """picklescan would take all memory or time; at an Exception it goes on."""


class Room:
    """What picklescan may still keep of a file: it remembers what each pickle in it held."""

    def __init__(self) -> None:
        self.bytes, self.opcodes = MAX_HELD, MAX_LISTED

    def take(self, opcodes: int) -> None:
        """Take room for opcodes. Raises :class:`TooLong`."""
        self.opcodes -= opcodes
        if self.opcodes < 0:
            raise TooLong(UNFOLLOWED)

    def taken(self, data: IO[bytes], every: Any = pickletools.genops) -> Iterator[Any]:
        """Yield the opcodes of a pickle, as many as picklescan may keep."""
        self.take(BEGUN)
        for one in every(Kept(data, self)):
            self.take(1)
            yield one

    def listed(self, data: IO[bytes]) -> Iterator[Any]:
        """Do the same for a list of them. Of bytes, which name nothing, picklescan would write what
        they are for each name that it asks them for; of a place in the memo it gets the key, also
        of the next one, which it would count."""
        stored = 0
        for opcode, value, place in self.taken(data):
            if opcode.name == "MEMOIZE":
                opcode, value = PUT, stored
            elif isinstance(value, bytes | bytearray):
                value = b""
            if opcode.name in PUTS:
                stored += value >= stored
            yield opcode, key(value) if opcode.name in PLACES else value, place


class Kept:
    """A pickle to read from: picklescan keeps whatever an opcode holds."""

    def __init__(self, stream: IO[bytes], room: Room) -> None:
        self._stream, self.tell, self._room = stream, stream.tell, room

    def read(self, size: int) -> bytes:
        """Return so many bytes, none where the file has fewer: numbers may ask for any number."""
        if size <= self._room.bytes:
            return self._counted(self._stream.read(size))
        while size and (piece := self._stream.read(min(size, CHUNK))):
            size -= len(piece)
        if size:
            return b""
        raise TooLong(UNFOLLOWED)

    def readline(self) -> bytes:
        return self._counted(self._stream.readline(self._room.bytes + 1))

    def _counted(self, data: bytes) -> bytes:
        self._room.bytes -= len(data)
        if self._room.bytes < 0:
            raise TooLong(UNFOLLOWED)
        return data


def by_picklescan(path: Path) -> Any:
    """Return what picklescan says. Raises :class:`TooLong`."""
    from picklescan import scanner

    judged, arrays = "_build_scan_result_from_raw_globals", "scan_numpy"
    told, read = getattr(scanner, judged), getattr(scanner, arrays)

    def bounded(names: set[tuple[str, str]], *more: Any, **how: Any) -> Any:
        if sum(len(one[0]) * one[0].count(".") for one in names) > MAX_LOOKED:
            raise TooLong(DOTTED)
        return told(names, *more, **how)

    def begun(data: IO[bytes], *more: Any, **how: Any) -> Any:
        begin = data.read(12)
        data.seek(-len(begin), 1)
        length = begin[8:10] if begin[6:7] == b"\1" else begin[8:]
        most = LONG * 4 if begin[6:7] == b"\3" else LONG  # of letters, of UTF-8 in version 3
        if takes("numpy array", begin) and int.from_bytes(length, "little") > most:
            raise TooLong(HEADER)
        return read(data, *more, **how)

    with (
        mock.patch("pickletools.genops", Room().listed),
        # By which it looks for the number that old files of torch begin with, and keeps nothing.
        mock.patch("picklescan.torch.genops", Room().taken),
        mock.patch.object(scanner, judged, bounded),
        mock.patch.object(scanner, arrays, begun),
    ):
        return scanner.scan_file_path(str(path))


def second_opinion(root: Path, scanner: Scanner) -> None:
    """Let picklescan look too; what it calls dangerous is. What it cannot read is named.

    It keeps each opcode of a pickle in memory, some 160 bytes: of files with more than there is
    room for the walk alone speaks, if it came to their end.
    """
    for path in sorted(root.rglob("*")):
        if path.is_symlink() or not path.is_file() or not path.stat().st_size:
            continue
        relative = path.relative_to(root).as_posix()
        name = shown(relative)
        if relative in scanner.weights and name not in scanner.report.doubted:
            continue  # numbers, which begin like any opcode
        if relative in scanner.crowded:
            continue  # which has been told
        if scanner.followed(name) and scanner.longest.get(name, 0) > MAX_LISTED:
            scanner.report.note(name, "code-carrying", UNLISTED)
            continue
        try:
            scan = by_picklescan(path)
        except TooLong as why:
            if scanner.followed(name):
                scanner.report.note(name, "code-carrying", UNLISTED)
            else:
                scanner.report.note(name, "unknown", str(why))
            continue
        except Exception as error:
            scanner.report.failed(name, error, "read by picklescan")
            continue
        _agree(scanner, name, path, scan)


def _agree(scanner: Scanner, name: str, path: Path, scan: Any) -> None:
    """Note what picklescan says of a file and the walk does not deny.

    It minds no stack, so that texts ask for more by it than any unpickler comes to. Of them our own
    walk says whether that is so; and what is nowhere does no harm. Nor is dangerous what a file
    that the walk followed asks for as code: cloudpickle's own helpers, ``functools.partial``.
    """
    from picklescan.scanner import SafetyLevel

    looked_up = name in scanner.words  # of which the walk has said what an unpickler does
    words = bool(scan.globals) and name not in scanner.pickles and _is_plain(path)
    if scan.scan_err and name not in scanner.report.doubted and not words:
        scanner.report.note(name, "unknown", "could not be read to its end by picklescan")
    followed = scanner.followed(name)
    for one in scan.globals:
        attribute = (NEWER.get(one.module, one.module), one.name) == ("builtins", "getattr")
        known = attribute or judge(one.module, one.name)[0] == "code-carrying"
        nowhere = words and leads_nowhere(one.module, one.name)
        harmless = looked_up or (followed and known) or nowhere
        if one.safety == SafetyLevel.Dangerous and not harmless:
            text = f"picklescan: {one.module}.{one.name}"
            scanner.report.note(name, "malicious", ascii(text)[1:-1][:200])


def _is_plain(path: Path) -> bool:
    with path.open("rb") as stream:
        return is_plain(stream)


def main(root: Path, answer: Path, most: int = 0) -> int:
    """Scan every file under ``root``, of archives ``most`` bytes (0: as many as of a version)."""
    scanner = Scanner(root, most)
    # What is malicious is written at once: something else may take all time or memory.
    scanner.report.warn = partial(write, answer)
    scanner.scan_files()
    second_opinion(root, scanner)
    write(answer, scanner.report)
    return 0


def write(answer: Path, report: Report) -> None:
    """Write what was found so far, whole or not at all."""
    found: dict[str, Any] = {
        "verdict": report.verdict(),
        "findings": report.gravest_first()[:500],
        "files": report.members,
        "cut": report.cut,
        "types": sorted(report.types),
        "picklescan": version("picklescan"),
    }
    new = answer.with_suffix(".new")
    new.write_text(json.dumps(found), encoding="utf-8")
    new.replace(answer)


if __name__ == "__main__":
    kinds.TEXT.update(sys.argv[4:])  # formats whose files are texts; the scan knows no records
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])))
