"""OLE compound files, as old Office writes documents, by hand: a header, one sector that says
which sectors there are, and a directory of named folders."""

import struct

FREE, END, FAT, NONE = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD, 0xFFFFFFFF
SECTOR = 512


def compound_file(*folders: str) -> bytes:
    """Return a compound file with these folders at its root, each the right sibling of the last."""
    entries = [_entry("Root Entry", 5, child=1 if folders else NONE)]
    for number, name in enumerate(folders, start=1):
        entries.append(_entry(name, 1, right=number + 1 if number < len(folders) else NONE))
    entries += [_entry("", 0)] * (-len(entries) % 4)
    directory = b"".join(entries)
    last = len(directory) // SECTOR  # the directory begins in the sector behind the FAT
    chain = [FAT, *range(2, last + 1), END]
    fat = struct.pack(f"<{SECTOR // 4}I", *chain, *[FREE] * (SECTOR // 4 - len(chain)))
    return _header() + fat + directory


def _header() -> bytes:
    begin = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16)
    begin += struct.pack("<HHHHH6x", 0x3E, 3, 0xFFFE, 9, 6)
    begin += struct.pack("<IIIIIIIIII", 0, 1, 1, 0, 4096, END, 0, END, 0, 0)
    return begin + struct.pack("<108I", *[FREE] * 108)


def _entry(name: str, kind: int, *, right: int = NONE, child: int = NONE) -> bytes:
    said = name.encode("utf-16-le")
    size = len(said) + 2 if name else 0
    begin = said.ljust(64, b"\0") + struct.pack("<HBB", size, kind, 1)
    return begin + struct.pack("<III", NONE, right, child) + bytes(36) + struct.pack("<IQ", END, 0)
