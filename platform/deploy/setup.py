"""Makes what a compose installation needs and has not got: secrets, and certificates for a trial.

Nothing that is there is changed, so your own files stay: put them there before the first start.
Each file is given to the group of those that read it (see the Dockerfile and docs/install.md).
"""

import ipaddress
import os
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

SHARED, WEB, NODE, POSTGRES = 10000, 10001, 10004, 10005
VALID = timedelta(days=365)


def write(path: Path, text: str, group: int, mode: int = 0o640) -> None:
    """Write a new file that ``group`` may read."""
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_text(text)
    os.chown(draft, -1, group)
    draft.chmod(mode)
    draft.replace(path)


def once(path: Path, make: Callable[[], str], group: int) -> str:
    """Return what the file holds, made first when it is not there."""
    if not path.exists():
        write(path, make(), group)
    return path.read_text().strip()


def make_secrets(folder: Path) -> None:
    """Make passwords and the addresses that hold them, each for those who need it.

    ``web`` alone knows what sessions and tokens are signed with; workers know the database and the
    broker, and ``owner`` is for migrations.
    """
    groups = {
        "web": (WEB, 0o750),
        "worker": (SHARED, 0o750),
        "owner": (SHARED, 0o700),
        "postgres": (POSTGRES, 0o750),
    }
    for name, (group, mode) in groups.items():
        place = folder / name
        place.mkdir(exist_ok=True)
        os.chown(place, -1, group)
        place.chmod(mode)
    passwords = {
        name: once(folder / "postgres" / name, lambda: secrets.token_hex(32), POSTGRES)
        for name in ("superuser", "owner", "app")
    }
    for name in ("secret_key", "token_key"):
        value = once(folder / "web" / f"placet_{name}", lambda: secrets.token_urlsafe(64), WEB)
        once(folder / "owner" / f"placet_{name}", partial(str, value), SHARED)
    for name, role in (("web", "app"), ("worker", "app"), ("owner", "owner")):
        url = f"postgresql://placet_{role}:{passwords[role]}@postgres:5432/placet"
        group = groups[name][0]
        once(folder / name / "placet_database_url", partial(str, url), group)
        once(folder / name / "placet_broker_url", partial(str, "redis://redis:6379/0"), group)


def make_certificates(folder: Path, names: dict[str, tuple[list[str], int]]) -> None:
    """Make an authority for a trial and the missing certificates; its key is kept nowhere."""
    missing = {name: of for name, of in names.items() if not (folder / f"{name}.pem").exists()}
    if not missing:
        return
    if (folder / "ca.pem").exists():
        raise SystemExit(
            f"{folder} has a ca.pem but no {' and no '.join(f'{n}.pem' for n in missing)}: put "
            "your own there, or remove ca.pem, web.pem and endpoints.pem for new ones"
        )
    authority = ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Placet trial authority")])
    root = (
        certificate(issuer, issuer, authority, authority)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage(signs_certificates=True), critical=True)
    )
    for name, (hosts, group) in missing.items():
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0])])
        leaf = (
            certificate(subject, issuer, key, authority)
            .add_extension(x509.SubjectAlternativeName([general(h) for h in hosts]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        )
        write(folder / f"{name}.key", private_pem(key), group)
        write(folder / f"{name}.pem", signed_pem(leaf, authority), group, 0o644)
    write(folder / "ca.pem", signed_pem(root, authority), SHARED, 0o644)


def certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    authority: ec.EllipticCurvePrivateKey,
) -> x509.CertificateBuilder:
    """Return the beginning of a certificate."""
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + VALID)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()),
            critical=False,
        )
    )


def usage(*, signs_certificates: bool) -> x509.KeyUsage:
    """Return what the key of an authority, or of a server, may do."""
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def general(host: str) -> x509.GeneralName:
    """Return a host as a certificate names it."""
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def signed_pem(builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey) -> str:
    """Return the certificate, signed by ``key``."""
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def private_pem(key: ec.EllipticCurvePrivateKey) -> str:
    """Return the private key as a file holds it."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


def main() -> None:
    """Make everything that is missing under ``/etc/placet``."""
    base = Path(os.environ.get("PLACET_ETC", "/etc/placet"))
    make_secrets(base / "secrets")
    hosts = {
        "web": (os.environ["PLACET_HOST"], WEB),
        "endpoints": (os.environ["PLACET_ENDPOINT_HOST"], NODE),
    }
    make_certificates(
        base / "tls",
        {name: ([host, "localhost", "127.0.0.1"], group) for name, (host, group) in hosts.items()},
    )


if __name__ == "__main__":
    main()
