"""What a skops file is made of is not safe where compiled code follows its content."""

import io
import json
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy
import pytest
import skops.io
from sklearn.covariance import EllipticEnvelope
from sklearn.ensemble._hist_gradient_boosting.binning import _BinMapper
from sklearn.feature_extraction import DictVectorizer
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression, TweedieRegressor
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import FunctionTransformer, MultiLabelBinarizer, OrdinalEncoder
from sklearn.svm import SVC, SVR, LinearSVC, NuSVC, NuSVR, OneClassSVM

from workers.builder.scanning.files import Report, scan_bytes
from workers.builder.scanning.skops import read, trusted

FEATURES = numpy.random.default_rng(0).random((60, 4))
LABELS = (FEATURES[:, 0] > 0.5).astype(int)
WORDS = ["a cat", "a dog"]


def report(model: Any) -> Report:
    """Scan a model that skops writes."""
    return scan_bytes("model.skops", skops.io.dumps(model), Path("/nonexistent"))


def fitted(model: Any) -> Any:
    """Fit a model."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(FEATURES, LABELS)


@pytest.mark.parametrize(
    "model",
    [
        fitted(SVC()),
        fitted(NuSVC()),
        fitted(SVR()),
        fitted(NuSVR()),
        fitted(OneClassSVM()),
        DictVectorizer().fit([{"a": 1.0}]),
        CountVectorizer().fit(WORDS),
        TfidfVectorizer().fit(WORDS),
        MultiLabelBinarizer().fit([["a"], ["b"]]),
        fitted(EllipticEnvelope()),
        ClassifierChain(LogisticRegression()).fit(FEATURES, numpy.c_[LABELS, LABELS]),
        OneVsRestClassifier(LogisticRegression()).fit(FEATURES, LABELS),
        _BinMapper().fit(FEATURES),
    ],
    ids=lambda model: type(model).__name__,
)
def test_what_compiled_code_follows_unasked_is_code(model: Any) -> None:
    found = report(model)
    assert found.verdict() == "code-carrying"
    assert skops.io.get_untrusted_types(data=skops.io.dumps(model)) == []


def shadowed() -> Any:
    """Return a model whose own ``predict`` is called in place of its class's."""
    model = fitted(LinearRegression())
    model.predict = numpy.ndarray
    return model


@pytest.mark.parametrize(
    "model",
    [FunctionTransformer(numpy.ndarray), FunctionTransformer(bytes), shadowed()],
    ids=["memory as it is", "so many zeros", "an attribute"],
)
def test_a_type_that_is_called_with_what_a_request_says_is_code(model: Any) -> None:
    assert report(model).verdict() != "safe"


def test_a_stack_which_calls_by_name_what_its_content_says_is_not_trusted() -> None:
    kinds = {"StackingClassifier", "StackingRegressor", "ClassifierChain", "RegressorChain", "map"}
    assert not kinds & {name.rpartition(".")[2] for name in trusted()}


def test_memory_that_a_file_makes_at_loading_is_code() -> None:
    """A node may name ``numpy.ndarray`` with arguments of its own in place of an array's bytes."""
    text = skops.io.dumps(fitted(LinearRegression()))
    with zipfile.ZipFile(io.BytesIO(text)) as archive:
        schema = json.loads(archive.read("schema.json"))
    for loader in ("ConstructorFromReduceNode", "PartialNode", "ObjectNode"):
        node = {"__module__": "numpy", "__class__": "ndarray", "__loader__": loader}
        named = read(json.dumps({**schema, "content": node}).encode()).types
        assert f"numpy.ndarray.{loader}" in named - trusted()


@pytest.mark.parametrize(
    "model",
    [FunctionTransformer(numpy.log1p), OrdinalEncoder(dtype=numpy.int32).fit([["a"], ["b"]])],
    ids=["a function", "a number's type"],
)
def test_a_plain_function_and_a_plain_type_are_safe(model: Any) -> None:
    assert report(model).verdict() == "safe"


def test_a_sparse_matrix_is_code() -> None:
    assert report(fitted(LogisticRegression()).sparsify()).verdict() == "code-carrying"


