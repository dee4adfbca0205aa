"""Time stamps of a real authority (``openssl ts``): what is accepted, by whom, and what is not."""

import random
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from rfc3161_client import VerifierBuilder, decode_timestamp_response

from placet_verify.errors import Malformed, Refused
from placet_verify.time import der, timestamp
from placet_verify.time.chains import path_to, read_pinned
from tests.support.timestamps import DAY, POLICY, Form, StampAuthority, openssl_accepts

NOTE = b"placet.dev/log/ed25519-1\n41\nroot\n\n\xe2\x80\x94 placet.dev/log/ed25519-1 sig\n"
FORMS = {
    "ECDSA": Form(),
    "RSA": Form(rsa=True),
    "SHA-512": Form(rsa=True, digest="sha512", ess="sha512"),
    "ESSCertID of RFC 2634": Form(ess="sha1"),
    "nobody between root and signer": Form(between=False),
}


def anchors(authority: StampAuthority) -> list[x509.Certificate]:
    return read_pinned(authority.ca)


def refusal(reply: bytes, authority: StampAuthority, message: bytes = NOTE, **how: object) -> str:
    with pytest.raises(Refused) as caught:
        timestamp.accept(reply, message, anchors(authority), **{"nonce": 9, **how})  # type: ignore[arg-type]
    return caught.value.code


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> StampAuthority:
    return StampAuthority(tmp_path_factory.mktemp("tsa"))


@pytest.fixture(scope="module")
def reply(authority: StampAuthority) -> bytes:
    return authority.reply(timestamp.request(NOTE, nonce=9))


@pytest.mark.parametrize("name", FORMS)
def test_what_a_real_authority_says_is_accepted_here_and_by_strangers(
    name: str, tmp_path: Path
) -> None:
    authority = StampAuthority(tmp_path / "tsa", FORMS[name])
    given = authority.reply(timestamp.request(NOTE, nonce=2**62 + 1, policy=POLICY))
    stamp, token = timestamp.accept(given, NOTE, anchors(authority), nonce=2**62 + 1, policy=POLICY)
    assert abs(stamp.at - datetime.now(tz=UTC)) < timedelta(seconds=30)
    assert stamp.accuracy == timedelta(seconds=1, milliseconds=500, microseconds=100)
    assert (stamp.policy, stamp.signer) == (POLICY, "CN=Test time stamps")
    assert timestamp.verify(token, NOTE, anchors(authority)) == stamp
    kept = timestamp.reply_of(token)
    assert timestamp.token_in(kept) == token
    assert openssl_accepts(kept, NOTE, authority.ca, tmp_path)
    assert not openssl_accepts(kept, NOTE + b"x", authority.ca, tmp_path)
    (root,) = anchors(authority)
    stranger = VerifierBuilder().add_root_certificate(root).nonce(2**62 + 1).build()
    assert stranger.verify_message(decode_timestamp_response(kept), NOTE)


