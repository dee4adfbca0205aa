"""Families of files that are an archive by their first bytes and something else by their name.

A reader of the one never looks at the other: what counts is what the loader of each would do.
"""

import json
import zlib

import onnx

from tests.properties.scanning.drawn import Chance, Family, Files, Made
from tests.properties.scanning.opcodes import called

SHOWN = (
    "flavors: {python_function: {loader_module: mlflow.xgboost, data: model.json}, "
    "xgboost: {data: model.json, model_class: xgboost.core.Booster}}\n"
)
FILLED = b"abcdefghijklmnop "
PNG = b"\x89PNG\r\n\x1a\n"


def _printed(data: bytes) -> bool:
    return all(0x20 <= byte < 0x7F and byte not in b'"\\' for byte in data)


def stream(random: Chance, *parts: tuple[bytes, bytes, bytes]) -> bytes:
    """Return a text in UTF-8 that is one whole zlib stream of stored blocks.

    Each block: its first two bytes, and what its data begins and ends with; a filler stands
    between, and the last one's goes on to the checksum, which is printed as well.
    """
    while True:
        raw, plain = b"x^", b""
        for first, begin, end in parts:
            high = random.randrange(0x41 + (len(begin) + len(end)) // 256, 0x5C)
            length = first[1] | high << 8
            filler = bytes(random.choices(FILLED, k=20))
            room = length - len(begin) - len(end)
            data = begin + (filler * (room // 20 + 1))[:room] + end
            raw += first + bytes([high, first[1] ^ 255, high ^ 255]) + data
            plain += data
        if _printed(check := zlib.adler32(plain).to_bytes(4, "big")):
            return raw + check


def two_faced(random: Chance, before: str, hidden: str, shown: str) -> bytes:
    """Return YAML that says ``hidden``; what comes out of it as a stream says ``shown``: the bytes
    before a block begin a comment, without which a text in quotes begins there."""
    first = (b" " + b'"', f"k: 1\n{before}# ".encode(), b"\na: ")
    second = (b" #", f'"\n{hidden}b: "\n{shown}#"\n# '.encode(), b"")
    return stream(random, first, second, (b"A#", b"", b""))


def module(random: Chance) -> bytes:
    """Return Python that fires when it is imported, or when MLflow loads it."""
    fires = random.choice(("def _load_pyfunc(path):\n    ", "")) + "placet_marker.fire()\n"
    begin = f'" if 0 else 0\nimport placet_marker\n{fires}# '.encode()
    return stream(random, (b' "', begin, b""), (b"A#", b"", b""))


def texts_that_are_streams(random: Chance) -> Made:
    """A folder of MLflow's whose files say another thing when they are unpacked."""
    hidden = "flavors: {python_function: {loader_module: own.README, code: code}}\n"
    before = "mlflow_version: 3.17.2\nartifact_path: model\n"
    files: Files = {
        "MLmodel": two_faced(random, before, hidden, SHOWN),
        "code/own/README.py": module(random),
    }
    return files, ("mlflow",)


def yaml_that_is_a_stream(random: Chance) -> Made:
    tag = random.choice(("!!python/object/apply:", "!!python/object/new:"))
    hidden = f"z: {tag}placet_marker.fire []\n"
    path = random.choice(("README.yaml", "LICENSE.yml", "conda.yaml.yaml", "MLproject"))
    return {path: two_faced(random, "", hidden, "c: d\n")}, ("careless yaml",)


def tarred(head: bytes, size: int, at: int = 0, text: bytes = b"") -> bytes:
    """Return a tar's header that begins with ``head`` and has a text at one place."""
    data = bytearray(head.ljust(512, b"\0"))
    data[100:148] = b"%07o %07o %07o %011o %011o " % (0o644, 0, 0, size, 0)
    data[156:157], data[329:345] = b"0", b"%07o %07o " % (0, 0)
    data[at : at + len(text)] = text
    data[148:156] = b" " * 8
    data[148:156] = b"%06o  " % sum(data)
    return bytes(data)


def arrays_that_are_tars(random: Chance) -> Made:
    """The header of the array ends in the tar's: behind it stands a pickle, where tar has the
    folder of a member. A comment in the one holds the numbers of the other."""
    while len(evil := called(random) + b".") > 154:
        pass
    kind = random.choice(("|O", "O", "object"))
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': (1,)}} #".encode()
    start = b"\x93NUMPY\x01\0" + (335).to_bytes(2, "little") + header.ljust(335)
    tar = tarred(start, 0, 344, b"\n" + evil) + bytes(1024)
    return {random.choice(("weights.npy", "a.data", "model.tar")): tar}, ("numpy",)


def number(value: int) -> bytes:
    """Return a number as protobuf spells it."""
    return bytes([value & 127 | 128]) + number(value >> 7) if value > 127 else bytes([value])


def models_that_are_tars(random: Chance) -> Made:
    """Fields that ONNX does not know hold the header of a tar, and the zeros at its end."""
    tensor = onnx.TensorProto(name="w", data_type=1, dims=[4], data_location=1)
    tensor.external_data.add(key="location", value=random.choice(("../x.bin", "../../etc/x")))
    out = onnx.helper.make_tensor_value_info("w", 1, [4])
    graph = onnx.helper.make_graph([], "g", [], [out], initializer=[tensor])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)])
    field = number(100 << 3 | 2)
    begin = field + number(512 + len(PNG) - len(field) - 2)
    body = PNG + model.SerializeToString() + field + number(3000)
    data = tarred(begin + b"m.png", len(body)) + body + bytes(3000)
    flavors = {"onnx": {"data": "model.onnx"}, "python_function": {"loader_module": "mlflow.onnx"}}
    mlmodel = json.dumps({"flavors": flavors}).encode()
    return {"model.onnx": data, "MLmodel": mlmodel}, ("onnx of mlflow, by its rules",)


FAMILIES: tuple[Family, ...] = (
    texts_that_are_streams,
    yaml_that_is_a_stream,
    arrays_that_are_tars,
    models_that_are_tars,
)
