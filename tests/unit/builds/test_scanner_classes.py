"""The classes in a skops file have an order, as scikit-learn takes places among them."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest
import skops.io
from sklearn.dummy import DummyClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import LabelBinarizer, LabelEncoder, OrdinalEncoder

from workers.builder.scanning.files import scan_bytes

NAN = float("nan")
FEATURES = numpy.arange(12.0).reshape(6, 2)
WORDS = ["a", "b", "a", "b", "c", "a"]


def verdict(data: bytes) -> str:
    """Scan a skops file."""
    return scan_bytes("model.skops", data, Path("/nonexistent")).verdict()


def objects(*items: Any) -> Any:
    """Return an array of objects."""
    made = numpy.empty(len(items), object)
    made[:] = items
    return made


@pytest.mark.parametrize("kind", [LabelBinarizer, LabelEncoder])
@pytest.mark.parametrize(
    "classes",
    [
        objects(5, NAN, 1, 2, 3),
        objects(1, 2),
        objects("a", 1),
        objects({1}, {2}),
        [2**70, NAN, 1],
        [objects(5, NAN, 1)],
    ],
    ids=str,
)
def test_classes_without_an_order_are_code(kind: Any, classes: Any) -> None:
    model = kind().fit([0, 1, 2, 3, 4])
    model.classes_ = classes
    data = skops.io.dumps(model)
    assert verdict(data) == "code-carrying"
    assert skops.io.get_untrusted_types(data=data) == []


def test_a_class_beside_nan_has_a_place_behind_the_last_column() -> None:
    """What the rule is for: scikit-learn makes a sparse matrix by such places."""
    ordered = numpy.sort(objects(5, NAN, 1, 2, 3))
    assert len(ordered) in numpy.searchsorted(ordered, numpy.array([5.0, 1.0, 2.0, 3.0]))


def changed(data: bytes, change: Callable[[Any], None]) -> bytes:
    """Write a skops file with another schema."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(file, "w") as new:
        for name in old.namelist():
            raw = old.read(name)
            if name == "schema.json":
                schema = json.loads(raw)
                change(schema)
                raw = json.dumps(schema).encode()
            new.writestr(name, raw)
    return file.getvalue()


def test_classes_are_not_read_from_another_place() -> None:
    model = LabelBinarizer().fit(WORDS)
    model.classes_, model.other = objects("a", "b"), objects(5, NAN)

    def share(schema: Any) -> None:
        inner = schema["content"]["content"]
        other = inner.pop("other")
        inner["classes_"]["__id__"] = other["__id__"]
        schema["content"]["content"] = {"other": other, **inner}

    data = changed(skops.io.dumps(model), share)
    assert skops.io.loads(data).classes_[0] == 5
    assert verdict(data) == "code-carrying"

    def point(schema: Any) -> None:
        inner = schema["content"]["content"]
        inner["classes_"] |= {"__loader__": "CachedNode", "__id__": inner["other"]["__id__"]}

    assert verdict(changed(skops.io.dumps(model), point)) == "code-carrying"


@pytest.mark.parametrize(
    "model",
    [
        LabelBinarizer().fit([0, 1, 2]),
        LabelBinarizer().fit(objects(*WORDS)),
        LabelEncoder().fit([0.5, NAN]),
        LabelEncoder().fit(objects(*WORDS)),
        MLPClassifier((2,), tol=1e9).fit(FEATURES, objects(*WORDS)),
        DummyClassifier().fit(FEATURES, objects(*WORDS)),
        DummyClassifier().fit(FEATURES, numpy.c_[objects(*WORDS), objects(*WORDS)]),
        OrdinalEncoder().fit(objects("a", NAN, "b").reshape(-1, 1)),
    ],
    ids=str,
)
def test_classes_of_honest_models_are_safe(model: Any) -> None:
    assert verdict(skops.io.dumps(model)) == "safe"
