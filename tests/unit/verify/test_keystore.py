"""The operator makes, rotates and revokes keys; each process loads its own and no other."""

import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.core.management import CommandError, call_command

from placet.kernel import keystore
from placet.kernel.config import config
from placet.kernel.keystore import KeyUnavailable, ensure_keys, read_ring, revoke, rotate, signer
from placet_verify.signing.keys import KeyRefused, PrivateKey, make_ring


def now() -> datetime:
    """Keys made during a long run are not valid yet when the run began."""
    return datetime.now(tz=UTC)


def later() -> datetime:
    """When the overlap of two keys is over."""
    return now() + timedelta(hours=1)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A keys folder of this test's own, configured as the installation's."""
    ensure_keys(tmp_path / "keys")
    monkeypatch.setattr(config(), "keys_dir", tmp_path / "keys")
    return tmp_path / "keys"


@pytest.mark.parametrize(
    ("process", "own"),
    [
        ("web", {"decision", "access"}),
        ("control", {"state", "log"}),
        ("build", {"build"}),
        ("agent", set()),
        ("manage", {"decision", "access", "build", "state", "log"}),
        ("", set()),
        ("anything", set()),
    ],
)
def test_each_process_loads_its_own_keys_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch, process: str, own: set[str]
) -> None:
    monkeypatch.setenv("PLACET_PROCESS", process)
    for purpose in keystore.SERVER_PURPOSES:
        if purpose in own:
            assert signer(purpose).id == read_ring(folder).current(purpose, now()).id
        else:
            with pytest.raises(KeyUnavailable):
                signer(purpose)
    with pytest.raises(KeyUnavailable):
        signer("root")


@pytest.mark.parametrize("process", ["control", "build", "agent", ""])
def test_only_web_cosigns_other_logs(
    folder: Path, monkeypatch: pytest.MonkeyPatch, process: str
) -> None:
    monkeypatch.setenv("PLACET_PROCESS", "web")
    assert signer("witness").public == keystore.witness_public()
    monkeypatch.setenv("PLACET_PROCESS", process)
    with pytest.raises(KeyUnavailable):
        signer("witness")


def test_an_installation_from_before_gets_a_witness_key_without_the_root(tmp_path: Path) -> None:
    """And keeps it: another key would be another witness."""
    ensure_keys(tmp_path)
    (tmp_path / "root.key").unlink()
    for name in ("witness.key", "witness.pub"):
        (tmp_path / name).unlink()
    before = read_ring(tmp_path)
    assert ensure_keys(tmp_path) == before
    key = (tmp_path / "witness.key").read_bytes()
    ensure_keys(tmp_path)
    assert (tmp_path / "witness.key").read_bytes() == key


def test_only_the_builder_signs_models(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLACET_PROCESS", "build")
    key = serialization.load_pem_private_key(keystore.model_signing_key().read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    monkeypatch.setenv("PLACET_PROCESS", "web")
    with pytest.raises(KeyUnavailable):
        keystore.model_signing_key()


def test_private_files_are_their_owners_alone(folder: Path) -> None:
    for path in folder.glob("*.key"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path.name
    assert len(list(folder.glob("*.key"))) == 9


def test_making_keys_twice_changes_nothing(folder: Path) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    ensure_keys(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize("missing", ["keys.json", "log.key", "root.pub", "model-signing.key"])
def test_an_interrupted_start_is_completed(tmp_path: Path, missing: str) -> None:
    ensure_keys(tmp_path)
    kept = PrivateKey.load(tmp_path / "decision.key").id
    (tmp_path / "keys.json").unlink()
    (tmp_path / missing).unlink(missing_ok=True)
    ring = ensure_keys(tmp_path)
    assert ring.current("decision", now()).id == kept
    assert ring.current("log", now()).id == PrivateKey.load(tmp_path / "log.key").id


def test_rotation_puts_a_new_key_to_work_at_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLACET_PROCESS", "control")
    old = signer("state").id
    ring = rotate(folder, "state")
    fresh = signer("state").id
    assert fresh != old
    assert keystore.ring().number == 2
    assert ring.get(old).ended == "rotated"
    assert ring.current("state", later()).id == fresh


def folder_without_access_key(path: Path) -> PrivateKey:
    """Make the keys of an installation from before there was an access key; return its root."""
    ensure_keys(path)
    root = PrivateKey.load(path / "root.key")
    (path / "access.key").unlink()
    old = [(p, PrivateKey.load(path / f"{p}.key").public) for p in ("decision", "build", "log")]
    (path / "keys.json").write_text(make_ring(root, old, now()))  # type: ignore[arg-type]
    return root


def test_a_key_that_an_older_folder_lacks_is_made_and_signed_by_the_root(tmp_path: Path) -> None:
    folder_without_access_key(tmp_path)
    ring = ensure_keys(tmp_path)
    assert ring.current("access", now()).id == PrivateKey.load(tmp_path / "access.key").id
    assert ensure_keys(tmp_path).number == ring.number


def test_without_the_root_the_missing_key_is_asked_for_in_words(tmp_path: Path) -> None:
    folder_without_access_key(tmp_path)
    away = tmp_path / "elsewhere" / "root.key"
    away.parent.mkdir()
    (tmp_path / "root.key").rename(away)
    with pytest.raises(KeyUnavailable, match=r"names no access key yet.*--root-key FILE init"):
        ensure_keys(tmp_path)
    assert ensure_keys(tmp_path, root_key=away).of("access")


@pytest.mark.parametrize("listed", [True, False])
def test_an_interrupted_rotation_is_finished_or_forgotten(folder: Path, listed: bool) -> None:
    fresh, before = PrivateKey.generate(), read_ring(folder)
    fresh.save(folder / "state.key.next")
    if listed:
        root = PrivateKey.load(folder / "root.key")
        after = before.add("state", fresh.public, now())
        (folder / "keys.json").write_text(after.seal(root))
    ring = ensure_keys(folder)
    assert not (folder / "state.key.next").exists()
    assert (PrivateKey.load(folder / "state.key").id == fresh.id) is listed
    assert ring.current("state", later()).id == PrivateKey.load(folder / "state.key").id


def test_a_lost_key_gets_a_successor_in_the_same_step(folder: Path) -> None:
    lost = PrivateKey.load(folder / "decision.key").id
    ring = revoke(folder, lost, compromised_at=now())
    assert ring.get(lost).ended == "lost"
    assert not ring.get(lost).valid_at(now())
    successor = PrivateKey.load(folder / "decision.key").id
    assert ring.current("decision", later()).id == successor != lost


def test_a_past_key_can_be_declared_lost_too(folder: Path) -> None:
    old = PrivateKey.load(folder / "log.key").id
    current = rotate(folder, "log").current("log", later()).id
    ring = revoke(folder, old, compromised_at=now() - timedelta(days=1))
    assert ring.get(old).ended == "lost"
    assert ring.current("log", later()).id == current


def test_without_the_root_nothing_is_changed(folder: Path, tmp_path: Path) -> None:
    away = tmp_path / "root.key"
    (folder / "root.key").rename(away)
    before = (folder / "keys.json").read_bytes()
    with pytest.raises(KeyUnavailable, match="--root-key"):
        rotate(folder, "state")
    (tmp_path / "stranger.key").write_bytes(PrivateKey.generate().to_pem())
    with pytest.raises(KeyRefused):
        rotate(folder, "state", root_key=tmp_path / "stranger.key")
    assert (folder / "keys.json").read_bytes() == before
    ensure_keys(folder)
    assert rotate(folder, "state", root_key=away).number == 2


def test_a_missing_file_is_said_in_words(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLACET_PROCESS", "manage")
    (folder / "build.key").unlink()
    with pytest.raises(KeyUnavailable, match="build key cannot be read"):
        signer("build")
    (folder / "keys.json").unlink()
    with pytest.raises(KeyUnavailable, match="list of keys"):
        keystore.ring()


def test_the_operator_works_by_command(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("keys", "init")
    call_command("keys", "rotate", "state")
    lost = PrivateKey.load(folder / "log.key").id
    call_command("keys", "revoke", lost, "--compromised-at", "2026-01-01T00:00:00Z")
    call_command("keys", "list")
    call_command("keys", "export", str(tmp_path / "public"))
    text = capsys.readouterr().out
    assert f"{lost} counts for nothing signed from 2026-01-01T00:00:00.000000Z on" in text
    assert "move it offline" in text
    assert text.count("in use") == 5
    names = {path.name for path in (tmp_path / "public").iterdir()}
    assert {"keys.json", "root.pub", f"log-{lost}.pem"} <= names
    assert not any(b"PRIVATE" in p.read_bytes() for p in (tmp_path / "public").iterdir())


@pytest.mark.parametrize(
    "arguments",
    [
        ["revoke", "0" * 16],
        ["revoke", "0" * 16, "--compromised-at", "yesterday"],
        ["--folder", "/nowhere/at/all", "list"],
    ],
)
def test_a_refusal_is_one_sentence(folder: Path, arguments: list[str]) -> None:
    with pytest.raises(CommandError) as caught:
        call_command("keys", *arguments)
    assert str(caught.value)


def test_every_test_runs_with_keys_of_its_own_run(keys: Path) -> None:
    assert config().keys == keys
    assert signer("decision").id == keystore.ring().current("decision", now()).id


def test_a_key_is_shared_with_one_group_and_its_successor_too(folder: Path) -> None:
    paths = keystore.share(folder, "control", os.getgid())

    assert {path.name for path in paths} == {"state.key", "log.key", "secret.key"}
    rotate(folder, "state")
    for name, mode in (("state.key", 0o640), ("log.key", 0o640), ("decision.key", 0o600)):
        assert stat.S_IMODE((folder / name).stat().st_mode) == mode, name
    assert (folder / "state.key").stat().st_gid == os.getgid()


@pytest.mark.parametrize("process", ["manage", "root", ""])
def test_keys_are_shared_with_a_known_process_alone(folder: Path, process: str) -> None:
    with pytest.raises(KeyUnavailable, match="is one of agent, build, control, web"):
        keystore.share(folder, process, os.getgid())


def test_the_root_demands_passkeys_until_it_says_otherwise(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    number = read_ring(folder).number
    call_command("keys", "demand-passkeys", "production", "staging")
    assert read_ring(folder).passkeys == {"production", "staging"}
    assert "nodes stop what serves there under a policy published without one" in (
        capsys.readouterr().out
    )
    rotate(folder, "state")
    assert read_ring(folder).passkeys == {"production", "staging"}  # a rotation keeps the demand
    call_command("keys", "list")
    assert "passkeys are demanded in production, staging" in capsys.readouterr().out
    root = folder / "root.key"
    root.rename(tmp_path / "root.key")
    with pytest.raises(CommandError, match="--root-key"):
        call_command("keys", "demand-passkeys")
    call_command("keys", "--root-key", str(tmp_path / "root.key"), "demand-passkeys")
    assert read_ring(folder).passkeys == frozenset()
    assert "passkeys are demanded in no environment" in capsys.readouterr().out
    assert read_ring(folder).number == number + 3
