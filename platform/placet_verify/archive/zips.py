"""Zip, checked against its own directory before anything is written."""

import stat
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from placet_verify.archive.names import ArchiveRefused, shown
from placet_verify.archive.output import CHUNK, Budget, OutputFolder
from placet_verify.archive.streams import broken_is_refused

_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}  # LZMA takes memory as the file asks
_END = struct.Struct("<4s4H2LH")
_END64_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCAL_HEADER = 30
_DIRECTORY_BYTES_EACH = 1024
_ENCRYPTED = 0x1
_UTF8 = 0x800


def extract_zip(path: Path, output: OutputFolder, budget: Budget) -> None:
    """Write every member to ``output``."""
    try:
        with path.open("rb") as stream:
            _check_directory(stream, budget)
            with zipfile.ZipFile(stream) as archive, broken_is_refused():
                _check_overlap(archive)
                for member in archive.infolist():
                    budget.entry()
                    _member(archive, member, output, budget)
    except zipfile.BadZipFile as error:
        code = "bad_crc" if "CRC" in str(error) else "damaged"
        raise ArchiveRefused(code, f"the archive is damaged: {error}") from None
    except (NotImplementedError, RuntimeError, UnicodeDecodeError) as error:
        raise ArchiveRefused("damaged", f"the archive cannot be read: {error}") from None


def _member(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, output: OutputFolder, budget: Budget
) -> None:
    name = member.orig_filename
    _check_member(member, name)
    if name.endswith("/"):
        output.add_folder(name.rstrip("/"))
        return
    with archive.open(member) as stream:
        output.add_file(
            name,
            member.file_size,
            _counted(stream, budget),
            executable=bool(member.external_attr >> 16 & 0o100),
        )


def _check_member(member: zipfile.ZipInfo, name: str) -> None:
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind == stat.S_IFLNK:
        raise ArchiveRefused("link", f"{shown(name)} is a symbolic link")
    if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
        raise ArchiveRefused("device", f"{shown(name)} is a device or a pipe")
    if (kind == stat.S_IFDIR) != name.endswith("/") and kind:
        raise ArchiveRefused("damaged", f"{shown(name)} is both a file and a folder")
    if member.flag_bits & _ENCRYPTED:
        raise ArchiveRefused("encrypted", f"{shown(name)} is encrypted")
    if member.compress_type not in _METHODS:
        raise ArchiveRefused("method", f"{shown(name)} is compressed in a way that is not known")
    if not name.isascii() and not member.flag_bits & _UTF8:
        raise ArchiveRefused("name_encoding", f"{shown(name)} is not marked as UTF-8")
    if name.endswith("/") and member.file_size:
        raise ArchiveRefused("damaged", f"the folder {shown(name)} claims to have content")


def _counted(stream: IO[bytes], budget: Budget) -> Iterator[bytes]:
    while chunk := stream.read(CHUNK):
        budget.spend(len(chunk))
        yield chunk


def _check_overlap(archive: zipfile.ZipFile) -> None:
    """Refuse members that share bytes: the trick of the densest bombs."""
    end = 0
    for member in sorted(archive.infolist(), key=lambda one: one.header_offset):
        if member.header_offset < end:
            raise ArchiveRefused("bomb", f"{shown(member.orig_filename)} overlaps another file")
        end = member.header_offset + _LOCAL_HEADER + member.compress_size


def _check_directory(stream: IO[bytes], budget: Budget) -> None:
    """Refuse a directory of too many members before Python builds an object for each."""
    size = stream.seek(0, 2)
    start = max(0, size - _END.size - 0xFFFF - _END64_LOCATOR.size)
    stream.seek(start)
    tail = stream.read()
    offset = tail.rfind(b"PK\x05\x06")
    if offset < 0 or len(tail) - offset < _END.size:
        raise ArchiveRefused("damaged", "the archive has no directory")
    _, _, _, _, count, length, _, _ = _END.unpack_from(tail, offset)
    locator = offset - _END64_LOCATOR.size
    if locator >= 0 and tail[locator : locator + 4] == b"PK\x06\x07":
        count, length = _directory64(stream, _END64_LOCATOR.unpack_from(tail, locator)[2])
    limit = budget.limits.files
    if count > limit or length > (limit + 1) * _DIRECTORY_BYTES_EACH:
        raise ArchiveRefused("too_many_files", f"the archive has more than {limit} members")


def _directory64(stream: IO[bytes], offset: int) -> tuple[int, int]:
    stream.seek(offset)
    raw = stream.read(_END64.size)
    if len(raw) != _END64.size or not raw.startswith(b"PK\x06\x06"):
        raise ArchiveRefused("damaged", "the archive's directory is damaged")
    fields = _END64.unpack(raw)
    return fields[7], fields[8]
