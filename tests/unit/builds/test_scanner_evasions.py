"""Ways by which a file that runs was once called safe, and the files that honest people send."""

import bz2
import gzip
import io
import json
import lzma
import pickle
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy
import onnx
import pytest

from tests.support.scanning import scan_bytes
from workers.builder.scanning.archives import Disagreement, check_zip
from workers.builder.scanning.files import Scanner
from workers.builder.scanning.report import MAX_TOLD, Report
from workers.builder.scanning.walker import walk_pickle

NOWHERE = Path("/nonexistent")
RUNS = b"cos\nsystem\n(S'true'\ntR."


def verdict(data: bytes, name: str = "model.pkl") -> str:
    """Scan bytes."""
    return scan_bytes(name, data, NOWHERE).verdict()


def folder(root: Path, **files: bytes) -> Report:
    """Scan a folder of these files."""
    for name, data in files.items():
        (root / name.replace("__", ".")).write_bytes(data)
    scanner = Scanner(root)
    scanner.scan_files()
    return scanner.report


# What only one of Python's two unpicklers takes, or pickletools does not.
ODD_NUMBERS = [
    b"I0x10\n0",
    b"I010\n0",
    b"I 7\n0",
    b"I1_0\n0",
    b"L0x10L\n0",
    b"F1_0.0\n0",
    b"I7\0x\n0",
    b"L7\0\n0",
    b"F1\0x\n0",
    b"L1\rL\n0",
    b"I\0\n0",
    b"I\0anything\n0",
    b"I\0\x80\n0",
    b"Np0\0x\n0",
    b"Np0\n0g0\0x\n0",
]


@pytest.mark.parametrize("before", ODD_NUMBERS)
@pytest.mark.parametrize("name", ["plot.gif", "model.pkl", "notes.txt", "a.json"])
def test_no_number_stops_the_walk_that_an_unpickler_reads(before: bytes, name: str) -> None:
    start = b"GIF8" + b"\0" * 5 + b"0" if name == "plot.gif" else b""
    assert verdict(start + before + RUNS, name) == "malicious"


@pytest.mark.parametrize("before", [b"I7x\n0", b"Fx\n0", b"Lx\n0", b"Sabc\n0", b"S'\\x4'\n0"])
def test_a_call_behind_a_number_that_none_is_known_to_read_is_not_safe(before: bytes) -> None:
    assert verdict(before + RUNS, "notes.txt") == "unknown"
    assert verdict(before + b"cat\ndog\n", "notes.txt") == "safe"


@pytest.mark.parametrize(
    "data",
    [
        b"c.this\nx\n.",
        b"c..os\nsystem\n.",
        b"N0(i.os\nsystem\n.",
        b"\x8c\x03a b\x8c\x01x\x93.",
        b"\x8c\x00\x8c\x01x\x93.",
        b"c?,?\nFloatStorage\n0cos\nsystem\n.",
    ],
)
@pytest.mark.parametrize("name", ["notes.txt", "model.pkl"])
def test_a_module_by_an_odd_name_is_malicious(data: bytes, name: str) -> None:
    """The importer looks for what stands behind the last dot; torch finds storages by name."""
    assert verdict(data, name) == "malicious"


