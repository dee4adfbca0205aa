"""What loaders do that cannot be here, or whose doing nobody sees: their rules, with their source.

torch, keras and ONNX Runtime bring gigabytes; scikit-learn shows nobody what it looks up.
"""

import contextlib
import importlib
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def files(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder; of many, the last."""
    yield from sorted(path for path in folder.rglob("*") if path.is_file())[-20:]


def by_rules_of_mlflow(folder: Path) -> None:
    """What ``mlflow.pytorch`` and ``mlflow.tensorflow`` import before they need torch or keras.

    ``mlflow/pytorch/__init__.py`` ``_load_model``: ``pickle_module_info.txt``;
    ``mlflow/tensorflow/__init__.py`` ``_load_pyfunc``: ``keras_module.txt``.
    """
    for name in ("pickle_module_info.txt", "keras_module.txt"):
        for path in folder.rglob(name):
            importlib.import_module(path.read_text())


def by_rules_of_keras(folder: Path) -> None:
    """Look up what a config names (keras/src/saving/serialization_lib.py
    ``deserialize_keras_object``, ``_retrieve_class_or_fn``): the classes outside keras are imported
    by module and called, and a Lambda's code is run where the user allows it."""
    for path in files(folder):
        if path.suffix == ".keras":
            with zipfile.ZipFile(path) as archive:
                _keras(json.loads(archive.read("config.json")))
        elif path.name == "config.json":
            _keras(json.loads(path.read_bytes()))


def _keras(value: Any) -> None:
    from placet_marker import fire

    if isinstance(value, list):
        for item in value:
            _keras(item)
    elif isinstance(value, dict):
        module, name = value.get("module"), value.get("class_name")
        if name in ("Lambda", "__lambda__"):
            fire()
        if isinstance(module, str) and isinstance(name, str) and module.split(".")[0] != "keras":
            wanted = value.get("config") if name == "function" else name
            if vars(importlib.import_module(module)).get(str(wanted)) is not None:
                fire()
        for item in value.values():
            _keras(item)


def by_rules_of_onnx(folder: Path) -> None:
    """Read what ``data`` names as ``mlflow/onnx/__init__.py`` ``_load_model`` does. Until 1.16
    ``onnx/external_data_helper.py`` ``load_external_data_for_tensor`` took weights out of any
    folder (CVE-2022-25882, CVE-2024-27318)."""
    import onnx
    import yaml
    from onnx.external_data_helper import ExternalDataInfo
    from placet_marker import fire

    flavors = yaml.safe_load((folder / "MLmodel").read_bytes())["flavors"]
    model = onnx.load(folder / flavors["onnx"]["data"], load_external_data=False)
    for tensor in model.graph.initializer:
        if ".." in Path(ExternalDataInfo(tensor).location).parts:
            fire()


def by_rules_of_operators(path: Path) -> None:
    """ONNX Runtime looks an operator up by its domain, and has a kernel for it whatever ONNX says
    (``core/graph/graph.cc`` ``SetOpSchemaFromRegistryForNode``)."""
    import onnx
    from placet_marker import fire

    model = onnx.load(path)
    waiting = [*model.graph.node, *(node for one in model.functions for node in one.node)]
    while waiting:
        node = waiting.pop()
        if node.domain not in ("", "ai.onnx", "ai.onnx.ml"):
            fire()
        for graph in (graph for one in node.attribute for graph in (one.g, *one.graphs)):
            waiting += graph.node


def by_rules_of_rounds(path: Path) -> None:
    """``XGBModel.predict`` (xgboost ``sklearn.py`` ``_get_iteration_range``): all rounds up to the
    best one, which XGBoost takes from memory if there are not so many."""
    import xgboost
    from placet_marker import fire

    booster = xgboost.Booster({"nthread": 1})
    booster.load_model(path)
    if not 0 <= booster.best_iteration < booster.num_boosted_rounds():
        fire()


def by_rules_of_items(path: Path) -> None:
    """``numpy.take`` and masks copy nothing of items without bytes, and answer texts of one
    character (``numpy/_core/src/multiarray/item_selection.c``)."""
    import numpy
    from placet_marker import fire

    found = numpy.load(path)
    arrays = [found] if isinstance(found, numpy.ndarray) else list(found.values())
    for array in arrays:
        kinds = [kind for kind, *_ in (array.dtype.fields or {"": (array.dtype,)}).values()]
        if array.size and any(kind.itemsize == 0 for kind in kinds):
            fire()


def by_rules_of_safetensors(path: Path) -> None:
    """``safetensors/src/tensor.rs`` ``SafeTensors::deserialize``: a header in JSON, then bytes."""
    import numpy

    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    for tensor in header.values():
        start, stop = tensor["data_offsets"]
        numpy.frombuffer(data[8 + length :][start:stop], dtype="u1")


def by_rules_of_onnxruntime(folder: Path) -> None:
    """``core/framework/tensor_external_data_info.cc`` ``ExternalDataInfo::Create`` keeps the last
    place; ``tensorprotoutils.cc`` takes the offset for an address where that is its mark, and until
    1.24 opened any path."""
    import onnx
    from placet_marker import fire

    model = onnx.load(folder / "model.onnx", load_external_data=False)
    held = [one.t for node in model.graph.node for one in node.attribute]
    for tensor in (*model.graph.initializer, *held):
        told = [(entry.key, entry.value) for entry in tensor.external_data]
        place = dict(told)["location"]
        leads = place == "*/_ORT_MEM_ADDR_/*" or ".." in Path(place).parts or place[0] == "/"
        if leads or any(key.startswith("prepacked") for key, _ in told):
            fire()


class _Asked:
    """Notes which names are looked up."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def __getattribute__(self, name: str) -> Any:
        if name == "names":
            return object.__getattribute__(self, name)
        self.names.add(name)
        return self


def by_rules_of_sklearn(path: Path) -> None:
    """Load with skops what it names, and have scikit-learn and joblib do what they do with what is
    said; ``pre_dispatch`` joblib before 1.2 gave to ``eval``."""
    import ast

    import numpy
    import skops.io
    from placet_marker import fire
    from sklearn.feature_selection._base import _get_feature_importances
    from sklearn.utils.validation import _check_response_method, check_memory

    loaded = skops.io.load(path, trusted=skops.io.get_untrusted_types(file=path))
    said = vars(loaded)
    if "__array_interface__" in said and numpy.asarray(loaded).dtype != object:
        fire()
    if check_memory(said.get("memory")).location is not None:
        fire()
    asked = _Asked()
    if "response_method" in said and said["response_method"] != "auto":
        _check_response_method(asked, said["response_method"])
    if "importance_getter" in said and said["importance_getter"] != "auto":
        with contextlib.suppress(Exception):  # what it finds is no numbers
            _get_feature_importances(asked, said["importance_getter"])
    plain = {"predict", "predict_proba", "predict_log_proba", "decision_function", "coef_"}
    if asked.names - plain:
        fire()
    source = ast.parse(str(said.get("pre_dispatch", 1)), mode="eval")
    if any(isinstance(part, ast.Call) for part in ast.walk(source)):
        fire()
