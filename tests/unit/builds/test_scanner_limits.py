"""What the scanner cannot read to its end is never safe; what the machine lacked is told apart."""

import errno
import io
import json
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy
import pytest

from tests.support.scanning import scan_bytes, scan_folder
from workers.builder.scanning import skops, walker
from workers.builder.scanning.files import Scanner

NOWHERE = Path("/nonexistent")
ARGUMENT = {
    "__class__": "str",
    "__module__": "builtins",
    "__loader__": "JsonNode",
    "content": '"id"',
    "is_json": True,
}
CALL = {  # of a skops file: os.system("id")
    "__class__": "system",
    "__module__": "os",
    "__loader__": "ConstructorFromReduceNode",
    "content": {
        "__class__": "tuple",
        "__module__": "builtins",
        "__loader__": "TupleNode",
        "content": [ARGUMENT],
    },
}
LAMBDA = {"class_name": "Lambda", "config": {}}


def deep(document: dict[str, Any]) -> bytes:
    """Return a document with a member that is nested so deeply that it is read by some alone."""
    return json.dumps(document)[:-1].encode() + b', "x": ' + b"[" * 99_999 + b"]" * 99_999 + b"}"


def padded(document: dict[str, Any]) -> bytes:
    """Return a document that does not end before what is read of one."""
    return json.dumps(document)[:-1].encode() + b" " * 5000 + b"}"


def archive(schema: bytes) -> bytes:
    """Return an archive that skops reads where MLmodel names it."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as written:
        written.writestr("schema.json", schema)
    return file.getvalue()


def test_whoever_hides_the_end_of_a_schema_gets_no_safe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(skops, "MAX_SCHEMA", 4000)
    assert scan_bytes("model.zip", archive(json.dumps(CALL).encode()), NOWHERE).verdict() == (
        "malicious"
    )
    for name in ("model.zip", "model.bin", "model.skops"):
        for hidden in (padded(CALL), deep(CALL), json.dumps(CALL)[:-1].encode()):
            assert scan_bytes(name, archive(hidden), NOWHERE).verdict() == "unknown", name


def test_a_config_that_is_nested_too_deeply_is_not_taken_for_anothers() -> None:
    assert scan_bytes("m/config.json", json.dumps(LAMBDA).encode(), NOWHERE).verdict() == (
        "code-carrying"
    )
    assert scan_bytes("m/config.json", deep(LAMBDA), NOWHERE).verdict() == "unknown"
    assert scan_bytes("m/config.json", b"not JSON", NOWHERE).verdict() == "safe"


@pytest.mark.parametrize(
    ("trusted", "verdict"),
    [
        ("[numpy.dtype]", "safe"),
        ("null", "safe"),
        ("[collections.OrderedDict, lightgbm.basic.Booster]", "safe"),
        ("[numpy.dtype, os.system]", "code-carrying"),
        ("os.system", "code-carrying"),
        ("[[os.system]]", "code-carrying"),
    ],
)
def test_what_a_model_has_skops_trust_beside_what_is_safe_is_code(
    trusted: str, verdict: str
) -> None:
    text = (
        "flavors:\n  sklearn:\n    serialization_format: skops\n    pickled_model: m.skops\n"
        f"    skops_trusted_types: {trusted}\n"
    )
    assert scan_bytes("MLmodel", text.encode(), NOWHERE).verdict() == verdict


@pytest.mark.parametrize(
    ("error", "is_cut"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), True),
        (OSError(errno.EFBIG, "File too large"), True),
        (OSError(errno.EINVAL, "Invalid argument"), False),
        (OSError("Invalid data stream"), False),
    ],
)
def test_a_full_disk_says_nothing_about_an_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError, is_cut: bool
) -> None:
    (tmp_path / "notes.zip").write_bytes(archive(b"{}"))

    def fails(*arguments: Any) -> None:
        raise error

    monkeypatch.setattr(Scanner, "_member", fails)
    report = scan_folder(tmp_path)
    assert (report.verdict(), report.cut) == ("unknown", is_cut)


def objects() -> bytes:
    """Return an array that holds a pickle."""
    file = io.BytesIO()
    numpy.save(file, numpy.array([{"a": 1}], dtype=object))
    return file.getvalue()


@pytest.mark.parametrize("data", [pickle.dumps({"a": 1}), objects()], ids=["pickle", "NumPy"])
def test_too_little_memory_says_nothing_about_a_pickle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes
) -> None:
    (tmp_path / "model.bin").write_bytes(data)

    def fails(machine: walker.Machine) -> None:
        raise MemoryError

    monkeypatch.setattr(walker.Machine, "run", fails)
    report = scan_folder(tmp_path)
    assert (report.verdict(), report.cut) == ("unknown", True)


def test_a_type_with_a_name_that_nobody_writes_is_not_told_of() -> None:
    long = "sklearn." + "a" * 1_000_000
    method = {"__loader__": "MethodNode", "content": {"func": long}}
    for node in (CALL | {"__module__": long}, CALL | method):
        report = scan_bytes("m.skops", archive(json.dumps(node).encode()), NOWHERE)
        assert report.verdict() == "unknown"
        assert not any(len(name) > skops.MAX_NAME for name in report.types)


def test_types_of_all_files_together_fit_into_an_answer() -> None:
    scanner = Scanner(NOWHERE)
    for file in range(4):
        nodes = [CALL | {"__module__": "sklearn", "__class__": f"{file}-{n}"} for n in range(1500)]
        root = CALL | {"__loader__": "ListNode", "content": nodes}
        scanner.scan(f"{file}.skops", "m.skops", io.BytesIO(archive(json.dumps(root).encode())), 0)
    assert len(scanner.report.types) <= 5000
    told = [what for path, _, what in scanner.report.findings if path.startswith("3.skops")]
    assert "names more than 5000 types, with other files" in told
