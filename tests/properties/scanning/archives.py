"""Families of archives: a zip that readers read differently, tar of three kinds, and nesting."""

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable

from tests.properties.scanning.drawn import EVERY, Chance, Family, Made
from tests.properties.scanning.opcodes import called, harmless, name

SOURCE = b"import placet_marker_imported\n"
ZIPS = ("torch", "numpy", "imports")
PACKERS: tuple[Callable[[bytes], bytes], ...] = (
    lambda data: gzip.compress(data, mtime=0),
    zlib.compress,
    bz2.compress,
    lzma.compress,
    lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
    lambda data: zlib.compress(data, 0),
    lambda data: zlib.compress(data, 9),
)


def evil(random: Chance) -> bytes:
    """Return a pickle that runs."""
    return harmless(random) + called(random) + b"."


def zipped(*members: tuple[str, bytes], comment: bytes = b"", packed: bool = False) -> bytes:
    """Return a zip of these members."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED) as out:
        for path, data in members:
            out.writestr(zipfile.ZipInfo(path), data)
        out.comment = comment
    return file.getvalue()


def a_member(random: Chance) -> tuple[str, bytes]:
    """Return a member that some reader of zips runs."""
    path = random.choice(("archive/data.pkl", "data.pkl", "a.npy", "own.py", "own/__init__.py"))
    return path, SOURCE if path.endswith(".py") else evil(random)


def zip_name(random: Chance) -> str:
    return random.choice(("model.pt", "model.npz", "code.zip", "a.egg", "model.skops", "notes.txt"))


def a_zip(random: Chance) -> Made:
    data = zipped(("notes.txt", b"hello"), a_member(random), packed=random.random() < 0.5)
    return {zip_name(random): data}, ZIPS


def two_directories(random: Chance) -> Made:
    good, bad = zipped(("own.txt", b"hello")), zipped(a_member(random))
    return {zip_name(random): random.choice((good + bad, bad + good))}, ZIPS


def bytes_before_and_behind(random: Chance) -> Made:
    data = zipped(a_member(random))
    start = random.choice((b"", b"GIF89a", b"#!/bin/sh\n", b"\x89PNG\r\n\x1a\n", b"hello\n"))
    more = random.choice((b"", b"\0", b"\n", b"PK\x05\x06", bytes(70_000)))
    return {random.choice((zip_name(random), "plot.gif")): start + data + more}, ZIPS


def an_end_that_lies(random: Chance) -> Made:
    """zipimport looks at place and size alone; another reader looks at the disks as well."""
    data = bytearray(random.choice((b"", b"GIF89a", b"hello\n")) + zipped(a_member(random)))
    for _ in range(random.randrange(1, 3)):
        at = len(data) - 22 + random.choice((4, 6, 8, 10, 20))
        data[at] = random.choice((0, 1, 255))
    return {random.choice((zip_name(random), "plot.gif")): bytes(data)}, ZIPS


def a_name_twice(random: Chance) -> Made:
    path, data = a_member(random)
    members = [(path, b"hello"), (path.replace("o", "0"), data)]
    random.shuffle(members)
    raw = zipped(*members).replace(path.replace("o", "0").encode(), path.encode())
    return {zip_name(random): raw}, ZIPS


def headers_that_differ(random: Chance) -> Made:
    path, data = a_member(random)
    hidden = path.rpartition(".")[0].encode() + b".tx"
    raw = zipped((path, data))
    where = 1 if random.random() < 0.5 else -1
    other = hidden.ljust(len(path), b"t")[: len(path)]
    first, second = raw.index(path.encode()), raw.rindex(path.encode())
    at = first if where == 1 else second
    return {zip_name(random): raw[:at] + other + raw[at + len(path) :]}, ZIPS


def a_second_name(random: Chance) -> Made:
    """A Unicode path beside the name (APPNOTE 4.6.9), which only some readers go by."""
    path, data = a_member(random)
    other = random.choice((b"notes.txt", path.encode(), b"plot.gif"))
    if random.random() < 0.5:
        path, other = "notes.txt", path.encode()
    entry, file = zipfile.ZipInfo(path), io.BytesIO()
    body = struct.pack("<BL", 1, zlib.crc32(path.encode())) + other
    entry.extra = struct.pack("<HH", 0x7075, len(body)) + body
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(entry, data)
    return {zip_name(random): file.getvalue()}, ZIPS


def odd_names_of_members(random: Chance) -> Made:
    path = random.choice(
        (
            "own.PY",
            "own.py/",
            "own/.py",
            ".py",
            "own.pyc",
            "./own.py",
            "own.py ",
            "a/../own.py",
            "own\\x.py",
            "OWN.py",
            "a" * 400 + ".txt/own.py",
            "own.txt",
            "own",
            "own.py.txt",
        )
    )
    return {"code.zip": zipped((path, SOURCE), ("notes.txt", b"own"))}, ("imports",)


def a_zip_in_a_zip(random: Chance) -> Made:
    inner = zipped(a_member(random))
    for depth in range(random.randrange(1, 8)):
        inner = zipped((f"{depth}.zip", inner), packed=True)
    return {zip_name(random): inner}, (*ZIPS, "unpacked")


def a_zip_of_64_bits(random: Chance) -> Made:
    """torch writes its ends twice (zip64); here they may say different things."""
    raw = zipped(a_member(random))
    place = struct.unpack_from("<I", raw, len(raw) - 6)[0]
    size, count = len(raw) - 22 - place, 1
    numbers = [count, count, size, place]
    if random.random() < 0.5:
        numbers[random.randrange(4)] = random.choice((0, 1, place // 2))
    end64 = struct.pack("<4sQHHIIQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, *numbers)
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, len(raw) - 22, 1)
    return {zip_name(random): raw[:-22] + end64 + locator + raw[-22:]}, ZIPS


def a_comment_that_is_an_end(random: Chance) -> Made:
    inner = zipped(a_member(random))
    data = zipped(("notes.txt", b"hello"), comment=inner[:60_000])
    return {zip_name(random): data}, ZIPS


def tarred(random: Chance, *members: tuple[str, bytes]) -> bytes:
    """Return a tar in one of its forms: with or without magic bytes."""
    file = io.BytesIO()
    form = random.choice((tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT))
    with tarfile.open(fileobj=file, mode="w", format=form) as archive:
        for path, data in members:
            entry = tarfile.TarInfo(path)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return file.getvalue()


def of_seventh_edition(raw: bytes) -> bytes:
    """Return a tar without the magic bytes, as Unix V7 wrote it; tarfile reads that too."""
    blocks = bytearray(raw)
    at = 0
    while at + 512 <= len(blocks) and any(blocks[at : at + 512]):
        size = int(bytes(blocks[at + 124 : at + 135]), 8)
        blocks[at + 257 : at + 512] = bytes(255)
        blocks[at + 148 : at + 156] = b" " * 8
        blocks[at + 148 : at + 156] = b"%06o\0 " % sum(blocks[at : at + 512])
        at += 512 + -(-size // 512) * 512
    return bytes(blocks)


def a_tar(random: Chance) -> Made:
    """torch's first form: a tar of ``storages``, ``tensors`` and ``pickle``."""
    first = random.choice(("GIF89a", "PAR1", "notes.txt", "storages"))
    raw = tarred(random, (first, b"hello"), ("storages", evil(random)), ("pickle", evil(random)))
    if random.random() < 0.5:
        raw = of_seventh_edition(raw)
    path = random.choice(("model.tar", "plot.gif", "notes.txt", "model.pt"))
    return {path: raw + random.choice((b"", b"", b"x"))}, ("torch", "unpacked")


