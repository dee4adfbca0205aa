"""The way from a time-stamping authority's certificate to the one that is pinned (RFC 5280)."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

from placet_verify.errors import Malformed, Refused

Certificates = Sequence[x509.Certificate]
LONGEST = 6  # certificates of a path
_KNOWN = frozenset(
    {ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.KEY_USAGE, ExtensionOID.EXTENDED_KEY_USAGE}
)
# what cryptography raises over a certificate that it cannot read, or not use
UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
_STRONG = (hashes.SHA256, hashes.SHA384, hashes.SHA512)


def read_pinned(path: Path) -> list[x509.Certificate]:
    """Return the certificates of a PEM file; raise :class:`Malformed` when there are none."""
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())
    except UNREADABLE:
        raise Malformed(f"{path.name} holds no certificate (PEM)") from None


def path_to(
    leaf: x509.Certificate, others: Certificates, anchors: Certificates, at: datetime
) -> list[x509.Certificate]:
    """Return the certificates from ``leaf`` to one of ``anchors``, all valid ``at`` that time.

    ``others`` may stand in between. The leaf's must be a key for time stamps and nothing else.
    Whether one was revoked is not asked. Raises :class:`Refused`.
    """
    try:
        path = _path(leaf, others, anchors)
        _check_leaf(leaf)
        for below, certificate in enumerate(path):
            _check(certificate, at)
            if below:
                _check_issuer(certificate, below - 1)
    except UNREADABLE:
        raise Malformed("a certificate of the authority cannot be read") from None
    return path


def _path(
    leaf: x509.Certificate, others: Certificates, anchors: Certificates
) -> list[x509.Certificate]:
    path = [leaf]
    while len(path) < LONGEST:
        issuers = [one for one in anchors if _issued(path[-1], one)]
        if issuers:
            return [*path, issuers[0]]
        between = [one for one in others if one not in path and _issued(path[-1], one)]
        if not between:
            break
        path.append(between[0])
    raise Refused("untrusted", "the authority's certificate does not lead to the one pinned for it")


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
        algorithm = certificate.signature_hash_algorithm
    except (*UNREADABLE, InvalidSignature):
        return False
    return algorithm is None or isinstance(algorithm, _STRONG)  # Ed25519 has its own


def _check(certificate: x509.Certificate, at: datetime) -> None:
    name = certificate.subject.rfc4514_string()
    if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
        raise Refused("not_valid", f"the certificate of {name} was not valid at that time")
    unknown = [e.oid for e in certificate.extensions if e.critical and e.oid not in _KNOWN]
    if unknown:
        raise Refused(
            "extension",
            f"the certificate of {name} has a critical extension that nobody here knows:"
            f" {unknown[0].dotted_string}",
        )


def _check_leaf(leaf: x509.Certificate) -> None:
    uses = [e for e in leaf.extensions if isinstance(e.value, x509.ExtendedKeyUsage)]
    wanted = [ExtendedKeyUsageOID.TIME_STAMPING]
    if not uses or not uses[0].critical or list(uses[0].value) != wanted:
        raise Refused(
            "key_usage",
            "the signer's certificate is not one for time stamps alone (critical"
            " extended key usage timeStamping)",
        )
    usage = _usage(leaf)
    if usage is not None and not (usage.digital_signature or usage.content_commitment):
        raise Refused("key_usage", "the signer's key may not sign")


def _check_issuer(certificate: x509.Certificate, between: int) -> None:
    """Refuse one that may not issue certificates, or not with so many ``between``."""
    constraints = [
        e.value for e in certificate.extensions if isinstance(e.value, x509.BasicConstraints)
    ]
    usage = _usage(certificate)
    may = bool(constraints) and constraints[0].ca and (usage is None or usage.key_cert_sign)
    if not may or (constraints[0].path_length is not None and constraints[0].path_length < between):
        name = certificate.subject.rfc4514_string()
        raise Refused("not_an_authority", f"{name} may not vouch for the signer's certificate")


def _usage(certificate: x509.Certificate) -> x509.KeyUsage | None:
    usages = [e.value for e in certificate.extensions if isinstance(e.value, x509.KeyUsage)]
    return usages[0] if usages else None
