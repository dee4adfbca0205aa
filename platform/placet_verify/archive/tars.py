"""Tar, read header by header.

Python's ``tarfile`` reads whatever size an extended header claims into memory and understands
many things that an artifact never holds (sparse files, links, devices). Here its header parser is
used for single blocks alone, and everything but plain files and folders is refused.
"""

import tarfile
from dataclasses import dataclass

from placet_verify.archive.names import ArchiveRefused, shown
from placet_verify.archive.output import Budget, OutputFolder
from placet_verify.archive.streams import Reader

BLOCK = 512
_MAX_EXTENDED = 1 << 16
_REFUSED = {
    tarfile.LNKTYPE: ("link", "a hard link"),
    tarfile.SYMTYPE: ("link", "a symbolic link"),
    tarfile.GNUTYPE_LONGLINK: ("link", "a link"),
    tarfile.CHRTYPE: ("device", "a device"),
    tarfile.BLKTYPE: ("device", "a device"),
    tarfile.FIFOTYPE: ("device", "a pipe"),
}


@dataclass(slots=True)
class _Extended:
    """What extended headers said about the member that follows them."""

    path: str | None = None
    size: int | None = None


def extract_tar(reader: Reader, output: OutputFolder, budget: Budget) -> None:
    """Write every member to ``output``."""
    extended = _Extended()
    while True:
        block = reader.exactly(BLOCK)
        if not any(block):
            break
        header = _header(block)
        if header.type in {tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME}:
            budget.entry()
            _extend(extended, header, _small(reader, header))
            continue
        _member(reader, output, budget, header, extended)
        extended = _Extended()
    _only_zeros(reader)


def _header(block: bytes) -> tarfile.TarInfo:
    try:
        header = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
    except (tarfile.HeaderError, ValueError) as error:
        raise ArchiveRefused("damaged", f"a header of the archive is damaged: {error}") from None
    if header.size < 0:
        raise ArchiveRefused("damaged", "a header of the archive gives a negative size")
    return header


def _member(
    reader: Reader,
    output: OutputFolder,
    budget: Budget,
    header: tarfile.TarInfo,
    extended: _Extended,
) -> None:
    budget.entry()
    name = extended.path if extended.path is not None else header.name
    size = extended.size if extended.size is not None else header.size
    if refused := _REFUSED.get(header.type):
        raise ArchiveRefused(refused[0], f"{shown(name)} is {refused[1]}")
    clean = name.removeprefix("./")
    if header.type == tarfile.DIRTYPE:
        if clean.rstrip("/") not in {"", "."}:
            output.add_folder(clean.rstrip("/"))
        _skip(reader, size)
    elif header.type in {tarfile.REGTYPE, tarfile.AREGTYPE}:
        output.add_file(clean, size, reader.pieces(size), executable=bool(header.mode & 0o100))
        _skip(reader, -size % BLOCK, padded=True)
    else:
        raise ArchiveRefused("member_type", f"{shown(name)} is of a type that is not accepted")


def _skip(reader: Reader, count: int, *, padded: bool = False) -> None:
    if not padded and count:
        raise ArchiveRefused("damaged", "a folder of the archive claims to have content")
    reader.exactly(count)


def _small(reader: Reader, header: tarfile.TarInfo) -> bytes:
    if header.size > _MAX_EXTENDED:
        raise ArchiveRefused("name_long", "an extended header of the archive is too long")
    data = reader.exactly(header.size)
    reader.exactly(-header.size % BLOCK)
    return data


def _extend(extended: _Extended, header: tarfile.TarInfo, data: bytes) -> None:
    if header.type == tarfile.GNUTYPE_LONGNAME:
        extended.path = _text(data.rstrip(b"\0"))
        return
    for key, value in _records(data).items():
        if key.startswith("GNU.sparse") or key in {"hdrcharset", "linkpath"}:
            raise ArchiveRefused("member_type", "the archive holds sparse files, links or old text")
        if key not in {"path", "size"}:
            continue
        if header.type == tarfile.XGLTYPE:
            raise ArchiveRefused("damaged", "a global header of the archive names a file")
        if key == "path":
            extended.path = value
        else:
            extended.size = _number(value)


def _records(data: bytes) -> dict[str, str]:
    """Read ``length key=value\\n`` records (POSIX pax)."""
    records: dict[str, str] = {}
    while data:
        digits, space, _ = data.partition(b" ")
        length = _number(_text(digits[:10]))
        record = data[len(digits) + 1 : length]
        if not space or length > len(data) or not record.endswith(b"\n") or b"=" not in record:
            raise ArchiveRefused("damaged", "an extended header of the archive is damaged")
        key, _, value = record[:-1].partition(b"=")
        records[_text(key)] = _text(value) if key in {b"path", b"size"} else ""
        data = data[length:]
    return records


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise ArchiveRefused("damaged", "an extended header of the archive holds a wrong number")
    return int(text)


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise ArchiveRefused("name_encoding", "a name in the archive is not UTF-8") from None


def _only_zeros(reader: Reader) -> None:
    while rest := reader.some(1 << 16):
        if any(rest):
            raise ArchiveRefused("trailing_data", "something follows the end of the archive")
