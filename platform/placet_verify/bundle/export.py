"""Evidence that needs none of our software: a decision that ``openssl`` alone can check."""

import json
from collections.abc import Sequence

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from placet_verify import canonical
from placet_verify.permit.approvers import Signed, enrolment_of
from placet_verify.signing import dsse
from placet_verify.signing.keys import PublicKey
from placet_verify.signing.webauthn import Assertion

COMMAND = "openssl pkeyutl -verify -pubin -inkey key.pem -rawin -in pae.bin -sigfile sig.bin"

_README = """\
A decision, as it was signed
============================

statement.json  what was signed, word for word (an in-toto Statement)
envelope.json   the same with its signature (a DSSE envelope)
pae.bin         the bytes under the signature: "DSSEv1", then the length and text of the payload
                type, then the length and bytes of statement.json
sig.bin         the Ed25519 signature, 64 bytes
key.pem         the public key; its id is {key_id}

Check the signature with OpenSSL 3 alone, in this folder:

    {command}

It prints "Signature Verified Successfully". See that pae.bin ends with statement.json:

    tail -c {length} pae.bin | cmp - statement.json

That key {key_id} belongs to the installation, for decisions and at the time in the statement,
stands in its keys.json, which the root key signs.
"""


PASSKEY_COMMAND = (
    "openssl dgst -sha256 -verify passkey.pem -signature passkey-sig.bin passkey-signed.bin"
)
PASSKEY_EDWARDS = (
    "openssl pkeyutl -verify -pubin -inkey passkey.pem -rawin -in passkey-signed.bin"
    " -sigfile passkey-sig.bin"
)

_PASSKEY = """\
The person signed the decision with a passkey, too
==================================================

assertion.json      what the passkey answered: its id, the authenticator's data, the client's data
                    and the signature, in base64url
passkey.pem         the passkey's public key
passkey-signed.bin  the bytes under its signature: the authenticator's data, then the SHA-256 of
                    the client's data, whose member "challenge" is the SHA-256 of statement.json
passkey-sig.bin     the signature
enrolments.json     who vouches for the passkey, and for whoever does, up to the root key

Check it with OpenSSL 3 alone, in this folder:

    {command}
"""


def decision_bundle(envelope: dsse.Envelope | str, public_key: PublicKey) -> dict[str, bytes]:
    """Return the files of an exported decision by name.

    Raises ``Refused`` when ``public_key`` did not sign ``envelope``: nothing that cannot be
    verified is handed out.
    """
    signed = envelope if isinstance(envelope, dsse.Envelope) else dsse.Envelope.from_json(envelope)
    dsse.verify(signed, [public_key], dsse.STATEMENT)
    signature = next(s.sig for s in signed.signatures if s.keyid == public_key.id)
    readme = _README.format(key_id=public_key.id, command=COMMAND, length=len(signed.payload))
    return {
        "statement.json": signed.payload,
        "envelope.json": signed.to_json().encode("utf-8"),
        "pae.bin": signed.pae,
        "sig.bin": signature,
        "key.pem": public_key.to_pem(),
        "README.txt": readme.encode("utf-8"),
    }


def passkey_bundle(
    payload: bytes, assertion: Assertion, enrolments: Sequence[Signed]
) -> dict[str, bytes]:
    """Return the files that show which passkey signed ``payload`` and who vouches for it.

    Raises ``Refused`` when the last enrolment is not of that passkey, or it did not sign.
    """
    enrolled = enrolment_of(enrolments[-1])
    enrolled.passkey.verify(assertion, payload)
    key = serialization.load_der_public_key(enrolled.passkey.public_key)
    edwards = isinstance(key, ed25519.Ed25519PublicKey)
    readme = _PASSKEY.format(command=PASSKEY_EDWARDS if edwards else PASSKEY_COMMAND)
    chain = [enrolment.to_dict() for enrolment in enrolments]
    return {
        "assertion.json": canonical.dumps(assertion.to_dict()),
        "enrolments.json": canonical.dumps(chain),
        "passkey.pem": key.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        ),
        "passkey-signed.bin": assertion.signed,
        "passkey-sig.bin": assertion.signature,
        "PASSKEY.txt": readme.encode("utf-8"),
    }


def log_line(index: int, body: str | None, leaf_hash: bytes) -> bytes:
    """Return a line of ``events.jsonl`` (:func:`placet_verify.log.checking.read_records`)."""
    record = {"index": index, "leaf_hash": leaf_hash.hex(), "body": body}
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode("utf-8") + b"\n"


def pretty(statement: bytes) -> str:
    """Return a statement as people read it."""
    return json.dumps(canonical.loads(statement), indent=2, ensure_ascii=False)
