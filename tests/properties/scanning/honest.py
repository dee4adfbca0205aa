"""Honest files of thirteen kinds: real libraries write them, of models that differ."""

import functools
import io
import json
import operator
import pickle
import re
import struct
import tempfile
import uuid
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy

from tests.properties.scanning.drawn import PICKLES, Chance, Files, Made
from tests.properties.scanning.estimators import any_model, rows, skops, skops_beyond_the_list
from tests.support.models import booster_bytes


def pickled(random: Chance) -> Made:
    """A model of scikit-learn by joblib, pickle or cloudpickle."""
    import cloudpickle
    import joblib
    from sklearn.preprocessing import FunctionTransformer

    model, file = any_model(random), io.BytesIO()
    how = random.choice(("joblib", "pickle", "cloudpickle"))
    if how == "joblib":
        joblib.dump(model, file, compress=random.choice((0, 0, 3, ("gzip", 3), ("xz", 1))))
    elif how == "pickle":
        pickle.dump(model, file, protocol=random.randrange(6))
    else:
        power = random.randrange(5)
        function = FunctionTransformer(lambda value: value**power) if power % 2 else model
        cloudpickle.dump(function, file)
    return {f"model.{'joblib' if how == 'joblib' else 'pkl'}": file.getvalue()}, PICKLES


def graph(random: Chance) -> Any:
    """Return an ONNX model: of scikit-learn's, or a few operators with weights."""
    from onnx import helper, numpy_helper

    if random.random() < 0.3:
        from skl2onnx import to_onnx
        from sklearn.linear_model import LogisticRegression

        features, labels = rows(random)
        fitted = LogisticRegression().fit(features, labels)
        return to_onnx(fitted, features[:1].astype("float32"), options={"zipmap": False})
    width = random.randrange(40, 90)
    weights = numpy.random.default_rng(width).random((4, width)).astype("float32")
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"]), helper.make_node("Relu", ["y"], ["z"])]
    given = helper.make_tensor_value_info("x", 1, [None, 4])
    answer = helper.make_tensor_value_info("z", 1, [None, width])
    held = [numpy_helper.from_array(weights, "w")]
    made = helper.make_graph(nodes, "g", [given], [answer], initializer=held)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def onnx(random: Chance) -> Made:
    return {"model.onnx": graph(random).SerializeToString()}, ("onnx",)


def onnx_with_weights_beside(random: Chance) -> Made:
    import onnx as library

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.onnx")
        location = random.choice(("weights.bin", "model.onnx.data", "model.onnx_data"))
        library.save_model(
            graph(random),
            path,
            save_as_external_data=True,
            location=location,
            size_threshold=0,
            all_tensors_to_one_file=random.random() < 0.8,
        )
        return {one.name: one.read_bytes() for one in Path(folder).iterdir()}, ("onnx",)


def xgboost(random: Chance) -> Made:
    from xgboost import DMatrix, train

    features, labels = rows(random)
    how: dict[str, Any] = random.choice(
        (
            {"objective": "binary:logistic"},
            {"objective": "reg:squarederror"},
            {"booster": "dart"},
            {"objective": "multi:softprob", "num_class": 2},
            {"booster": "gblinear"},
            {"tree_method": "exact"},
            {"num_parallel_tree": 2, "subsample": 0.5},
        )
    )
    holed = numpy.where(features < 0.1, numpy.nan, features)
    names = [f"a{n}" for n in range(features.shape[1])] if random.random() < 0.5 else None
    booster = train(
        {"max_depth": 3, "nthread": 1, **how}, DMatrix(holed, labels, feature_names=names), 2
    )
    ending = random.choice((".json", ".ubj"))
    return {f"model{ending}": booster_bytes(booster, ending)}, ("xgboost",)


def lightgbm(random: Chance) -> Made:
    import lightgbm as library

    features, labels = rows(random)
    how: dict[str, Any] = random.choice(
        (
            {"objective": "binary"},
            {"objective": "regression"},
            {"boosting": "dart"},
            {"objective": "multiclass", "num_class": 2},
            {"num_leaves": 2},
            {"linear_tree": True},
            {"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5},
            {"min_data_in_leaf": 99},
        )
    )
    settings = {"verbose": -1, "num_threads": 1, "min_data_in_leaf": 2, **how}
    categories = [0] if random.random() < 0.3 and "linear_tree" not in how else "auto"
    if categories == [0]:
        features[:, 0] = (features[:, 0] * 5).astype(int)
    booster = library.train(
        settings, library.Dataset(features, labels, categorical_feature=categories), 2
    )
    return {"model.txt": booster_bytes(booster, ".txt")}, ("lightgbm",)


def safetensors(random: Chance) -> Made:
    """Tensors as its format has them (huggingface/safetensors, README, "Format")."""
    kinds = {"F32": 4, "F16": 2, "BF16": 2, "I64": 8, "U8": 1, "BOOL": 1, "F64": 8}
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}} if random.random() < 0.5 else {}
    data = b""
    for number in range(random.randrange(1, 6)):
        kind, shape = random.choice(list(kinds)), random.choice(([3, 5], [], [0], [7], [2, 2, 2]))
        size = kinds[kind] * int(numpy.prod(shape))
        place = [len(data), len(data) + size]
        header[f"layer.{number}.weight"] = {"dtype": kind, "shape": shape, "data_offsets": place}
        data += random.randbytes(size)
    raw = json.dumps(header, separators=(",", ":")).encode()
    raw += b" " * (-len(raw) % 8)
    return {"model.safetensors": struct.pack("<Q", len(raw)) + raw + data}, ("safetensors",)


