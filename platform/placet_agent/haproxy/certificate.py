"""The certificate that HAProxy shows to clients, read from files that somebody else renews."""

import ssl
from dataclasses import dataclass
from pathlib import Path


class CertificateRefused(Exception):
    """The files hold no certificate with its own key."""


@dataclass(frozen=True)
class Certificate:
    """A certificate chain and its private key, each a PEM file."""

    chain: Path
    key: Path

    def read(self) -> bytes:
        """Return both as one PEM; raise ``CertificateRefused`` unless they belong together.

        A renewal replaces two files one after the other: between the two they do not fit.
        """
        try:
            pem = self.chain.read_bytes().rstrip() + b"\n" + self.key.read_bytes().rstrip() + b"\n"
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
                self.chain, self.key, password=_no_password
            )
        except (OSError, ValueError) as error:
            raise CertificateRefused(
                f"{self.chain} and {self.key} are no certificate with its key: {error}"
            ) from error
        return pem


def _no_password() -> str:
    """Refuse an encrypted key, which OpenSSL would ask the terminal for."""
    raise ValueError("the key is encrypted")
