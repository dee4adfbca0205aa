"""What every statement can do, and strict reading of JSON members."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from placet_verify import canonical
from placet_verify.errors import Malformed
from placet_verify.numbers import is_whole
from placet_verify.signing import dsse
from placet_verify.signing.keys import PrivateKey

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement(ABC):
    """What every statement can do: be written, signed, digested and read again."""

    TYPE: ClassVar[str]

    @abstractmethod
    def subject(self) -> dict[str, str]:
        """Return what the statement is about: name to ``sha256:…``."""

    @abstractmethod
    def predicate(self) -> Json:
        """Return what the statement says."""

    @classmethod
    @abstractmethod
    def read(cls, predicate: Json, subject: dict[str, str]) -> Self:
        """Build the statement from its predicate and subject."""

    def payload(self) -> bytes:
        """Return the bytes that are signed."""
        subject = [
            {"name": name, "digest": {"sha256": hex_of(digest)}}
            for name, digest in self.subject().items()
        ]
        return canonical.dumps(
            {
                "_type": STATEMENT_TYPE,
                "subject": subject,
                "predicateType": self.TYPE,
                "predicate": self.predicate(),
            }
        )

    @property
    def digest(self) -> str:
        """``sha256:…`` of :meth:`payload`."""
        return canonical.digest(self.payload())

    def sign(self, *keys: PrivateKey) -> dsse.Envelope:
        """Return the signed envelope."""
        return dsse.sign(dsse.STATEMENT, self.payload(), *keys)

    @classmethod
    def parse(cls, payload: bytes) -> Self:
        """Read a payload of this type; raise ``Malformed`` unless it is exact to the byte."""
        members = canonical.loads(payload)
        if not isinstance(members, dict) or members.get("predicateType") != cls.TYPE:
            raise Malformed(f"this is not a statement of type {cls.TYPE}", "wrong_type")
        predicate = members.get("predicate")
        if not isinstance(predicate, dict):
            raise Malformed("the statement has no predicate")
        try:
            statement = cls.read(predicate, digests(members.get("subject")))
            exact = statement.payload() == payload
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise Malformed(f"the statement lacks or spoils a member: {error}") from None
        if not exact:
            raise Malformed("the statement is not in the exact form of its type")
        return statement


def hex_of(digest: str) -> str:
    """Return the hex digits of ``sha256:…``."""
    if not canonical.is_digest(digest):
        raise ValueError(f"{digest!r} is not sha256: and 64 hex digits")
    return digest.removeprefix("sha256:")


def digests(entries: Any) -> dict[str, str]:
    """Read a list of in-toto resource descriptors: name to ``sha256:…``."""
    return {entry["name"]: "sha256:" + entry["digest"]["sha256"] for entry in entries or []}


def texts(members: Json, *names: str) -> dict[str, Any]:
    """Return the named members, each of which must be text."""
    values = {name: members[name] for name in names}
    for name, value in values.items():
        if not isinstance(value, str):
            raise Malformed(f"{name} must be text")
    return values


def whole(members: Json, name: str) -> int:
    """Return a member that must be a whole number."""
    value = members[name]
    if not is_whole(value):
        raise Malformed(f"{name} must be a whole number")
    return value


def an_object(members: Json, name: str) -> Json:
    """Return a member that must be an object."""
    value = members[name]
    if not isinstance(value, dict):
        raise Malformed(f"{name} must be an object")
    return value


def text_list(members: Json, name: str) -> list[str]:
    """Return a member that must be a list of text."""
    value = members[name]
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise Malformed(f"{name} must be a list of text")
    return value