def arrays(random: Chance) -> list[Any]:
    """Return arrays of several kinds."""
    size = random.randrange(9)
    return [numpy.arange(size, dtype=kind) for kind in ("f4", "i8", ">f8", "u1", "c16")] + [
        numpy.array(["a", "bcd"]),
        numpy.array([b"ab"]),
        numpy.array(5.0),
        numpy.ones((2, 0, 3)),
        numpy.asfortranarray(numpy.ones((2, 3))),
        numpy.array(["2026-01-01"], "M8[D]"),
        numpy.zeros(3, [("a", "i4"), ("b", "f8", (2,))]),
        numpy.array([True, False]),
    ]


def npy(random: Chance) -> Made:
    file = io.BytesIO()
    if random.random() < 0.6:
        numpy.save(file, random.choice(arrays(random)))
        return {"a.npy": file.getvalue()}, ("numpy",)
    packed = random.choice((numpy.savez, numpy.savez_compressed))
    packed(file, **{f"a{n}": one for n, one in enumerate(random.sample(arrays(random), 3))})
    return {"a.npz": file.getvalue()}, ("numpy",)


@functools.cache
def folder_of_mlflow(how: str) -> Files:
    """Have MLflow write a folder."""
    import mlflow.sklearn
    from sklearn.linear_model import LogisticRegression

    features, labels = rows(Chance(how))
    model = LogisticRegression().fit(features, labels)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        home = Path(folder, "model")
        mlflow.sklearn.save_model(
            model,
            home,
            serialization_format=how,
            pip_requirements=["scikit-learn", "mlflow"],
            signature=mlflow.models.infer_signature(features, labels),
            input_example=features[:2] if how == "pickle" else None,
        )
        found = [path for path in home.rglob("*") if path.is_file()]
        return {path.relative_to(home).as_posix(): path.read_bytes() for path in found}


def mlflow(random: Chance) -> Made:
    """A folder that MLflow wrote, with a model of its own in it."""
    import cloudpickle

    how = random.choice(("pickle", "cloudpickle"))
    model = any_model(random)
    data = pickle.dumps(model) if how == "pickle" else cloudpickle.dumps(model)
    return {**folder_of_mlflow(how), "model.pkl": data}, ("mlflow",)


@functools.cache
def folder_of_pyfunc() -> Files:
    """Have MLflow write a folder with a class of one's own."""
    import mlflow.pyfunc

    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        home = Path(folder, "model")
        mlflow.pyfunc.save_model(home, python_model=own_class(1), pip_requirements=["mlflow"])
        found = [path for path in home.rglob("*") if path.is_file()]
        return {path.relative_to(home).as_posix(): path.read_bytes() for path in found}


def own_class(factor: int) -> Any:
    """Return a model of a class that stands nowhere else, so that its code is in the pickle."""
    from mlflow.pyfunc import PythonModel

    class Own(PythonModel):  # type: ignore[misc]
        def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]
            return numpy.asarray(model_input) * factor

    return Own()


def mlflow_with_a_class(random: Chance) -> Made:
    """What ``mlflow.pyfunc.save_model(python_model=...)`` writes, with a model of its own."""
    import cloudpickle

    data = cloudpickle.dumps(own_class(random.randrange(9)))
    return {**folder_of_pyfunc(), "python_model.pkl": data}, ("mlflow",)


def tools(random: Chance) -> Made:
    """What Python and its libraries hand to models beside numbers."""
    each = (
        functools.partial(numpy.add, random.randrange(9)),
        operator.itemgetter(1, "a"),
        uuid.UUID(int=random.getrandbits(128)),
        re.compile("a+"),
        numpy.log1p,
        str.lower,
    )
    data = pickle.dumps(random.sample(each, 3), protocol=random.randrange(2, 6))
    return {"tools.pkl": data}, PICKLES


class _Pipe(io.RawIOBase):
    """Where a zip is written that cannot go back."""

    def __init__(self) -> None:
        self.data = b""

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.data += bytes(data)
        return len(data)


def zip_of_data(random: Chance) -> Made:
    """A zip of texts, tables and arrays, packed, streamed, with folders and a comment."""
    out: Any = random.choice((io.BytesIO, _Pipe))()
    members = {
        "README.md": b"# A model\n",
        "data/rows.csv": b"a,b\n1,2\n",
        "größe.txt": b"10\n",
        "config.json": b'{"a": 1}',
        **npy(random)[0],
        **safetensors(random)[0],
    }
    method = random.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2))
    with zipfile.ZipFile(out, "w", method) as archive:
        if random.random() < 0.5:
            archive.mkdir("data")
        for path in random.sample(list(members), 4):
            with archive.open(path, "w", force_zip64=random.random() < 0.2) as member:
                member.write(members[path])
        archive.comment = random.choice((b"", b"", b"made by hand"))
    return {"data.zip": out.data if isinstance(out, _Pipe) else out.getvalue()}, ("unpacked",)


# What the scanner must say of each kind.
KINDS: dict[str, tuple[Callable[[Chance], Made], str]] = {
    "pickles of scikit-learn": (pickled, "code-carrying"),
    "skops": (skops, "safe"),
    "skops beyond the list": (skops_beyond_the_list, "code-carrying"),
    "onnx": (onnx, "safe"),
    "onnx with weights beside": (onnx_with_weights_beside, "safe"),
    "xgboost": (xgboost, "safe"),
    "lightgbm": (lightgbm, "safe"),
    "safetensors": (safetensors, "safe"),
    "npy": (npy, "safe"),
    "mlflow": (mlflow, "code-carrying"),
    "mlflow with a class": (mlflow_with_a_class, "code-carrying"),
    "tools": (tools, "code-carrying"),
    "zip": (zip_of_data, "safe"),
}
