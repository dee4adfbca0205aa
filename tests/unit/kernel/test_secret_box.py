"""Secrets at rest: whoever writes one seals it, the control worker alone opens it, in its place."""

import base64
import stat
from pathlib import Path

import pytest
from django.core.management import call_command

from placet.kernel import keystore
from placet.kernel.config import config
from placet.kernel.keystore import KeyUnavailable, ensure_keys, opening_keys, sealing_key
from placet.kernel.secret_key import rotate_secret
from placet_protocol.secret_box import OpeningKeys, SealingKey, SecretUnreadable

SECRET, PLACE = "whsec_an0ther+s3cret/", "integrations.webhook:whk_1"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of keys of this test's own, configured as the installation's."""
    ensure_keys(tmp_path / "keys")
    monkeypatch.setattr(config(), "keys_dir", tmp_path / "keys")
    return tmp_path / "keys"


def test_what_is_sealed_opens_in_its_place_alone(folder: Path) -> None:
    sealed = sealing_key().seal(SECRET, place=PLACE)
    assert SECRET not in sealed and sealed != sealing_key().seal(SECRET, place=PLACE)
    assert opening_keys().open(sealed, place=PLACE) == SECRET
    with pytest.raises(SecretUnreadable, match="belongs to something else"):
        opening_keys().open(sealed, place="integrations.webhook:whk_2")


def test_web_seals_and_cannot_open(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for process in ("web", "build", "agent", ""):
        monkeypatch.setenv("PLACET_PROCESS", process)
        sealed = sealing_key().seal(SECRET, place=PLACE)
        with pytest.raises(KeyUnavailable):
            opening_keys()
    monkeypatch.setenv("PLACET_PROCESS", "control")
    assert opening_keys().open(sealed, place=PLACE) == SECRET


def test_no_changed_byte_opens_nor_shows_anything(folder: Path) -> None:
    sealed = sealing_key().seal(SECRET, place=PLACE)
    head, _, body = sealed.rpartition(".")
    raw = base64.urlsafe_b64decode(body)
    for at in range(len(raw)):
        other = bytes((*raw[:at], raw[at] ^ 1, *raw[at + 1 :]))
        changed = f"{head}.{base64.urlsafe_b64encode(other).decode()}"
        with pytest.raises(SecretUnreadable) as refused:
            opening_keys().open(changed, place=PLACE)
        assert SECRET not in str(refused.value)
    for odd in ("", "v1", "v2" + sealed[2:], f"{head}.", f"{head}.=", f"{head}.aaaa"):
        with pytest.raises(SecretUnreadable):
            opening_keys().open(odd, place=PLACE)


def test_a_rotated_key_opens_what_it_was_given(folder: Path) -> None:
    (folder / "secret.key").chmod(0o640)
    before = sealing_key()
    sealed = before.seal(SECRET, place=PLACE)
    call_command("keys", "--folder", str(folder), "rotate", "secret")
    assert stat.S_IMODE((folder / "secret.key").stat().st_mode) == 0o640
    assert sealing_key().id != before.id
    assert sealing_key().seal(SECRET, place=PLACE).split(".")[1] == sealing_key().id
    assert opening_keys().open(sealed, place=PLACE) == SECRET


def test_a_rotation_that_was_cut_off_leaves_what_opens_everything(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    public = (folder / "secret.pub").read_bytes()
    rotate_secret(folder)
    (folder / "secret.pub").write_bytes(public)
    sealed = sealing_key().seal(SECRET, place=PLACE)
    assert opening_keys().open(sealed, place=PLACE) == SECRET


def test_the_loss_of_the_key_is_said_in_words(folder: Path) -> None:
    sealed = sealing_key().seal(SECRET, place=PLACE)
    lost = sealing_key().id
    (folder / "secret.key").unlink()
    with pytest.raises(KeyUnavailable, match=r"secret\.key cannot be read: No such file"):
        opening_keys()
    ensure_keys(folder)
    assert sealing_key().id != lost
    with pytest.raises(SecretUnreadable, match=f"key {lost}, which is not in secret.key"):
        opening_keys().open(sealed, place=PLACE)


def test_an_installation_from_before_gets_one_without_the_root(folder: Path) -> None:
    for name in ("secret.key", "secret.pub", "root.key"):
        (folder / name).unlink()
    with pytest.raises(KeyUnavailable, match="keys init"):
        sealing_key()
    ensure_keys(folder)
    assert opening_keys().public == sealing_key()


@pytest.mark.parametrize("content", ["", "x", "AAAA", "é"])
def test_a_file_that_is_no_key_is_refused(folder: Path, content: str) -> None:
    (folder / "secret.key").write_text(content)
    (folder / "secret.pub").write_text(content)
    with pytest.raises(KeyUnavailable):
        keystore.opening_keys()
    with pytest.raises(KeyUnavailable):
        keystore.sealing_key()


def test_no_key_shows_itself() -> None:
    keys = OpeningKeys.generate()
    assert keys.write().strip() not in repr(keys) and str(keys.keys[0]) not in repr(keys)
    assert SealingKey.read(keys.public.write()) == keys.public
