"""Headers that lie, and pickles under every name and in every wrapping: none is called safe."""

import gzip
import io
import json
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest

from tests.support.scanning import scan_bytes
from workers.builder.scanning.files import Report

NOWHERE = Path("/nonexistent")


def report(data: bytes, name: str) -> Report:
    """Scan bytes."""
    return scan_bytes(name, data, NOWHERE)


def call(module: str, name: str) -> bytes:
    """Return a pickle that calls ``module.name("id")``."""
    names = b"".join(b"\x8c" + bytes([len(t)]) + t.encode() for t in (module, name))
    return b"\x80\x04" + names + b"\x93\x8c\x02id\x85R."


def npy(data: bytes, descr: str = "'|O'") -> bytes:
    """Return a NumPy file with the header ``descr`` and whatever stands behind it."""
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': (1,), }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data


def zipped(**members: bytes) -> bytes:
    """Return a zip of ``members``."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in members.items():
            archive.writestr(name.replace("__", "."), data)
    return file.getvalue()


def tarred(name: str, data: bytes) -> bytes:
    """Return a tar with one file."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        entry = tarfile.TarInfo(name)
        entry.size = len(data)
        archive.addfile(entry, io.BytesIO(data))
    return file.getvalue()


CALLS = [
    ("_posixsubprocess", "fork_exec"),
    ("ctypes", "CDLL"),
    ("_ctypes", "dlopen"),
    ("importlib", "import_module"),
    ("importlib.util", "spec_from_file_location"),
    ("pkgutil", "resolve_name"),
    ("runpy", "run_module"),
]
PLACES: dict[str, Callable[[bytes], tuple[str, bytes]]] = {
    "text": lambda data: ("notes.txt", data),
    "JSON": lambda data: ("config.json", data),
    "npy": lambda data: ("array.npy", npy(data)),
    "npz": lambda data: ("arrays.npz", zipped(a__npy=npy(data))),
    "picture": lambda data: ("plot.gif", b"GIF8" + b"\x00" * 5 + b"0" + data),
    "safetensors": lambda data: ("w.safetensors", data),
    "onnx": lambda data: ("m.onnx", data),
    "ubjson": lambda data: ("m.ubj", data),
    "h5": lambda data: ("w.h5", data),
    "keras": lambda data: ("m.keras", zipped(config__json=b"{}", weights__h5=data)),
    "skops": lambda data: ("m.skops", zipped(schema__json=b"{}", x__npy=npy(data))),
    "zip in tar in gzip": lambda data: (
        "a.tar.gz",
        gzip.compress(tarred("b.zip", zipped(c__txt=data))),
    ),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("module", "name"), CALLS)
def test_a_hostile_pickle_is_found_under_every_name(module: str, name: str, place: str) -> None:
    shown, data = PLACES[place](call(module, name))
    assert report(data, shown).verdict() == "malicious"


def test_the_picture_of_these_tests_is_a_pickle_that_runs() -> None:
    """A file may begin as a GIF does and still be unpickled: first bytes are not enough."""
    _, data = PLACES["picture"](call("os.path", "basename"))
    assert pickle.loads(data) == "id"


def test_a_tar_that_is_a_pickle_too_is_found() -> None:
    tar = tarred("any", b"")  # its header becomes a text of 506 bytes in the pickle
    both = b"(X\xfa\x01\x00\x00" + tar[6:512] + call("os", "system") + b"\x00" * 1024
    assert both[257:262] == b"ustar"
    assert report(both, "data.tar").verdict() == "malicious"


@pytest.mark.parametrize("descr", ['"O"', "'\\x4f'", "'object'", "[('a', '<i4'), ('b', \"O\")]"])
def test_objects_in_a_numpy_file_are_found_however_they_are_spelled(descr: str) -> None:
    assert report(npy(call("os", "system"), descr), "a.npy").verdict() == "malicious"


def saved(array: Any) -> bytes:
    """Return what ``numpy.save`` writes."""
    file = io.BytesIO()
    numpy.save(file, array, allow_pickle=True)
    return file.getvalue()


@pytest.mark.parametrize(
    "array",
    [
        numpy.arange(6.0).reshape(2, 3),
        numpy.array(["größe", "b"]),
        numpy.array(True),
        numpy.array([b"ab"]),
        numpy.zeros(3, dtype=[("a", "<i4"), ("b", "U3")]),
        numpy.zeros(2, dtype="datetime64[ns]"),
        numpy.array([], dtype="f4"),
        numpy.zeros((2, 2), dtype="c8"),
        numpy.float16([1]),
        numpy.zeros(3, "m8[25s]"),
        numpy.zeros(3, numpy.dtype([("a", "i1"), ("b", "f8", (2, 2))], align=True)),
    ],
)
def test_real_arrays_are_safe(array: Any) -> None:
    assert report(saved(array), "a.npy").verdict() == "safe"


