"""A model.sig is taken in one form alone, whatever its signer would like; its library agrees."""

import json
import random
from base64 import b64decode, b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import model_signing
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from placet_verify.errors import Malformed, Refused
from placet_verify.signing import model_signature
from placet_verify.signing.model_signature import ModelSigningKey, check, digests_in
from tests.support.signed_models import public_pem, resigned, signed_model, signing_key

FILES = {"model.joblib": b"weights", "notes/read.me": b"hello", "empty": b""}


@pytest.fixture(scope="module")
def key() -> ec.EllipticCurvePrivateKey:
    return signing_key()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "model"


@pytest.fixture
def document(folder: Path, key: ec.EllipticCurvePrivateKey) -> bytes:
    return signed_model(folder, FILES, key)


def trusted(key: ec.EllipticCurvePrivateKey) -> ModelSigningKey:
    return ModelSigningKey.from_pem(public_pem(key))


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()])
def test_what_the_library_signs_is_trusted_by_who_has_the_key(
    folder: Path, curve: ec.EllipticCurve
) -> None:
    signer = signing_key(curve)
    verdict = check(signed_model(folder, FILES, signer), digests_in(folder), [trusted(signer)])
    assert (verdict.result, verdict.key, verdict.files) == (
        "trusted",
        trusted(signer).fingerprint,
        3,
    )


def test_a_key_that_nobody_trusts_is_unknown_and_named(
    folder: Path, document: bytes, key: ec.EllipticCurvePrivateKey
) -> None:
    verdict = check(document, digests_in(folder), [trusted(signing_key())])
    assert (verdict.result, verdict.key) == ("unknown", trusted(key).fingerprint)


def test_a_certificate_or_sigstore_in_place_of_a_key_is_unknown(
    folder: Path, document: bytes
) -> None:
    for material in (
        {"x509CertificateChain": {"certificates": []}, "tlogEntries": []},
        {"certificate": {"rawBytes": ""}, "tlogEntries": [{}]},
    ):
        bundle = json.loads(document) | {"verificationMaterial": material}
        verdict = check(json.dumps(bundle).encode(), digests_in(folder), [])
        assert (verdict.result, verdict.key) == ("unknown", "")


def test_files_that_differ_are_named(
    folder: Path, document: bytes, key: ec.EllipticCurvePrivateKey
) -> None:
    (folder / "model.joblib").write_bytes(b"other")
    (folder / "empty").unlink()
    (folder / "more").write_bytes(b"")
    with pytest.raises(Refused) as caught:
        check(document, digests_in(folder), [trusted(key)])
    assert caught.value.code == "other_files"
    assert caught.value.sentence == (
        "not signed: more; signed, but not there: empty; "
        "not the bytes that were signed: model.joblib"
    )


@pytest.mark.parametrize("name", [".git/config", ".gitignore", ".github/x"])
def test_no_path_is_ignored_though_the_library_does(
    folder: Path, document: bytes, key: ec.EllipticCurvePrivateKey, name: str, tmp_path: Path
) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(b"whatever one likes")
    public = tmp_path / "public.pem"
    public.write_text(public_pem(key))
    its_own = model_signing.verifying.Config().use_elliptic_key_verifier(public_key=public)
    its_own.verify(folder, tmp_path / "model.sig")
    with pytest.raises(Refused, match="not signed"):
        check(document, digests_in(folder), [trusted(key)])


def test_links_are_refused(folder: Path, document: bytes) -> None:
    (folder / "link").symlink_to(folder / "empty")
    with pytest.raises(Refused, match="link is neither a file nor a folder"):
        digests_in(folder)
    (folder / "link").unlink()
    (folder / "folder").symlink_to("/etc", target_is_directory=True)
    with pytest.raises(Refused, match="folder is neither"):
        digests_in(folder)


def _in(part: str, **changes: Any) -> Callable[[Any], Any]:
    def change(statement: Any) -> None:
        node = statement
        for step in part.split(".") if part else []:
            node = node[int(step) if step.isdigit() else step]
        node.update(changes)

    return change


def _drop_a_file(statement: Any) -> None:
    del statement["predicate"]["resources"][0]


def _twice(statement: Any) -> None:
    resources = statement["predicate"]["resources"]
    resources.append(resources[0])


