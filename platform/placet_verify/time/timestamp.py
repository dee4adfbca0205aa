"""Time stamps (RFC 3161, RFC 5816): an authority's word that some bytes existed at a time.

What is kept of an answer is the token alone, in one form: no other certificates than those of the
path to the authority that is pinned, no lists, nothing unsigned beside. So every byte of it counts,
and whoever changes one is found.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from placet_verify.errors import Malformed, Refused
from placet_verify.time import der
from placet_verify.time.chains import UNREADABLE, Certificates, path_to

QUERY_TYPE, REPLY_TYPE = "application/timestamp-query", "application/timestamp-reply"
LARGEST = 1 << 16  # bytes of an answer
LEAST_BITS = 2048  # of an RSA key
_SIGNED_DATA, _TST_INFO = "1.2.840.113549.1.7.2", "1.2.840.113549.1.9.16.1.4"
_CONTENT_TYPE, _DIGEST = "1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4"
_CERTIFICATE, _CERTIFICATE_2 = "1.2.840.113549.1.9.16.2.12", "1.2.840.113549.1.9.16.2.47"
_SHA256 = "2.16.840.1.101.3.4.2.1"
_HASHES = {
    _SHA256: "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
}
_RSA = "1.2.840.113549.1.1.1"
_RSA_WITH = {
    f"1.2.840.113549.1.1.{n}": f"sha{size}" for n, size in ((11, 256), (12, 384), (13, 512))
}
_ECDSA_WITH = {f"1.2.840.10045.4.3.{n}": f"sha{size}" for n, size in ((2, 256), (3, 384), (4, 512))}
_STATUS = (
    "granted",
    "granted with changes",
    "rejected",
    "waiting",
    "revocation warning",
    "revoked",
)


@dataclass(frozen=True, slots=True)
class Stamp:
    """What an authority said. ``nonce`` is the one of the request that it answered."""

    at: datetime
    accuracy: timedelta
    policy: str
    serial: int
    nonce: int | None
    signer: str
    anchor: x509.Certificate


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says, checked or not."""

    policy: str
    imprint: bytes
    serial: int
    at: datetime
    accuracy: timedelta
    nonce: int | None


@dataclass(frozen=True, slots=True)
class _Token:
    """The parts of a token that say something."""

    info: bytes
    certificates: tuple[bytes, ...]
    issuer: bytes
    serial: int
    digest: str
    attributes: der.Node
    algorithm: str
    signature: bytes

    def encode(self, certificates: Sequence[bytes]) -> bytes:
        """Write the token with these certificates, in the one form that is kept."""
        digest = der.write(der.SEQUENCE, der.identifier(self.digest), der.EMPTY)
        is_rsa = self.algorithm == _RSA or self.algorithm in _RSA_WITH
        rest = (der.identifier(_RSA), der.EMPTY) if is_rsa else (der.identifier(self.algorithm),)
        signer = der.write(
            der.SEQUENCE,
            der.number(1),
            der.write(der.SEQUENCE, self.issuer, der.number(self.serial)),
            digest,
            self.attributes.raw,
            der.write(der.SEQUENCE, *rest),
            der.write(der.OCTETS, self.signature),
        )
        content = der.write(der.TAGGED, der.write(der.OCTETS, self.info))
        signed = der.write(
            der.SEQUENCE,
            der.number(3),
            der.write(der.SET, digest),
            der.write(der.SEQUENCE, der.identifier(_TST_INFO), content),
            der.write(der.TAGGED, *sorted(certificates)),  # a SET, in the order of DER
            der.write(der.SET, signer),
        )
        return der.write(der.SEQUENCE, der.identifier(_SIGNED_DATA), der.write(der.TAGGED, signed))


