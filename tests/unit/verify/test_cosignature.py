"""Cosignatures and submissions, against the specifications word for word."""

import base64
import hashlib
import struct

import pytest

from placet_verify.errors import Malformed, Refused
from placet_verify.log import checkpoint, cosignature, merkle, submission
from placet_verify.log.checkpoint import read_verifier_key, verifier_key
from placet_verify.log.cosignature import WitnessKey, cosigned, quorum
from placet_verify.signing.keys import PrivateKey

LOG, ONE, TWO = PrivateKey.generate(), PrivateKey.generate(), PrivateKey.generate()
ORIGIN, AT = "example.com/log", 1_679_315_147
W1, W2 = WitnessKey("witness.example/w1", ONE.public), WitnessKey("witness.example/w2", TWO.public)
NOTE = checkpoint.make(ORIGIN, 3, hashlib.sha256(b"root").digest(), LOG)
TEXT = checkpoint.parse(NOTE).text


def head(*lines: str) -> checkpoint.Checkpoint:
    return checkpoint.verify(NOTE + "".join(lines), LOG.public)


def test_a_cosignature_is_made_as_the_specification_says() -> None:
    line = cosignature.sign(TEXT, W1.name, ONE, AT)
    dash, name, text = line.removesuffix("\n").split(" ")
    raw = base64.b64decode(text)
    assert (dash, name) == ("—", W1.name)
    assert raw[:4] == hashlib.sha256(b"witness.example/w1\n\x04" + ONE.public.raw).digest()[:4]
    assert struct.unpack(">Q", raw[4:12]) == (AT,)
    message = f"cosignature/v1\ntime {AT}\n{TEXT}".encode()
    assert ONE.public.verify(raw[12:], message)
    newest = cosigned(head(line), W1)
    assert newest is not None
    assert (newest.at, newest.line) == (AT, line)


def test_of_two_by_one_witness_the_newer_counts() -> None:
    lines = [cosignature.sign(TEXT, W1.name, ONE, at) for at in (AT, AT + 9, AT + 1)]
    newest = cosigned(head(*lines), W1)
    assert newest is not None
    assert newest.at == AT + 9


@pytest.mark.parametrize("place", range(4, 76))
def test_a_cosignature_with_any_byte_changed_is_none(place: int) -> None:
    raw = bytearray(base64.b64decode(cosignature.sign(TEXT, W1.name, ONE, AT).split(" ")[2]))
    raw[place] ^= 1
    assert cosigned(head(f"— {W1.name} {base64.b64encode(raw).decode()}\n"), W1) is None


def test_a_logs_own_signature_is_no_cosignature() -> None:
    """One key for both would let a checkpoint pass as its own witness."""
    assert cosigned(head(), WitnessKey(ORIGIN, LOG.public)) is None


def test_a_quorum_counts_keys_and_not_names() -> None:
    both = head(cosignature.sign(TEXT, W1.name, ONE, AT), cosignature.sign(TEXT, "other", ONE, AT))
    again = WitnessKey("other", ONE.public)
    assert len(quorum(both, [W1, W2], 1)) == 1
    with pytest.raises(Refused, match="1 of the 2"):
        quorum(both, [W1, W2], 2)
    with pytest.raises(Malformed):
        quorum(both, [W1, again], 2)
    with pytest.raises(Malformed):
        quorum(both, [], 1)
    with pytest.raises(Malformed):
        quorum(both, [W1], 0)


def test_a_verifier_key_is_read_in_its_one_form() -> None:
    text = str(W1)
    assert WitnessKey.parse(text) == W1
    assert read_verifier_key(verifier_key(ORIGIN, LOG.public)) == (ORIGIN, LOG.public)
    name, key_id, raw = text.split("+", 2)
    for malformed in (
        "",
        "x",
        f"{name}+{key_id}",
        f"{name}x+{key_id}+{raw}",
        f"{name}+00000000+{raw}",
        f"{name}+{key_id}+{raw[:-4]}",
        f"{name}+{key_id}+{raw}=",
        f" {text}",
        text + "\n",
        verifier_key(ORIGIN, LOG.public),
    ):
        with pytest.raises(Malformed):
            WitnessKey.parse(malformed)


def test_a_submission_is_read_as_it_was_written() -> None:
    hashes = [hashlib.sha256(bytes([n])).digest() for n in range(3)]
    body = submission.write(17, hashes, NOTE)
    lines = body.decode().split("\n")
    assert lines[0] == "old 17"
    assert lines[1:4] == [base64.b64encode(one).decode() for one in hashes]
    assert lines[4:6] == ["", ORIGIN]
    assert submission.parse(body) == submission.Submission(17, tuple(hashes), NOTE)
    assert submission.parse(submission.write(0, [], NOTE)).hashes == ()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"old 1",
        b"old 01\n\n" + NOTE.encode(),
        b"old -1\n\n" + NOTE.encode(),
        b"old  1\n\n" + NOTE.encode(),
        b"new 1\n\n" + NOTE.encode(),
        b"old 1\nAAAA\n\n" + NOTE.encode(),
        b"old 1\n!\n\n" + NOTE.encode(),
        b"\xff\n\n",
        "old ١\n\n".encode() + NOTE.encode(),
        submission.write(1, [merkle.EMPTY_ROOT] * 64, NOTE),
        b"old 1\n\n" + b"x" * submission.MAX_BYTES,
    ],
)
def test_what_is_no_submission_is_refused(body: bytes) -> None:
    with pytest.raises(Malformed):
        submission.parse(body)
