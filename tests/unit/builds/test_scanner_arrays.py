"""Arrays of joblib: what it reads of them is what the walk steps over, or the file is not followed.

joblib reads an array from behind BUILD, as long as its shape and type say. What stands behind the
end of that runs; in each case here the walk once took it for a part of the array.
"""

import io
import struct
from pathlib import Path
from typing import Any

import joblib
import numpy
import pytest

from tests.support.scanning import scan_bytes


def text(word: bytes) -> bytes:
    return b"\x8c" + bytes([len(word)]) + word


def call(module: bytes, name: bytes, *args: bytes) -> bytes:
    return b"c" + module + b"\n" + name + b"\n(" + b"".join(args) + b"tR"


def number(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)


def kind(word: bytes, *state: bytes) -> bytes:
    """Return a type of NumPy's with this state."""
    built = b"(" + b"".join(state) + b"tb" if state else b""
    return call(b"numpy", b"dtype", text(word), b"\x89", b"\x88") + built


SEEN, READ = 200, 4  # how long the array was to the walk, and is to joblib
START = number(3) + text(b"|") + b"NNN"
ARRAY = b"cjoblib.numpy_pickle\nNumpyArrayWrapper\n"
SHAPE = number(SEEN) + b"\x85"
NEW_SHAPE = number(READ) + b"\x85"
MANY = b"".join(text(b"%04d" % n) + b"N" for n in range(1100))


def settings(dtype: bytes, shape: bytes = number(1) + b"\x85", more: bytes = b"") -> bytes:
    """Return what an array is built with."""
    members = {
        b"shape": shape,
        b"dtype": dtype,
        b"order": text(b"C"),
        b"allow_mmap": b"\x89",
        b"subclass": b"cnumpy\nndarray\n",
        b"numpy_array_alignment_bytes": b"N",
    }
    return b"}(" + b"".join(text(name) + value for name, value in members.items()) + more + b"u"


def runs(path: Path) -> bytes:
    """Return what makes a folder and is taken off the stack."""
    name = str(path).encode()
    return b"0cos\nmkdir\n(X" + struct.pack("<I", len(name)) + name + b"tR"


NEW = ARRAY + b")\x81"
BYTES = kind(b"u1")
HIDDEN = {
    "a size that is not followed": settings(kind(b"S200", START, b"\x8a\1\4", number(1), b"K\0")),
    "a state of five": settings(kind(b"S200", text(b"|"), b"NN", number(READ), number(1))),
    "a computed state": settings(
        call(b"numpy", b"dtype", text(b"S200"), b"\x89\x88")
        + call(b"builtins", b"tuple", b"(", START, number(READ), number(1), b"K\0l")
        + b"b"
    ),
    "a computed key": settings(BYTES, SHAPE, call(b"builtins", b"str", text(b"shape")) + NEW_SHAPE),
    "a key of another's doing": b"}\x94"
    + settings(BYTES, SHAPE)[1:]
    + call(b"collections", b"UserDict.update", b"h\0", b"}" + text(b"shape") + NEW_SHAPE + b"s")
    + b"0",
    "more than a thousand keys": settings(BYTES, SHAPE, MANY + text(b"shape") + NEW_SHAPE),
}


@pytest.mark.parametrize("state", HIDDEN.values(), ids=HIDDEN)
def test_what_joblib_comes_to_is_not_hidden_in_an_array(state: bytes, tmp_path: Path) -> None:
    inside = (b"\xff" * READ + runs(tmp_path / "ran") + b".").ljust(SEEN, b"\xff")
    held(b"\x80\4" + NEW + state + b"b" + inside + b"N.", tmp_path)


STATE = settings(BYTES, number(5) + b"\x85")
UNSEEN = {
    "a copy": call(b"copy", b"copy", NEW),
    "out of a list": call(b"builtins", b"max", b"]" + ARRAY + b"a") + b")\x81",
    "by its type's way": b"\x8c\x13joblib.numpy_pickle\x8c\x1aNumpyArrayWrapper.__call__\x93("
    + b"cnumpy\nndarray\n"
    + number(5)
    + b"\x85"
    + text(b"C")
    + BYTES
    + b"tR",
}


@pytest.mark.parametrize("made", UNSEEN.values(), ids=UNSEEN)
def test_an_array_that_is_made_unseen_hides_nothing(made: bytes, tmp_path: Path) -> None:
    """Of it the walk would take the five bytes for an opcode that holds what runs."""
    hidden = runs(tmp_path / "ran")
    inside = b"B" + struct.pack("<I", len(hidden)) + hidden
    held(b"\x80\4" + made + STATE + b"b" + inside + b".", tmp_path)


