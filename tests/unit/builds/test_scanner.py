"""The scanner reads hostile files and never loads them: the canary file stays away."""

import builtins
import bz2
import gzip
import io
import lzma
import os
import pickle
import struct
import subprocess
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy
import onnx
import pytest
import yaml
from onnx import TensorProto, helper

from tests.support.scanning import scan_bytes
from workers.builder.scanning import files, texts
from workers.builder.scanning.files import Scanner
from workers.builder.scanning.known import Verdict
from workers.builder.scanning.onnx import outside
from workers.builder.scanning.onnx_fields import NotOnnx

CANARY = "/tmp/placet-canary"


@pytest.fixture(autouse=True)
def nothing_is_loaded() -> Any:
    """Fail when any test of this file ran what it scanned."""
    Path(CANARY).unlink(missing_ok=True)
    yield
    assert not Path(CANARY).exists(), "a hostile pickle was loaded"


def verdict(data: bytes, name: str = "model.pkl") -> Verdict:
    """Scan bytes."""
    return scan_bytes(name, data, Path("/nonexistent")).verdict()


def call(module: str, name: str, *args: str, proto: int = 4) -> bytes:
    """Return a pickle that calls ``module.name`` with texts."""
    packed = b"".join(b"X" + struct.pack("<I", len(a.encode())) + a.encode() for a in args)
    if proto < 4:
        return b"\x80\x02c" + f"{module}\n{name}\n".encode() + b"(" + packed + b"tR."
    names = b"".join(b"\x8c" + bytes([len(t)]) + t.encode() for t in (module, name))
    return b"\x80\x04" + names + b"\x93(" + packed + b"tR."


class Evil:
    """An object that touches the canary when it is loaded."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {CANARY}",)


HOSTILE = [
    ("os", "system"),
    ("posix", "system"),
    ("nt", "system"),
    ("subprocess", "Popen"),
    ("_posixsubprocess", "fork_exec"),
    ("ctypes", "CDLL"),
    ("_ctypes", "dlopen"),
    ("importlib", "import_module"),
    ("importlib._bootstrap", "_load"),
    ("builtins", "eval"),
    ("builtins", "exec"),
    ("builtins", "getattr"),
    ("builtins", "__import__"),
    ("__builtin__", "eval"),
    ("builtins", "compile"),
    ("pkgutil", "resolve_name"),
    ("operator", "attrgetter"),
    ("operator", "methodcaller"),
    ("_operator", "attrgetter"),
    ("runpy", "run_path"),
    ("pip", "main"),
    ("pip._internal.cli.main", "main"),
    ("code", "InteractiveInterpreter"),
    ("pty", "spawn"),
    ("socket", "create_connection"),
    ("shutil", "rmtree"),
    ("webbrowser", "open"),
    ("pickle", "loads"),
    ("_pickle", "loads"),
    ("marshal", "loads"),
    ("types", "FunctionType"),
    ("types", "CodeType"),
    ("sys", "modules"),
    ("torch.hub", "load"),
    ("numpy.testing._private.utils", "runstring"),
    ("bdb", "Bdb"),
    ("dataclasses", "make_dataclass"),
    ("_osx_support", "_read_output"),
    ("timeit", "timeit"),
    ("asyncio.unix_events", "_UnixSubprocessTransport"),
    ("pandas.io.pickle", "read_pickle"),
    ("joblib", "load"),
    ("numpy", "os.system"),
    ("sklearn.base", "os"),
    ("io", "open"),
    ("sklearn.utils", "__class__.__base__.__subclasses__"),
    ("weakref", "finalize"),
    ("logging.config", "dictConfig"),
    ("urllib.request", "urlopen"),
    ("cProfile", "run"),
]


@pytest.mark.parametrize("proto", [2, 4])
@pytest.mark.parametrize(("module", "name"), HOSTILE)
def test_a_pickle_that_asks_for_what_no_model_needs_is_malicious(
    module: str, name: str, proto: int
) -> None:
    assert verdict(call(module, name, f"touch {CANARY}", proto=proto)) == "malicious"


def test_a_name_that_is_computed_is_malicious() -> None:
    joined = b"\x80\x04\x8c\x08builtins\x94\x8c\x03str\x93\x8c\x02os\x85R\x8c\x06system\x93."
    assert verdict(joined) == "malicious"


def test_a_name_that_comes_from_the_memo_is_followed() -> None:
    hidden = b"\x80\x04\x8c\x02os\x940\x8c\x06system\x940h\x00h\x01\x93\x8c\x02id\x85R."
    assert verdict(hidden) == "malicious"


def test_an_old_text_pickle_is_recognised_under_any_name() -> None:
    old = f"cos\nsystem\n(S'touch {CANARY}'\ntR.".encode()
    for name in ("model.pkl", "notes.txt", "data.json", "MLmodel", "weights", "a.dat"):
        assert verdict(old, name) == "malicious", name
    instance = f"(S'touch {CANARY}'\nios\nsystem\n.".encode()
    assert verdict(instance) == "malicious"


def test_what_stands_before_garbage_counts() -> None:
    cut_off = call("os", "system", f"touch {CANARY}")[:-1] + b"\xff\xfe garbage"
    assert verdict(cut_off) == "malicious"


WRAPS: dict[str, Callable[[bytes], bytes]] = {
    "zlib": zlib.compress,
    "gzip": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "lzma": lambda data: lzma.compress(data, format=lzma.FORMAT_ALONE),
    "zip": lambda data: zipped({"archive/data.pkl": data}),
    "tar": lambda data: tarred({"inner.bin": data}),
    "npy": lambda data: npy(data),
}


def zipped(members: dict[str, bytes]) -> bytes:
    """Return a zip of ``members``."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


