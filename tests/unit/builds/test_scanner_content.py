"""What the content of a skops file of trusted types may not say."""

import importlib
import io
import itertools
import json
import re
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy
import pytest
import sklearn
import skops.io
from sklearn.base import BaseEstimator, clone
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OrdinalEncoder, StandardScaler

from tests.support.scanning import scan_bytes
from workers.builder.scanning.files import Report
from workers.builder.scanning.skops import trusted
from workers.builder.scanning.skops_content import ARGUED, CHECKED

FEATURES = numpy.random.default_rng(0).random((60, 4))
LABELS = (FEATURES[:, 0] > 0.5).astype(int)
SCHEMA = "schema.json"
PIPELINE = make_pipeline(StandardScaler(), LogisticRegression())
APPLIED = FunctionTransformer()
COLUMNS = ColumnTransformer([("a", StandardScaler(), [0, 1])])
ENCODED = OrdinalEncoder()


def report(data: bytes) -> Report:
    """Scan a skops file."""
    return scan_bytes("model.skops", data, Path("/nonexistent"))


def dumped(model: Any, **said: Any) -> bytes:
    """Fit a model, have it say something, and write it."""
    fitted = clone(model).fit(FEATURES, LABELS)
    for name, value in said.items():
        setattr(fitted, name, value)
    return skops.io.dumps(fitted)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (PIPELINE, {"memory": "cache"}),
        (PIPELINE, {"memory": "/var/cache"}),
        (PIPELINE, {"memory": ""}),
        (PIPELINE, {"memory": StandardScaler()}),
        (COLUMNS, {"verbose_feature_names_out": "{feature_name.__class__}"}),
        (COLUMNS, {"verbose_feature_names_out": "{feature_name:>999999999}"}),
        (COLUMNS, {"verbose_feature_names_out": "{0}"}),
        (COLUMNS, {"sparse_output_": True}),
        (COLUMNS, {"sparse_output_": 1}),
        (APPLIED, {"func": numpy.float64}),
        (APPLIED, {"func": StandardScaler()}),
        (APPLIED, {"__array_interface__": {"data": (8, True)}}),
        (APPLIED, {"__array_struct__": None}),
        (APPLIED, {"kw_args": {"__array__": 1}}),
        (ENCODED, {"dtype": "U4000000"}),
        (ENCODED, {"dtype": "(3,)f8"}),
        (ENCODED, {"dtype": "f8,f8"}),
        (ENCODED, {"dtype": ("f8", 1000)}),
        (ENCODED, {"dtype": {"names": ["a"], "formats": ["U4000000"]}}),
        (ENCODED, {"dtype": StandardScaler()}),
    ],
    ids=lambda value: "" if isinstance(value, BaseEstimator) else str(value),
)
def test_what_is_more_than_a_value_is_code(model: Any, said: dict[str, Any]) -> None:
    data = dumped(model, **said)
    found = report(data)
    assert found.verdict() == "code-carrying"
    assert re.search(r"says \w+, which", found.findings[0][2])
    assert skops.io.get_untrusted_types(data=data) == []


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (PIPELINE, {"memory": None}),
        (COLUMNS, {"verbose_feature_names_out": "{transformer_name}__{feature_name}"}),
        (COLUMNS, {"verbose_feature_names_out": 'a "b" \\'}),
        (COLUMNS, {"verbose_feature_names_out": False}),
        (APPLIED, {"func": None, "kw_args": {}}),
        *((ENCODED, {"dtype": kind}) for kind in ("int32", "float", "uint8", "<f4", "bool")),
        *((ENCODED, {"dtype": kind}) for kind in (float, numpy.float32, numpy.dtype("int16"))),
    ],
    ids=lambda value: "" if isinstance(value, BaseEstimator) else str(value),
)
def test_what_honest_models_say_is_safe(model: Any, said: dict[str, Any]) -> None:
    found = report(dumped(model, **said))
    assert found.verdict() == "safe", found.findings


def test_an_object_that_says_where_in_memory_an_array_lies_is_code() -> None:
    """NumPy asks an object itself, so that a model answers whatever stands there."""
    secret = numpy.arange(777.0, 780.0)
    place = {"version": 3, "typestr": "<f8", "shape": (3,), "data": (secret.ctypes.data, True)}
    model = LinearRegression().fit(FEATURES, LABELS)
    model.coef_, model.intercept_ = numpy.zeros((3, 4)), StandardScaler()
    vars(model.intercept_)["__array_interface__"] = place
    data = skops.io.dumps(model)
    assert skops.io.get_untrusted_types(data=data) == []
    assert skops.io.loads(data).predict(FEATURES[:1]).tolist() == [[777, 778, 779]]
    assert report(data).verdict() == "code-carrying"


def changed(data: bytes, change: Any) -> bytes:
    """Write a skops file with another schema."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(file, "w") as new:
        for name in old.namelist():
            raw = old.read(name)
            if name == SCHEMA:
                schema = json.loads(raw)
                change(schema)
                raw = json.dumps(schema).encode()
            new.writestr(name, raw)
    return file.getvalue()


def test_a_whole_state_in_json_is_code() -> None:
    """skops loads whatever JSON a text holds, and writes single values."""

    def change(schema: Any) -> None:
        state = {"memory": None, "steps": [], "_sklearn_version": sklearn.__version__}
        node = {"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode"}
        schema["content"] = {**node, "content": json.dumps(state)}

    data = changed(dumped(PIPELINE), change)
    assert skops.io.loads(data).steps == []
    assert report(data).verdict() == "code-carrying"


@pytest.mark.parametrize("kind", ["dict", "OrderedDict"])
def test_a_state_that_a_list_of_pairs_makes_is_code(kind: str) -> None:
    """skops calls the type that a list's node names; a service trusts all that were read."""

    def change(schema: Any) -> None:
        inner = schema["content"]["content"]
        text = {**inner["verbose"], "content": '"cache"', "__id__": None}
        pairs = [(name, text if name == "memory" else node) for name, node in inner.items()]
        tuples = {"__class__": "tuple", "__module__": "builtins", "__loader__": "TupleNode"}
        content = [
            {**tuples, "content": [{**text, "content": json.dumps(name)}, node]}
            for name, node in pairs
        ]
        module = "builtins" if kind == "dict" else "collections"
        state = {"__class__": kind, "__module__": module, "__loader__": "ListNode"}
        schema["content"] = {**state, "content": content}

    data = changed(dumped(PIPELINE), change)
    found = report(data)
    assert skops.io.loads(data, trusted=sorted(found.types)).memory == "cache"
    assert found.verdict() == "code-carrying"


