"""What is malicious is told, whatever else takes the time, the memory or the way to it."""

import gzip
import io
import json
import pickle
import time
import zipfile
from pathlib import Path

import pytest

from tests.support.scanning import scan_bytes, scan_folder
from workers.builder.scanning import machine, skops, stack, texts
from workers.builder.scanning.__main__ import main

NOWHERE = Path("/nonexistent")
EVIL = b"cposix\nsystem\n(S'true'\ntR"  # calls, without its STOP


def killed(*_: object, **__: object) -> None:
    """Stand for the end of all memory or time."""
    raise KeyboardInterrupt


def told(folder: Path, answer: Path) -> str:
    """Return what is told of a folder whose scan is ended in the middle."""
    with pytest.raises(KeyboardInterrupt):
        main(folder, answer)
    return str(json.loads(answer.read_text())["verdict"])


@pytest.mark.parametrize("stop", [b".", b""], ids=["behind its end", "before it"])
@pytest.mark.parametrize("packed", [True, False], ids=["packed", "plain"])
def test_what_follows_in_the_same_pickle_hides_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: bytes, packed: bool
) -> None:
    (folder := tmp_path / "model").mkdir()
    data = EVIL + stop + b"}" * 9
    (folder / "m.joblib").write_bytes(gzip.compress(data) if packed else data)
    monkeypatch.setitem(machine.STEPS, b"}", killed)
    assert told(folder, tmp_path / "answer.json") == "malicious"


def test_what_was_told_early_is_told_once() -> None:
    found = scan_bytes("m.pkl", EVIL + b".", NOWHERE).findings
    assert sorted(what for _, _, what in found) == ["asks for posix.system", "is a pickle"]


def test_a_large_onnx_model_does_not_go_before_a_small_pickle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder := tmp_path / "model").mkdir()
    (folder / "m.pkl").write_bytes(EVIL + b".")
    (folder / "m.onnx").write_bytes(b"\x08\x08" * 99)
    monkeypatch.setattr("workers.builder.scanning.readers.onnx.outside", killed)
    assert told(folder, tmp_path / "answer.json") == "malicious"


def test_a_member_that_cannot_be_read_does_not_end_the_archive() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.txt", b"words")
        archive.writestr("m.pkl", EVIL + b".")
    data = file.getvalue().replace(b"words", b"wards", 1)  # another sum than its own
    report = scan_bytes("weights.zip", data, NOWHERE)
    assert report.verdict() == "malicious"
    assert ("weights.zip", "unknown", "is a broken archive (BadZipFile)") in report.findings


def test_json_that_takes_all_memory_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "MAX_PARSED", 64_000)
    heavy = b'{"class_name": "Dense", "config": {"a": [' + b"[]," * 2000 + b"[]]}}"
    header = b'{"a":[' + b"[]," * 2000 + b"[]]}"
    schema = io.BytesIO()
    with zipfile.ZipFile(schema, "w") as archive:
        archive.writestr("schema.json", b'{"__loader__": ' + header + b"}")
    for name, data in (
        ("config.json", heavy),
        ("m.safetensors", len(header).to_bytes(8, "little") + header),
        ("m.skops", schema.getvalue()),
    ):
        assert scan_bytes(name, data, NOWHERE).verdict() == "unknown", name


def test_a_path_that_is_quoted_over_and_over_is_read_in_no_time() -> None:
    begun = time.process_time()
    text = "flavors:\n  python_function:\n    data: '%" + "25" * 200_000 + "41'\n"
    assert scan_bytes("MLmodel", text.encode(), NOWHERE).verdict() == "malicious"
    assert time.process_time() - begun < 2


def test_what_onnx_models_call_their_weights_waits_for_them_and_is_scanned(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"\x07" * 9)
    (tmp_path / "m.onnx").write_bytes(b"\x08\x08" * 99)
    found = scan_folder(tmp_path).findings
    assert ("a.bin", "unknown", "is of no known format") in found


@pytest.mark.parametrize("value", [b"}", b"N", b"(", b"\x80\4]", b"2"])
def test_values_between_a_name_and_its_call_do_not_fill_the_memory(
    monkeypatch: pytest.MonkeyPatch, value: bytes
) -> None:
    monkeypatch.setattr(stack, "MAX_STACK", 5000)
    data = b"cposix\nsystem\nq\0" + value * 9000 + b"h\0(S'true'\ntR."
    report = scan_bytes("m.pkl", data, NOWHERE)
    assert report.verdict() == "malicious", "it asks for what is, whatever it does with that"
    assert any("values that nothing takes" in what for _, _, what in report.findings)


@pytest.mark.parametrize("protocol", [0, 4])
def test_a_long_list_is_no_high_stack(monkeypatch: pytest.MonkeyPatch, protocol: int) -> None:
    monkeypatch.setattr(stack, "MAX_STACK", 5000)
    data = pickle.dumps([*range(9000)], protocol)
    assert scan_bytes("m.pkl", data, NOWHERE).verdict() == "code-carrying"


def test_a_schema_of_many_parts_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    head = b'{"__loader__":"ListNode","__class__":"list","__module__":"builtins","content":['
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("schema.json", head + b"[]," * 4000 + b"[]]}")
    assert scan_bytes("m.skops", file.getvalue(), NOWHERE).verdict() == "safe"
    monkeypatch.setattr(skops, "MAX_PARTS", 3000)
    assert scan_bytes("m.skops", file.getvalue(), NOWHERE).verdict() == "unknown"
