"""Families of files that lead outside: of their folder, of memory that is theirs, of what is named.

Nothing in them is code. MLflow opens a file beside the folder, ONNX Runtime takes a number for an
address, scikit-learn calls or opens what a text says.
"""

import io
import json
import zipfile
from typing import Any

import numpy
import onnx
import skops.io

from tests.properties.scanning.archives import zipped
from tests.properties.scanning.drawn import Chance, Family, Files, Made
from tests.properties.scanning.folders import HEAD, value
from tests.properties.scanning.wrappers import in_json, in_tuple, node
from tests.support.models import xgboost_model

# What lies beside the folder of every sample (``judged.on_disk``).
BESIDE = "asked.json"
MARK = "*/_ORT_MEM_ADDR_/*"  # onnxruntime core/framework/tensorprotoutils.h
_BOOSTER: Files = {}


def folder_of_xgboost(body: str) -> Files:
    """Return a folder that MLflow loads, with more in its MLmodel."""
    if not _BOOSTER:
        _BOOSTER.update(xgboost_model(".json").files)
    flavors = (
        "flavors:\n  python_function:\n    loader_module: mlflow.xgboost\n"
        "  xgboost:\n    data: model.json\n    model_class: xgboost.core.Booster\n"
    )
    return {"MLmodel": (HEAD + flavors + body).encode(), "a/notes.txt": b"hello", **_BOOSTER}


def beside(random: Chance) -> str:
    """Return a path to what lies beside the folder."""
    return random.choice(
        (
            f"../{BESIDE}",
            f"a/../../{BESIDE}",
            f"./../{BESIDE}",
            f"../x/../{BESIDE}",
            f"..//{BESIDE}",
        )
    )


def examples_that_lead_outside(random: Chance) -> Made:
    """The example of a model is read when it is loaded, and so is what it needs."""
    kind = random.choice(("json_object", "dataframe", "ndarray"))
    path = beside(random)
    if random.random() < 0.2:
        path = random.choice(("%2e%2e/asked.json", "..\\asked.json", "file:///a", "/etc/hosts"))
    if random.random() < 0.1:  # of a path that begins nowhere
        return folder_of_xgboost(f"resources: {value(random, '/proc/version')}\n"), ("mlflow",)
    name = random.choice(("saved_input_example_info", "_saved_input_example_info"))
    if random.random() < 0.3:
        told = json.dumps({"artifact_path": path, "type": kind})
        return folder_of_xgboost(f"{name}: {told}\n"), ("mlflow",)
    word = value(random, f"'{path}'" if "%" in path else path)
    return folder_of_xgboost(f"{name}:\n  type: {kind}\n  artifact_path: {word}\n"), ("mlflow",)


def requirements_that_lead_outside(random: Chance) -> Made:
    """MLflow opens what requirements lead to, before it says which are not installed."""
    option = random.choice(("-r ", "-c ", "--requirement ", "--constraint ", "-r \t"))
    path = beside(random)
    whole = f"{option}{path}"
    line = random.choice((whole, f"{option}\\\n{path}", f"  {whole}  # as ever", f"\f{whole}"))
    lines = [line, *random.sample(["numpy", "# a comment", "xgboost>=2", ""], 2)]
    random.shuffle(lines)
    text = random.choice(("\n", "\r\n", "\u2028")).join(lines)
    files = folder_of_xgboost("")
    if random.random() < 0.3:
        files["requirements.txt"] = (
            f"{option}a/{random.choice(('notes.txt', 'more.txt'))}\n".encode()
        )
        files["a/notes.txt"] = files["a/more.txt"] = text.replace("../", "../../").encode()
    else:
        files["requirements.txt"] = text.encode()
    return files, ("mlflow warns",)


def weights_at_an_address(random: Chance) -> Made:
    """What ONNX takes for a file's name ONNX Runtime takes for a mark of its own."""
    mark = random.choice(
        ("*/_ORT_MEM_ADDR_/*", "*/_ORT_MEM_ADDR_/*", "../w.bin", "/etc/hosts", "w.bin")
    )
    entries = [("location", mark), ("offset", str(random.choice((0, 4096)))), ("length", "4")]
    if mark == "w.bin":
        more = random.choice((("prepacked_0", "key|0;4096;0"), ("location", MARK)))
        entries.insert(random.randrange(3), more)
    random.shuffle(entries)
    tensor = onnx.TensorProto(name="w", data_type=1, dims=[1], data_location=1)
    for key, word in entries:
        tensor.external_data.add(key=key, value=word)
    out = onnx.helper.make_tensor_value_info("w", 1, [1])
    nodes, held = [], [tensor]
    if random.random() < 0.4:
        nodes, held = [onnx.helper.make_node("Constant", [], ["w"], value=tensor)], []
    graph = onnx.helper.make_graph(nodes, "g", [], [out], initializer=held)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)])
    files = {"model.onnx": model.SerializeToString(), "w.bin": bytes(8192)}
    if random.random() < 0.7:  # a file may be called as the mark is
        files[MARK] = bytes(8192)
    return files, ("onnxruntime, by its rules",)


