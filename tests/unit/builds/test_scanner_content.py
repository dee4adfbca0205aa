"""What the content of a skops file of trusted types is called, opened or evaluated by."""

import importlib
import io
import json
import re
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy
import pytest
import sklearn
import skops.io
from sklearn.base import BaseEstimator, clone
from sklearn.cluster import AgglomerativeClustering
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import KernelPCA
from sklearn.dummy import DummyClassifier
from sklearn.feature_extraction import FeatureHasher
from sklearn.feature_selection import RFE, SelectFromModel
from sklearn.linear_model import LogisticRegression
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    PolynomialFeatures,
    StandardScaler,
    TargetEncoder,
)

from workers.builder.scanning.files import Report, scan_bytes
from workers.builder.scanning.skops import trusted

FEATURES = numpy.random.default_rng(0).random((60, 4))
LABELS = (FEATURES[:, 0] > 0.5).astype(int)
SCHEMA = "schema.json"


def report(data: bytes) -> Report:
    """Scan a skops file."""
    return scan_bytes("model.skops", data, Path("/nonexistent"))


def dumped(model: Any, **said: Any) -> bytes:
    """Fit a model, have it say something, and write it. What searches holds more when fitted."""
    fitted = clone(model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if not isinstance(model, GridSearchCV):
            fitted.fit(FEATURES, LABELS)
    for name, value in said.items():
        setattr(fitted, name, value)
    return skops.io.dumps(fitted)


THRESHOLD = FixedThresholdClassifier(LogisticRegression())
GETTER = SelectFromModel(LogisticRegression())
SEARCH = GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2)
PIPELINE = make_pipeline(StandardScaler(), LogisticRegression())
HASHED = FeatureHasher(input_type="string")
APPLIED = FunctionTransformer(numpy.log1p)
COLUMNS = ColumnTransformer([("a", StandardScaler(), [0, 1])])


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (THRESHOLD, {"response_method": "tofile"}),
        (THRESHOLD, {"response_method": "__class__"}),
        (THRESHOLD, {"response_method": ["predict"]}),
        (PIPELINE, {"memory": "cache"}),
        (PIPELINE, {"memory": "/var/cache"}),
        (PIPELINE, {"memory": ""}),
        (AgglomerativeClustering(), {"memory": "../cache"}),
        (GETTER, {"importance_getter": "__class__.__init__"}),
        (GETTER, {"importance_getter": "_private"}),
        (RFE(LogisticRegression()), {"importance_getter": "a.__b__"}),
        (SEARCH, {"pre_dispatch": "__import__('os').system('id')"}),
        (COLUMNS, {"verbose_feature_names_out": "{feature_name.__class__}"}),
        (APPLIED, {"kw_args": {"where": False}}),
        (APPLIED, {"inv_kw_args": {"where": False}}),
        (KernelPCA(2), {"kernel_params": {"where": False}}),
        (HASHED, {"n_features": 0}),
        (HASHED, {"n_features": -1}),
        (HASHED, {"n_features": numpy.int64(0)}),
    ],
    ids=lambda value: "" if isinstance(value, BaseEstimator) else str(value),
)
def test_what_is_called_opened_or_evaluated_by_its_name_is_code(
    model: Any, said: dict[str, Any]
) -> None:
    data = dumped(model, **said)
    found = report(data)
    assert found.verdict() == "code-carrying"
    ((name, _),) = said.items()
    assert f"says {name}, which" in found.findings[0][2]
    assert skops.io.get_untrusted_types(data=data) == []


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (THRESHOLD, {"response_method": "predict_proba"}),
        (THRESHOLD, {"response_method": "auto"}),
        (GETTER, {"importance_getter": "auto"}),
        (GETTER, {"importance_getter": "named_steps.last.coef_"}),
        (SEARCH, {"pre_dispatch": "2*n_jobs"}),
        (SEARCH, {"pre_dispatch": 4}),
        (PIPELINE, {"memory": None}),
        (COLUMNS, {"verbose_feature_names_out": "{transformer_name}__{feature_name}"}),
        (COLUMNS, {"verbose_feature_names_out": False}),
        (APPLIED, {"kw_args": {}, "inv_kw_args": None}),
        (HASHED, {"n_features": 1}),
        (LogisticRegression(class_weight={0: 1.0, 1: 2.0}), {}),
        (DummyClassifier(strategy="stratified", random_state=numpy.random.RandomState(3)), {}),
        (GaussianMixture(2), {}),
    ],
    ids=lambda value: "" if isinstance(value, BaseEstimator) else str(value),
)
def test_what_honest_models_say_is_safe(model: Any, said: dict[str, Any]) -> None:
    found = report(dumped(model, **said))
    assert found.verdict() == "safe", found.findings


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


