"""Families of trees that lead outside, in files that look like something else, and of ONNX so.

XGBoost and LightGBM follow what they read in C++: such a file ends its loader when it predicts, or
changes memory. MLflow has them read whatever file its MLmodel names.
"""

import json
import struct
from typing import Any

import onnx

from tests.properties.scanning.drawn import Chance, Family, Files, Made
from tests.properties.scanning.folders import HEAD, value
from tests.support.models import booster_bytes

FAR = 0x7F7F7F7F  # of which each byte is a letter of a text
BLOCK = 512


class Numbers(list[Any]):
    """Numbers of one kind, which UBJSON marks once."""

    def __init__(self, kind: str, *numbers: float) -> None:
        super().__init__(numbers)
        self.kind = kind


def length(size: int) -> bytes:
    return b"L" + struct.pack(">q", size)


def ubjson(found: Any) -> bytes:
    """Write UBJSON as XGBoost reads it."""
    if isinstance(found, dict):
        members = (length(len(key)) + key.encode() + ubjson(one) for key, one in found.items())
        return b"{" + b"".join(members) + b"}"
    if isinstance(found, str):
        return b"S" + length(len(found)) + found.encode()
    if isinstance(found, Numbers):
        code = {"l": "i", "d": "f", "U": "B", "L": "q"}[found.kind]
        head = b"[$" + found.kind.encode() + b"#" + length(len(found))
        return head + struct.pack(f">{len(found)}{code}", *found)
    if isinstance(found, list):
        return b"[#" + length(len(found)) + b"".join(map(ubjson, found))
    return b"i" + struct.pack("b", found) if found < 128 else b"l" + struct.pack(">i", found)


def tree(left: int, feature: int = 0) -> dict[str, Any]:
    """Return one node of XGBoost's, whose children are this one; a leaf has none."""
    floats = {part: Numbers("d", 0.0) for part in ("base_weights", "loss_changes")}
    none = {
        "categories": Numbers("l"),
        "categories_nodes": Numbers("l"),
        "categories_segments": Numbers("L"),
        "categories_sizes": Numbers("L"),
    }
    return {
        **floats,
        **none,
        "id": 0,
        "default_left": Numbers("U", 0),
        "parents": Numbers("l", 0),
        "left_children": Numbers("l", left),
        "right_children": Numbers("l", left),
        "split_conditions": Numbers("d", 0.5),
        "split_indices": Numbers("l", feature),
        "split_type": Numbers("U", 0),
        "sum_hessian": Numbers("d", 2.0),
        "tree_param": {
            "num_deleted": "0",
            "num_feature": "1",
            "num_nodes": "1",
            "size_leaf_vector": "1",
        },
    }


def xgboost_model(random: Chance) -> dict[str, Any]:
    """Return a model with one number that leads outside; all its bytes are a text's."""
    left, feature, group = random.choice(((FAR, 0, 0), (FAR, 0, 0), (FAR, FAR, 0), (127, 0, FAR)))
    forest = {
        "cats": {"enc": [], "feature_segments": Numbers("l"), "sorted_idx": Numbers("l")},
        "gbtree_model_param": {"num_parallel_tree": "1", "num_trees": "1"},
        "iteration_indptr": [0, 1],
        "tree_info": [group],
        "trees": [tree(left, feature)],
    }
    settings = {
        "base_score": "[5E-1]",
        "boost_from_average": "1",
        "num_class": "0",
        "num_feature": "1",
        "num_target": "1",
    }
    objective = {"name": "reg:squarederror", "reg_loss_param": {"scale_pos_weight": "1"}}
    learner = {
        "attributes": {},
        "feature_names": [],
        "feature_types": [],
        "gradient_booster": {"model": forest, "name": "gbtree"},
        "objective": objective,
        "learner_model_param": settings,
    }
    return {"learner": learner, "version": [3, 2, 0]}


def tensors_in_ubjson(random: Chance, model: dict[str, Any]) -> bytes:
    """Return whole safetensors whose header's length begins an object; its first key ends in the
    tensors."""
    start = b"{" + random.choice((b" ", b"\n", b"\t", b'"'))
    size, key = int.from_bytes(b"{L", "little"), int.from_bytes(start, "big")
    data = bytes(key + 2 - size) + b"S" + length(0) + ubjson(model)[1:]
    data += bytes(-len(data) % 4)
    tensor = {"dtype": "U8", "shape": [len(data)], "data_offsets": [0, len(data)]}
    header = start.replace(b'"', b"") + json.dumps({"w": tensor}).encode()[1:]
    return struct.pack("<Q", size) + header.ljust(size) + data


def tar(start: bytes, data: bytes) -> bytes:
    """Return a tar that begins so: its first member's name is told by a block of PAX' before it."""

    def block(name: bytes, size: int, kind: bytes) -> bytes:
        head = name.ljust(100, b"\0") + b"0000644\0" + b"0000000\0" * 2 + b"%011o\0" % size
        head += b"00000000000\0" + b" " * 8 + kind + bytes(100) + b"ustar\x0000"
        head = head.ljust(BLOCK, b"\0")
        return head[:148] + b"%06o\0 " % sum(head) + head[156:]

    def padded(held: bytes) -> bytes:
        return held + bytes(-len(held) % BLOCK)

    told = b"18 path=notes.txt\n"
    first = block(start, len(told), b"x") + padded(told)
    return first + block(b"notes.txt", len(data), b"0") + padded(data) + bytes(2 * BLOCK)