_MODELS: dict[str, Any] = {}


def models() -> dict[str, Any]:
    """Return models that have something called, opened or evaluated by name."""
    if not _MODELS:
        from sklearn.feature_selection import SelectFromModel
        from sklearn.linear_model import LogisticRegression
        from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV
        from sklearn.pipeline import make_pipeline

        rows = numpy.random.default_rng(0).random((20, 3))
        labels = (rows[:, 0] > 0.5).astype(int)
        last = LogisticRegression()
        _MODELS["memory"] = make_pipeline(last).fit(rows, labels)
        _MODELS["response_method"] = FixedThresholdClassifier(last).fit(rows, labels)
        _MODELS["importance_getter"] = SelectFromModel(last).fit(rows, labels)
        _MODELS["pre_dispatch"] = GridSearchCV(last, {"C": [1.0]}, cv=2)
    return _MODELS


SAID = {
    "memory": ("cache", "/var/cache", "../cache", "a"),
    "response_method": ("__class__", "tofile", "set_params", "fit", "dump"),
    "importance_getter": ("__class__", "coef_.__array_interface__", "__init__.__globals__"),
    "pre_dispatch": ("__import__('os').getcwd()", "exit()", "[n_jobs for a in (1,)].pop()"),
}


def array_elsewhere(random: Chance) -> bytes:
    """An object that tells NumPy where in memory an array lies (``__array_interface__``)."""
    from sklearn.preprocessing import StandardScaler

    place = {"version": 3, "typestr": "<f8", "shape": (3,), "data": (random.randrange(2**40), True)}
    model = StandardScaler()
    vars(model)["__array_interface__"] = place
    return skops.io.dumps(model)


def names_in_skops(random: Chance) -> Made:
    """What a type that skops trusts says is called, opened, evaluated or a place in memory."""
    if random.random() < 0.2:
        return {"model.skops": array_elsewhere(random)}, ("skops, by the rules of scikit-learn",)
    name = random.choice(list(SAID))
    model = models()[name]
    before = getattr(model, name)
    setattr(model, name, random.choice(SAID[name]))
    data = skops.io.dumps(model)
    setattr(model, name, before)
    if random.random() < 0.4:
        data = in_another_form(random, data, name)
    path = random.choice(("model.skops", "model.pkl", "a.zip"))
    return {path: data}, ("skops, by the rules of scikit-learn",)


def in_another_form(random: Chance, data: bytes, name: str) -> bytes:
    """Return the file with its member by reference, under the number of another, or all of a state
    in one text of JSON or a list of pairs."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {one: archive.read(one) for one in archive.namelist()}
    schema = json.loads(members.pop("schema.json"))
    state = schema["content"]
    held, keys = state["content"], state["key_types"]["content"]
    said = held[name]
    how = random.randrange(4)
    if how == 0:
        schema["content"] = in_json(
            {"memory": None, "steps": [], name: json.loads(said["content"])}
        )
    elif how == 1:
        pairs = [in_tuple(in_json(key), one) for key, one in held.items()]
        kind = random.choice(("builtins.dict", "collections.OrderedDict"))
        schema["content"] = node(kind, random.choice(("ListNode", "SetNode")), content=pairs)
    else:
        shown = in_json(None) if how == 2 else node("builtins.str", "CachedNode")
        state["content"] = {"a": {**said, "__id__": 7}, **held, name: {**shown, "__id__": 7}}
        state["key_types"] = {**state["key_types"], "content": [*keys, keys[0]]}
    raw = json.dumps(schema).encode()
    return zipped(("schema.json", raw), *members.items())


FAMILIES: tuple[Family, ...] = (
    examples_that_lead_outside,
    requirements_that_lead_outside,
    weights_at_an_address,
    names_in_skops,
)
