"""Texts that begin like a pickle: what loaders do with them, and what honest people write."""

from pathlib import Path

import pytest

from workers.builder.scanning.files import scan_bytes

NOWHERE = Path("/nonexistent")


def verdict(data: bytes, name: str) -> str:
    """Scan bytes."""
    return scan_bytes(name, data, NOWHERE).verdict()


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
