"""Tells what a file is by its first bytes, and goes into archives and compressed files."""

import bz2
import gzip
import io
import lzma
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Any

from workers.builder.scanning import headers, skops, ubjson
from workers.builder.scanning.known import Verdict, judge, words, worst
from workers.builder.scanning.onnx import NotOnnx, escapes, outside
from workers.builder.scanning.walker import Walk, walk_pickle

MAX_DEPTH = 6
MAX_MEMBERS = 20_000
MAX_EXPANDED = 8 * 1024**3
CHUNK = 1 << 20
TEXT = words(
    """
    .txt .md .json .jsonl .yaml .yml .csv .tsv .toml .cfg .ini .html .xml .rst .log
    """
)
TEXT_NAMES = frozenset({"MLmodel", "LICENSE", "README", "NOTICE"})
PICKLES = words(
    """
    .pkl .pickle .joblib .pk .p .dill .pt .pth .ckpt .bin .sav .model
    """
)
CODE = words(
    """
    .py .pyc .pyx .sh .ipynb .r .js .jar .whl .egg
    """
)
IMAGES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"PAR1")
NATIVE = (b"\x7fELF", b"MZ", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe")


@dataclass(slots=True)
class Report:
    """The findings on a set of files."""

    findings: list[tuple[str, Verdict, str]] = field(default_factory=list)
    members: int = 0
    expanded: int = 0
    types: set[str] = field(default_factory=set)  # of skops files, as far as they may be loaded

    def note(self, path: str, verdict: Verdict, what: str) -> None:
        """Add a finding; a safe or plain one with an empty text only carries its verdict."""
        if len(self.findings) < 1000 or verdict in {"malicious", "unknown"}:
            self.findings.append((path, verdict, what))

    def verdict(self) -> Verdict:
        """Return the gravest verdict."""
        return worst([verdict for _, verdict, _ in self.findings])


class Scanner:
    """Scans files one after the other into one report."""

    def __init__(self, root: Path) -> None:
        self.root, self.report = root, Report()

    def scan_file(self, path: Path) -> None:
        """Scan one file of the artifact."""
        name = path.relative_to(self.root).as_posix()
        if path.is_symlink() or not path.is_file():
            self.report.note(name, "malicious", "is not a plain file")
            return
        with path.open("rb") as stream:
            self.scan(name, stream, 0)

    def scan(self, name: str, stream: IO[bytes], depth: int) -> None:
        """Scan one stream that can seek."""
        self.report.members += 1
        if depth > MAX_DEPTH or self.report.members > MAX_MEMBERS:
            self.report.note(name, "unknown", "is nested too deeply or holds too many members")
            return
        head = stream.read(300)
        stream.seek(0)
        if zipfile.is_zipfile(stream):
            stream.seek(0)
            self._zip(name, stream, depth)
            if head[:2] == b"PK":
                return
        stream.seek(0)
        if (opened := _opener(head)) is not None:
            self._disguised(name, stream)
            self._compressed(name, stream, opened, depth)
        elif head[257:262] == b"ustar":
            self._disguised(name, stream)
            self._tar(name, stream, depth)
        elif head[:6] == b"\x93NUMPY":
            self._npy(name, stream)
        else:
            self._plain(name, stream, head)

    def _plain(self, name: str, stream: IO[bytes], head: bytes) -> None:
        path = PurePosixPath(name.rpartition("!")[2])
        suffix = path.suffix.lower()
        if suffix in TEXT or path.name in TEXT_NAMES:
            if name.lower().endswith(".skops!schema.json"):
                self._skops(name, stream)
            elif name.lower().endswith(".keras!config.json"):
                self._keras(name, stream)
            else:
                self._text(name, stream, path.name)
        elif suffix in CODE:
            self.report.note(name, "code-carrying", "is source or program code")
        elif reader := self._reader(suffix, head):
            self._disguised(name, stream)
            reader(name, stream)
        else:
            self._pickle(name, stream, suffix)

    def _reader(self, suffix: str, head: bytes) -> Callable[[str, IO[bytes]], None] | None:
        """Return what reads a file of this ending or beginning, if it is none of a pickle."""
        if head.startswith(NATIVE):
            return lambda name, _: self.report.note(name, "unknown", "is native program code")
        if head.startswith(headers.HDF5):
            return self._hdf5
        if head.startswith(IMAGES) or not head:
            return lambda name, _: self.report.note(name, "safe", "")
        return {
            ".onnx": self._onnx, ".safetensors": self._safetensors, ".ubj": self._ubjson,
            ".h5": self._hdf5, ".hdf5": self._hdf5, ".keras": self._no_keras,
        }.get(suffix)  # fmt: skip

    def _disguised(self, name: str, stream: IO[bytes]) -> None:
        """Look for a pickle in what claims to be something else: a loader goes by neither name
        nor first bytes, and ``GIF8`` begins a pickle as well as a picture."""
        walk = walk_pickle(stream)
        hostile = [found for found in walk.findings if found[0] == "malicious"]
        if hostile or walk.complete:
            self.report.note(name, "code-carrying", "is a pickle too")
            self._note_walk(name, walk)
        stream.seek(0)

    def _pickle(self, name: str, stream: IO[bytes], suffix: str) -> None:
        walk = walk_pickle(stream)
        if not walk.complete:
            verdict: Verdict = "unknown"
            self._note_walk(name, walk)
            what = walk.error if suffix in PICKLES or walk.globals else "is of no known format"
            self.report.note(name, verdict, what or "is of no known format")
            return
        self.report.note(name, "code-carrying", "")
        self._note_walk(name, walk)

    def _note_walk(self, name: str, walk: Walk) -> None:
        for verdict, what in walk.findings:
            self.report.note(name, verdict, what)

    def _text(self, name: str, stream: IO[bytes], base: str) -> None:
        """Text is safe, unless it is an old text pickle in disguise."""
        walk = walk_pickle(stream)
        hostile = [f for f in walk.findings if f[0] == "malicious"]
        if walk.complete or hostile:
            self.report.note(name, "malicious" if hostile else "code-carrying", "is a text pickle")
            self._note_walk(name, walk)
            return
        stream.seek(0)
        try:
            for piece in iter(lambda: stream.read(CHUNK), b""):
                piece.decode("utf-8", "strict" if len(piece) < CHUNK else "ignore")
        except UnicodeDecodeError:
            self.report.note(name, "unknown", "is called text and is none")
            return
        self.report.note(name, "safe", "")
        if base == "MLmodel":
            self._mlmodel(name, stream)

    def _mlmodel(self, name: str, stream: IO[bytes]) -> None:
        stream.seek(0)
        for line in stream.read(CHUNK).decode("utf-8", "replace").splitlines():
            key, _, value = line.strip().partition(":")
            if key == "loader_module" and not value.strip().strip("'\"").startswith("mlflow."):
                self.report.note(name, "code-carrying", f"is loaded by {value.strip()[:100]}")

    def _onnx(self, name: str, stream: IO[bytes]) -> None:
        try:
            found = outside(stream.read())
        except (NotOnnx, RecursionError) as error:
            self.report.note(name, "unknown", f"is called ONNX and is none: {error}")
            return
        folder = self.root / PurePosixPath(name).parent
        for location in found:
            if escapes(location):
                self.report.note(name, "malicious", f"reads data from {ascii(location)[:120]}")
            elif not (folder / location).is_file():
                self.report.note(
                    name, "unknown", f"refers to {ascii(location)[:120]}, not uploaded"
                )
        self.report.note(name, "safe", "")

    def _safetensors(self, name: str, stream: IO[bytes]) -> None:
        self._measured(name, stream, headers.safetensors, "safetensors", "safe")

    def _hdf5(self, name: str, stream: IO[bytes]) -> None:
        """HDF5 is not read beyond its first block, which may link to other files: never safe."""
        self._measured(name, stream, headers.hdf5, "HDF5", "unknown")

    def _no_keras(self, name: str, stream: IO[bytes]) -> None:
        self.report.note(name, "unknown", "is called Keras and is no zip archive")

    def _keras(self, name: str, stream: IO[bytes]) -> None:
        try:
            found = list(headers.keras(stream.read(CHUNK * 64)))
        except headers.NotOne as error:
            self.report.note(name, "unknown", f"is called Keras and is none: {error}")
            return
        self.report.note(name, "safe", "")
        for verdict, what in found:
            self.report.note(name, verdict, what[:200])

    def _measured(
        self, name: str, stream: IO[bytes], check: Callable[[IO[bytes]], None], kind: str,
        verdict: Verdict,
    ) -> None:  # fmt: skip
        """Let ``check`` hold the header against the bytes; a header that lies is no accident."""
        try:
            check(stream)
        except headers.NotOne as error:
            self.report.note(name, "unknown", f"is called {kind} and is none: {error}")
        except headers.Lies as error:
            self.report.note(name, "malicious", f"has a {kind} header that lies: {error}")
        else:
            what = "" if verdict == "safe" else f"is {kind}, which is not read further"
            self.report.note(name, verdict, what)

    def _skops(self, name: str, stream: IO[bytes]) -> None:
        """A skops file names the types it is made of: safe when all stand in the committed list."""
        try:
            found = skops.types_of(stream.read(skops.MAX_SCHEMA))
        except skops.NotSkops as error:
            self.report.note(name, "unknown", f"is called skops and is none: {error}")
            return
        self.report.note(name, "safe", "")
        for full in sorted(found - skops.trusted()):
            module, _, kind = full.rpartition(".")
            verdict, what = judge(module, kind)
            self.report.note(name, verdict, (what or f"is made of {full}")[:200])
            if verdict != "code-carrying":
                found.discard(full)
        self.report.types |= found

    def _ubjson(self, name: str, stream: IO[bytes]) -> None:
        try:
            ubjson.check(stream)
        except ubjson.NotUbjson as error:
            self.report.note(name, "unknown", f"is called UBJSON and is none: {error}")
            return
        self.report.note(name, "safe", "")

    def _npy(self, name: str, stream: IO[bytes]) -> None:
        try:
            objects = headers.numpy_objects(stream)
        except headers.NotOne as error:
            self.report.note(name, "unknown", f"is called NumPy and is none: {error}")
        except headers.Lies as error:
            self.report.note(name, "malicious", f"has a NumPy header that lies: {error}")
        else:
            if objects:
                self._pickle(name, stream, ".pkl")
            else:
                self.report.note(name, "safe", "")

    def _zip(self, name: str, stream: IO[bytes], depth: int) -> None:
        try:
            with zipfile.ZipFile(stream) as archive:
                for entry in archive.infolist():
                    if entry.is_dir():
                        continue
                    with archive.open(entry) as member:
                        self._member(f"{name}!{entry.filename}", member, depth)
        except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError, EOFError,
                zlib.error, ValueError, lzma.LZMAError) as error:  # fmt: skip
            self.report.note(name, "unknown", f"is a broken archive ({type(error).__name__})")

    def _tar(self, name: str, stream: IO[bytes], depth: int) -> None:
        try:
            with tarfile.open(fileobj=stream, mode="r:") as archive:
                for entry in archive:
                    if entry.isdir():
                        continue
                    member = archive.extractfile(entry) if entry.isreg() else None
                    if member is None:
                        self.report.note(name, "malicious", "holds a link or a device")
                        continue
                    self._member(f"{name}!{entry.name}", member, depth)
        except (tarfile.TarError, OSError, EOFError, ValueError) as error:
            self.report.note(name, "unknown", f"is a broken archive ({type(error).__name__})")

    def _compressed(
        self, name: str, stream: IO[bytes], opened: Callable[[IO[bytes]], Any], depth: int
    ) -> None:
        try:
            with opened(stream) as plain:
                self._member(f"{name}!", plain, depth)
        except (OSError, EOFError, zlib.error, lzma.LZMAError, ValueError) as error:
            self.report.note(name, "unknown", f"does not decompress ({type(error).__name__})")

    def _member(self, name: str, member: Any, depth: int) -> None:
        """Copy a member out, so that it can be read to and fro, and scan it."""
        with tempfile.SpooledTemporaryFile(64 << 20) as copy:
            while piece := member.read(CHUNK):
                self.report.expanded += len(piece)
                if self.report.expanded > MAX_EXPANDED:
                    self.report.note(name, "unknown", "expands to more than a scan may read")
                    return
                copy.write(piece)
            copy.seek(0)
            shown = "".join(c if c.isprintable() else "\ufffd" for c in name)
            self.scan(shown[:400], copy, depth + 1)