def request(message: bytes, *, nonce: int, policy: str = "") -> bytes:
    """Return what an authority is asked: a stamp over ``message``, with its certificate."""
    algorithm = der.write(der.SEQUENCE, der.identifier(_SHA256), der.EMPTY)
    imprint = der.write(
        der.SEQUENCE, algorithm, der.write(der.OCTETS, hashlib.sha256(message).digest())
    )
    wanted = (der.identifier(policy),) if policy else ()
    return der.write(
        der.SEQUENCE,
        der.number(1),
        imprint,
        *wanted,
        der.number(nonce),
        der.write(der.BOOLEAN, b"\xff"),
    )


def accept(
    reply: bytes, message: bytes, anchors: Certificates, *, nonce: int, policy: str = ""
) -> tuple[Stamp, bytes]:
    """Check the answer to :func:`request`; return the stamp and the token to be kept.

    Raises :class:`Refused`.
    """
    try:
        token = _read(_token_of(reply))
    except Malformed as fault:
        raise Malformed(f"the answer is no time stamp: {fault}") from None
    stamp, path = _check(token, message, anchors)
    if stamp.nonce != nonce:
        raise Refused("nonce", "it answers another request: its nonce is not the one that was sent")
    if policy and stamp.policy != policy:
        raise Refused("policy", f"it was made under the policy {stamp.policy}, not under {policy}")
    return stamp, token.encode(path)


def verify(token: bytes, message: bytes, anchors: Certificates) -> Stamp:
    """Check a token that :func:`accept` returned, byte for byte. Raises :class:`Refused`."""
    parsed = _read(token)
    stamp, path = _check(parsed, message, anchors)
    if parsed.encode(path) != token:
        raise Refused("form", "the token is not in the form in which stamps are kept")
    return stamp


def claims(token: bytes) -> Claims:
    """Return what a token says, which is true only if :func:`verify` accepts it."""
    return _info(_read(token).info)


def reply_of(token: bytes) -> bytes:
    """Return a token as an authority's answer (TimeStampResp), which other verifiers read."""
    return der.write(der.SEQUENCE, der.write(der.SEQUENCE, der.number(0)), token)


def token_in(reply: bytes) -> bytes:
    """Return the token of what :func:`reply_of` made; refuse any other form."""
    token = _token_of(reply)
    if reply_of(token) != reply:
        raise Refused("form", "the answer is not in the form in which stamps are kept")
    return token


def _token_of(reply: bytes) -> bytes:
    if len(reply) > LARGEST:
        raise Refused("too_large", f"the answer has more than {LARGEST} bytes")
    parts = der.read(reply).expect(der.SEQUENCE).parts()
    if not parts:
        raise Malformed("the answer is empty")
    status = parts[0].expect(der.SEQUENCE).parts()
    code = status[0].integer() if status else -1
    if code not in (0, 1) or len(parts) != 2:
        word = _STATUS[code] if 0 <= code < len(_STATUS) else f"status {code}"
        raise Refused("not_granted", f"the authority gave no stamp: {word}")
    return parts[1].raw


def _read(token: bytes) -> _Token:
    kind, wrapped = der.read(token).expect(der.SEQUENCE).parts(der.OID, der.TAGGED)
    if kind.oid() != _SIGNED_DATA:
        raise Malformed("the token is no signed data")
    parts = wrapped.one().expect(der.SEQUENCE).parts()
    if len(parts) < 5:
        raise Malformed("the token holds no certificate, or no signature")
    version, digests, content, certificates, *rest = parts
    if version.integer() != 3 or not digests.expect(der.SET).parts():
        raise Malformed("the token is of another version")
    name, inner = content.expect(der.SEQUENCE).parts(der.OID, der.TAGGED)
    if name.oid() != _TST_INFO:
        raise Malformed("what is signed is no time stamp")
    held = tuple(one.raw for one in certificates.expect(der.TAGGED).parts())
    return _signer(rest[-1].expect(der.SET).one(), inner.one().expect(der.OCTETS).content, held)


