"""Families of what libraries wrap: joblib's arrays, NumPy's, torch's, skops' nodes, keras'."""

import base64
import io
import json
import marshal
import pickle
import struct
from typing import Any

import joblib
import numpy

from tests.properties.scanning.archives import zipped
from tests.properties.scanning.drawn import EVERY, PICKLES, Chance, Family, Made
from tests.properties.scanning.opcodes import TARGETS, called, harmless, name, text

KINDS = (
    "|O",
    "O",
    [("a", "O")],
    [("a", [("b", "|O")])],
    ("|V8", (2,)),
    ("V0", "O"),
    ("O", (2,)),
    [("a", "V0", (1,)), ("b", "O")],
    "object",
    [("a", ("O", (1,)))],
    ("V0", [("a", "O")]),
    [("a", ("V0", "O"))],
    "V0,O",
    "|O8",
    ("S0", "O"),
    "<i8",
    "V8",
)


LAMBDA = lambda rows: rows  # noqa: E731  (Keras keeps the code of one)


class Runs:
    """Calls the marker, or the like, when it is unpickled."""

    def __init__(self, argument: str) -> None:
        self.argument = argument

    def __reduce__(self) -> tuple[Any, ...]:
        return eval, (self.argument,)


def runs(random: Chance) -> Runs:
    return Runs(random.choice(("1", "__import__('placet_marker').fire()")))


def arrays_of_joblib(random: Chance) -> Made:
    held = {"rows": numpy.arange(random.randrange(1, 40)), "own": runs(random)}
    if random.random() < 0.5:
        held["objects"] = numpy.array([runs(random)], dtype=object)
        del held["own"]
    file = io.BytesIO()
    joblib.dump(held, file, compress=random.choice((0, 0, 3)), protocol=random.randrange(2, 6))
    return {name(random): file.getvalue()}, PICKLES


def wrapper(module: str, kind: str, shape: Any, dtype: Any, **more: Any) -> bytes:
    """Return the opcodes of a wrapper that has its state, up to where its array begins."""
    state = {
        "shape": shape,
        "dtype": dtype,
        "subclass": numpy.ndarray,
        "order": "C",
        "allow_mmap": False,
        **more,
    }
    inner = pickle.dumps(state, protocol=2)[2:-1]
    return b"\x80\x02c" + f"{module}\n{kind}\n".encode() + b")\x81" + inner + b"b"


def lookalikes(random: Chance) -> Made:
    module = random.choice(
        (
            "acme",
            "joblib.numpy_pickle",
            "joblib",
            "placet_marker",
            "joblib.numpy_pickle_compat",
            "collections",
        )
    )
    kind = random.choice(("NumpyArrayWrapper", "NDArrayWrapper", "OrderedDict", "Fires"))
    hidden = b"0" + called(random) + b"0"
    start = wrapper(module, kind, (len(hidden),), numpy.dtype("u1"))
    return {name(random): start + hidden + b"N."}, PICKLES


def arrays_with_code_inside(random: Chance) -> Made:
    """joblib steps over it; pickle runs it. Or the other way round."""
    hidden = random.choice((b"\0", b"", b"N")) + called(random)
    size = random.choice((len(hidden), 0, 3, len(hidden) * 2))
    padded = {"numpy_array_alignment_bytes": 16} if random.random() < 0.3 else {}
    dtype = random.choice((numpy.dtype("u1"), numpy.dtype("O"), numpy.dtype([("a", "u1")])))
    start = wrapper("joblib.numpy_pickle", "NumpyArrayWrapper", (size,), dtype, **padded)
    return {name(random): harmless(random) + start + hidden + b"0N."}, PICKLES


def files_beside_an_old_one(random: Chance) -> Made:
    """Before 0.10 joblib kept arrays in files of their own, which it loads with NumPy."""
    state = pickle.dumps({"filename": "beside.txt", "subclass": numpy.ndarray}, 2)[2:-1]
    kind = b"cjoblib.numpy_pickle_compat\nNDArrayWrapper\n)\x81"
    beside = harmless(random) + called(random) + b"."
    return {"model.pkl": b"\x80\x02" + kind + state + b"b.", "beside.txt": beside}, ("joblib",)


def numpy_header(random: Chance, kind: Any) -> bytes:
    """Return the head of an .npy file with this type, spelled as somebody may spell it."""
    version = random.choice((1, 1, 2, 3))
    fields = [
        f"'descr': {kind!r}",
        "'fortran_order': False",
        f"'shape': {random.choice(('(1,)', '()', '(1L,)'))}",
    ]
    random.shuffle(fields)
    if random.random() < 0.2:
        fields.insert(0, "'descr': '<i8'")
    head = (
        "{" + random.choice((", ", ",", ",\n")).join(fields) + random.choice(("}", ",}"))
    ).encode()
    head += b" " * random.randrange(9) + b"\n"
    size = struct.pack("<H" if version == 1 else "<I", len(head))
    return b"\x93NUMPY" + bytes([version, 0]) + size + head