class _Zlib:
    """A zlib stream as a file to read from."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self._inflate = stream, zlib.decompressobj()

    def __enter__(self) -> "_Zlib":
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def read(self, size: int) -> bytes:
        """Return at most ``size`` bytes; none at the end."""
        while not self._inflate.eof:
            raw = self._inflate.unconsumed_tail or self._stream.read(CHUNK)
            if not raw:
                raise EOFError("cut off")
            if piece := self._inflate.decompress(raw, size):
                return piece
        return b""


def _opener(head: bytes) -> Callable[[IO[bytes]], Any] | None:
    """Return what opens a compressed file with these first bytes."""
    if head[:2] == b"\x1f\x8b":
        return lambda stream: gzip.GzipFile(fileobj=stream, mode="rb")
    if head[:3] == b"BZh":
        return lambda stream: bz2.BZ2File(stream, "rb")
    if head[:6] == b"\xfd7zXZ\x00" or head[:3] == b"\x5d\x00\x00":
        return lambda stream: lzma.LZMAFile(stream, "rb")
    if len(head) > 2 and head[0] == 0x78 and int.from_bytes(head[:2], "big") % 31 == 0:
        return _Zlib
    return None


def scan_bytes(name: str, data: bytes, root: Path) -> Report:
    """Scan bytes in memory under ``name``."""
    scanner = Scanner(root)
    scanner.scan(name, io.BytesIO(data), 0)
    return scanner.report