def test_an_array_that_is_shorter_than_it_says_lies() -> None:
    record = [("a", "<i4"), ("b", [("c", "U3"), ("d", "f8", (2,))])]
    for array in (numpy.arange(100.0), numpy.zeros(9, record), numpy.zeros(9, "M8[D]")):
        data = saved(array)
        assert report(data[:-8], "a.npy").verdict() == "malicious"
        assert report(data + b"more", "a.npy").verdict() == "unknown"
    assert report(saved(numpy.array([None])), "a.npy").verdict() == "code-carrying"


def described(descr: Any, shape: Any, data: bytes = b"") -> bytes:
    """Return an .npy file that says this of its items."""
    head = (
        repr({"descr": descr, "fortran_order": False, "shape": shape}).encode().ljust(117) + b"\n"
    )
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + data


EMPTY: list[Any] = [
    *("|S0", "|S", "S", "<U0", "<U", "|V0", "|V", "V", "a", "a0", "<i0", "|b0", "f0"),
    [("a", "|S0")],
    [("a", "<i4"), ("b", "<U0")],
    [("a", [("b", "<f8"), ("c", "|V0")])],
    [("a", "<f8", (0,))],
    [("a", "<f8", (-1, -1))],
    [("a", "<f8", True)],
    [],
    ("<f8", (0,)),
    ("<f8", (-2, -2)),
    ("|S0", (2,)),
]


@pytest.mark.parametrize("descr", EMPTY)
def test_items_that_take_no_bytes_are_not_safe(descr: Any) -> None:
    """NumPy fills what it takes of them with whatever memory held before."""
    for shape, data in (((2, 4000), b""), ((), b""), ((2,), bytes(8)), ((2,), bytes(16))):
        assert report(described(descr, shape, data), "a.npy").verdict() in ("unknown", "malicious")
    packed = zipped(a__npy=described(descr, (2, 4000)))
    assert report(packed, "a.npz").verdict() in ("unknown", "malicious")


@pytest.mark.parametrize(
    "shape",
    [(-1,), (-2, -2), (True,), [2], 2, None, "2", (0, 1 << 63), (0, 1 << 62, 4), (1 << 64, 0)],
)
def test_a_shape_is_whole_numbers_that_a_process_can_hold(shape: Any) -> None:
    assert report(described("<f8", shape), "a.npy").verdict() in ("unknown", "malicious")


def tensors(header: Any, body: bytes = b"") -> bytes:
    """Return a safetensors file."""
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(raw)) + raw + body


GOOD = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


def test_real_tensors_are_safe() -> None:
    both = {"a": GOOD, "b": {"dtype": "U8", "shape": [2, 2], "data_offsets": [8, 12]}}
    assert report(tensors(both, b"\x00" * 12), "w.safetensors").verdict() == "safe"
    described = {"__metadata__": {"format": "pt"}, "a": GOOD}
    assert report(tensors(described, b"\x00" * 8), "w.safetensors").verdict() == "safe"


@pytest.mark.parametrize(
    ("header", "why"),
    [
        ({"a": {**GOOD, "data_offsets": [0, 12]}}, "the tensor 'a'"),
        ({"a": {**GOOD, "data_offsets": [-8, 0]}}, "the tensor 'a'"),
        ({"a": {**GOOD, "shape": [-1, -2]}}, "the tensor 'a'"),
        ({"a": {**GOOD, "shape": [2**62]}}, "the tensor 'a'"),
        ({"a": {**GOOD, "dtype": "O"}}, "the tensor 'a'"),
        ({"a": GOOD, "b": GOOD}, "overlap"),
        ({"a": {**GOOD, "data_offsets": [4, 12]}}, "a gap"),
        ({"a": "text"}, "the tensor 'a'"),
        ({"__metadata__": {"a": 1}, "a": GOOD}, "metadata"),
        ({}, "0 bytes and 8 follow"),
    ],
)
def test_tensors_that_are_not_where_they_say_lie(header: Any, why: str) -> None:
    found = report(tensors(header, b"\x00" * 8), "w.safetensors")
    assert found.verdict() == "malicious"
    assert any("w.safetensors" in path and why in what for path, _, what in found.findings)


def test_a_tensor_that_is_named_twice_lies() -> None:
    tensor = b'"a":' + json.dumps(GOOD).encode()
    found = report(tensors(b"{" + tensor + b"," + tensor + b"}", b"\x00" * 8), "w.safetensors")
    assert found.verdict() == "malicious"


