"""OpenSSF model signatures (``model.sig``), taken more strictly than the format allows.

A ``model.sig`` is a Sigstore bundle (v0.3) whose DSSE envelope holds an in-toto statement: the
SHA-256 of every file of a model (predicate ``https://model_signing/signature/v1.0``, OpenSSF Model
Signing 1.0). Its own library follows what the *signer* says about the check: paths to be
ignored, links, other hashes, a second signature that nobody looks at. Here the signer says nothing
about the check: every file must be named, with its SHA-256, and no other.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from placet_verify import canonical
from placet_verify.errors import Malformed, Refused
from placet_verify.signing import dsse
from placet_verify.signing.base64text import decode

FILE_NAME = "model.sig"
MAX_BYTES = 4 << 20
MAX_WEIGHT = 16 << 20  # of what is read out of it; 2,000 files weigh 3 MB
MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
PREDICATE = "https://model_signing/signature/v1.0"
_STATEMENT = "https://in-toto.io/Statement/v1"
_CURVES: dict[str, hashes.HashAlgorithm] = {
    "secp256r1": hashes.SHA256(),
    "secp384r1": hashes.SHA384(),
    "secp521r1": hashes.SHA512(),
}
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class ModelSigningKey:
    """A public key that signs models: P-256, P-384 or P-521, as PEM in its one normal form."""

    pem: bytes

    @classmethod
    def from_pem(cls, text: str | bytes) -> "ModelSigningKey":
        """Read PEM (SubjectPublicKeyInfo); raise ``Malformed`` for any other kind of key."""
        try:
            raw = text.encode("utf-8") if isinstance(text, str) else text
            key = serialization.load_pem_public_key(raw)
        except (ValueError, UnsupportedAlgorithm):
            raise Malformed("this is not a public key in PEM form") from None
        if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name not in _CURVES:
            raise Malformed("a key that signs models is on the curve P-256, P-384 or P-521")
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return cls(key.public_bytes(serialization.Encoding.PEM, form))

    @property
    def fingerprint(self) -> str:
        """``sha256:…`` of the PEM text: the hint by which a ``model.sig`` names its key."""
        return canonical.digest(self.pem)

    def verify(self, signature: bytes, message: bytes) -> bool:
        """Tell whether ``signature`` (ECDSA, DER) is this key's over ``message``."""
        key = serialization.load_pem_public_key(self.pem)
        assert isinstance(key, ec.EllipticCurvePublicKey)
        try:
            key.verify(signature, message, ec.ECDSA(_CURVES[key.curve.name]))
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class ModelSignature:
    """A ``model.sig`` as read: what it says, and what was signed. Nothing is believed yet.

    ``files`` are SHA-256 in hex by path. ``hint`` is the fingerprint of the key that it names;
    it is empty where a certificate or Sigstore stands instead of a key.
    """

    files: Mapping[str, str]
    hint: str
    message: bytes
    signature: bytes

    def refuse_other_files(self, files: Mapping[str, str]) -> None:
        """Raise ``Refused`` unless exactly ``files`` (SHA-256 in hex by path) were signed."""
        faults = [
            *_named("not signed", files.keys() - self.files.keys()),
            *_named("signed, but not there", self.files.keys() - files.keys()),
            *_named(
                "not the bytes that were signed",
                (
                    path
                    for path in files.keys() & self.files.keys()
                    if files[path] != self.files[path]
                ),
            ),
        ]
        if faults:
            raise Refused("other_files", "; ".join(faults))


@dataclass(frozen=True, slots=True)
class SignatureCheck:
    """What a ``model.sig`` is worth: ``trusted`` (by ``key``) or ``unknown``.

    ``key`` is the fingerprint of the key that signed, or that the file merely names.
    """

    result: str
    key: str
    files: int


def check(
    document: bytes, files: Mapping[str, str], keys: Iterable[ModelSigningKey]
) -> SignatureCheck:
    """Return what a ``model.sig`` over ``files`` is worth to who trusts ``keys``.

    ``files`` are all files of the model but the signature itself, SHA-256 in hex by path. Raises
    ``Refused`` (``Malformed`` for its form) for a signature that is wrong: over other files, or
    naming one of ``keys`` and not made by it. One by another key is ``unknown``, no fault.
    """
    model_signature = read(document)
    model_signature.refuse_other_files(files)
    for key in keys:
        if model_signature.hint == key.fingerprint:
            if not key.verify(model_signature.signature, model_signature.message):
                raise Refused("bad_signature", f"{FILE_NAME} is not signed by the key it names")
            return SignatureCheck("trusted", key.fingerprint, len(model_signature.files))
    return SignatureCheck("unknown", model_signature.hint, len(model_signature.files))


