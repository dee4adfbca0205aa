"""Arrays beside the schema of a skops file are numbers, truth values and texts, or it is code."""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy
import pytest
import skops.io
from sklearn.linear_model import LogisticRegression

from tests.support.scanning import scan_bytes


def verdict(array: Any, name: str = "m.skops") -> str:
    """Scan a model with this array, or these bytes, in place of all its own."""
    file = io.BytesIO()
    if not isinstance(array, bytes):
        numpy.save(file, array)
        array = file.getvalue()
    whole = skops.io.dumps(LogisticRegression().fit([[0.0], [1.0]], [0, 1]))
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(whole)) as old, zipfile.ZipFile(out, "w") as new:
        for entry in old.namelist():
            new.writestr(entry, array if entry.endswith(".npy") else old.read(entry))
    return scan_bytes(name, out.getvalue(), Path("/nonexistent")).verdict()


@pytest.mark.parametrize(
    "array",
    [
        numpy.ones(2),
        numpy.array([True]),
        numpy.array(["größe"]),
        numpy.array([b"a"]),
        numpy.array(["a" * 999]),
    ],
)
def test_numbers_truth_values_and_texts_are_safe(array: Any) -> None:
    assert verdict(array) == "safe"
    assert verdict(array, "model.zip") == verdict(array, "model.bin") == "safe"


@pytest.mark.parametrize(
    "array",
    [
        numpy.zeros(2, [("a", "<i4")]),
        numpy.zeros(2, "M8[s]"),
        numpy.zeros(2, "m8[D]"),
        numpy.zeros(2, "V4"),
        numpy.zeros(0, "U1000"),  # of a type skops writes an array without items
    ],
)
@pytest.mark.parametrize("name", ["m.skops", "model.zip", "model.bin"])
def test_records_dates_bytes_of_no_type_and_very_long_texts_are_code(array: Any, name: str) -> None:
    assert verdict(array, name) == "code-carrying"


def test_texts_without_a_length_are_not_safe() -> None:
    """Such an item takes no bytes: NumPy answers what memory held before."""
    head = repr({"descr": "|S0", "fortran_order": False, "shape": (2, 4000)}).encode().ljust(117)
    assert verdict(b"\x93NUMPY\x01\x00\x76\x00" + head + b"\n") == "unknown"


def test_an_array_that_is_none_is_not_safe() -> None:
    assert verdict(b"[1, 2]") != "safe"