def test_a_header_longer_than_its_file_lies() -> None:
    data = struct.pack("<Q", 50_000_000) + b"{}"
    assert report(data, "w.safetensors").verdict() == "malicious"
    assert report(tensors(b"{not json"), "w.safetensors").verdict() == "unknown"


def hdf5(end: int, size: int, version: int = 0) -> bytes:
    """Return the first block of an HDF5 file that says it ends at ``end``."""
    if version == 0:
        block = bytes([0, 0, 0, 0, 0, 8, 8, 0]) + b"\x00" * 24 + struct.pack("<Q", end)
    else:
        block = bytes([version, 8, 8, 0]) + b"\x00" * 16 + struct.pack("<Q", end)
    return (b"\x89HDF\r\n\x1a\n" + block).ljust(size, b"\x00")


@pytest.mark.parametrize("version", [0, 2, 3])
@pytest.mark.parametrize("name", ["w.h5", "weights.bin", "m.hdf5"])
def test_hdf5_that_is_cut_off_or_lies_is_refused_and_never_safe(name: str, version: int) -> None:
    assert report(hdf5(4096, 200, version), name).verdict() == "malicious"
    assert report(hdf5(200, 4096, version), name).verdict() == "unknown"
    honest = report(hdf5(200, 200, version), name)
    assert honest.verdict() == "unknown"
    assert "not read further" in honest.findings[-1][2]


@pytest.mark.parametrize("data", [b"no HDF5", b"\x89HDF\r\n\x1a\n\x07", b"\x89HDF\r\n\x1a\n"])
def test_what_is_called_hdf5_and_is_none_is_unknown(data: bytes) -> None:
    assert report(data, "w.h5").verdict() == "unknown"


def keras(name: str, **settings: Any) -> dict[str, Any]:
    """Return the config of an object of Keras's own."""
    return {"module": "keras.layers", "class_name": name, "config": settings}


def called(module: str | None, name: str) -> dict[str, Any]:
    """Return the config of a function."""
    return {"module": module, "class_name": "function", "config": name}


PLAIN = "with no version of which files were tried"


@pytest.mark.parametrize(
    ("config", "verdict", "why"),
    [
        (keras("Dense", units=3), "code-carrying", PLAIN),
        ({"module": "keras.layers", "class_name": "Lambda"}, "code-carrying", "Lambda layer"),
        ({"config": {"layers": [{"class_name": "Lambda"}]}}, "code-carrying", "Lambda layer"),
        ({"module": "os", "class_name": "system"}, "malicious", "asks for os.system"),
        (
            {"module": "subprocess", "class_name": "function", "config": "run"},
            "malicious",
            "asks for subprocess.run",
        ),
        ({"module": "acme.layers", "class_name": "Own"}, "code-carrying", "acme.layers.Own"),
        (keras("TorchModuleWrapper", module="gASV"), "code-carrying", "which is a pickle"),
        (keras("TFSMLayer", filepath="/tmp/x"), "code-carrying", "a graph of TensorFlow"),
        (keras("JaxLayer"), "unknown", "JaxLayer"),
        ({**keras("Dense"), "registered_name": "Lambda"}, "code-carrying", "Lambda layer"),
        ({**keras("Dense"), "registered_name": "own>Dense"}, "unknown", "own>Dense"),
        (called("keras.utils", "get_file"), "unknown", "get_file"),
        (called("keras.src.utils.python_utils", "func_load"), "unknown", "func_load"),
        (called("builtins", "get_file"), "malicious", "get_file"),
        (called("builtins", "relu"), "code-carrying", PLAIN),
        (called(None, "get_file"), "unknown", "get_file"),
        (keras("TextVectorization", vocabulary="/etc/passwd"), "unknown", "from a file"),
        (keras("StringLookup"), "unknown", "StringLookup"),
        (called("keras.activations", "relu"), "code-carrying", PLAIN),
        ({"a": [keras("Conv2D"), keras("LSTM")], "b": keras("Adam")}, "code-carrying", PLAIN),
        ({"class_name": "no object of Keras"}, "code-carrying", PLAIN),
        ({"class_name": "Dense", "registered_name": [], "config": {}}, "code-carrying", PLAIN),
    ],
)
def test_a_keras_config_is_read_for_what_it_calls(config: Any, verdict: str, why: str) -> None:
    found = report(zipped(config__json=json.dumps(config).encode()), "m.keras")
    assert found.verdict() == verdict
    told = [what for _, _, what in found.findings]
    assert any(why in what for what in told)
    assert len(told) == 1 or why != PLAIN


@pytest.mark.parametrize("data", [b"\x00no zip", zipped(config__json=b"{")])
def test_a_keras_file_that_is_none_is_unknown(data: bytes) -> None:
    assert report(data, "m.keras").verdict() == "unknown"