def _signer(signer: der.Node, info: bytes, certificates: tuple[bytes, ...]) -> _Token:
    parts = signer.expect(der.SEQUENCE).parts()
    if len(parts) not in (6, 7) or parts[0].integer() != 1:
        raise Malformed("the signature is not of the form that RFC 3161 demands")
    issuer, serial = parts[1].expect(der.SEQUENCE).parts(der.SEQUENCE, der.INTEGER)
    return _Token(
        info=info,
        certificates=certificates,
        issuer=issuer.raw,
        serial=serial.integer(),
        digest=_algorithm(parts[2]),
        attributes=parts[3].expect(der.TAGGED),
        algorithm=_algorithm(parts[4]),
        signature=parts[5].expect(der.OCTETS).content,
    )


def _algorithm(node: der.Node) -> str:
    name, *parameters = node.expect(der.SEQUENCE).parts()
    if [one.raw for one in parameters] not in ([], [der.EMPTY]):
        raise Refused("algorithm", f"the algorithm {name.oid()} has parameters")
    return name.oid()


def _hash(oid: str) -> str:
    if oid not in _HASHES:
        raise Refused("algorithm", f"it uses the hash algorithm {oid}, which counts for nothing")
    return _HASHES[oid]


def _check(token: _Token, message: bytes, anchors: Certificates) -> tuple[Stamp, tuple[bytes, ...]]:
    info = _info(token.info)
    if info.imprint != hashlib.sha256(message).digest():
        raise Refused("imprint", "it stamps other bytes than these")
    try:
        return _checked(token, info, anchors)
    except UNREADABLE:
        raise Malformed("a certificate in the token cannot be read") from None


def _checked(token: _Token, info: Claims, anchors: Certificates) -> tuple[Stamp, tuple[bytes, ...]]:
    held = {x509.load_der_x509_certificate(raw): raw for raw in map(_whole, token.certificates)}
    mine = [
        one
        for one in held
        if one.serial_number == token.serial and one.issuer.public_bytes() == token.issuer
    ]
    if len(mine) != 1:
        raise Refused("signer", "the signer's certificate is not in the token")
    (signer,) = mine
    _check_attributes(token, signer)
    _check_signature(token, signer)
    path = path_to(signer, [one for one in held if one is not signer], anchors, info.at)
    stamp = Stamp(
        at=info.at,
        accuracy=info.accuracy,
        policy=info.policy,
        serial=info.serial,
        nonce=info.nonce,
        signer=signer.subject.rfc4514_string(),
        anchor=path[-1],
    )
    return stamp, tuple(held[one] for one in path[:-1])


def _whole(certificate: bytes) -> bytes:
    """Return a certificate whose signature is whole octets: how many of its last bits do not count
    is covered by nothing else."""
    parts = der.read(certificate).expect(der.SEQUENCE).parts(der.SEQUENCE, der.SEQUENCE, der.BITS)
    if parts[2].content[:1] != b"\x00":
        raise Malformed("a certificate's signature is not whole")
    return certificate


def _info(raw: bytes) -> Claims:
    version, policy, imprint, serial, at, *rest = _at_least(der.read(raw), 5)
    if version.integer() != 1:
        raise Malformed("the time stamp is of another version")
    algorithm, digest = imprint.expect(der.SEQUENCE).parts(der.SEQUENCE, der.OCTETS)
    if _algorithm(algorithm) != _SHA256:
        raise Refused("imprint", "it stamps another digest than SHA-256")
    accuracy, nonce = timedelta(), None
    for part in rest:
        if part.tag == der.SEQUENCE:
            accuracy = _accuracy(part)
        elif part.tag == der.INTEGER:
            nonce = part.integer()
        elif part.tag == der.TAGGED + 1:
            raise Refused("extension", "it has extensions, which nobody here knows")
    return Claims(policy.oid(), digest.content, serial.integer(), at.time(), accuracy, nonce)


def _at_least(node: der.Node, count: int) -> list[der.Node]:
    parts = node.expect(der.SEQUENCE).parts()
    if len(parts) < count:
        raise Malformed(f"a value has {len(parts)} parts, not {count}")
    return parts