def test_a_whole_state_in_json_is_read_too() -> None:
    """skops loads whatever JSON a text holds: an object's members as well."""
    plain = {"steps": [], "_sklearn_version": sklearn.__version__}

    def change(schema: Any) -> None:
        schema["content"] = {
            "__class__": "str",
            "__module__": "builtins",
            "__loader__": "JsonNode",
            "content": json.dumps({**plain, "memory": "cache", "verbose": False}),
        }

    data = changed(dumped(PIPELINE), change)
    assert skops.io.loads(data).memory == "cache"
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


def test_a_name_that_another_place_holds_is_not_followed() -> None:
    def change(schema: Any) -> None:
        inner = schema["content"]["content"]
        inner["verbose"] |= {"content": '"cache"', "__id__": 7}
        inner["memory"] = {**inner["memory"], "__loader__": "CachedNode", "__id__": 7}
        schema["content"]["content"] = {"verbose": inner.pop("verbose"), **inner}

    data = changed(dumped(PIPELINE), change)
    assert skops.io.loads(data).memory == "cache"
    assert report(data).verdict() == "code-carrying"


@pytest.mark.parametrize("loader", ["JsonNode", "ListNode"])
def test_a_node_that_has_the_number_of_another_is_the_other(loader: str) -> None:
    """skops reads the first of them in place of all others, whatever they say."""

    def change(schema: Any) -> None:
        inner = schema["content"]["content"]
        first = {**inner["verbose"], "content": '"cache"', "__id__": 7}
        shown = {**inner["memory"], "__loader__": loader, "__id__": 7}
        shown["content"] = "null" if loader == "JsonNode" else []
        shown |= {} if loader == "JsonNode" else {"__class__": "list"}
        kept = {"first": first, **inner, "memory": shown}
        keys = schema["content"]["key_types"]["content"]
        schema["content"]["content"] = kept
        schema["content"]["key_types"] |= {"content": [*keys, keys[0]]}

    data = changed(dumped(PIPELINE), change)
    assert skops.io.loads(data).memory == "cache"
    assert report(data).verdict() == "code-carrying"


def test_what_a_function_is_given_is_not_read_from_another_place() -> None:
    """Nothing is shown in place of a member that says something."""

    def change(schema: Any) -> None:
        inner = schema["content"]["content"]
        given = {**inner["kw_args"], "__id__": 7}
        shown = {**given, "content": {}}
        schema["content"]["content"] = {"first": given, **inner, "kw_args": shown}
        keys = schema["content"]["key_types"]
        keys["content"] = [*keys["content"], keys["content"][0]]

    data = changed(dumped(APPLIED, kw_args={"where": False}), change)
    assert skops.io.loads(data).kw_args == {"where": False}
    assert report(data).verdict() == "code-carrying"


RANDOM = dumped(DummyClassifier(strategy="stratified", random_state=numpy.random.RandomState(3)))
PHILOX = skops.io.dumps(numpy.random.Generator(numpy.random.Philox(3)))


def place(data: bytes, name: str, value: Any) -> bytes:
    """Return the file with another place in a random generator's state."""

    def change(schema: Any) -> None:
        waiting = [schema]
        while waiting:
            one = waiting.pop()
            if isinstance(one, list):
                waiting += one
            elif isinstance(one, dict):
                waiting += one.values()
                if isinstance(one.get(name), dict):
                    one[name] = {**one[name], "__id__": None, **value}

    return changed(data, change)