def arrays_of_objects(random: Chance) -> Made:
    inner = pickle.dumps(numpy.array([runs(random)], dtype=object), protocol=random.randrange(5))
    data = random.choice((inner, called(random) + b".", harmless(random) + called(random)))
    raw = numpy_header(random, random.choice(KINDS)) + data
    return {random.choice(("a.npy", "notes.txt", "model.pkl", "data.json")): raw}, ("numpy",)


def an_npz(random: Chance) -> Made:
    raw = numpy_header(random, random.choice(KINDS)) + called(random) + b"."
    plain = io.BytesIO()
    numpy.save(plain, numpy.arange(3))
    members = [
        ("a.npy", plain.getvalue()),
        (random.choice(("b.npy", "b", "b.txt", "b/", "b.npy/")), raw),
    ]
    random.shuffle(members)
    return {random.choice(("a.npz", "a.zip", "notes.txt")): zipped(*members)}, ("numpy",)


def storage(random: Chance) -> bytes:
    """Push a persistent id as torch writes it: (storage, type, key, place, numel)."""
    return (
        b"("
        + text(random, "storage")
        + b"ctorch\nFloatStorage\n"
        + b"".join(text(random, word) for word in ("0", "cpu"))
        + b"K\x01tQ"
    )


def zips_of_torch(random: Chance) -> Made:
    held = b"\x80\x02" + random.choice((storage(random), b"N")) + b"0" + called(random) + b"."
    folder = random.choice(("archive", "model", "notes.txt"))
    members = [
        (f"{folder}/data.pkl", held),
        (f"{folder}/version", b"3\n"),
        (f"{folder}/data/0", random.randbytes(4)),
    ]
    path = random.choice(("model.pt", "model.bin", "model.pth", "notes.txt", "plot.gif"))
    return {path: zipped(*members)}, ("torch",)


def old_files_of_torch(random: Chance) -> Made:
    head = [0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}]
    start = b"".join(pickle.dumps(part, protocol=2) for part in head)
    held = b"\x80\x02" + random.choice((storage(random), b"N")) + b"0" + called(random) + b"."
    data = start + held + pickle.dumps(["0"]) + bytes(12)
    return {random.choice(("model.pt", "notes.txt", "model.bin")): data}, EVERY


def node(full: str, loader: str, **more: Any) -> dict[str, Any]:
    """Return one node of a skops schema."""
    module, _, kind = full.rpartition(".")
    return {"__class__": kind, "__module__": module, "__loader__": loader, **more}


def in_json(value: Any) -> dict[str, Any]:
    return node("builtins.str", "JsonNode", content=json.dumps(value), is_json=True)


def in_tuple(*items: dict[str, Any]) -> dict[str, Any]:
    return node("builtins.tuple", "TupleNode", content=list(items))


def a_call(random: Chance, function: dict[str, Any], argument: str) -> dict[str, Any]:
    """Have skops call a function: as the type of a key, or as what makes a default."""
    keys = node("builtins.list", "ListNode", content=[function])
    return node("builtins.dict", "DictNode", content={argument: in_json(1)}, key_types=keys)


def a_function(random: Chance, module: str, attribute: str) -> tuple[dict[str, Any], int]:
    """Return a node that is ``module.attribute`` for skops, and the protocol that reads it so."""
    full = f"{module}.{attribute}"
    lies = random.choice(("builtins.list", "numpy.ndarray", "builtins.function"))
    old = node(lies, "FunctionNode", content={"module_path": module, "function": attribute})
    return random.choice(
        (
            (node(full, "FunctionNode"), 2),
            (node(full, "TypeNode"), 2),
            (old, 0),
            (old, 0),
            (node(full, "ConstructorFromReduceNode", content=in_tuple(in_json("x"))), 1),
        )
    )


def skops_file(random: Chance, schema: dict[str, Any], protocol: int) -> Made:
    raw = json.dumps({**schema, "protocol": protocol, "_skops_version": "0.16"}).encode()
    path = random.choice(("model.skops", "model.skops", "model.pkl", "model.zip", "notes.txt"))
    return {path: zipped(("schema.json", raw))}, ("skops",)


def nodes_of_skops(random: Chance) -> Made:
    module, attribute, argument = random.choice(TARGETS)
    function, protocol = a_function(random, module, attribute)
    schema = a_call(random, function, argument)
    for _ in range(random.randrange(3)):
        schema = node("builtins.list", "ListNode", content=[schema])
    return skops_file(random, schema, protocol)