def _accuracy(node: der.Node) -> timedelta:
    accuracy = timedelta()
    for part in node.parts():
        value = int.from_bytes(part.content, "big")
        if len(part.content) > 4:
            raise Malformed("the accuracy is no number of seconds")
        match part.tag:
            case der.INTEGER:
                accuracy += timedelta(seconds=value)
            case 0x80:
                accuracy += timedelta(milliseconds=value)
            case 0x81:
                accuracy += timedelta(microseconds=value)
    return accuracy


def _check_attributes(token: _Token, signer: x509.Certificate) -> None:
    """Hold what was signed against the stamp and against the certificate."""
    values: dict[str, der.Node] = {}
    for attribute in token.attributes.parts():
        name, held = attribute.expect(der.SEQUENCE).parts(der.OID, der.SET)
        if name.oid() in values:
            raise Malformed("a signed attribute stands there twice")
        values[name.oid()] = held.one()
    if {_CONTENT_TYPE, _DIGEST} - values.keys():
        raise Malformed("the signature covers neither what it is of nor its digest")
    digest = hashlib.new(_hash(token.digest), token.info).digest()
    if values[_CONTENT_TYPE].oid() != _TST_INFO or values[_DIGEST].content != digest:
        raise Refused("digest", "the signature is over another time stamp")
    if not _names_certificate(values, signer):
        raise Refused("signer", "what was signed names another certificate than the signer's")


def _names_certificate(values: dict[str, der.Node], signer: x509.Certificate) -> bool:
    """Tell whether the signed ESSCertIDv2, or ESSCertID, is of this certificate."""
    raw = signer.public_bytes(Encoding.DER)
    newer, older = values.get(_CERTIFICATE_2), values.get(_CERTIFICATE)
    if newer is None and older is None:
        raise Refused("signer", "the signature does not name the certificate that it is by")
    right = True
    if newer is not None:
        first, *rest = _at_least(_first(newer), 1)
        name = _hash(_algorithm(first)) if first.tag == der.SEQUENCE else "sha256"
        held = rest[0] if first.tag == der.SEQUENCE and rest else first
        right = held.expect(der.OCTETS).content == hashlib.new(name, raw).digest()
    if older is not None:
        held = _at_least(_first(older), 1)[0].expect(der.OCTETS)
        right = right and held.content == hashlib.new("sha1", raw).digest()  # noqa: S324
    return right


def _first(node: der.Node) -> der.Node:
    """Return the first certificate id of SigningCertificate(V2): the signer's."""
    return _at_least(_at_least(node, 1)[0], 1)[0]


def _check_signature(token: _Token, signer: x509.Certificate) -> None:
    signed = der.write(der.SET, token.attributes.content)
    key = signer.public_key()
    try:
        if isinstance(key, rsa.RSAPublicKey) and key.key_size >= LEAST_BITS:
            name = _rsa_hash(token)
            key.verify(token.signature, signed, padding.PKCS1v15(), name)
        elif isinstance(key, ec.EllipticCurvePublicKey) and token.algorithm in _ECDSA_WITH:
            key.verify(token.signature, signed, ec.ECDSA(_made(_ECDSA_WITH[token.algorithm])))
        else:
            raise Refused(
                "algorithm",
                f"it is signed by the algorithm {token.algorithm}, which is"
                " neither RSA (PKCS #1) nor ECDSA with SHA-2",
            )
    except InvalidSignature:
        raise Refused("signature", "the authority's signature is not good") from None


def _rsa_hash(token: _Token) -> hashes.HashAlgorithm:
    digest = _hash(token.digest)
    if token.algorithm != _RSA and _RSA_WITH.get(token.algorithm) != digest:
        raise Refused("algorithm", f"it is signed by the algorithm {token.algorithm}")
    return _made(digest)


def _made(name: str) -> hashes.HashAlgorithm:
    return {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}[name]
