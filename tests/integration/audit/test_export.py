"""The export folder, and the verifier that needs none of our software to check it."""

import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from apps.audit.actions import record, write_checkpoint
from apps.audit.events import event_kind
from placet.kernel.actor import SYSTEM

FILLED = event_kind("test.export_filled", "Filled")
ROOT = Path(__file__).resolve().parents[3]
pytestmark = pytest.mark.django_db


def verify(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the offline verifier as an outsider does."""
    return subprocess.run(
        [sys.executable, "-m", "placet_verify", "log", str(folder), *options],
        env={"PYTHONPATH": str(ROOT / "platform")},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """An export of some 520 events, two tiles full."""
    with record(SYSTEM) as log:
        for _ in range(520):
            log.add(FILLED, subject="s")
    write_checkpoint()
    call_command("audit", "export", str(tmp_path / "export"))
    return tmp_path / "export"


def test_the_offline_verifier_accepts_the_export(export: Path) -> None:
    names = {p.name for p in export.iterdir()}
    assert {"events.jsonl", "events.csv", "checkpoint.txt", "keys.json", "root.pub"} <= names
    assert sum(1 for p in (export / "tile").rglob("*") if p.is_file()) == 4
    found = verify(export, "--bodies")
    assert found.returncode == 0, found.stdout + found.stderr
    assert "521 leaves" in found.stdout  # the export's own event is in it


@pytest.mark.parametrize(
    ("name", "offset", "place"),
    [("events.jsonl", 700, "leaf"), ("tile/0/001", 64, "tile 0/1"), ("checkpoint.txt", 40, "")],
)
def test_one_changed_byte_is_found(export: Path, name: str, offset: int, place: str) -> None:
    path = export / name
    raw = bytearray(path.read_bytes())
    raw[offset] ^= 1
    path.write_bytes(bytes(raw))
    found = verify(export)
    assert found.returncode == 1
    assert place in found.stdout


def test_an_export_goes_into_an_empty_folder_alone(export: Path) -> None:
    with pytest.raises(CommandError, match="is not empty"):
        call_command("audit", "export", str(export))
