"""A checkpoint says which log, how long and which root, and only the log's key can say it."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from placet_verify.errors import Malformed, Refused
from placet_verify.log import checkpoint
from placet_verify.log.checkpoint import CheckpointRefused
from placet_verify.signing.keys import PrivateKey
from tests.support.permits import NOON, Keys

ROOT = hashlib.sha256(b"root").digest()
KEY = PrivateKey.generate()
NOTE = checkpoint.make("placet.example/log", 1234, ROOT, KEY)


def test_it_reads_back_and_verifies() -> None:
    head = checkpoint.verify(NOTE, KEY.public, "placet.example/log")
    assert (head.origin, head.size, head.root) == ("placet.example/log", 1234, ROOT)


def test_it_has_the_form_of_a_signed_note() -> None:
    text, signature = NOTE.split("\n\n")
    assert text.split("\n")[:2] == ["placet.example/log", "1234"]
    assert signature.startswith("— placet.example/log ")
    name, key_id, _ = checkpoint.verifier_key("placet.example/log", KEY.public).split("+", 2)
    raw = name.encode() + b"\n\x01" + KEY.public.raw
    assert key_id == hashlib.sha256(raw).hexdigest()[:8]


def test_extensions_are_signed_too() -> None:
    note = checkpoint.make("log", 1, ROOT, KEY, ["epoch 2"])
    assert checkpoint.verify(note, KEY.public).extensions == ("epoch 2",)
    with pytest.raises(CheckpointRefused):
        checkpoint.verify(note.replace("epoch 2", "epoch 3"), KEY.public)


def test_a_stranger_cannot_sign_it() -> None:
    with pytest.raises(CheckpointRefused):
        checkpoint.verify(checkpoint.make("log", 1, ROOT, PrivateKey.generate()), KEY.public)


def test_the_checkpoint_of_another_log_is_not_taken() -> None:
    with pytest.raises(CheckpointRefused, match="other/log"):
        checkpoint.verify(NOTE, KEY.public, "other/log")


@given(place=st.integers(0, len(NOTE) - 1), letter=st.sampled_from("0aA+/=\n —"))
def test_no_letter_of_it_can_be_changed(place: int, letter: str) -> None:
    changed = NOTE[:place] + letter + NOTE[place + 1 :]
    if changed == NOTE:
        changed = NOTE[:place] + "~" + NOTE[place + 1 :]
    with pytest.raises(Refused):
        checkpoint.verify(changed, KEY.public)


@pytest.mark.parametrize("note", ["", "a\n1\n", "a\n01\nAAAA\n\n— a AAAA\n", NOTE.rstrip("\n")])
def test_text_that_is_no_checkpoint_is_refused(note: str) -> None:
    with pytest.raises(Malformed):
        checkpoint.parse(note)


@pytest.mark.parametrize("more", ["", "a\tb", "a\rb", "a\x00b"])
def test_an_empty_line_or_a_control_character_is_no_extension(more: str) -> None:
    with pytest.raises(Malformed):
        checkpoint.verify(checkpoint.make("log", 1, ROOT, KEY, [more, "more"]), KEY.public)


def test_strangers_may_sign_beside_the_log_but_not_falsely_in_its_name() -> None:
    stranger = NOTE.replace("placet.example/log", "witness.example").splitlines()[-1]
    assert checkpoint.verify(f"{NOTE}{stranger}\n", KEY.public).size == 1234
    false = checkpoint.make("placet.example/log", 99, ROOT, KEY).splitlines()[-1]
    text, gap, good = NOTE.partition("\n\n")
    for note in (f"{NOTE}{false}\n", f"{text}{gap}{false}\n{good}"):
        with pytest.raises(CheckpointRefused):
            checkpoint.verify(note, KEY.public)


def test_past_log_keys_count_and_lost_ones_do_not() -> None:
    keys = Keys()
    rotated = keys.ring.add("log", PrivateKey.generate().public, NOON)
    assert keys.log.public in checkpoint.log_keys(rotated)
    assert keys.log.public not in checkpoint.log_keys(rotated.revoke(keys.log.id, NOON))