def beyond_its_frame(rest: bytes) -> bytes:
    """Return a text in which an argument reaches beyond its frame, and behind it ``rest``, which
    C's unpickler of a stream comes to alone: it drops what is left of the frame."""
    length, end = 131072, b"X\x05\0\0\0abc"
    filling = b"N0" * ((length - len(end)) // 2)
    return b"Nq\xc3\x95" + struct.pack("<Q", length) + filling + end + b"de~~~00" + rest


HIDDEN = b"cbuiltins\nexec\n(Vprint()\ntR."


@pytest.mark.parametrize("name", ["model.txt", "model.json", "model.csv", "model.pkl"])
@pytest.mark.parametrize(
    "data",
    [
        beyond_its_frame(HIDDEN),
        b"I0x1\n0cartifact.a b\n__name__\n0" + HIDDEN,
        b"c6ec57f84c680d3a3778b__mypyc\n__name__\n0" + HIDDEN,
        b"I0x1\n0csix.moves.builtins\n__name__\nVexec\n\x93(Vprint()\ntR.",
        b"I0x1\n0csix.moves.builtins\n__name__\nVexec\nq\xc3\x93(Vprint()\ntR.",
    ],
    ids=["a frame", "a folder with a blank", "a leading digit", "a computed name", "as UTF-8"],
)
def test_what_one_unpickler_alone_comes_to_is_not_safe(data: bytes, name: str) -> None:
    assert verdict(data, name) in {"unknown", "malicious"}


def test_behind_a_pickle_in_its_frame_one_goes_on_and_another_does_not() -> None:
    frame = b"\x95" + (32).to_bytes(8, "little")
    data = frame + b"N.SN99999999999999999999\nN.\x93cposix\nsystem\n."
    walk = walk_pickle(io.BytesIO(data))
    assert (walk.verdict, walk.is_a_value) == ("unknown", False)


def test_a_frame_in_a_frame_and_an_array_in_one_are_odd() -> None:
    inner = b"\x95" + struct.pack("<Q", 4) + b"N0N."
    assert verdict(b"\x80\x04\x95" + struct.pack("<Q", 13) + inner, "model.pkl") == "unknown"


def test_what_stands_outside_a_pickle_may_be_a_name() -> None:
    """torch gives back what stands in a tuple (``torch/serialization.py``, ``_legacy_load``)."""
    outside = b"(S'module'\nS'posix'\ntQ"
    assert verdict(b"N." + outside + b"S'system'\n\x93(S'true'\ntR.") == "malicious"


@pytest.mark.parametrize("data", [b"cthis\nx", b"cthisx", b"cthis\n", b"N0(ithis\n"])
def test_a_name_without_its_end_is_imported_by_pythons_own_unpickler(data: bytes) -> None:
    """joblib unpickles with that one."""
    assert verdict(data, "notes.txt") == "unknown"


@pytest.mark.parametrize("module", [b"_sysconfigdata__linux_x86_64-linux-gnu", b"own.", b"a.7"])
def test_a_module_needs_no_name_that_python_could_write(module: bytes) -> None:
    assert verdict(b"c" + module + b"\nx\n0" + RUNS, "notes.txt") == "malicious"


def test_harmless_findings_do_not_push_out_a_grave_one(tmp_path: Path) -> None:
    report = folder(tmp_path, **{f"a{n}__txt": b"hello" for n in range(1100)}, z__pkl=b"\x80\x04N.")
    assert report.verdict() == "code-carrying"
    many = {f"a{n}__py": b"x" for n in range(MAX_TOLD + 50)}
    report = folder(tmp_path, **many, z__pkl=RUNS)
    assert report.verdict() == "malicious"
    assert report.gravest_first()[0][1:] == ("malicious", "asks for os.system")


def test_findings_in_one_pickle_do_not_push_out_a_grave_one() -> None:
    names = b"".join(b"cacme.m%d\nX\n0" % n for n in range(300))
    assert verdict(names + RUNS) == "malicious"


def test_a_member_is_judged_by_its_whole_name() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a" * 390 + ".txt/evil.py", "import os")
    assert verdict(file.getvalue(), "code.zip") == "code-carrying"


def wrapped(module: bytes, data: bytes) -> bytes:
    """Return a pickle in which joblib, if the class is its own, steps over ``data``."""
    state = pickle.dumps({"shape": (len(data),), "dtype": numpy.dtype("u1")})[2:-1]
    return b"\x80\x04c" + module + b"\nNumpyArrayWrapper\n)\x81" + state + b"b" + data + b"."


@pytest.mark.parametrize("module", [b"acme", b"joblib", b"sklearn.externals.joblib.numpy_pickle"])
def test_a_class_that_is_called_like_joblibs_hides_nothing(module: bytes) -> None:
    assert verdict(wrapped(module, RUNS[:-1] + b"0")) == "malicious"


def test_what_joblib_steps_over_is_walked_for_pickle_as_well() -> None:
    """joblib takes it for the bytes of an array; pickle.load runs it."""
    assert verdict(wrapped(b"joblib.numpy_pickle", b"\0" * 20)) == "code-carrying"
    assert verdict(wrapped(b"joblib.numpy_pickle", RUNS[:-1] + b"0")) == "malicious"


@pytest.mark.parametrize("name", ["README.md", "requirements.txt", "notes.txt", "data.csv"])
@pytest.mark.parametrize(
    "text",
    [
        "collections of things\nand more\n",
        "cloudpickle==3.1.0\nscikit-learn==1.7\n",
        "I am a model.\nIt predicts.\n",
        "Strings and things.\n",
        "(a) first\n(b) second\n",
        "0,1,2\n3,4,5\n",
        "Nothing.\n",
        "größe,köln\n",
    ],
)
def test_texts_that_begin_like_opcodes_are_texts(name: str, text: str) -> None:
    assert verdict(text.encode(), name) == "safe"


def test_an_empty_file_holds_nothing(tmp_path: Path) -> None:
    assert folder(tmp_path, __init____py=b"", notes__txt=b"").verdict() == "safe"


@pytest.mark.parametrize("packed", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
def test_a_zip_of_zips_is_a_zip(packed: int) -> None:
    inner, outer = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("a.txt", "hello")
    with zipfile.ZipFile(outer, "w", packed) as archive:
        archive.writestr("one.zip", inner.getvalue())
        archive.writestr("two.zip", inner.getvalue())
    assert verdict(outer.getvalue(), "both.zip") == "safe"


@pytest.mark.parametrize(
    "kind", [("V0", "O"), ("V0", [("a", "O")]), [("a", "V0", "O")], [("a", ("V0", "O"))]]
)
def test_a_type_of_numpys_behind_another_is_no_shape(kind: Any) -> None:
    header = repr({"descr": kind, "fortran_order": False, "shape": (1,)}).encode()
    data = b"\x93NUMPY\x01\0" + struct.pack("<H", len(header)) + header + RUNS
    with pytest.raises(ValueError, match="allow_pickle"):
        numpy.load(io.BytesIO(data))
    assert verdict(data, "a.npy") == "malicious"


def test_a_header_whose_length_looks_like_zlib_is_a_header() -> None:
    header = b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}'.ljust(0x178)
    data = struct.pack("<Q", len(header)) + header + b"\0"
    assert data.startswith(b"\x78\x01")
    assert verdict(data, "model.safetensors") == "safe"


@pytest.mark.parametrize("packer", [zlib.compress, gzip.compress, bz2.compress, lzma.compress])
def test_what_can_be_read_of_a_broken_compressed_file_counts(packer: Any) -> None:
    for data in (packer(b"") + packer(RUNS), packer(RUNS) + b"x"):
        assert verdict(data, "plot.gif") in {"malicious", "unknown"}
    odd = bytearray(gzip.compress(RUNS))
    odd[3] |= 2  # a checksum of the header, which Python passes over and zlib looks at
    assert verdict(bytes(odd[:10] + b"\0\0" + odd[10:]), "notes.txt") == "malicious"
    noise = bytes(range(256)) * 40
    data = packer(b"B" + struct.pack("<I", len(noise)) + noise + b"0" + RUNS)
    assert verdict(data[:-9], "model.joblib") in {"malicious", "unknown"}


def packed(*names: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, f"this is {name}")
    return file.getvalue()


GOOD = packed("a.txt", "b.txt")
PLACE = GOOD.index(b"PK\x01\x02")


def replaced(old: bytes, new: bytes, count: int = -1) -> bytes:
    assert old in GOOD
    return GOOD.replace(old, new, count)


@pytest.mark.parametrize(
    "data",
    [
        b"#!/bin/sh\n" + GOOD,
        GOOD + b"x",
        GOOD + GOOD,
        GOOD[:PLACE] + b"between" + GOOD[PLACE:],
        replaced(b"a.txt", b"c.txt", 1),  # another name in its own header
        replaced(b"b.txt", b"a.txt"),  # a name twice
        replaced(b"a.txt", b"../a."),
        replaced(b"a.txt", b"/a.tx"),
        GOOD[:-2] + struct.pack("<H", 4) + b"PK\x05\x06",
        GOOD[: PLACE + 16] + b"\0\0\0\0" + GOOD[PLACE + 20 :],  # another checksum in its directory
    ],
)
def test_archives_that_two_readers_could_read_differently_are_refused(data: bytes) -> None:
    with pytest.raises(Disagreement):
        check_zip(io.BytesIO(data))
    assert verdict(data, "data.zip") == "unknown"


def test_a_member_called_like_a_folder_is_read() -> None:
    """numpy.load finds an array in it."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("rows/", RUNS)
        archive.mkdir("data")
    assert verdict(file.getvalue(), "a.npz") == "malicious"


def test_a_member_with_a_second_name_is_refused() -> None:
    """zipfile calls it notes.txt, zipimport imports own.py."""
    entry, file = zipfile.ZipInfo("own.py"), io.BytesIO()
    body = struct.pack("<BL", 1, zlib.crc32(b"own.py")) + b"notes.txt"
    entry.extra = struct.pack("<HH", 0x7075, len(body)) + body
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(entry, "import os")
    assert verdict(file.getvalue(), "code.zip") == "unknown"


@pytest.mark.parametrize("start", [b"", b"GIF89a=1\n", b"PAR1=1\n"])
def test_a_file_that_is_nothing_but_an_ending_has_that_ending(start: bytes) -> None:
    """importlib finds it for the module "own."."""
    assert verdict(start + b"import os\n", "own/.py") == "code-carrying"


def test_two_directories_one_harmless_one_not_are_unknown_at_least() -> None:
    evil = io.BytesIO()
    with zipfile.ZipFile(evil, "w") as archive:
        archive.writestr("data.pkl", RUNS)
    assert verdict(evil.getvalue() + GOOD, "m.pt") in {"unknown", "malicious"}
    assert verdict(GOOD + evil.getvalue(), "m.pt") == "malicious"


def of_unix_v7(path: str, data: bytes) -> bytes:
    """Return a tar as Unix V7 wrote it: its header has no magic bytes."""
    header = bytearray(tarfile.TarInfo(path).tobuf(tarfile.USTAR_FORMAT))
    header[124:136] = b"%011o\0" % len(data)
    header[148:156], header[257:] = b" " * 8, bytes(255)
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + data.ljust(512, b"\0") + bytes(1024)


@pytest.mark.parametrize("path", ["GIF89a", "PAR1", "storages"])
def test_a_tar_without_magic_bytes_is_one(path: str) -> None:
    with tarfile.open(fileobj=io.BytesIO(of_unix_v7(path, RUNS))) as archive:
        assert archive.getnames() == [path]
    assert verdict(of_unix_v7(path, RUNS), "plot.gif") == "malicious"
    assert verdict(of_unix_v7("notes.txt", b"hello"), "both.tar") == "code-carrying"


def skops_calling(**function: Any) -> bytes:
    """Return a skops file that calls this function: as the type of a key."""
    called = {"__loader__": "FunctionNode", **function}
    plain = {"__module__": "builtins", "__class__": "list", "__loader__": "ListNode"}
    text = {"__module__": "builtins", "__class__": "str", "__loader__": "JsonNode", "content": "1"}
    schema = {
        "__module__": "builtins",
        "__class__": "dict",
        "__loader__": "DictNode",
        "key_types": {**plain, "content": [called]},
        "content": {"true": text},
    }
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("schema.json", json.dumps(schema))
    return file.getvalue()


@pytest.mark.parametrize("name", ["model.skops", "model.pkl", "model.zip", "notes.txt"])
def test_a_skops_file_is_one_by_any_name_and_of_any_protocol(name: str) -> None:
    new = skops_calling(__module__="os", __class__="system")
    old = skops_calling(
        __module__="builtins", __class__="list", content={"module_path": "os", "function": "system"}
    )
    assert (verdict(new, name), verdict(old, name)) == ("malicious", "malicious")


def test_a_schema_that_is_not_of_skops_is_json() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("schema.json", '{"type": "object"}')
    assert verdict(file.getvalue(), "both.zip") == "safe"


def test_the_config_of_a_keras_folder_is_read_like_that_of_its_zip() -> None:
    layer = {"module": "os", "class_name": "function", "config": "system"}
    assert verdict(json.dumps({"layers": [layer]}).encode(), "model/config.json") == "malicious"
    assert verdict(b'{"model_type": "bert"}', "config.json") == "safe"


def test_a_yaml_file_is_read_whole_or_is_unknown() -> None:
    tag = b"a: !!python/object/apply:os.system ['true']\n"
    assert verdict(b"# hello\n" * 600_000 + tag, "conda.yaml") == "unknown"
    assert verdict(b"# hello\n" * 1000 + tag, "conda.yaml") == "malicious"


@pytest.mark.parametrize(
    ("loader", "kind", "expected"),
    [
        ("xgboost", "xgboost.sklearn.XGBClassifier", "safe"),
        ("lightgbm", "lightgbm.basic.Booster", "safe"),
        ("xgboost", "acme.Model", "code-carrying"),
        ("xgboost", "os.system", "malicious"),
        ("agno", "xgboost.core.Booster", "code-carrying"),
    ],
)
def test_a_class_or_module_that_mlflow_finds_in_its_settings_is_judged(
    loader: str, kind: str, expected: str
) -> None:
    text = f"flavors:\n  python_function: {{loader_module: mlflow.{loader}}}\n"
    data = "model.txt" if loader == "lightgbm" else "model.json"
    text += f"  {loader}: {{data: {data}, model_class: {kind}}}\n"
    assert verdict(text.encode(), "MLmodel") == expected


def test_a_module_that_mlflow_finds_in_a_file_is_judged() -> None:
    assert verdict(b"mlflow.pytorch.pickle_module", "data/pickle_module_info.txt") == "safe"
    assert verdict(b"keras", "data/keras_module.txt") == "safe"
    for name in ("data/pickle_module_info.txt", "data/keras_module.txt"):
        assert verdict(b"acme.loads", name) == "code-carrying"


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("own.py", b"import os\n", "code-carrying"),
        ("MLmodel", b"flavors: {x: {loader_module: own}}\n", "code-carrying"),
        ("a.yaml", b"!!python/object/apply:os.system ['true']\n", "malicious"),
        ("weights.bin", b"MZ", "safe"),
        ("model.layers.0.weight", b"GIF8", "safe"),
        *(
            (name, b"\1\2", "safe")
            for name in (
                "onnx__MatMul_12",
                "m.onnx.data",
                "m.onnx_data",
                "a.weights",
                "layers.0.bias",
            )
        ),
        *(
            (name, b"\1\2", "unknown")
            for name in (
                "evil.cpython-313-x86_64-linux-gnu.so",
                "saved_model.pb",
                "x.pl",
                "x.bat",
                "x.dll",
            )
        ),
        *(
            (name, start, "unknown")
            for name in ("run", "weights.bin")
            for start in (
                b"\x7fELF",
                b"#!/usr/bin/perl\n",
                b"\xcf\xfa\xed\xfe",
                b"\xce\xfa\xed\xfe",
                b"MZ".ljust(60) + b"\x40\0\0\0PE\0\0",
                b"\x89HDF\r\n\x1a\n",
                b"\x04\x22\x4d\x18",
                b"tree\nversion=v4\n",
                b'{"learner": 1}',
            )
        ),
        ("evil.so", b"GIF89a\0\0", "unknown"),
        ("saved_model.pb", b"PAR1\0\0", "unknown"),
    ],
)
def test_what_a_model_calls_its_weights_is_no_more_than_that(
    tmp_path: Path, name: str, data: bytes, expected: str
) -> None:
    tensor = onnx.TensorProto(name="w", data_type=1, dims=[25], data_location=1)
    for key, word in (("location", name), ("offset", "0"), ("length", "100")):
        tensor.external_data.add(key=key, value=word)
    out = onnx.helper.make_tensor_value_info("w", 1, [25])
    graph = onnx.helper.make_graph([], "g", [], [out], initializer=[tensor])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)])
    (tmp_path / name).write_bytes(data.ljust(100))
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    assert folder(tmp_path).verdict() == expected


@pytest.mark.parametrize("start", [b"GIF89a\0\0", b"PAR1\0\0", b"\x89PNG\r\n\x1a\n"])
def test_a_picture_is_one_by_its_name_as_well(start: bytes) -> None:
    """A library to load, or a graph that TensorFlow runs, may begin like one."""
    assert verdict(start, "plot.gif") == "safe"
    # whose readers go by its end
    assert verdict(start, "a.parquet") == ("safe" if start.startswith(b"PAR1") else "unknown")
    for name in ("evil.so", "saved_model.pb", "plot"):
        assert verdict(start, name) == "unknown"


def test_the_numbers_of_an_array_that_look_like_opcodes_are_no_malice() -> None:
    """pickle.load would read them so: by chance they ask for a computed name or an extension."""
    memo = b"\x80\x04c__main__\nX\n)R\x940"
    for numbers in (b"h\x00h\x00\x93", b"\x82\x01", b"h\x00h\x00\x85R\x93"):
        inside = wrapped(b"joblib.numpy_pickle", numbers)
        assert verdict(memo + inside.removeprefix(b"\x80\x04")) == "code-carrying", numbers
    assert verdict(memo + b"h\x00h\x00\x93.") == "malicious"
