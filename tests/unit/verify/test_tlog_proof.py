"""A proof in a file: what it holds to the letter, and that nothing in it can be changed."""

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from placet_verify.__main__ import main
from placet_verify.errors import Malformed, Refused
from placet_verify.log import checkpoint, merkle, tlog_proof
from placet_verify.log.checkpoint import verifier_key
from placet_verify.log.merkle import leaf_hash, source_of
from placet_verify.log.tlog_proof import HEADER
from tests.support.permits import Keys

KEYS = Keys()
ORIGIN = "placet.example/log"
LOG_KEY = KEYS.log.public
H1, H2 = bytes(range(32)), bytes(range(32, 64))


def b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def body(index: int) -> bytes:
    return b'{"at":"2026-11-26T00:00:00.%06dZ","kind":"test.v1"}' % index


def proof_of(index: int, size: int, *, extra: bool = True) -> str:
    leaves = [leaf_hash(body(i)) for i in range(size)]
    note = checkpoint.make(ORIGIN, size, merkle.root(leaves), KEYS.log)
    hashes = merkle.inclusion_proof(index, size, source_of(leaves))
    return tlog_proof.write(index, hashes, note, body(index) if extra else b"")


def test_the_file_is_as_the_specification_has_it() -> None:
    written = tlog_proof.write(5, [H1, H2], "example.com/log\n9\nroot\n\n— a b\n", b"age")
    assert written == (
        f"c2sp.org/tlog-proof@v1\nextra {b64(b'age')}\nindex 5\n{b64(H1)}\n{b64(H2)}\n\n"
        "example.com/log\n9\nroot\n\n— a b\n"
    )
    assert tlog_proof.write(0, [], "note\n") == "c2sp.org/tlog-proof@v1\nindex 0\n\nnote\n"
    proof = tlog_proof.parse(written)
    assert (proof.index, proof.hashes, proof.extra) == (5, (H1, H2), b"age")
    assert tlog_proof.write(proof.index, proof.hashes, proof.note, proof.extra) == written


@given(size=st.integers(1, 300), data=st.data())
def test_each_event_of_each_log_is_proven(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    proof = tlog_proof.parse(proof_of(index, size))
    signed = tlog_proof.verify(proof, [LOG_KEY], proof.extra, ORIGIN)
    assert (signed.size, proof.extra) == (size, body(index))
    with pytest.raises(Refused, match="is not event"):
        tlog_proof.verify(proof, [LOG_KEY], body(index) + b" ")


def test_another_key_or_log_is_refused() -> None:
    proof = tlog_proof.parse(proof_of(3, 10))
    for keys, origin in (([KEYS.state.public], ORIGIN), ([LOG_KEY], "other.example/log")):
        with pytest.raises(Refused):
            tlog_proof.verify(proof, keys, proof.extra, origin)


@given(data=st.data())
def test_a_changed_character_anywhere_is_noticed(data: st.DataObject) -> None:
    text = proof_of(7, 20)
    index = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from("Az09+/=\n —ü"))
    changed = text[:index] + other + text[index + 1 :]
    if changed == text:
        return
    with pytest.raises(Refused):
        proof = tlog_proof.parse(changed)
        tlog_proof.verify(proof, [LOG_KEY], proof.extra, ORIGIN)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "wrong\nindex 0\n\nnote\n",
        f"{HEADER}\n",
        f"{HEADER}\n\nnote\n",
        f"{HEADER}\nindex 00\n\nnote\n",
        f"{HEADER}\nindex -1\n\nnote\n",
        f"{HEADER}\nindex ٣\n\nnote\n",
        f"{HEADER}\nextra !!\nindex 0\n\nnote\n",
        f"{HEADER}\nextra \nindex 0\n\nnote\n",
        f"{HEADER}\nextra {b64(b'x')}\n\nnote\n",
        f"{HEADER}\nindex 0\n{b64(b'short')}\n\nnote\n",
        f"{HEADER}\nindex 0\n{b64(H1)[:-1]}\n\nnote\n",
        f"{HEADER}\nindex 0\n{b64(H1)}",
    ],
)
def test_what_is_not_of_the_format_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        tlog_proof.parse(text)


def test_the_offline_verifier_reads_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "7.tlog-proof"
    file.write_text(proof_of(7, 20))
    (tmp_path / "keys.json").write_text(KEYS.document)
    (tmp_path / "root.pub").write_bytes(KEYS.root.public.to_pem())
    keys = ["--keys", str(tmp_path / "keys.json"), "--root", str(tmp_path / "root.pub")]
    assert main(["proof", str(file), *keys]) == 0
    output = capsys.readouterr().out
    assert f"event 7 of {ORIGIN}" in output
    assert '"kind":"test.v1"' in output

    bare = tmp_path / "bare.tlog-proof"
    bare.write_text(proof_of(7, 20, extra=False))
    assert main(["proof", str(bare), *keys]) == 1
    assert "--body" in capsys.readouterr().out
    (tmp_path / "body.json").write_bytes(body(7))
    assert main(["proof", str(bare), *keys, "--body", str(tmp_path / "body.json")]) == 0
    (tmp_path / "body.json").write_bytes(body(8))
    assert main(["proof", str(bare), *keys, "--body", str(tmp_path / "body.json")]) == 1


def test_the_key_is_written_as_witnesses_and_other_verifiers_read_it() -> None:
    name, key_id, raw = verifier_key(ORIGIN, LOG_KEY).split("+", 2)
    assert (name, len(key_id)) == (ORIGIN, 8)
    assert base64.b64decode(raw) == b"\x01" + LOG_KEY.raw
