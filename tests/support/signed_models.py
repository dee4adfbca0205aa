"""Models that come signed: keys, and ``model.sig`` as its own library writes it."""

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from placet_verify.signing import dsse


def signing_key(curve: ec.EllipticCurve | None = None) -> ec.EllipticCurvePrivateKey:
    """Make a key that signs models."""
    return ec.generate_private_key(curve or ec.SECP256R1())


def public_pem(key: ec.EllipticCurvePrivateKey) -> str:
    """Return its public half in PEM."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form).decode("ascii")


def private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return the key in PEM, as files hold it."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def signed_model(
    folder: Path, files: Mapping[str, bytes], key: ec.EllipticCurvePrivateKey
) -> bytes:
    """Write ``files`` into ``folder``, sign it as the OpenSSF library does; return model.sig."""
    import model_signing

    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    pem = folder.parent / f"{folder.name}.key"
    pem.write_bytes(private_pem(key))
    signing = model_signing.signing.Config().use_elliptic_key_signer(private_key=pem)
    signing.sign(folder, folder.parent / f"{folder.name}.sig")
    return (folder.parent / f"{folder.name}.sig").read_bytes()


def resigned(
    document: bytes, key: ec.EllipticCurvePrivateKey, change: Callable[[Any], Any]
) -> bytes:
    """Change the statement of a model.sig and sign it again: a signer who means ill."""
    bundle = json.loads(document)
    envelope = bundle["dsseEnvelope"]
    statement = json.loads(b64decode(envelope["payload"]))
    payload = json.dumps(change(statement) or statement).encode()
    envelope["payload"] = b64encode(payload).decode()
    raw = key.sign(dsse.pae(dsse.STATEMENT, payload), ec.ECDSA(hashes.SHA256()))
    envelope["signatures"][0]["sig"] = b64encode(raw).decode()
    return json.dumps(bundle).encode()
