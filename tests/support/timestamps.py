"""A real time-stamping authority for tests: ``openssl ts`` behind a server, with its own CA."""

import contextlib
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from apps.audit.models import Checkpoint, Timestamp
from placet.kernel.config import TimestampAuthority
from placet_verify.time import timestamp

POLICY = "1.3.6.1.4.1.32473.1"
DAY = timedelta(days=1)
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
CONFIG = """
[tsa]
default_tsa = it
[it]
serial = {folder}/serial
crypto_device = builtin
signer_cert = {folder}/tsa.pem
certs = {folder}/chain.pem
signer_key = {folder}/tsa.key
signer_digest = {digest}
default_policy = {policy}
digests = sha256, sha384, sha512
accuracy = secs:1, millisecs:500, microsecs:100
ordering = no
tsa_name = yes
ess_cert_id_chain = no
ess_cert_id_alg = {ess}
"""


@dataclass(frozen=True, slots=True)
class Form:
    """How an authority is made; each default is as it should be."""

    rsa: bool = False
    digest: str = "sha256"
    ess: str = "sha256"
    uses: tuple[x509.ObjectIdentifier, ...] = (ExtendedKeyUsageOID.TIME_STAMPING,)
    critical: bool = True
    begins: datetime | None = None
    ends: datetime | None = None
    between_may_issue: bool = True
    between: bool = True  # an intermediate between the root and the signer


@dataclass(slots=True)
class Server:
    """What came, and what is answered in place of a stamp."""

    url: str = ""
    queries: list[bytes] = field(default_factory=list)
    always: tuple[int, bytes] | None = None
    stale: bytes = b""  # a reply that is given to everybody


class StampAuthority:
    """Signs stamps with ``openssl ts``; ``ca`` is the certificate to be pinned."""

    def __init__(self, folder: Path, form: Form | None = None, policy: str = POLICY) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.form, self.ca = folder, form or Form(), folder / "ca.pem"
        root_key, root = self._root()
        issuer_key, issuer, chain = root_key, root, [root]
        if self.form.between:
            issuer_key = self._key()
            issuer = self._issuer(issuer_key, root_key, root)
            chain = [issuer, root]
        key = self._key()
        self._write("tsa.pem", [self._leaf(key, issuer_key, issuer)])
        self._write("chain.pem", chain)
        self._write("ca.pem", [root])
        (folder / "tsa.key").write_bytes(
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        )
        (folder / "serial").write_text("0FFE\n")
        text = CONFIG.format(
            folder=folder, policy=policy, digest=self.form.digest, ess=self.form.ess
        )
        (folder / "tsa.cnf").write_text(text)

    def named(self, url: str = "http://localhost:9", name: str = "tsa") -> TimestampAuthority:
        """Return it as the settings name it."""
        return TimestampAuthority(name=name, url=url, ca_file=self.ca)

    def reply(self, query: bytes) -> bytes:
        """Answer a request as ``openssl ts -reply`` does."""
        (self.folder / "query.tsq").write_bytes(query)
        subprocess.run(
            [
                "openssl",
                "ts",
                "-reply",
                "-config",
                self.folder / "tsa.cnf",
                "-section",
                "it",
                "-queryfile",
                self.folder / "query.tsq",
                "-out",
                self.folder / "reply.tsr",
            ],
            check=True,
            capture_output=True,
        )
        return (self.folder / "reply.tsr").read_bytes()

    def token(self, message: bytes) -> bytes:
        """Return a stamp over some bytes, as it is kept."""
        anchors = x509.load_pem_x509_certificates(self.ca.read_bytes())
        reply = self.reply(timestamp.request(message, nonce=7))
        return timestamp.accept(reply, message, anchors, nonce=7)[1]

    def stamp(self, head: Checkpoint, name: str = "tsa") -> Timestamp:
        """Keep a stamp of a checkpoint as the job would."""
        token = self.token(head.note.encode())
        root = x509.load_pem_x509_certificate(self.ca.read_bytes())
        return Timestamp.objects.create(
            size=head.size,
            authority=name,
            at=timestamp.claims(token).at,
            token=token,
            anchor=root.public_bytes(Encoding.DER),
        )

    @contextmanager
    def serve(self) -> Iterator[Server]:
        """Answer over HTTP on loopback."""
        told, authority = Server(), self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                query = self.rfile.read(int(self.headers["Content-Length"]))
                told.queries.append(query)
                status, body = told.always or (200, told.stale or authority.reply(query))
                with contextlib.suppress(OSError):  # whoever asked may be gone
                    self.send_response(status)
                    self.send_header("Content-Type", timestamp.REPLY_TYPE)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        told.url = f"http://127.0.0.1:{server.server_port}/tsa"
        try:
            yield told
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def _key(self) -> Key:
        if self.form.rsa:
            return rsa.generate_private_key(public_exponent=65537, key_size=2048)
        return ec.generate_private_key(ec.SECP256R1())

    def _root(self) -> tuple[Key, x509.Certificate]:
        key, name = self._key(), _name("Test time root")
        made = self._begun(name, name, key).add_extension(
            x509.BasicConstraints(ca=True, path_length=1), critical=True
        )
        return key, made.sign(key, hashes.SHA256())

    def _issuer(self, key: Key, root_key: Key, root: x509.Certificate) -> x509.Certificate:
        made = self._begun(_name("Test time issuer"), root.subject, key).add_extension(
            x509.BasicConstraints(ca=self.form.between_may_issue, path_length=None), critical=True
        )
        return made.sign(root_key, hashes.SHA256())

    def _leaf(self, key: Key, issuer_key: Key, issuer: x509.Certificate) -> x509.Certificate:
        made = self._begun(_name("Test time stamps"), issuer.subject, key, own=True)
        if self.form.uses:
            made = made.add_extension(
                x509.ExtendedKeyUsage(self.form.uses), critical=self.form.critical
            )
        return made.sign(issuer_key, hashes.SHA256())

    def _begun(
        self, subject: x509.Name, issuer: x509.Name, key: Key, *, own: bool = False
    ) -> x509.CertificateBuilder:
        today = datetime.now(tz=UTC)
        begins = (own and self.form.begins) or today - DAY
        ends = (own and self.form.ends) or today + 30 * DAY
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begins)
            .not_valid_after(ends)
        )

    def _write(self, name: str, certificates: list[x509.Certificate]) -> None:
        pem = b"".join(one.public_bytes(Encoding.PEM) for one in certificates)
        (self.folder / name).write_bytes(pem)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def openssl_accepts(reply: bytes, message: bytes, ca: Path, folder: Path) -> bool:
    """Tell whether ``openssl ts -verify`` takes a stamp."""
    (folder / "given.tsr").write_bytes(reply)
    (folder / "given.txt").write_bytes(message)
    done = subprocess.run(
        [
            "openssl",
            "ts",
            "-verify",
            "-in",
            folder / "given.tsr",
            "-data",
            folder / "given.txt",
            "-CAfile",
            ca,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode == 0 and "Verification: OK" in done.stdout + done.stderr