def digests_in(folder: Path) -> dict[str, str]:
    """Return the SHA-256 in hex of every file below ``folder``, by path.

    Raises ``Refused`` for a link, a device or whatever else is neither file nor folder.
    """
    digests: dict[str, str] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink() or not (path.is_dir() or path.is_file()):
            raise Refused("other_files", f"{name} is neither a file nor a folder")
        if path.is_file():
            digests[name] = canonical.sha256_file(path).removeprefix("sha256:")
    return digests


def read(document: bytes) -> ModelSignature:
    """Read a ``model.sig``; raise ``Malformed`` unless it is in the one form that is taken."""
    if len(document) > MAX_BYTES:
        raise Malformed(f"{FILE_NAME} has more than {MAX_BYTES >> 20} MiB")
    bundle = _exactly(_loads(document), "it", "mediaType", "verificationMaterial", "dsseEnvelope")
    if bundle["mediaType"] != MEDIA_TYPE:
        raise Malformed(f"{FILE_NAME} is not a Sigstore bundle of version 0.3")
    envelope = _exactly(
        bundle["dsseEnvelope"], "its envelope", "payload", "payloadType", "signatures"
    )
    match envelope:
        case {"payloadType": dsse.STATEMENT, "payload": str(payload), "signatures": [signature]}:
            raw = decode(payload, FILE_NAME)
        case _:
            raise Malformed(f"{FILE_NAME} needs one in-toto payload and one signature")
    match signature:
        case {"sig": str(sig), **rest} if set(rest) <= {"keyid"}:
            return ModelSignature(
                files=_files(_loads(raw)),
                hint=_hint(bundle["verificationMaterial"]),
                message=dsse.pae(dsse.STATEMENT, raw),
                signature=decode(sig, FILE_NAME),
            )
    raise Malformed(f"the signature in {FILE_NAME} needs sig, and no more than keyid beside it")


def _loads(document: bytes) -> Any:
    if canonical.weight(document) > MAX_WEIGHT:
        raise Malformed(f"{FILE_NAME} has more in it than any signature")
    return canonical.loads(document)


def _hint(material: Any) -> str:
    match material:
        case {"publicKey": {"hint": str(hint), **more}, **rest}:
            plain = not more and rest in ({}, {"tlogEntries": []})
            if plain and canonical.is_digest(f"sha256:{hint}"):
                return f"sha256:{hint}"
        case {"certificate": _} | {"x509CertificateChain": _}:
            return ""
    raise Malformed(f"{FILE_NAME} does not name the key that signed it")


def _files(statement: Any) -> dict[str, str]:
    """Return the files that a statement names; refuse every way to leave some out."""
    members = _exactly(statement, "its statement", "_type", "subject", "predicateType", "predicate")
    if members["_type"] != _STATEMENT or members["predicateType"] != PREDICATE:
        raise Malformed(f"{FILE_NAME} is no model signature of version 1.0")
    predicate = _exactly(members["predicate"], "its predicate", "serialization", "resources")
    match predicate["serialization"]:
        case {"method": "files", "hash_type": "sha256", "allow_symlinks": False, **rest}:
            if not set(rest) <= {"ignore_paths"}:  # whatever it would ignore, we do not
                raise Malformed(f"{FILE_NAME} was made with a setting that is not known")
        case _:
            raise Malformed(f"{FILE_NAME} must sign whole files by SHA-256, and follow no links")
    if not isinstance(predicate["resources"], list):
        raise Malformed(f"{FILE_NAME} has no list of files")
    listed = [_file(entry) for entry in predicate["resources"]]
    if len(dict(listed)) != len(listed):
        raise Malformed(f"{FILE_NAME} names a file twice")
    _check_subject(members["subject"], [digest for _, digest in listed])
    return dict(listed)


def _file(entry: Any) -> tuple[str, str]:
    match entry:
        case {"name": str(name), "algorithm": "sha256", "digest": str(digest), **rest}:
            if not rest and canonical.is_digest(f"sha256:{digest}"):
                return name, digest
    raise Malformed(f"each file in {FILE_NAME} needs a name and its SHA-256, and no more")


def _check_subject(subject: Any, digests: list[str]) -> None:
    whole = hashlib.sha256(b"".join(map(bytes.fromhex, digests))).hexdigest()
    match subject:
        case [{"name": str(), "digest": {"sha256": str(digest), **more}, **rest}]:
            if not more and not rest and digest == whole:
                return
    raise Malformed(f"the subject of {FILE_NAME} is not the hash over its files")


def _exactly(value: Any, what: str, *names: str) -> dict[str, Any]:
    if not isinstance(value, dict) or set(value) != set(names):
        raise Malformed(f"{FILE_NAME}: {what} must hold {', '.join(names)}, and no more")
    return value


def _named(fault: str, paths: Iterable[str]) -> list[str]:
    names = sorted(paths)
    if not names:
        return []
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return [f"{fault}: {', '.join(names[:_SHOWN])}{more}"]