@pytest.mark.parametrize("loader", ["JsonNode", "ListNode", "CachedNode"])
def test_a_node_that_has_the_number_of_another_is_the_other(loader: str) -> None:
    """skops reads the first of them in place of all others, whatever they say."""

    def change(schema: Any) -> None:
        inner = schema["content"]["content"]
        first = {**inner["verbose"], "content": '"cache"', "__id__": 7}
        shown = {**inner["memory"], "__loader__": loader, "__id__": 7}
        shown["content"] = [] if loader == "ListNode" else "null"
        shown |= {"__class__": "list"} if loader == "ListNode" else {}
        keys = schema["content"]["key_types"]["content"]
        schema["content"]["content"] = {"first": first, **inner, "memory": shown}
        schema["content"]["key_types"] |= {"content": [*keys, keys[0]]}

    data = changed(dumped(PIPELINE), change)
    assert skops.io.loads(data).memory == "cache"
    assert report(data).verdict() == "code-carrying"


STUB = ("__class__", "__module__", "__loader__", "__id__")


@pytest.mark.parametrize("kept", [STUB, ("__id__",)])
def test_a_stub_that_has_no_more_than_the_number_of_another_is_code(kept: tuple[str, ...]) -> None:
    """A few of them inside one another are a tree of any size."""

    def change(schema: Any) -> None:
        pairs = schema["content"]["content"]["transformer_list"]["content"]
        whole = pairs[0]["content"][1]
        pairs[1]["content"][1] = {name: whole[name] for name in kept}

    union = FeatureUnion([("a", StandardScaler()), ("b", "passthrough")])
    data = changed(dumped(union), change)
    (_, first), (_, second) = skops.io.loads(data).transformer_list
    assert first is second
    assert report(data).verdict() == "code-carrying"


def numbers(data: bytes) -> list[int]:
    """Return how often each number of a node stands in a file."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        found = re.findall(r'"__id__": (\d+)', archive.read(SCHEMA).decode())
    return [*Counter(found).values()]


def test_honest_nodes_of_one_number_are_whole_each_time() -> None:
    """So that parts that are shared take as much of the file as they would alone."""
    shared = StandardScaler().fit(FEATURES)
    sizes = []
    for _ in range(4):
        union = FeatureUnion([("a", shared), ("b", shared)])
        data = skops.io.dumps(union)
        assert max(numbers(data)) > 1
        assert report(data).verdict() == "safe"
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            sizes.append(archive.getinfo(SCHEMA).file_size)
        shared = union
    assert all(after > 1.9 * before for before, after in itertools.pairwise(sizes))


@pytest.mark.parametrize("fill", ["mean", "most_frequent"])
def test_a_type_that_is_written_twice_has_an_array_each_time(fill: str) -> None:
    data = dumped(SimpleImputer(strategy=fill))
    assert max(numbers(data)) > 1
    assert report(data).verdict() == "safe"


@pytest.mark.parametrize(("levels", "said"), [(7, "safe"), (8, "code-carrying")])
def test_estimators_lie_in_one_another_so_deep_at_most(levels: int, said: str) -> None:
    """Each asks those inside twice whether they can: a row took 32 of them over nine minutes."""
    model: Any = StandardScaler().fit(FEATURES)
    for _ in range(levels):
        model = Pipeline([("a", model)])
    assert report(skops.io.dumps(model)).verdict() == said


def told() -> set[str]:
    """Return every parameter of trusted types that takes a callable, an object or any text."""
    found: set[str] = set()
    for full in sorted(trusted()["ObjectNode"]):
        module, _, kind = full.rpartition(".")
        made = getattr(importlib.import_module(module), kind)
        rules = getattr(made, "_parameter_constraints", {})
        for name, allowed in rules.items():
            several = [] if isinstance(allowed, str) else allowed
            if any(one is callable or one is str or _is_object(one) for one in several):
                found.add(name)
    return found


def _is_object(rule: Any) -> bool:
    return "HasMethods" in type(rule).__name__ or rule == "cv_object"


def test_every_parameter_that_is_more_than_a_number_or_a_word_is_argued() -> None:
    found = told()
    assert len(found) > 8
    assert found - {*CHECKED, *ARGUED} == set()
    assert ARGUED.keys() - found == set()
    assert not CHECKED.keys() & ARGUED.keys()


def test_names_that_scikit_learn_looks_up_are_those_that_are_checked() -> None:
    """A new ``getattr`` of a parameter's value in scikit-learn is a new name to check."""
    looked = re.compile(r"getattr\([\w.]+, self\.(\w+)")
    home = Path(sklearn.__file__).parent
    found = {
        name
        for path in home.rglob("*.py")
        if "tests" not in path.parts
        for name in looked.findall(path.read_text())
    }
    assert found <= {"name"}  # of metadata requests, which are no trusted types
