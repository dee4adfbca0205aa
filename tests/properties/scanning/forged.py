"""Families of whole files with one word that their reader takes at its word: lines of LightGBM,
attributes of XGBoost, types of NumPy, operators of ONNX."""

import functools
import io
import json
import re
import struct
import zipfile

import numpy

from tests.properties.scanning.drawn import Chance, Family, Made
from tests.properties.scanning.forests import TEXTS, ubjson, xgboost_model
from tests.support.models import booster_bytes

LIGHTGBM = ("lightgbm predicts", "lightgbm, inside of its answer")


@functools.cache
def lines() -> str:
    """Train a small forest of LightGBM; its text."""
    import lightgbm

    rows = numpy.arange(40.0).reshape(-1, 1)
    settings = {"objective": "binary", "verbose": -1, "num_leaves": 2, "min_data_in_leaf": 1}
    return booster_bytes(
        lightgbm.train(settings, lightgbm.Dataset(rows, rows[:, 0] > 20), 2), ".txt"
    ).decode()


def objectives_of_lightgbm(random: Chance) -> Made:
    """Empty pieces of a word are dropped, so it has more classes than its head says."""
    colons, classes = ":" * random.randrange(4), random.randrange(2, 300)
    words = [f"{colons}num_class{':' * random.randrange(1, 3)}{classes}", "sigmoid:1", ":", "sqrt"]
    random.shuffle(words)
    name = random.choice(("multiclass", "multiclassova"))
    line = f"objective={name} {' '.join(words)}"
    path = random.choice((*TEXTS, "model.lgb"))
    return {path: re.sub("objective=[^\n]*", line, lines(), count=1).encode()}, LIGHTGBM


def parameters_of_lightgbm(random: Chance) -> Made:
    """A parameter is taken apart at its colon, whether it has one or not."""
    odd = random.choice(("[]", "[x]", "[", "]", ":", "x", "[x:", "[:]", "::", "=", "[a:]"))
    shown = [match.end() for match in re.finditer(r"(?m)^\[.*\]\n", lines())]
    place = random.choice(shown)
    path = random.choice((*TEXTS, "model.lgb"))
    return {path: (lines()[:place] + odd + "\n" + lines()[place:]).encode()}, LIGHTGBM


def best_rounds_of_xgboost(random: Chance) -> Made:
    """Who predicts asks for rounds up to the best one."""
    best = random.choice((random.randrange(-(1 << 31), 0), random.randrange(1, 1 << 31), -1, 1, 2))
    model = xgboost_model(Chance(0))
    forest = model["learner"]["gradient_booster"]["model"]
    forest["tree_info"] = [0]
    for part in ("left_children", "right_children"):
        forest["trees"][0][part][0] = -1
    forest["trees"][0]["split_indices"][0] = 0
    forest["trees"][0]["parents"][0] = 0x7FFFFFFF
    model["learner"]["attributes"] = {"best_iteration": str(best)}
    way = ("xgboost, by the rules of its rounds",)
    if random.random() < 0.5:
        return {random.choice(("model.ubj", "model.txt", "a.bin")): ubjson(model)}, way
    return {"model.json": json.dumps(model).encode()}, way


def items_of_numpy_without_bytes(random: Chance) -> Made:
    """Any number of them fits into an empty file, and NumPy answers what memory held."""
    kind = random.choice(("|S0", "<U0", "|V0", "|S", "<U", "S", "U"))
    descr: object = kind
    if random.random() < 0.4:
        descr = [("a", "<i4"), ("b", kind)] if random.random() < 0.5 else [("a", kind)]
    shape = random.choice(((4000,), (2, 300), (1, 1, 9)))
    size = numpy.prod(shape) * 4 if isinstance(descr, list) and len(descr) == 2 else 0
    head = repr({"descr": descr, "fortran_order": False, "shape": shape}).encode().ljust(181)
    data = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head) + 1) + head + b"\n" + bytes(size)
    way = ("numpy, by the rules of its items",)
    if random.random() < 0.6:
        return {random.choice(("a.npy", "a.bin", "notes.txt")): data}, way
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a.npy", data)
    return {"a.npz": out.getvalue()}, way


def operators_beyond_onnx(random: Chance) -> Made:
    """Code that somebody compiled: in the graph, in a branch or in a function."""
    from onnx import helper

    domain = random.choice(("com.microsoft", "com.microsoft.nchwc", "own", "ai.onnx.contrib"))
    kind = random.choice(("WordConvEmbedding", "FusedConv", "Own"))
    value = functools.partial(helper.make_tensor_value_info, elem_type=1, shape=[1])
    versions = [helper.make_opsetid("", 17), helper.make_opsetid(domain, 1)]
    node = helper.make_node(kind, ["x"], ["y"], domain=domain)
    functions = []
    where = random.randrange(3)
    if where == 1:
        for _ in range(random.randrange(1, 4)):
            inner = helper.make_graph([node], "b", [], [value("y")])
            node = helper.make_node("If", ["x"], ["y"], then_branch=inner, else_branch=inner)
    elif where == 2:
        own = random.choice(("", "ai.onnx.ml", "own"))
        functions = [helper.make_function(own, "Relu", ["x"], ["y"], [node], versions)]
        node = helper.make_node("Relu", ["x"], ["y"], domain=own)
        versions = [helper.make_opsetid(one, 17) for one in {"", own}]
    graph = helper.make_graph([node], "g", [value("x")], [value("y")])
    model = helper.make_model(graph, opset_imports=versions, functions=functions)
    return {"model.onnx": model.SerializeToString()}, ("onnx, by the rules of its operators",)


FAMILIES: tuple[Family, ...] = (
    objectives_of_lightgbm,
    parameters_of_lightgbm,
    best_rounds_of_xgboost,
    items_of_numpy_without_bytes,
    operators_beyond_onnx,
)