def tarred(members: dict[str, bytes]) -> bytes:
    """Return a tar of ``members``."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return file.getvalue()


def npy(data: bytes) -> bytes:
    """Return a NumPy file whose array of objects is the pickle ``data``."""
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data


@pytest.mark.parametrize("wrap", WRAPS)
@pytest.mark.parametrize("outer", [None, "zip", "gzip"])
def test_a_hostile_pickle_is_found_inside_whatever_holds_it(wrap: str, outer: str | None) -> None:
    data = WRAPS[wrap](pickle.dumps(Evil()))
    assert verdict(WRAPS[outer](data) if outer else data, "weights.dat") == "malicious"


def test_a_zip_behind_a_pickle_does_not_hide_it() -> None:
    both = pickle.dumps(Evil()) + zipped({"readme.txt": b"hello"})
    assert verdict(both, "model.pt") == "malicious"


@pytest.mark.parametrize("compress", [0, ("zlib", 3), ("gzip", 3), ("bz2", 3), ("xz", 3)])
def test_a_real_model_is_code_carrying_and_nothing_worse(tmp_path: Path, compress: Any) -> None:
    from sklearn.ensemble import RandomForestClassifier

    data = numpy.random.default_rng(0).random((50, 4))
    model = RandomForestClassifier(3, random_state=0).fit(data, data[:, 0] > 0.5)
    extra = {"names": numpy.array(["a", None], dtype=object), "words": numpy.array(["ab", "c"])}
    joblib.dump({"model": model, **extra}, tmp_path / "model.joblib", compress=compress)
    scanner = Scanner(tmp_path)
    scanner.scan_file(tmp_path / "model.joblib")
    assert scanner.report.verdict() == "code-carrying"
    assert {f[1:] for f in scanner.report.findings} == {("code-carrying", "is a pickle")}


def test_what_stands_behind_an_array_of_joblib_is_read_too(tmp_path: Path) -> None:
    joblib.dump([numpy.arange(1000.0), Evil()], tmp_path / "model.joblib")
    objects = numpy.array([Evil()], dtype=object)
    joblib.dump(objects, tmp_path / "objects.joblib")
    for name in ("model.joblib", "objects.joblib"):
        scanner = Scanner(tmp_path)
        scanner.scan_file(tmp_path / name)
        assert scanner.report.verdict() == "malicious", name


def test_a_library_nobody_knows_is_listed() -> None:
    report = scan_bytes("m.pkl", call("my_company.models", "Churn"), Path("/nonexistent"))
    assert report.verdict() == "code-carrying"
    assert ("m.pkl", "code-carrying", "calls for my_company.models.Churn") in report.findings


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("model.pkl", b"\x80\x04"),
        ("model.pkl", b"random bytes that mean nothing"),
        ("model.bin", b"\x00\x01\x02\x03"),
        ("weights.onnx", b"not a protobuf at all"),
        ("lib.so", b"\x7fELF" + b"\x00" * 60),
        ("notes.txt", b"\xff\xfe\x00\x01"),
        ("w.safetensors", b"garbage"),
        ("m.lz4", b"\x04\x22\x4d\x18rest"),
        ("a.zip", b"PK\x03\x04 broken"),
        ("a.gz", b"\x1f\x8bbroken"),
        ("loop.pkl", b"\x80\x02" + b"0" * 50),
        ("ext.pkl", b"\x80\x02\x82\x01."),
        ("memo.pkl", b"\x80\x02h\x05."),
    ],
)
def test_what_is_not_understood_is_never_safe(name: str, data: bytes) -> None:
    assert verdict(data, name) == "unknown"


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("README.md", b"# A model\nIt predicts."),
        ("conda.yaml", b"channels:\n- conda-forge\ndependencies:\n- python=3.13\n"),
        ("input_example.json", b'{"columns": ["a"], "data": [[1]]}'),
        ("MLmodel", b"flavors:\n  python_function:\n    loader_module: mlflow.xgboost\n"),
        ("empty.txt", b""),
    ],
)
def test_plain_text_is_safe(name: str, data: bytes) -> None:
    assert verdict(data, name) == "safe"


WORDS = {
    "labels.txt": b"cancer\nhealthy\n",
    "requirements.txt": b"catboost\nnumpy\npandas\n",
    "chol.csv": b"cholesterol\n200\n180\n",
    "drugs.txt": b"insulin\nmetformin\n",
    "README": b"colon\nlung",
}


@pytest.mark.parametrize(("name", "data"), WORDS.items())
def test_words_that_a_pickle_could_begin_with_are_words_with_a_hint(
    name: str, data: bytes, tmp_path: Path
) -> None:
    """A policy may allow them, and a first line of another kind makes them safe."""
    (tmp_path / name).write_bytes(data)
    assert verdict_of(tmp_path) == "code-carrying"
    (tmp_path / name).write_bytes(b"# words\n" + data)
    assert verdict_of(tmp_path) == "safe"


@pytest.mark.parametrize(
    ("data", "beside", "found"),
    [
        (b"cos\nsystem\n", None, "malicious"),
        (b"cwebbrowser\nopen\n", None, "malicious"),
        (b"cgraphlib\nday\n", None, "unknown"),  # Python's own
        (b"cancer\nhealthy\n", "ancer.py", "unknown"),
        (b"cancer\nhealthy\n", "code/ancer/__init__.py", "unknown"),
        (b"cancer\nhealthy\n(tR", None, "unknown"),  # calls it
        (b"cancer\nhealthy\n\x00", None, "unknown"),  # is no text
        (b"cancer\nhealthy\n.", None, "code-carrying"),  # is a pickle
    ],
)
def test_words_that_a_loader_could_follow_are_not_safe(
    data: bytes, beside: str | None, found: Verdict, tmp_path: Path
) -> None:
    (tmp_path / "labels.txt").write_bytes(data)
    if beside:
        (tmp_path / beside).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / beside).write_bytes(b"")
    assert verdict_of(tmp_path) == found


def verdict_of(folder: Path) -> Verdict:
    """Scan a folder."""
    scanner = Scanner(folder)
    scanner.scan_files()
    return scanner.report.verdict()


@pytest.mark.parametrize("name", ["poetry.lock", ".gitattributes", "Dockerfile", "CITATION.cff"])
def test_a_text_that_lies_beside_many_models_is_text(name: str) -> None:
    assert verdict(b"# of this model\n", name) == "safe"
    assert verdict(b"\xff\x00", name) == "unknown"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("flavors:\n  python_function:\n    loader_module: my_loader\n", "code-carrying"),
        ("{flavors: {python_function: {'loader_module': my_loader}}}", "code-carrying"),
        ('flavors: {python_function: {"loader_module": "my\\x5floader"}}', "code-carrying"),
        ("? flavors\n: {x: {? loader_module\n: >-\n my_loader\n}}", "unknown"),
        ("flavors: {x: {loader_module: mlflow.sklearn, code: code}}", "code-carrying"),
        ("flavors: {x: {loader_module: mlflow.sklearn, code: ../../..}}", "malicious"),
        ("flavors: {x: {loader_module: mlflow.sklearn, model_path: /etc/passwd}}", "malicious"),
        ("flavors: {x: {model_code_path: model.py}}", "code-carrying"),
        ("a: &a {loader_module: evil}\nflavors: {x: *a}", "unknown"),
        ("flavors: !!python/object/apply:os.system [id]", "malicious"),
        ("loader_module: my_loader\n", "unknown"),
        ('flavors: {}\nx:\n\ufeff"k: v\nflavors: {python_function: {}}\nw: z"\n', "unknown"),
    ],
)
def test_an_mlmodel_is_read_as_mlflow_reads_it(text: str, found: Verdict) -> None:
    assert verdict(text.encode(), "MLmodel") == found


def test_a_tag_of_python_in_any_yaml_is_malicious() -> None:
    assert verdict(b"a: !!python/object/apply:os.system [id]\n", "conda.yaml") == "malicious"
    assert (
        verdict(b"%TAG ! tag:yaml.org,2002:python/\n---\na: !name:os.system x\n", "conda.yml")
        == "malicious"
    )
    assert verdict(b"a: !ours [id]\nb: hello!\n", "conda.yaml") == "safe"


def test_yaml_that_two_readers_read_differently_is_not_safe() -> None:
    """libyaml passes over a byte order mark before any line, PyYAML only over the first."""
    text = 'x:\n\ufeff"k: v\ny: !!python/object/apply:os.system [id]\nw: z"\n'
    seen = [
        {str(getattr(event, "tag", None)) for event in yaml.parse(text, loader)}
        for loader in (yaml.CSafeLoader, yaml.SafeLoader)
    ]
    assert [any("os.system" in tag for tag in tags) for tags in seen] == [False, True]
    assert verdict(text.encode(), "params.yaml") == "malicious"
    harmless = text.replace("!!python/object/apply:os.system [id]", "[id]")
    assert verdict(harmless.encode(), "params.yaml") == "unknown"
    assert verdict("\ufeffa: 1\n".encode(), "params.yaml") == "safe"


def test_text_that_is_not_whole_at_a_piece_is_still_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "CHUNK", 7)
    assert verdict("größe,köln\n".encode() * 50, "table.csv") == "safe"


def graph(location: str | None) -> bytes:
    """Return an ONNX model whose weights lie at ``location``, or inside."""
    weights = helper.make_tensor("w", TensorProto.FLOAT, [1], [1.0])
    if location is not None:
        weights.ClearField("float_data")
        weights.data_location = TensorProto.EXTERNAL
        entry = weights.external_data.add()
        entry.key, entry.value = "location", location
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    node = helper.make_node("Add", ["x", "w"], ["y"])
    made: bytes = onnx.helper.make_model(
        helper.make_graph([node], "g", [value], [out], [weights])
    ).SerializeToString()
    return made


@pytest.mark.parametrize("location", ["../../etc/passwd", "/etc/passwd", "a/../../b", "C:\\x", ""])
def test_onnx_weights_outside_the_model_are_malicious(location: str, tmp_path: Path) -> None:
    assert scan_bytes("m.onnx", graph(location), tmp_path).verdict() == "malicious"


def test_onnx_is_safe_and_needs_its_weights(tmp_path: Path) -> None:
    assert scan_bytes("m.onnx", graph(None), tmp_path).verdict() == "safe"
    assert scan_bytes("m.onnx", graph("weights.bin"), tmp_path).verdict() == "unknown"
    (tmp_path / "m.onnx").write_bytes(graph("weights.bin"))
    (tmp_path / "a.bin").write_bytes(b"1234")
    scanner = Scanner(tmp_path)
    scanner.scan_files()
    assert scanner.report.verdict() == "unknown"
    (tmp_path / "a.bin").rename(tmp_path / "weights.bin")
    scanner = Scanner(tmp_path)
    scanner.scan_files()
    assert scanner.report.verdict() == "safe", scanner.report.findings


def test_a_field_whose_number_protobuf_cuts_is_refused(tmp_path: Path) -> None:
    """It reads 32 bits of it: a second graph, merged into the first, could name another file."""
    hidden = onnx.ModelProto.FromString(graph("/etc/passwd")).graph.SerializeToString()
    tag = b"\xba\x80\x80\x80\x10"  # of the graph, and a bit above the 32
    data = graph(None) + tag + bytes([len(hidden) & 127 | 128, len(hidden) >> 7]) + hidden
    with pytest.raises(NotOnnx):
        outside(data)
    assert scan_bytes("m.onnx", data, tmp_path).verdict() == "unknown"


def test_a_bomb_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_EXPANDED", 1 << 20)
    assert verdict(gzip.compress(b"\x00" * (8 << 20)), "bomb.gz") == "unknown"
    nested = b"hello"
    for _ in range(10):
        nested = gzip.compress(nested)
    assert verdict(nested, "nested.gz") == "unknown"


def test_a_link_is_malicious(tmp_path: Path) -> None:
    (tmp_path / "model.pkl").symlink_to("/etc/passwd")
    scanner = Scanner(tmp_path)
    scanner.scan_file(tmp_path / "model.pkl")
    assert scanner.report.verdict() == "malicious"


def test_the_hostile_objects_are_really_hostile(tmp_path: Path) -> None:
    """Loading what the other tests call hostile does touch a file."""
    canary = tmp_path / "canary"
    data = call("posix", "system", f"touch {canary}")
    subprocess.run(["python3", "-c", f"import pickle; pickle.loads({data!r})"], check=True)
    assert canary.exists()
    assert builtins.eval is not None