def tar_in_ubjson(model: dict[str, Any]) -> bytes:
    """Behind the end of its name, which is ``{L``, a tar has room."""
    first = 3 * BLOCK - 10
    return tar(b"{L" + struct.pack(">q", first), b"S" + length(0) + ubjson(model)[1:])


def mlmodel(random: Chance, flavor: str, path: str) -> bytes:
    """Return an MLmodel that has a flavor's library read a file."""
    data = f"    data: {value(random, path)}\n"
    pyfunc = f"  python_function:\n    loader_module: mlflow.{flavor}\n{data}"
    return f"{HEAD}flavors:\n{pyfunc}  {flavor}:\n{data}".encode()


def named(random: Chance, flavor: str, path: str, data: bytes) -> Made:
    """Have a library read a file, by itself or because a folder says so."""
    files: Files = {path: data}
    if random.random() < 0.5:
        return files, (f"{flavor} predicts",)
    return files | {"MLmodel": mlmodel(random, flavor, path)}, ("mlflow predicts",)


TEXTS = (
    "model.txt",
    "README.md",
    "data.csv",
    "conda.yaml",
    "model.json",
    "model.ubj",
    "a.html",
    "data.jsonl",
    "a.yml",
    "LICENSE",
    "keras_module.txt",
    "config.json",
)


def texts_in_ubjson(random: Chance) -> Made:
    return named(random, "xgboost", random.choice(TEXTS), ubjson(xgboost_model(random)))


def tensors_for_xgboost(random: Chance) -> Made:
    data = tensors_in_ubjson(random, xgboost_model(random))
    return named(random, "xgboost", "model.safetensors", data)


def tars_for_boosters(random: Chance) -> Made:
    path = random.choice(("a.tar", "model.bin", "notes.txt"))
    if random.random() < 0.7:
        return named(random, "xgboost", path, tar_in_ubjson(xgboost_model(random)))
    return named(random, "lightgbm", path, tar(b"tree\nversion=v4\n", b"notes"))


def lines_for_lightgbm(random: Chance) -> Made:
    """A tree of LightGBM whose root leads outside, under the name of any text."""
    import lightgbm
    import numpy

    rows = numpy.arange(40.0).reshape(-1, 1)
    data = lightgbm.Dataset(rows, rows[:, 0] > 20)
    whole = booster_bytes(
        lightgbm.train({"verbose": -1, "num_leaves": 2, "min_data_in_leaf": 1}, data, 1), ".txt"
    )
    part = random.choice((b"left_child=", b"right_child=", b"split_feature="))
    head, found, rest = whole.partition(part)
    _, _, rest = rest.partition(b"\n")
    broken = head + found + b"%d\n" % FAR + rest
    size = int(head.partition(b"tree_sizes=")[2].split()[0])
    longer = size + len(broken) - len(whole)
    broken = broken.replace(b"tree_sizes=%d" % size, b"tree_sizes=%d" % longer, 1)
    return named(random, "lightgbm", random.choice((*TEXTS, "model.lgb")), broken)


def a_model_that_reads_elsewhere() -> bytes:
    """Return an ONNX model, which is a text, whose weights lie outside of its folder."""
    tensor = onnx.TensorProto(name="w", data_type=1, dims=[1], data_location=1)
    tensor.external_data.add(key="location", value="../x")
    out = onnx.helper.make_tensor_value_info("w", 1, [1])
    graph = onnx.helper.make_graph([], "g", [], [out], initializer=[tensor])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)])
    return bytes(model.SerializeToString())


def tensors_in_onnx(model: bytes) -> bytes:
    """The header's length is a field of eight bytes, the header fields of texts and numbers."""
    parts = (
        b'"w":{',
        b'"dtype":"U8",',
        b'"shape":[%d],' % len(model),
        b'"data_offsets":[0,',
        b"%d]" % len(model),
        b"}",
        b"}",
    )
    header = b"{" + b"".join(b"\n " + part.ljust(ord(" ")) for part in parts)
    header += b"" if len(header) % 2 else b"\n\t" + b" " * ord("\t")
    header += b"  " * ((0x09 - len(header)) % 256 // 2)
    return struct.pack("<Q", len(header)) + header + model


def onnx_by_other_names(random: Chance) -> Made:
    """What ONNX does not know it passes over: the first bytes of others are fields of a number."""
    model = a_model_that_reads_elsewhere()
    path = random.choice(("model.txt", "README.md", "a.parquet", "a.png", "model.safetensors"))
    if path == "a.parquet":
        model = b"PAR1" + b" " * ord("1") + model
    elif path == "a.png":
        model = b"\x89PNG\r\n\x1a\n  " + model
    elif path == "model.safetensors":
        model = tensors_in_onnx(model)
    return {path: model, "MLmodel": mlmodel(random, "onnx", path)}, (
        "onnx of mlflow, by its rules",
    )


FAMILIES: tuple[Family, ...] = (
    texts_in_ubjson,
    tensors_for_xgboost,
    tars_for_boosters,
    lines_for_lightgbm,
    onnx_by_other_names,
)