def test_openssl_reads_what_we_ask(authority: StampAuthority, tmp_path: Path) -> None:
    (tmp_path / "q.tsq").write_bytes(timestamp.request(NOTE, nonce=0x1234, policy="1.2.840.1"))
    text = subprocess.run(
        ["openssl", "ts", "-query", "-in", tmp_path / "q.tsq", "-text"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "Hash Algorithm: sha256" in text
    assert "Policy OID: 1.2.840.1" in text
    assert "Nonce: 0x1234" in text
    assert "Certificate required: yes" in text


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
@pytest.mark.parametrize("name", ["ECDSA", "RSA"])
def test_a_stamp_with_any_byte_changed_is_refused(name: str, tmp_path: Path) -> None:
    authority = StampAuthority(tmp_path / "tsa", FORMS[name])
    token, pinned = authority.token(NOTE), anchors(authority)
    mask = random.Random(5)
    for index in range(len(token)):
        for flip in {0x01, 0x80, 0xFF, mask.randrange(1, 256)}:
            changed = bytearray(token)
            changed[index] ^= flip
            with pytest.raises(Refused):
                timestamp.verify(bytes(changed), NOTE, pinned)
    for changed_length in (token[:-1], token + b"\x00", token[1:], b"", token * 2):
        with pytest.raises(Refused):
            timestamp.verify(changed_length, NOTE, pinned)


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
def test_an_answer_with_any_byte_changed_is_refused_or_means_the_same(
    reply: bytes, authority: StampAuthority
) -> None:
    """Of what came, things that nothing covers may differ: they are not kept."""
    _, token = timestamp.accept(reply, NOTE, anchors(authority), nonce=9)
    for index in range(len(reply)):
        changed = bytearray(reply)
        changed[index] ^= 0x01
        try:
            _, kept = timestamp.accept(bytes(changed), NOTE, anchors(authority), nonce=9)
        except Refused:
            continue
        assert kept == token, index


def test_it_must_be_over_these_bytes_and_answer_this_request(
    reply: bytes, authority: StampAuthority
) -> None:
    assert refusal(reply, authority, NOTE + b" ") == "imprint"
    assert refusal(reply, authority, nonce=10) == "nonce"
    assert refusal(reply, authority, policy="1.2.3") == "policy"


def test_only_the_pinned_authority_counts(reply: bytes, tmp_path: Path) -> None:
    assert refusal(reply, StampAuthority(tmp_path / "other")) == "untrusted"


@pytest.mark.parametrize(
    ("form", "code"),
    [
        (Form(begins=datetime.now(tz=UTC) - 9 * DAY, ends=datetime.now(tz=UTC) - DAY), "not_valid"),
        (Form(begins=datetime.now(tz=UTC) + DAY, ends=datetime.now(tz=UTC) + 2 * DAY), "not_valid"),
        (Form(between_may_issue=False), "not_an_authority"),
    ],
)
def test_a_path_that_was_not_valid_is_refused(form: Form, code: str, tmp_path: Path) -> None:
    authority = StampAuthority(tmp_path / "tsa", form)
    assert refusal(authority.reply(timestamp.request(NOTE, nonce=9)), authority) == code


@pytest.mark.parametrize(
    "form",
    [
        Form(uses=(ExtendedKeyUsageOID.SERVER_AUTH,)),
        Form(uses=()),
        Form(critical=False),
        Form(uses=(ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.SERVER_AUTH)),
    ],
)
def test_a_certificate_that_is_not_for_time_stamps_alone_is_refused(
    form: Form, authority: StampAuthority, tmp_path: Path
) -> None:
    """``openssl ts`` refuses to sign with it, so its certificate is put in another's place."""
    other = StampAuthority(tmp_path / "tsa", form)
    leaf = x509.load_pem_x509_certificate((other.folder / "tsa.pem").read_bytes())
    between = x509.load_pem_x509_certificates((other.folder / "chain.pem").read_bytes())[:1]
    with pytest.raises(Refused) as caught:
        path_to(leaf, between, anchors(other), datetime.now(tz=UTC))
    assert caught.value.code == "key_usage"


def test_what_was_signed_names_one_certificate_by_its_hash(
    authority: StampAuthority, reply: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ESSCertID: another certificate of the same key and name does not pass for the signer's."""
    issuer = x509.load_pem_x509_certificates((authority.folder / "chain.pem").read_bytes())[0]
    names = timestamp._names_certificate
    monkeypatch.setattr(timestamp, "_names_certificate", lambda values, _: names(values, issuer))
    assert refusal(reply, authority) == "signer"


def test_a_refusal_of_the_authority_is_said_in_words(authority: StampAuthority) -> None:
    unknown = timestamp.request(NOTE, nonce=9, policy="1.2.3.4.5")
    with pytest.raises(Refused, match="gave no stamp: rejected"):
        timestamp.accept(authority.reply(unknown), NOTE, anchors(authority), nonce=9)


@pytest.mark.parametrize(
    "answer",
    [b"", b"\x30\x00", b"<html>no</html>", b"\x30\x80\x00\x00", b"\x30" * 60_000, b"\x30" * 70_000],
)
def test_what_is_no_answer_is_refused(answer: bytes, authority: StampAuthority) -> None:
    with pytest.raises(Refused):
        timestamp.accept(answer, NOTE, anchors(authority), nonce=9)


class TestDer:
    @pytest.mark.parametrize("value", [0, 1, 127, 128, 255, 256, 2**63, 2**159 + 1, -1, -128, -129])
    def test_numbers_come_back(self, value: int) -> None:
        assert der.read(der.number(value)).integer() == value

    @pytest.mark.parametrize("text", ["1.2.840.113549.1.9.16.1.4", "2.999.3", "0.0", "1.39", "2.5"])
    def test_identifiers_come_back(self, text: str) -> None:
        assert der.read(der.identifier(text)).oid() == text

    @pytest.mark.parametrize("text", ["", "1", "3.1", "1.40", "1.x", "1..2", "-1.2"])
    def test_what_is_no_identifier_is_refused(self, text: str) -> None:
        with pytest.raises(Malformed):
            der.identifier(text)

    @pytest.mark.parametrize(
        "raw",
        ["02020001", "0200", "3082000100", "30817f", "02810100", "1f810100", "02", "020501"],
    )
    def test_only_the_shortest_form_is_read(self, raw: str) -> None:
        with pytest.raises(Malformed):
            der.read(bytes.fromhex(raw)).integer()

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("20261126183000Z", "2026-11-26T18:30:00+00:00"),
            ("20261126183000.25Z", "2026-11-26T18:30:00.250000+00:00"),
        ],
    )
    def test_times(self, text: str, said: str) -> None:
        assert der.read(der.write(der.TIME, text.encode())).time().isoformat() == said

    @pytest.mark.parametrize("text", ["20261126183000", "20261326183000Z", "261126183000Z", "²Z"])
    def test_what_is_no_time_is_refused(self, text: str) -> None:
        with pytest.raises(Malformed):
            der.read(der.write(der.TIME, text.encode())).time()
