"""What a format's record says of its files reaches the scan, which runs without the records."""

from collections.abc import Callable
from pathlib import Path

import pytest

from apps.registry.formats import FORMATS, Format
from apps.registry.formats.base import Derived
from workers.builder import scanner
from workers.builder.sandbox import Sandbox
from workers.builder.scanning import kinds

Scanned = Callable[[bytes], str]


@pytest.fixture
def verdict(tmp_path: Path) -> Scanned:
    """Scans a file of an ending that the scan does not know."""

    def scanned(raw: bytes) -> str:
        folder = tmp_path / "artifact"
        folder.mkdir()
        (folder / "m.linear").write_bytes(raw)
        found = scanner.scan(folder, Sandbox.detect())
        assert found.files == 1
        return found.verdict

    return scanned


@pytest.fixture
def linear(monkeypatch: pytest.MonkeyPatch) -> None:
    """A format whose files are texts."""
    kind = Format(
        name="linear",
        title="lines",
        endings=(".linear",),
        text=True,
        derive=lambda files: Derived("linear"),
    )
    monkeypatch.setitem(FORMATS, kind.name, kind)


def test_an_ending_that_no_record_has_is_unknown(verdict: Scanned) -> None:
    assert verdict(b'{"a": 1}') == "unknown"


@pytest.mark.usefixtures("linear")
@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        (b'{"a": 1}', "safe"),
        (b"\xff\xfe\x00", "unknown"),
        (b"\x7fELF words", "unknown"),
        (b"cos\nsystem\n(S'true'\ntR.", "malicious"),
    ],
    ids=["text", "none", "a program", "a pickle"],
)
def test_a_file_of_a_format_of_texts_is_safe_when_it_is_one(
    verdict: Scanned, raw: bytes, wanted: str
) -> None:
    assert verdict(raw) == wanted


def test_no_record_takes_an_ending_for_text_that_the_scan_reads_otherwise() -> None:
    texts = {ending for kind in FORMATS.values() if kind.text for ending in kind.endings}
    assert ".txt" in texts
    assert not texts & (kinds.CODE | kinds.YAML | kinds.PICTURES | set(kinds.by_ending()))
