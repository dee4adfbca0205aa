"""An auditor verifies an export on a machine that has never seen the platform."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from placet_verify.__main__ import main
from placet_verify.bundle import export
from placet_verify.log import checkpoint, tiles
from placet_verify.log.merkle import Frontier, leaf_hash
from placet_verify.signing.keys import PrivateKey
from tests.support.permits import NOON, Keys, valid_case

ROOT = Path(__file__).resolve().parents[3]
KEYS = Keys()
CASE = valid_case()


def write_log(folder: Path, size: int = 600, keys: Keys = KEYS) -> Path:
    """Write an export as the platform does."""
    folder.mkdir(exist_ok=True)

    def keep(level: int, index: int, hashes: object) -> None:
        path = folder / tiles.path(level, index)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"".join(hashes))  # type: ignore[arg-type]

    frontier, lines = Frontier(keep), []
    for index in range(size):
        body = f'{{"at":"2026-11-25T12:00:00.{index:06d}Z","kind":"test.v1"}}'
        leaf = leaf_hash(body.encode())
        lines.append(export.log_line(index, None if index % 5 == 0 else body, leaf))
        frontier.append(leaf)
    for level, index, hashes in frontier.unfinished():
        partial = folder / tiles.path(level, index, len(hashes))
        partial.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(b"".join(hashes))
    (folder / "events.jsonl").write_bytes(b"".join(lines))
    note = checkpoint.make("placet.example/log", size, frontier.root(), keys.log)
    (folder / "checkpoint.txt").write_text(note)
    (folder / "keys.json").write_text(keys.document)
    (folder / "root.pub").write_bytes(keys.root.public.to_pem())
    return folder


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Path]:
    """An exported log of 600 events."""
    yield write_log(tmp_path / "export")


def said(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    code = main([str(argument) for argument in arguments])
    return code, capsys.readouterr().out


def test_an_export_verifies_and_says_from_what(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, text = said(capsys, "log", log, "--bodies")
    assert code == 0, text
    assert KEYS.root.public.fingerprint in text
    assert "600 leaves: 480 bodies hashed, 120 known by their hash alone" in text
    assert "2 tiles compared" in text
    assert "ok: signatures hold among themselves; whose they are is not shown without" in text
    code, text = said(capsys, "log", log, "--root", log / "root.pub")
    assert "ok: the log is exactly the 600 leaves that the checkpoint signs" in text


def test_it_runs_as_a_module_without_django(log: Path) -> None:
    code = "import sys; sys.modules['django'] = None; from placet_verify.__main__ import main; "
    done = subprocess.run(
        [sys.executable, "-c", code + f"sys.exit(main(['log', {str(log)!r}]))"],
        cwd=log,
        env={"PYTHONPATH": str(ROOT / "platform")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("file", "old", "new", "place"),
    [
        ("events.jsonl", b"00.000301Z", b"00.000302Z", "leaf 301"),
        ("tile/0/001", None, None, "tile 0/1"),
        ("tile/0/002.p/88", None, None, "tile 0/2"),
        ("checkpoint.txt", b"\n600\n", b"\n599\n", "not signed"),
        ("keys.json", b"payloadType", b"payloadtype", "envelope"),
        ("events.jsonl", b"\n", b"\n\xff", "leaf 1"),
    ],
)
def test_a_changed_byte_is_named(
    log: Path,
    capsys: pytest.CaptureFixture[str],
    file: str,
    old: bytes | None,
    new: bytes,
    place: str,
) -> None:
    raw = (log / file).read_bytes()
    changed = raw[:-1] + b"\0" if old is None else raw.replace(old, new, 1)
    assert changed != raw
    (log / file).write_bytes(changed)
    code, text = said(capsys, "log", log)
    assert code == 1
    assert place in text


def test_a_cut_export_is_noticed(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = (log / "events.jsonl").read_bytes().splitlines(keepends=True)
    (log / "events.jsonl").write_bytes(b"".join(lines[:590]))
    code, text = said(capsys, "log", log)
    assert code == 1
    assert "size: checkpoint says 600, the log has 590" in text


def test_a_checkpoint_kept_outside_finds_a_rewritten_log(
    tmp_path: Path, log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever holds every key of the server can rewrite all of it, but not what others kept."""
    kept = tmp_path / "kept.txt"
    forged = Frontier()
    forged.extend([leaf_hash(b"what really happened")] * 300)
    kept.write_text(checkpoint.make("placet.example/log", 300, forged.root(), KEYS.log))
    code, text = said(capsys, "log", log, "--checkpoint", kept)
    assert code == 1
    assert "checkpoint 300" in text


