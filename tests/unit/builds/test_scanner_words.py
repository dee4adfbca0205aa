"""Texts that begin like a pickle: what loaders do with them, and what honest people write."""

import json
import struct
import tempfile
from pathlib import Path

import pytest

from workers.builder.scanning.__main__ import main
from workers.builder.scanning.files import scan_bytes

NOWHERE = Path("/nonexistent")


def verdict(data: bytes, name: str) -> str:
    """Scan bytes."""
    return scan_bytes(name, data, NOWHERE).verdict()


def whole(data: bytes, name: str) -> str:
    """Scan a folder of one file, with the second opinion."""
    with tempfile.TemporaryDirectory() as place:
        folder, answer = Path(place, "artifact"), Path(place, "answer.json")
        folder.mkdir()
        (folder / name).write_bytes(data)
        main(folder, answer)
        return str(json.loads(answer.read_bytes())["verdict"])


CHANGES = [b"Vsafe_load\nNs", b"(Vsafe_load\nNu", b"(Vsafe_load\nNdb", b"Na", b"(Ne", b"(N\x90"]


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_given_items_or_a_state_is_as_good_as_called(change: bytes) -> None:
    """Of a module or class it changes what everybody calls later."""
    text = b"cyaml\n__dict__\n" + change
    names = "notes.txt", "labels.csv"
    assert {verdict(text + b"rest of the text\n", name) for name in names} == {"unknown"}
    report = scan_bytes("model.pkl", text + b".", NOWHERE)
    assert report.verdict() == "code-carrying"
    assert ("model.pkl", "code-carrying", "changes yaml.__dict__") in report.findings
    assert verdict(b"csys\nmodules\n" + change + b".", "model.pkl") == "malicious"


def test_a_second_opinion_that_minds_no_stack_is_none_of_texts() -> None:
    """Both unpicklers end at the first letter, which asks for what is not on their stack."""
    assert whole(b"score\n0.9\n", "words.csv") == "safe"


def test_what_the_second_opinion_could_not_read_to_its_end_is_not_safe() -> None:
    """Names were found in it before that: who knows what stands behind."""
    tensor = {"a": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}}
    header = (json.dumps(tensor) + "\n\n").ljust(ord("c")).encode()
    data = struct.pack("<Q", len(header)) + header + b"\0"
    assert verdict(data, "model.safetensors") == "safe"
    assert whole(data, "model.safetensors") == "unknown"
    assert whole(data.replace(b"\n", b" "), "model.safetensors") == "safe"
