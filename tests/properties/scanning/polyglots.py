"""Families of files that are two things: a pickle that begins as an image, an array or a text."""

import io
import json
import struct

import numpy

from tests.properties.scanning.drawn import EVERY, Chance, Family, Made
from tests.properties.scanning.opcodes import called, end, harmless, integer, name, place


def a_start(random: Chance, start: bytes, *names: str) -> Made:
    """Return a pickle behind other bytes, under a name that goes with them."""
    data = start + harmless(random) + called(random) + end(random)
    return {random.choice(names): data}, EVERY


def gif(random: Chance) -> Made:
    start = b"GIF8" + random.choice((b"7a", b"9a", random.randbytes(2)))
    floats = start[:1] + start[1:8].ljust(8, b"\0") + b"0"  # G takes eight bytes
    return a_start(
        random, random.choice((start + bytes(3) + b"0", floats)), "plot.gif", "model.pkl"
    )


def png(random: Chance) -> Made:
    start = b"\x89PNG\r\n\x1a\n" + random.choice((b"", b"0", b"00"))
    return a_start(random, start, "plot.png", "model.pkl")


def parquet(random: Chance) -> Made:
    return a_start(
        random, b"PAR1" + random.choice((b"\n", b"\nQ0", b"\n0")), "a.parquet", "model.pkl"
    )


def jpeg_and_native(random: Chance) -> Made:
    start = random.choice((b"\xff\xd8\xff\xe0", b"\x7fELF", b"MZ\x90\0", b"BM\0\0", b"RIFF"))
    return a_start(random, start + b"0", "plot.jpg", "a.bin", "model.pkl")


def json_and_xml(random: Chance) -> Made:
    start = random.choice((b"]", b"}", b"N", b"[", b"{", b'"', b"<xml>\n", b"I1\n", b"1", b"null"))
    return a_start(
        random, start + random.choice((b"", b"0", b"\n")), "data.json", "a.xml", "a.html"
    )


def lines_of_a_table(random: Chance) -> Made:
    lines = b"".join(b"I" + integer(random) + b"\n0" for _ in range(random.randrange(1, 4)))
    return a_start(random, lines, "data.csv", "data.tsv", "notes.txt", "requirements.txt")


def texts_with_places(random: Chance) -> Made:
    lines = b"Np" + place(random, 0) + b"\n0g" + place(random, 0) + b"\n0"
    return a_start(random, lines, "notes.txt", "README.md", "conda.yaml", "data.jsonl", "a.toml")


def safetensors(random: Chance) -> Made:
    """The length of its header is an opcode that takes a line, which ends in the data."""
    evil = b"\n" + harmless(random) + called(random) + b"."
    size = random.choice((0x56, 0x156, 0x58, 0x47, 0x95))
    tensor = {"a": {"dtype": "U8", "shape": [len(evil)], "data_offsets": [0, len(evil)]}}
    header = json.dumps(tensor).encode().ljust(size if size > 80 else size + 256)
    data = struct.pack("<Q", len(header)) + header + evil
    return {random.choice(("model.safetensors", "model.pkl")): data}, (*EVERY, "safetensors")


def npy_behind_its_magic(random: Chance) -> Made:
    file = io.BytesIO()
    numpy.save(file, numpy.arange(3))
    data = file.getvalue() + called(random) + b"."
    return {random.choice(("a.npy", "notes.txt")): data}, EVERY


def hdf5(random: Chance) -> Made:
    data = b"\x89HDF\r\n\x1a\n" + bytes(120) + called(random) + b"."
    return {random.choice(("model.h5", "a.bin", "notes.txt")): data}, EVERY


def onnx_that_is_a_pickle(random: Chance) -> Made:
    """A field of an unknown number may hold anything; ``\\x82`` and others begin as opcodes do."""
    evil = called(random) + b"."
    field = random.choice((b"U", b"\x8a\x01", b"B", b"V", b"C"))
    data = field + bytes([len(evil) % 128]) + random.choice((b"\n", b"0", b"")) + evil
    return {"model.onnx": data}, (*EVERY, "onnx")


def ubjson_and_trees(random: Chance) -> Made:
    start = random.choice((b"{L", b"{", b"tree\nversion=v4\n", b'{"learner":', b"}L1\n0"))
    return a_start(random, start, "model.ubj", "model.txt", "model.json")


def python_that_is_an_image(random: Chance) -> Made:
    """An image's first bytes can be a line of Python; an importer goes by the ending."""
    start = random.choice((b"GIF89a=1\n", b"GIF87a=1\n", b"PAR1=1\n", b"#", b""))
    source = start + b"import placet_marker_imported\n"
    path = random.choice(("own.py", "own/__init__.py", "own/.py", "own.PY", "own.pyw", "own.gif"))
    return {path: source, "notes.txt": b"own."}, ("imports",)


def an_empty_start(random: Chance) -> Made:
    start = random.choice((b"\0", b"\n", b" ", b"\xef\xbb\xbf", b"#\n", b"\x80\x04\x95"))
    return a_start(random, start, name(random))


FAMILIES: tuple[Family, ...] = (
    gif,
    png,
    parquet,
    jpeg_and_native,
    json_and_xml,
    lines_of_a_table,
    texts_with_places,
    safetensors,
    npy_behind_its_magic,
    hdf5,
    onnx_that_is_a_pickle,
    ubjson_and_trees,
    python_that_is_an_image,
    an_empty_start,
)