def functions_of_operator(random: Chance) -> Made:
    kind = random.choice(("attrgetter", "methodcaller", "itemgetter", "call", "concat"))
    module = random.choice(("operator", "_operator", "builtins"))
    given = in_tuple(in_json("fire"))
    caller = node(f"{module}.{kind}", "OperatorFuncNode", attrs=given)
    if kind == "call":
        function, _ = a_function(random, "placet_marker", "fire")
        caller = node("operator.call", "OperatorFuncNode", attrs=in_tuple(function))
    return skops_file(random, caller, random.choice((0, 1, 2)))


def methods_of_skops(random: Chance) -> Made:
    owner = node("placet_marker.Fires", "ObjectNode", content=in_json({"a": 1}))
    if random.random() < 0.5:
        owner = node("placet_marker.Fires", "ObjectNode")
    method = node("placet_marker.Fires", "MethodNode", content={"func": "append", "obj": owner})
    return skops_file(random, a_call(random, method, "x"), random.choice((0, 1, 2)))


def generators_of_skops(random: Chance) -> Made:
    inner = {"bit_generator": in_json(random.choice(("seed", "set_bit_generator", "PCG64")))}
    keys = node("builtins.list", "ListNode", content=[node("builtins.str", "TypeNode")])
    state = node("builtins.dict", "DictNode", content=inner, key_types=keys)
    full = random.choice(("placet_marker.fire", "numpy.random._generator.Generator"))
    content = {"bit_generator": state, "seed_seq": state}
    maker = node(full, "RandomGeneratorNode", content=content)
    return skops_file(random, maker, random.choice((0, 1, 2)))


def schemas_with_odd_json(random: Chance) -> Made:
    """JSON that readers may read differently: a member twice, an escape in a name."""
    function = json.dumps(node("placet_marker.fire", "FunctionNode"))
    harmless_one = '"__module__": "builtins", "__class__": "list", '
    odd = random.choice(
        (
            function.replace("{", "{" + harmless_one, 1),
            function.replace("fire", "\\u0066ire"),
            function.replace("__module__", "\\u005f_module__"),
            function[:-1] + ', "__id__": null}',
        )
    )
    plain = json.dumps(a_call(random, {}, "x") | {"protocol": 2})
    raw = plain.replace('"content": [{}]', f'"content": [{odd}]')
    assert odd in raw
    return {random.choice(("model.skops", "a.zip")): zipped(("schema.json", raw.encode()))}, (
        "skops",
    )


def keras_config(random: Chance) -> bytes:
    """Return the config of a model as Keras writes it; one of its layers is a class of ours."""
    module, attribute, argument = random.choice(TARGETS)
    module = random.choice((module, "placet_marker_imported", "this"))
    code = base64.b64encode(marshal.dumps(LAMBDA.__code__)).decode()
    held = {"code": code, "defaults": None, "closure": None}
    function = {"class_name": "__lambda__", "config": held}
    layer: dict[str, Any] = random.choice(
        (
            {"module": "keras.layers", "class_name": "Lambda", "config": {"function": function}},
            {"module": "keras.layers", "class_name": "Lambda", "config": {"function": function}},
            {"module": "builtins", "class_name": "function", "config": "eval"},
            {"module": module, "class_name": attribute, "config": {"value": argument}},
            {"module": module, "class_name": "function", "config": attribute},
        )
    )
    if isinstance(layer["config"], dict):
        layer["config"] |= {"name": "own"}
    first = {
        "module": "keras.layers",
        "class_name": "InputLayer",
        "registered_name": None,
        "config": {"batch_shape": [None, 2], "dtype": "float32", "name": "first"},
    }
    config = {"name": "model", "layers": [first, layer | {"registered_name": None}]}
    whole = {"module": "keras", "class_name": "Sequential", "config": config}
    return json.dumps(whole | {"registered_name": None}).encode()


def a_keras_zip(random: Chance) -> Made:
    members = [("config.json", keras_config(random)), ("metadata.json", b"{}")]
    return {"model.keras": zipped(*members)}, ("keras",)


def a_keras_folder(random: Chance) -> Made:
    weights = io.BytesIO()
    numpy.savez(weights, a=numpy.arange(3))
    files = {
        "config.json": keras_config(random),
        "metadata.json": b"{}",
        "model.weights.npz": weights.getvalue(),
    }
    return files, ("keras",)


FAMILIES: tuple[Family, ...] = (
    arrays_of_joblib,
    lookalikes,
    arrays_with_code_inside,
    files_beside_an_old_one,
    arrays_of_objects,
    an_npz,
    zips_of_torch,
    old_files_of_torch,
    nodes_of_skops,
    functions_of_operator,
    methods_of_skops,
    generators_of_skops,
    schemas_with_odd_json,
    a_keras_zip,
    a_keras_folder,
)
