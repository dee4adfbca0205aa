"""A file that is an archive by its first bytes is read as what its name says as well."""

import bz2
import gzip
import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy
import pytest

from tests.properties.scanning import both
from tests.properties.scanning.drawn import draw
from tests.support.scanning import scan_bytes
from workers.builder.scanning.files import Scanner

NOWHERE = Path("/nonexistent")


def tarred(name: str = "notes.txt", data: bytes = b"hello", mode: str = "w:") -> bytes:
    """Return a tar of one file."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:  # type: ignore[call-overload]
        entry = tarfile.TarInfo(name)
        entry.size = len(data)
        archive.addfile(entry, io.BytesIO(data))
    return file.getvalue()


def zipped(name: str, data: bytes) -> bytes:
    """Return a zip of one file."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, data)
    return file.getvalue()


@pytest.mark.parametrize("family", both.FAMILIES)
def test_no_file_hides_behind_the_archive_that_it_is_too(
    family: Callable[..., object], tmp_path: Path
) -> None:
    for name, data in draw("both", family, 1, 0).files.items():  # type: ignore[arg-type]
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    scanner = Scanner(tmp_path)
    scanner.scan_files()
    assert scanner.report.verdict() != "safe", scanner.report.findings


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("model.onnx", "unknown"),
        ("model.h5", "unknown"),
        ("model.safetensors", "unknown"),
        ("MLmodel", "unknown"),
        ("model.keras", "unknown"),
        ("own.py", "code-carrying"),
        ("own.pyc", "code-carrying"),
        ("own.egg", "code-carrying"),
        ("model.ubj", "unknown"),
        ("keras_module.txt", "code-carrying"),
        ("data.tar", "code-carrying"),
        ("model.lgb", "unknown"),
    ],
)
def test_a_tar_of_a_harmless_text_is_safe_only_where_nobody_reads_more_than_a_tar(
    name: str, verdict: str
) -> None:
    assert scan_bytes(name, tarred(), NOWHERE).verdict() == verdict


@pytest.mark.parametrize("start", ["\x7fELF", "CBM1", "GGUF", "data" + "TFL3", "data" + "ORTM"])
def test_a_tar_that_begins_like_a_program_or_a_model_that_is_not_read_is_unknown(
    start: str,
) -> None:
    assert scan_bytes("data.tar", tarred(f"{start}.txt"), NOWHERE).verdict() == "unknown"


def test_honest_archives_are_what_their_members_are() -> None:
    arrays = io.BytesIO()
    numpy.savez(arrays, a=numpy.zeros(3))
    table = b"a,b\n1,2\n"
    honest = {
        "a.npz": arrays.getvalue(),
        "a.zip": zipped("a.csv", table),
        "a.csv.gz": gzip.compress(table),
        "a.tar": tarred("a.csv", table),
        "a.tgz": tarred("a.csv", table, "w:gz"),
        "a.docx": zipped("a.xml", b"<a/>"),
        "a.csv.bz2": bz2.compress(table),
        "a.xlsx": zipped("a.xml", b"<a/>"),
        "a.whl": zipped("a.md", b"# A\n"),
    }
    said = {name: scan_bytes(name, data, NOWHERE).verdict() for name, data in honest.items()}
    tars = dict.fromkeys(("a.tar", "a.tgz"), "code-carrying")  # Pythons read them differently
    assert said == dict.fromkeys(honest, "safe") | tars
    assert scan_bytes("a.pt", zipped("a/data.pkl", b"\x80\x02N."), NOWHERE).verdict() == (
        "code-carrying"
    )


def test_hdf5_is_hdf5_by_its_ending_whatever_stands_before_it() -> None:
    """HDF5 may begin at 512 or behind, and what stands before may be an array."""
    file = io.BytesIO()
    numpy.save(file, numpy.zeros(3))
    for name in ("model.h5", "model.hdf5"):
        assert scan_bytes(name, file.getvalue(), NOWHERE).verdict() == "unknown"
    assert scan_bytes("model.npy", file.getvalue(), NOWHERE).verdict() == "safe"
