"""Who may sign with which passkey: what the root or another approver's passkey vouches for."""

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from placet_verify import times
from placet_verify.errors import Malformed
from placet_verify.predicates import ENROLMENT_TYPE, ROOT_ENROLMENT_TYPE
from placet_verify.signing.webauthn import Passkey
from placet_verify.statements.base import Json, Statement, texts


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolmentStatement(Statement):
    """``person`` signs with this passkey.

    ``enrolled_by`` is the person who vouches for it and ``credential`` the passkey that does it;
    both are '' where the root key does.
    """

    TYPE = ENROLMENT_TYPE

    person: str
    passkey: Passkey
    enrolled_by: str
    credential: str
    nonce: str
    at: datetime

    def subject(self) -> dict[str, str]:
        """Return the digest of the public key."""
        return {"passkey": self.passkey.fingerprint}

    def predicate(self) -> Json:
        """Return the members of the predicate."""
        return {
            "person": self.person,
            "passkey": {
                "credential": self.passkey.credential,
                "public_key": base64.b64encode(self.passkey.public_key).decode("ascii"),
                "rp_id": self.passkey.rp_id,
            },
            "enrolled_by": self.enrolled_by,
            "credential": self.credential,
            "nonce": self.nonce,
            "at": times.rfc3339(self.at),
        }

    @classmethod
    def read(cls, predicate: Json, subject: dict[str, str]) -> Self:
        """Build the statement from its predicate."""
        members = texts(predicate["passkey"], "credential", "public_key", "rp_id")
        try:
            der = base64.b64decode(members["public_key"], validate=True)
        except (binascii.Error, ValueError):
            raise Malformed("public_key is not base64") from None
        return cls(
            **texts(predicate, "person", "enrolled_by", "credential", "nonce"),
            passkey=Passkey(members["credential"], der, members["rp_id"]),
            at=times.parse(predicate["at"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RootEnrolment(EnrolmentStatement):
    """An enrolment that the root key signs: of the first approvers, whom nobody can vouch for."""

    TYPE = ROOT_ENROLMENT_TYPE

    def __post_init__(self) -> None:
        if self.enrolled_by or self.credential:
            raise ValueError("nobody but the root vouches for this enrolment")