def compressed(random: Chance) -> Made:
    data = random.choice(PACKERS)(evil(random))
    return {name(random): data}, ("joblib", "pickle")


def compressed_twice(random: Chance) -> Made:
    data = evil(random)
    for _ in range(random.randrange(2, 8)):
        data = random.choice(PACKERS)(data)
    return {name(random): data}, ("joblib", "unpacked")


def compressed_with_something_behind(random: Chance) -> Made:
    packer = random.choice((*PACKERS[2:5] * 3, random.choice(PACKERS)))  # joblib hangs with others
    pieces = [packer(random.choice((b"N", b"", b"N."))), packer(evil(random))]
    extra = random.choice((b"", b"\0", b"x", bytes(600), packer(b"hello")))
    return {name(random): b"".join(random.choice((pieces, pieces[1:]))) + extra}, ("joblib",)


def cut_off_in_the_middle(random: Chance) -> Made:
    packer = random.choice(PACKERS)
    data = packer(called(random) + b"0" + random.randbytes(3000))
    return {name(random): data[: random.randrange(len(data) // 2, len(data))]}, ("joblib",)


def windows_of_zlib(random: Chance) -> Made:
    body = zlib.compressobj(9, zlib.DEFLATED, random.choice((9, 12, 15, -15, 31)))
    data = body.compress(evil(random)) + body.flush()
    return {name(random): data}, ("joblib",)


def an_archive_in_a_compressed_file(random: Chance) -> Made:
    inner = random.choice((zipped(a_member(random)), tarred(random, ("model.pkl", evil(random)))))
    data = random.choice(PACKERS)(inner)
    return {random.choice(("model.tar.gz", "model.gz", "notes.txt")): data}, ("joblib", "unpacked")


def a_member_that_is_a_polyglot(random: Chance) -> Made:
    start = b"GIF89a" + bytes(3) + b"0"
    path = random.choice(("archive/data.pkl", "data.pkl", "plot.gif", "notes.txt", "a.npy"))
    return {zip_name(random): zipped((path, start + evil(random)))}, (*EVERY, "unpacked")


FAMILIES: tuple[Family, ...] = (
    a_zip,
    two_directories,
    bytes_before_and_behind,
    an_end_that_lies,
    a_name_twice,
    headers_that_differ,
    a_second_name,
    odd_names_of_members,
    a_zip_in_a_zip,
    a_zip_of_64_bits,
    a_comment_that_is_an_end,
    a_tar,
    compressed,
    compressed_twice,
    compressed_with_something_behind,
    cut_off_in_the_middle,
    windows_of_zlib,
    an_archive_in_a_compressed_file,
    a_member_that_is_a_polyglot,
)
