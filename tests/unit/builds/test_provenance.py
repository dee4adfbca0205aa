"""The OpenSSF signature over a version's files is checked by the tool everybody has."""

from pathlib import Path

import model_signing
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from workers.builder.provenance import sign_model


def test_model_sig_verifies_and_a_changed_file_does_not(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    private, public = tmp_path / "private.pem", tmp_path / "public.pem"
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    public.write_bytes(
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    artifact = tmp_path / "artifact"
    artifact.mkdir()
    (artifact / "model.joblib").write_bytes(b"model")
    text = sign_model(artifact, private, tmp_path / "model.sig")
    assert "dsseEnvelope" in text
    verifier = model_signing.verifying.Config().use_elliptic_key_verifier(public_key=public)
    verifier.verify(artifact, tmp_path / "model.sig")
    (artifact / "model.joblib").write_bytes(b"other")
    with pytest.raises(ValueError, match=r"[Mm]ismatch|[Dd]iffer|[Hh]ash"):
        verifier.verify(artifact, tmp_path / "model.sig")