AGAIN = {
    "a copy": call(b"copy", b"copy", b"h\7") + b"}b",
    "its class": call(b"builtins", b"type", b"h\7") + b")\x81" + STATE + b"b",
    "itself": b"h\7}b",
}


@pytest.mark.parametrize("made", AGAIN.values(), ids=AGAIN)
def test_an_array_that_was_read_is_not_taken_again(made: bytes, tmp_path: Path) -> None:
    """What joblib read it by is in the memo, and reads another five bytes."""
    hidden = runs(tmp_path / "ran")
    first = NEW + b"q\7" + STATE + b"b" + b"\xff" * 5 + b"0"
    inside = b"B" + struct.pack("<I", len(hidden)) + hidden
    held(b"\x80\4" + first + made + inside + b".", tmp_path)


@pytest.mark.parametrize("method", [b"read", b"read_array"])
def test_a_method_in_an_arrays_state_hides_nothing(method: bytes, tmp_path: Path) -> None:
    """joblib calls it, and then reads no array where the walk steps over one."""
    hidden = runs(tmp_path / "ran") + b"0"
    own = text(method) + b"cbuiltins\nslice\n"
    state = settings(BYTES, number(len(hidden)) + b"\x85", own)
    data = b"\x80\4N" + NEW + state + b"b" + hidden + b"."
    report = scan_bytes("model.joblib", data, tmp_path)
    assert report.verdict() in {"unknown", "malicious"}, report.findings
    assert any("member that joblib does not write" in what for _, _, what in report.findings)
    held(data, tmp_path)


def test_an_alignment_that_is_computed_hides_nothing(tmp_path: Path) -> None:
    """What is none is a copy of none."""
    hidden = runs(tmp_path / "ran")
    aligned = text(b"numpy_array_alignment_bytes") + call(b"copy", b"copy", b"N")
    state = settings(BYTES, number(2) + b"\x85", aligned)
    inside = bytes([len(hidden) - 1]) + b"\xff" + hidden
    held(b"\x80\4" + NEW + state + b"b" + inside + b".", tmp_path)


def test_an_array_that_is_aligned_by_itself_hides_nothing(tmp_path: Path) -> None:
    """Called with arguments it takes the alignment that its class has."""
    plain = b"cnumpy\nndarray\n" + number(5) + b"\x85" + text(b"C") + BYTES
    state = b"}(" + text(b"shape") + number(5) + b"\x85" + text(b"dtype") + BYTES + b"u"
    hidden = runs(tmp_path / "ran")
    inside = b"\1\xff\xff\xff\xffC" + bytes([len(hidden)]) + hidden
    held(b"\x80\4" + ARRAY + b"(" + plain + b"tR" + state + b"b" + inside + b".", tmp_path)


def held(data: bytes, folder: Path) -> None:
    """Have joblib load it, which runs what it hides; the scanner must not take it for followed."""
    joblib.load(io.BytesIO(data))
    assert (folder / "ran").is_dir()
    report = scan_bytes("model.joblib", data, folder)
    assert report.verdict() in {"unknown", "malicious"}, report.findings


@pytest.mark.parametrize(
    "array",
    [
        numpy.arange(5.0),
        numpy.arange(6).reshape(2, 3).T,
        numpy.array([True]),
        numpy.ones(3, ">f4"),
        numpy.array(["ab", "c"]),
        numpy.array([b"ab"]),
        numpy.array(["2026-01-01"], "M8[D]"),
        numpy.zeros(2, [("a", "i4"), ("b", "f8", (2,))]),
        numpy.ones((0, 3), "c16"),
        numpy.array([{}, 1], object),
        numpy.zeros(2, [("a", "O"), ("b", "i1")]),
        numpy.zeros(3, numpy.dtype("f8", metadata={"unit": "m"})),
        numpy.ones(2, "f2").view("V2"),
    ],
    ids=lambda array: str(array.dtype),
)
def test_arrays_as_joblib_writes_them_are_followed(array: Any, tmp_path: Path) -> None:
    for compress in (0, 3):
        joblib.dump({"one": array, "two": [array, "x"]}, tmp_path / "a.joblib", compress=compress)
        report = scan_bytes("a.joblib", (tmp_path / "a.joblib").read_bytes(), tmp_path)
        assert report.verdict() == "code-carrying", report.findings
