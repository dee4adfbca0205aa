"""Certificates for tests, made with the very functions that make a trial's."""

import importlib.util
import os
from pathlib import Path
from types import ModuleType
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

ROOT = Path(__file__).resolve().parents[2]


def deployed(name: str) -> ModuleType:
    """Load a program of ``platform/deploy``, which is no package."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "platform/deploy" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


setup = deployed("setup")


class Authority:
    """Signs certificates in ``folder``; ``ca`` is the file that those who trust it are given."""

    def __init__(self, folder: Path, name: str = "Test authority") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.ca = folder, folder / "ca.pem"
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        root = (
            setup.certificate(self._name, self._name, self._key, self._key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(setup.usage(signs_certificates=True), critical=True)
        )
        self.ca.write_text(setup.signed_pem(root, self._key))

    def issue(self, name: str, *hosts: str, rsa_bits: int = 0) -> tuple[Path, Path, int]:
        """Write ``name.pem`` and ``name.key``, replacing others; return both and the serial."""
        key: Any = ec.generate_private_key(ec.SECP256R1())
        if rsa_bits:
            key = rsa.generate_private_key(65537, rsa_bits)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        names = [setup.general(host) for host in hosts or ("localhost", "127.0.0.1")]
        leaf = setup.certificate(subject, self._name, key, self._key).add_extension(
            x509.SubjectAlternativeName(names), critical=False
        )
        pem = setup.signed_pem(leaf, self._key)
        chain, private = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        setup.write(private, setup.private_pem(key), os.getgid(), 0o600)
        setup.write(chain, pem, os.getgid(), 0o644)
        return chain, private, x509.load_pem_x509_certificate(pem.encode()).serial_number


def encrypted(key: Path, password: bytes) -> bytes:
    """Return the private key of a file, locked with a password."""
    plain = serialization.load_pem_private_key(key.read_bytes(), password=None)
    return plain.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(password),
    )