def test_a_checkpoint_that_knows_more_shows_that_the_end_is_gone(
    tmp_path: Path, log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    longer = write_log(tmp_path / "longer", 700)
    code, text = said(capsys, "log", log, "--checkpoint", longer / "checkpoint.txt")
    assert code == 1
    assert "size" in text
    code, text = said(capsys, "log", longer, "--checkpoint", log / "checkpoint.txt")
    assert code == 0, text


def test_another_root_is_not_believed(
    tmp_path: Path, log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.pub").write_bytes(PrivateKey.generate().public.to_pem())
    code, text = said(capsys, "log", log, "--root", tmp_path / "mine.pub")
    assert code == 1
    assert "not signed by the root" in text


def test_a_missing_file_is_said_in_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, text = said(capsys, "log", tmp_path)
    assert code == 1
    assert "root.pub" in text or "keys.json" in text


@pytest.fixture
def decision(tmp_path: Path, log: Path) -> Path:
    """An exported decision."""
    envelope = CASE.decisions[0].sign(KEYS.decision)
    folder = tmp_path / "decision"
    folder.mkdir()
    for name, content in export.decision_bundle(envelope, KEYS.decision.public).items():
        (folder / name).write_bytes(content)
    return folder


def test_a_decision_verifies_with_and_without_the_keys(
    decision: Path, log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, text = said(capsys, "decision", decision)
    assert code == 0, text
    assert "per_reviewer as reviewer: approve" in text
    assert "whose key that is was not checked" in text
    known = ["--keys", log / "keys.json", "--root", log / "root.pub"]
    code, text = said(capsys, "decision", decision, *known)
    assert code == 0, text
    assert "was a decision key of the installation" in text


@pytest.mark.parametrize("file", ["statement.json", "pae.bin", "sig.bin", "key.pem"])
def test_a_decision_with_a_changed_file_is_refused(
    decision: Path, capsys: pytest.CaptureFixture[str], file: str
) -> None:
    raw = bytearray((decision / file).read_bytes())
    raw[len(raw) // 2] ^= 1
    (decision / file).write_bytes(bytes(raw))
    code, text = said(capsys, "decision", decision)
    assert code == 1
    assert text.startswith("REFUSED")


def test_a_decision_by_a_key_that_was_lost_before_is_refused(
    decision: Path, log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ring = KEYS.ring.revoke(KEYS.decision.id, NOON)
    (log / "keys.json").write_text(ring.seal(KEYS.root))
    known = ["--keys", log / "keys.json", "--root", log / "root.pub"]
    code, text = said(capsys, "decision", decision, *known)
    assert code == 1
    assert "was not valid" in text


def test_a_permit_says_what_it_lets_run(
    tmp_path: Path, log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = CASE.document(KEYS.decision)
    (tmp_path / "permit.json").write_text(document)
    known = ["--keys", log / "keys.json", "--root", log / "root.pub"]
    code, text = said(capsys, "permit", tmp_path / "permit.json", *known)
    assert code == 0, text
    assert CASE.request.bento_digest in text
    assert "per_approver as approver: approve" in text
    (tmp_path / "permit.json").write_text(CASE.document(KEYS.build))
    code, text = said(capsys, "permit", tmp_path / "permit.json", *known)
    assert code == 1
