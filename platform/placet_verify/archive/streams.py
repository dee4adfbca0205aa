"""Reading compressed archives piece by piece, within limits."""

import bz2
import gzip
import importlib
import lzma
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from placet_verify.archive.names import ArchiveRefused
from placet_verify.archive.output import CHUNK, Budget

_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
)
_XZ_MEMORY = 128 << 20


def kind_of(path: Path) -> str:
    """Return how the file is compressed, by its first bytes: its name is not believed."""
    with path.open("rb") as stream:
        head = stream.read(512)
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if head[257:262] == b"ustar":
        return "tar"
    raise ArchiveRefused("not_an_archive", "this is neither a tar nor a zip archive")


@contextmanager
def broken_is_refused() -> Iterator[None]:
    """Turn a decompressor's complaint into a refusal."""
    try:
        yield
    except ArchiveRefused:
        raise
    except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
        raise ArchiveRefused("damaged", f"the archive is damaged: {error}") from None


class Reader:
    """Sequential reading of decompressed bytes; every byte is counted against the budget."""

    def __init__(self, stream: IO[bytes], budget: Budget) -> None:
        self._stream = stream
        self._budget = budget

    def some(self, limit: int) -> bytes:
        """Return up to ``limit`` bytes; nothing at the end."""
        with broken_is_refused():
            try:
                data = self._stream.read(min(limit, CHUNK))
            except OSError as error:
                # bz2 and gzip report damaged data as an OSError without a number
                if error.errno is not None:
                    raise
                raise ArchiveRefused("damaged", f"the archive is damaged: {error}") from None
        self._budget.spend(len(data))
        return data

    def exactly(self, count: int) -> bytes:
        """Return ``count`` bytes; raise ``ArchiveRefused`` when the archive ends before."""
        pieces = list(self.pieces(count))
        return b"".join(pieces)

    def pieces(self, count: int) -> Iterator[bytes]:
        """Yield ``count`` bytes; raise ``ArchiveRefused`` when the archive ends before."""
        while count:
            piece = self.some(count)
            if not piece:
                raise ArchiveRefused("truncated", "the archive ends in the middle of a file")
            count -= len(piece)
            yield piece


def _zstd() -> Any:
    try:
        return importlib.import_module("compression.zstd")
    except ImportError:
        raise ArchiveRefused(
            "no_zstd", "this Python cannot read zstd: pack the archive with gzip instead"
        ) from None


class _Xz:
    """xz in bounded memory; ``lzma.open`` would take whatever a header asks for."""

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw = raw
        self._decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)

    def read(self, limit: int) -> bytes:
        """Return up to ``limit`` decompressed bytes; nothing at the end."""
        while not self._decoder.eof:
            fed = self._raw.read(CHUNK) if self._decoder.needs_input else b""
            if self._decoder.needs_input and not fed:
                raise EOFError("it ends too early")
            if data := self._decoder.decompress(fed, limit):
                return data
        if self._decoder.unused_data or self._raw.read(1):
            raise ArchiveRefused("trailing_data", "something follows the end of the archive")
        return b""


@contextmanager
def open_tar(path: Path, kind: str, budget: Budget) -> Iterator[Reader]:
    """Open a tar archive of whatever compression for sequential reading."""
    with path.open("rb") as raw:
        stream: Any = raw
        if kind == "gzip":
            stream = gzip.GzipFile(fileobj=raw)
        elif kind == "bzip2":
            stream = bz2.BZ2File(raw)
        elif kind == "xz":
            stream = _Xz(raw)
        elif kind == "zstd":
            stream = _zstd().ZstdFile(raw)
        yield Reader(stream, budget)
