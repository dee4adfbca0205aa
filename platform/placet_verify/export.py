"""Evidence that needs none of our software: a decision that ``openssl`` alone can check."""

import json

from placet_verify import canonical, dsse
from placet_verify.keys import PublicKey

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


def log_line(index: int, body: str | None, leaf_hash: bytes) -> bytes:
    """Return one line of ``events.jsonl``, as :func:`placet_verify.log.read_records` reads it."""
    record = {"index": index, "leaf_hash": leaf_hash.hex(), "body": body}
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode("utf-8") + b"\n"


def pretty(statement: bytes) -> str:
    """Return a statement as people read it."""
    return json.dumps(canonical.loads(statement), indent=2, ensure_ascii=False)
