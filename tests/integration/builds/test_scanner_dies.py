"""A scanner that hangs or dies has found nothing out: what it looked at is not safe."""

from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import pytest

from workers.builder import scanner
from workers.builder.sandbox import Sandbox

LIMITS = [("hangs", 2048, 0.05), ("needs more memory than it may", 12, 300.0)]


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    """A model that is safe when it is looked at."""
    folder = tmp_path / "artifact"
    folder.mkdir()
    (folder / "notes.txt").write_text("nothing but words")
    return folder


@pytest.mark.parametrize(("what", "memory_mb", "seconds"), LIMITS, ids=[w for w, _, _ in LIMITS])
def test_it_fails_closed(artifact: Path, what: str, memory_mb: int, seconds: float) -> None:
    found = scanner.scan(artifact, Sandbox.detect(), memory_mb=memory_mb, seconds=seconds)
    assert found.verdict == "unknown"
    (finding,) = found.findings
    assert finding.what.startswith("The scan did not finish")


def test_what_was_malicious_before_it_was_ended_stays_so(artifact: Path) -> None:
    """Each megabyte of a zip unpacks to a gigabyte, and all take longer than the scanner has."""
    (artifact / "m.pkl").write_bytes(b"cposix\nsystem\n(S'true'\ntR.")
    with (
        ZipFile(artifact / "0.zip", "w", ZIP_DEFLATED) as archive,
        archive.open("words.txt", "w", force_zip64=True) as member,
    ):
        for _ in range(1024):
            member.write(b"\n" * (1 << 20))
    for number in range(1, 5):
        (artifact / f"{number}.zip").write_bytes((artifact / "0.zip").read_bytes())
    found = scanner.scan(artifact, Sandbox.detect(), seconds=6)
    assert (found.verdict, found.finished) == ("malicious", True)
    assert found.files == 2, "the small ones come first"


def test_a_zip_of_zips_has_room_beside_it(artifact: Path) -> None:
    """The inner one stores 520 MB: more than a sandbox has of /tmp, which is memory."""
    line = b"hello".ljust(63, b".") + b"\n"
    with (
        ZipFile(artifact / "both.zip", "w", ZIP_DEFLATED, compresslevel=1) as outer,
        outer.open("one.zip", "w", force_zip64=True) as member,
        ZipFile(member, "w") as inner,
        inner.open("notes.txt", "w", force_zip64=True) as text,
    ):
        for _ in range(520):
            text.write(line * (1 << 14))
    found = scanner.scan(artifact, Sandbox.detect())
    assert (found.verdict, found.findings) == ("safe", ())


def test_an_empty_file_is_no_fault(artifact: Path) -> None:
    """picklescan, the second opinion, cannot read one."""
    (artifact / "__init__.py").touch()
    found = scanner.scan(artifact, Sandbox.detect())
    assert (found.verdict, found.findings) == ("safe", ())


def test_left_in_peace_it_says_safe(artifact: Path) -> None:
    assert scanner.scan(artifact, Sandbox.detect()).verdict == "safe"


def test_a_runtime_that_cannot_be_read_takes_safe_away(tmp_path: Path) -> None:
    """What its packages left of themselves is read in a sandbox: it is of any size and form."""
    runtime = tmp_path / "runtime"
    package = runtime / "lib/python3.13/site-packages/odd-1.dist-info"
    package.mkdir(parents=True)
    safe = scanner.Scan("safe", (), scanner.SCANNER)
    assert scanner.loaded_by(safe, "mlflow", runtime, Sandbox.detect()) == safe
    (package / "RECORD").write_bytes(b"\xff\n")
    told = scanner.loaded_by(safe, "mlflow", runtime, Sandbox.detect())
    assert told.verdict == "code-carrying"
    assert "What loads it cannot be told" in told.findings[0].what
    unknown = scanner.Scan("unknown", (), scanner.SCANNER)
    assert scanner.loaded_by(unknown, "mlflow", runtime, Sandbox.detect()) == unknown