@pytest.mark.parametrize("kind", [CountVectorizer, TfidfVectorizer, HashingVectorizer])
def test_what_opens_the_file_that_a_request_names_is_code(kind: Any, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("cat cat")
    model = kind(input="filename").fit([str(tmp_path / "secret")])
    assert model.transform([str(tmp_path / "secret")]).nnz
    assert report(model).verdict() == "code-carrying"


@pytest.mark.parametrize(
    "model",
    [
        LinearSVC(),
        LogisticRegression(),
        MLPClassifier((3,), max_iter=9),
        TweedieRegressor(power=1.5),
        TweedieRegressor(power=1.5, link="identity"),
    ],
    ids=str,
)
def test_what_numpy_computes_with_is_safe(model: Any) -> None:
    found = report(fitted(model))
    assert found.verdict() == "safe", found.findings


# Each asks for what stands far outside of what it was given, and is ended for it; of the numbers
# of categories none stands where it should, and columns are answered that nobody filled.
GONE = 77
LEADS_OUT = {
    "sparse": "m = LogisticRegression().fit(X, y).sparsify(); m.coef_.indices[:] = 2**30; "
    "m.predict(X)",
    "onehot": "m = OneHotEncoder(sparse_output=False).fit(numpy.arange(9.0).reshape(-1, 1)); "
    "m._n_features_outs = [1]; gone(m.transform(numpy.full((9, 1), 8.0))[:8])",
    "labels": "m = MultiLabelBinarizer().fit([['a'], ['b']]); m._cached_dict = {'a': 2**30}; "
    "m.transform([['a']] * 9)",
    "means": "m = KMeans(3, n_init=1).fit(X); m.n_features_in_ = 1; "
    "m.cluster_centers_ = numpy.ones((3, 40_000_000)); m.predict(X[:, :1].copy())",
    "neighbors": "m = KNeighborsClassifier(3, algorithm='brute').fit(X, y); "
    "m.n_features_in_ = 20_000_000; m._fit_X = m._fit_X[:, :1].copy(); "
    "m.predict(numpy.ones((1, 20_000_000)))",
    "columns": "m = PolynomialFeatures(2).fit(X); m._n_out_full = 100_000; "
    "gone(m.transform(X)[:, 15:])",
    "encodings": "m = TargetEncoder().fit(X.round(), (X[:, 0] * 3).astype(int)); "
    "m.encodings_ = m.encodings_[:1]; gone(m.transform(numpy.zeros((600_000, 4)))[:, 1:])",
    "rest": "m = OneVsRestClassifier(LogisticRegression()).fit(X, numpy.c_[y, 1 - y]); "
    "one = m.estimators_[0]; one.coef_ = numpy.zeros((10_000_000, 4)); "
    "one.intercept_ = numpy.ones(10_000_000); m.predict(X[:1])",
    "bins": "m = _BinMapper().fit(X); m.bin_thresholds_ = []; m.transform(X)",
}
IMPORTS = """
import numpy, os, resource
from sklearn.cluster import KMeans
from sklearn.ensemble._hist_gradient_boosting.binning import _BinMapper
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import MultiLabelBinarizer, OneHotEncoder, PolynomialFeatures
from sklearn.preprocessing import TargetEncoder
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
X = numpy.random.default_rng(0).random((60, 4)); y = (X[:, 0] > 0.5).astype(int)
gone = lambda made: made.any() or os._exit(77)
"""


@pytest.mark.parametrize("case", LEADS_OUT)
def test_what_is_left_out_reads_and_writes_outside_of_what_it_was_given(case: str) -> None:
    ended = subprocess.run([sys.executable, "-c", IMPORTS + LEADS_OUT[case]], check=False)
    assert ended.returncode in (-6, -11, GONE)


def skops_of(schema: dict[str, Any]) -> Report:
    """Scan a skops file of this schema."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("schema.json", json.dumps(schema))
    return scan_bytes("model.skops", file.getvalue(), Path("/nonexistent"))


def test_a_node_is_what_its_loader_makes_whatever_it_calls_itself() -> None:
    """A loss is given its state: one of ``numpy.dtype`` says where an array's numbers stand."""
    node = {"__class__": "list", "__module__": "builtins", "__loader__": "SparseMatrixNode"}
    assert skops_of(node).verdict() == "code-carrying"
    node = {"__class__": "dtype", "__module__": "numpy", "__loader__": "LossNode"}
    assert skops_of(node).verdict() == "malicious"
    node = {"__class__": "Hinge", "__module__": "sklearn.linear_model._sgd_fast"}
    assert skops_of({**node, "__loader__": "LossNode"}).verdict() == "safe"
