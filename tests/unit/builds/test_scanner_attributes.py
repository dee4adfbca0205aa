"""``getattr`` in a pickle: how methods are written, and how one name is reached by another."""

import functools
import json
import pickle
import zoneinfo
from pathlib import Path
from typing import Any

import cloudpickle
import numpy
import pytest
from sklearn.preprocessing import FunctionTransformer

from tests.support.scanning import scan_bytes
from workers.builder.scanning.__main__ import main

METHODS = {
    "of a class": str.lower,
    "of an object": "a b".split,
    "of a model": FunctionTransformer(str.strip),
    "of a library": numpy.random.RandomState(0).normal,
    "of a time zone": zoneinfo.ZoneInfo("Europe/Berlin"),
}


def whole(data: bytes, folder: Path) -> str:
    """Scan a file with the second opinion."""
    (folder / "a").mkdir(exist_ok=True)
    (folder / "a" / "model.pkl").write_bytes(data)
    main(folder / "a", folder / "answer.json")
    return str(json.loads((folder / "answer.json").read_bytes())["verdict"])


@pytest.mark.parametrize("value", METHODS.values(), ids=METHODS)
def test_a_method_is_code(value: Any, tmp_path: Path) -> None:
    for protocol in range(6):
        assert whole(pickle.dumps(value, protocol), tmp_path) == "code-carrying"
    assert whole(cloudpickle.dumps(value), tmp_path) == "code-carrying"


def called(owner: bytes, name: bytes) -> bytes:
    """Return a pickle that asks ``owner`` for an attribute."""
    return b"\x80\4cbuiltins\ngetattr\n(" + owner + name + b"tR."


NAME = b"Vlower\n"
CLASS = b"cbuiltins\nstr\n"
GRAVE = {
    "a private name": called(CLASS, b"V__subclasses__\n"),
    "a name of two": called(CLASS, b"Vlower.upper\n"),
    "a name that opens": called(b"cnumpy\nlib\n", b"Vload\n"),
    "a computed name": called(CLASS, b"cbuiltins\nstr\n(VVlower\ntR"),
    "an unknown owner": called(b"]", NAME),
    "an attribute of an attribute": called(
        b"cbuiltins\ngetattr\n(" + CLASS + NAME + b"tR", b"Vupper\n"
    ),
    "a module by its name": called(b"ccloudpickle.cloudpickle\nsubimport\n(Vshutil\ntR", NAME),
    "a default": called(CLASS, NAME + b"N"),
    "itself": pickle.dumps(getattr),
    "handed on": pickle.dumps(functools.partial(getattr, "a", "lower")),
    "in a list": b"\x80\4]cbuiltins\ngetattr\na.",
    "by another call": b"(" + CLASS + NAME + b"ibuiltins\ngetattr\n.",
    "of Python 2": b"c__builtin__\ngetattr\n(" + CLASS + b"V__mro__\ntR.",
}


@pytest.mark.parametrize("data", GRAVE.values(), ids=GRAVE)
def test_what_could_reach_anything_is_malicious(data: bytes) -> None:
    assert scan_bytes("model.pkl", data, Path("/nonexistent")).verdict() == "malicious"


def test_an_attribute_is_judged_as_the_longer_name_is() -> None:
    path = b"cpathlib\nPosixPath\n(Va\ntR"
    report = scan_bytes("model.pkl", called(path, b"Vwrite_text\n"), Path("/nonexistent"))
    assert report.verdict() == "unknown"
    assert any("pathlib.PosixPath.write_text" in what for _, _, what in report.findings)