@pytest.mark.parametrize(("data", "name"), [(RANDOM, "pos"), (PHILOX, "buffer_pos")])
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"content": "1"}, "safe"),
        ({"content": "625"}, "code-carrying"),
        ({"content": "-1"}, "code-carrying"),
        ({"content": "1073741824"}, "code-carrying"),
        ({"content": "1.5"}, "code-carrying"),
        ({"__loader__": "CachedNode"}, "code-carrying"),
    ],
)
def test_a_random_generator_reads_inside_of_its_state(
    data: bytes, name: str, value: dict[str, Any], expected: str
) -> None:
    assert report(place(data, name, value)).verdict() == expected


def test_a_random_generator_whose_state_is_no_members_by_name_is_not_followed() -> None:
    for content in ('["MT19937", [], 700]', '{"state": {"pos": 700}}'):
        node = {"__loader__": "JsonNode", "content": content, "key_types": {}}
        assert report(place(RANDOM, "random_state", {"content": node})).verdict() != "safe"


def test_a_random_generators_state_is_not_read_from_another_place() -> None:
    def change(schema: Any) -> None:
        inner = schema["content"]["content"]
        state = inner["random_state"]["content"]["content"]["state"]
        other = {**state["content"], "pos": {**state["content"]["pos"], "content": "625"}}
        other["pos"]["__id__"] = None
        first = {**state, "content": other}
        keys = schema["content"]["key_types"]
        schema["content"]["content"] = {"first": first, **inner}
        keys["content"] = [*keys["content"], keys["content"][0]]

    with pytest.raises(ValueError, match="between 0 and 624"):  # of a NumPy that looks
        skops.io.loads(changed(RANDOM, change))
    assert report(changed(RANDOM, change)).verdict() == "code-carrying"


@pytest.mark.parametrize("kind", [tuple, list, dict, frozenset, complex, enumerate, zip, len])
def test_what_pythons_own_types_make_is_code_and_no_harm(kind: Any) -> None:
    found = report(skops.io.dumps(FunctionTransformer(kind)))
    assert found.verdict() == "code-carrying"
    assert f"may call builtins.{kind.__name__}" in [what for _, _, what in found.findings]


@pytest.mark.parametrize("kind", [eval, exec, open, getattr, vars, print, super])
def test_what_comes_to_anything_is_malicious(kind: Any) -> None:
    assert report(skops.io.dumps(FunctionTransformer(kind))).verdict() == "malicious"


@pytest.mark.parametrize(
    ("name", "loader"),
    [
        ("sklearn.pipeline.Pipeline", "NdArrayNode"),
        ("numpy.random.MT19937", "ObjectNode"),
        ("numpy.random.mtrand.RandomState", "ObjectNode"),
        ("builtins.list", "QuantileForestNode"),
    ],
)
def test_a_trusted_type_is_made_as_skops_makes_it(name: str, loader: str) -> None:
    module, _, kind = name.rpartition(".")
    schema = {"__class__": kind, "__module__": module, "__loader__": loader}
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(SCHEMA, json.dumps(schema))
    assert report(file.getvalue()).verdict() == "code-carrying"


@pytest.mark.parametrize("kind", [PolynomialFeatures, TargetEncoder])
def test_what_answers_memory_as_it_finds_it_is_code(kind: Any) -> None:
    rounded = FEATURES.round(1)
    labels = (FEATURES[:, 0] * 3).astype(int)
    assert report(skops.io.dumps(kind().fit(rounded, labels))).verdict() == "code-carrying"


def told() -> set[str]:
    """Return every parameter of trusted types that takes a callable, an object or any text."""
    found: set[str] = set()
    for full in sorted(trusted()):
        module, _, kind = full.rpartition(".")
        if not module.startswith("sklearn."):
            continue
        made = getattr(importlib.import_module(module), kind, None)
        rules = getattr(made, "_parameter_constraints", {})
        for name, allowed in rules.items():
            several = [] if isinstance(allowed, str) else allowed
            if any(one is callable or one is str or _is_object(one) for one in several):
                found.add(name)
    return found


def _is_object(rule: Any) -> bool:
    return "HasMethods" in type(rule).__name__ or rule == "cv_object"


def test_every_parameter_that_is_more_than_a_number_or_a_word_is_argued() -> None:
    from workers.builder.scanning.skops_content import ARGUED, CHECKED

    found = told()
    assert len(found) > 25
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
