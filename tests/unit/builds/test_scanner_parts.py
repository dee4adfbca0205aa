"""What is read of something before it cannot be read further counts: a loader came as far."""

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy
import pytest

from tests.support.scanning import scan_bytes, scan_folder
from workers.builder.scanning import compressed, files, xgboost

NOWHERE = Path("/nonexistent")
EVIL = b"cposix\nsystem\n(S'true'\ntR."
LONG = EVIL + bytes(200_000)


def zipped(**members: bytes) -> bytes:
    """Return a zip."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


def tarred(data: bytes) -> bytes:
    """Return a tar of one file."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        entry = tarfile.TarInfo("m.bin")
        entry.size = len(data)
        archive.addfile(entry, io.BytesIO(data))
    return file.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        lzma.compress(LONG) + b"\xfd7zXZ",
        bz2.compress(LONG) + b"BZh",
        gzip.compress(LONG) + b"x",
        gzip.compress(LONG)[:-8],
        gzip.compress(LONG)[:-8] + bytes(8),
        zlib.compress(LONG)[:-3],
        tarred(LONG)[:100_000],
        zipped(m=LONG).replace(EVIL + b"\0", EVIL + b"\1"),
        zipped(m=EVIL).replace(b"true", b"rude"),
    ],
    ids=["xz", "bz2", "gzip", "cut", "another sum", "zlib", "tar", "zip", "small zip"],
)
def test_a_pickle_before_an_error_is_malicious(data: bytes) -> None:
    assert scan_bytes("m.joblib", data, NOWHERE).verdict() == "malicious"


def test_a_pickle_before_the_bound_of_what_is_unpacked_is_malicious(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(files, "MAX_EXPANDED", 1 << 16)
    assert scan_bytes("m.joblib", gzip.compress(LONG), NOWHERE).verdict() == "malicious"
    late = zipped(a=bytes(200_000), z=EVIL)
    assert scan_bytes("m.zip", late, NOWHERE).verdict() == "malicious"
    report = scan_bytes("m.txt.gz", gzip.compress(b"words\n" * 99_999), NOWHERE)
    assert report.verdict() == "unknown"


def test_a_part_of_an_honest_file_is_neither_safe_nor_malicious() -> None:
    file = io.BytesIO()
    numpy.save(file, numpy.zeros(99_999))
    header = b'{"a":{"dtype":"U8","shape":[99999],"data_offsets":[0,99999]}}'
    tensors = len(header).to_bytes(8, "little") + header + bytes(99_999)
    for name, data in (
        ("a.npy", file.getvalue()),
        ("m.safetensors", tensors),
        ("a.txt", LONG[30:]),
    ):
        whole = gzip.compress(data)
        assert scan_bytes(f"{name}.gz", whole, NOWHERE).verdict() == "safe", name
        cut = scan_bytes(f"{name}.gz", whole[:-20], NOWHERE)
        assert cut.verdict() == "unknown", name


def needs(size: int) -> bytes:
    """Return LZMA whose header asks for a dictionary of so many bytes."""
    data = lzma.compress(b"words", format=lzma.FORMAT_ALONE)
    return data[:1] + size.to_bytes(4, "little") + data[5:]


@pytest.mark.parametrize(
    "first",
    [b"\x93NUMPY", b"\x93NUMPY\1", b"\x93NUMPY\1\0\1", b"\x89HDF\r\n\x1a\n\0\0", needs(0xFF000000)],
)
def test_a_member_that_is_odd_in_any_way_does_not_hide_the_next(first: bytes) -> None:
    assert scan_bytes("a.npy", first, NOWHERE).verdict() == "unknown"
    report = scan_bytes("m.zip", zipped(a=first, z=EVIL), NOWHERE)
    assert report.verdict() == "malicious"
    assert not any("could not be" in what for _, _, what in report.findings)


@pytest.mark.parametrize(("error", "is_cut"), [(IndexError(), False), (MemoryError(), True)])
def test_whatever_happens_over_a_member_the_next_is_scanned(
    error: Exception, is_cut: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> None:
        raise error

    monkeypatch.setattr("workers.builder.scanning.headers.numpy_objects", fails)
    report = scan_bytes("m.zip", zipped(a=b"\x93NUMPY\1", z=EVIL), NOWHERE)
    assert (report.verdict(), report.cut) == ("malicious", is_cut)


def test_lzma_has_the_memory_that_python_writes_it_with_and_no_more(tmp_path: Path) -> None:
    (tmp_path / "a.txt.xz").write_bytes(lzma.compress(b"words\n", preset=9 | lzma.PRESET_EXTREME))
    assert scan_folder(tmp_path).verdict() == "safe"
    found = scan_bytes("m", needs(compressed.MAX_DICTIONARY), NOWHERE).findings
    assert found == [("m", "unknown", "is a broken archive (LZMAError)")]


def test_json_of_xgboosts_that_takes_all_memory_is_not_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heavy = b'{"learner":{"gradient_booster":[' + b"[]," * 3000 + b"[]]}}"
    monkeypatch.setattr(xgboost, "MAX_NUMBERS", 30 * len(heavy))
    found = scan_bytes("m.json", heavy, NOWHERE).findings
    assert any("takes too much memory" in what for _, _, what in found)
    monkeypatch.setattr(xgboost, "MAX_NUMBERS", 40 * len(heavy))
    found = scan_bytes("m.json", heavy, NOWHERE).findings
    assert not any("takes too much memory" in what for _, _, what in found)