@pytest.mark.parametrize(
    "change",
    [
        _in("predicate.serialization", allow_symlinks=True),
        _in("predicate.serialization", hash_type="blake2b"),
        _in("predicate.serialization", method="shards", shard_size=10),
        _in("predicate.serialization", follow="all"),
        _in("predicate.resources.0", algorithm="blake2b"),
        _in("predicate.resources.0", digest="00"),
        _in("predicate.resources.0", digest="0" * 64),
        _in("predicate.resources.0", name="../model.joblib"),
        _in("predicate.resources.0", more=1),
        _in("predicate", resources={}),
        _in("predicate", more=1),
        _in("subject.0", name=1),
        _in("subject.0", digest={"sha256": "0" * 64}),
        _in("", subject=[]),
        _in("", predicateType="https://model_signing/Digests/v0.1"),
        _in("", _type="https://in-toto.io/Statement/v0.1"),
        _in("", more=1),
        _drop_a_file,
        _twice,
        lambda statement: ["no object"],
        lambda statement: {"predicate": None},
    ],
)
def test_a_trusted_signer_cannot_say_how_they_are_checked(
    folder: Path, document: bytes, key: ec.EllipticCurvePrivateKey, change: Callable[[Any], Any]
) -> None:
    with pytest.raises(Refused):
        check(resigned(document, key, change), digests_in(folder), [trusted(key)])


def _second_signature(bundle: Any) -> None:
    signatures = bundle["dsseEnvelope"]["signatures"]
    signatures.append(signatures[0])


@pytest.mark.parametrize(
    "change",
    [
        _second_signature,
        _in("", mediaType="application/vnd.dev.sigstore.bundle.v0.2+json"),
        _in("", more=1),
        _in("dsseEnvelope", payloadType="text/plain"),
        _in("dsseEnvelope", signatures=[]),
        _in("dsseEnvelope", payload="e30"),
        _in("dsseEnvelope.signatures.0", sig=""),
        _in("dsseEnvelope.signatures.0", more=1),
        _in("verificationMaterial.publicKey", hint="00"),
        _in("verificationMaterial.publicKey", rawBytes="AA=="),
        _in("verificationMaterial", tlogEntries=[1]),
        _in("verificationMaterial", publicKey=None),
    ],
)
def test_a_bundle_has_one_form(
    folder: Path, document: bytes, key: ec.EllipticCurvePrivateKey, change: Callable[[Any], Any]
) -> None:
    bundle = json.loads(document)
    change(bundle)
    with pytest.raises(Refused):
        check(json.dumps(bundle).encode(), digests_in(folder), [trusted(key)])


def test_a_member_named_twice_is_refused(folder: Path, document: bytes) -> None:
    doubled = document.replace(b'{"mediaType":', b'{"mediaType":"x","mediaType":', 1)
    with pytest.raises(Malformed, match="twice"):
        check(doubled, digests_in(folder), [])
    bundle = json.loads(document)
    envelope = bundle["dsseEnvelope"]
    raw = b64decode(envelope["payload"]).replace(b'{\n  "_type"', b'{"_type": "x", "_type"', 1)
    envelope["payload"] = b64encode(raw).decode()
    with pytest.raises(Malformed, match="twice"):
        check(json.dumps(bundle).encode(), digests_in(folder), [])


@pytest.mark.parametrize("raw", [b"", b"\xff", b"[]", b"null", b"{", b"[" * 100_000])
def test_what_is_no_bundle_is_refused(raw: bytes) -> None:
    with pytest.raises(Malformed):
        model_signature.read(raw)
    with pytest.raises(Malformed, match="4 MiB"):
        model_signature.read(raw + b" " * model_signature.MAX_BYTES + b" ")


def test_other_kinds_of_keys_are_refused() -> None:
    other = ed25519.Ed25519PrivateKey.generate().public_key()
    pem = other.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for text in (pem.decode(), public_pem(signing_key(ec.SECP256K1())), "", "x"):
        with pytest.raises(Malformed):
            ModelSigningKey.from_pem(text)


def test_no_random_flip_leaves_a_trusted_signature(
    folder: Path, document: bytes, key: ec.EllipticCurvePrivateKey
) -> None:
    files, chance, known = digests_in(folder), random.Random(5), [trusted(key)]
    for _ in range(400):
        raw = bytearray(document)
        raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
        try:
            verdict = check(bytes(raw), files, known)
        except Refused:
            continue
        assert verdict.result == "unknown"  # the name of the key is not under the signature
