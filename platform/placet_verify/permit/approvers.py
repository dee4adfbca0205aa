"""Which passkeys count: enrolments, each vouched for by another approver's passkey or the root.

The server's keys sign every statement, but cannot enrol anybody: an enrolment counts when the root
key signed it, or when a passkey that counts itself, of another person, did.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from placet_verify.errors import Malformed, Refused
from placet_verify.signing import dsse
from placet_verify.signing.keys import KeyRing
from placet_verify.signing.webauthn import Assertion
from placet_verify.statements import EnrolmentStatement, RootEnrolment, parse

MAX_ENROLMENTS = 200


class ApproverRefused(Refused):
    """No passkey that counts signed this."""


@dataclass(frozen=True, slots=True)
class Signed:
    """An envelope, and where a person signed its payload with a passkey, the assertion."""

    envelope: dsse.Envelope
    assertion: Assertion | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the members of the JSON form."""
        members: dict[str, Any] = {"envelope": self.envelope.to_dict()}
        return members | ({"assertion": self.assertion.to_dict()} if self.assertion else {})

    @classmethod
    def from_dict(cls, members: object) -> "Signed":
        """Read the JSON form; raise ``Malformed`` when it is not exactly that."""
        match members:
            case {"envelope": envelope, "assertion": assertion, **rest} if not rest:
                return cls(dsse.Envelope.from_dict(envelope), Assertion.from_dict(assertion))
            case {"envelope": envelope, **rest} if not rest:
                return cls(dsse.Envelope.from_dict(envelope))
        raise Malformed("a signed statement has an envelope and perhaps an assertion")


class Approvers:
    """The people whose passkeys count, by credential id."""

    def __init__(self) -> None:
        self._enrolled: dict[str, EnrolmentStatement] = {}

    def check(self, signed: Signed, *, person: str, credential: str, at: datetime) -> None:
        """Raise :class:`Refused` unless ``person`` signed it with their passkey ``credential``."""
        enrolled = self._enrolled.get(credential)
        if enrolled is None:
            raise ApproverRefused("not_enrolled", f"{person} signed with a passkey nobody enrolled")
        if enrolled.person != person:
            raise ApproverRefused("other_person", f"the passkey is not one of {person}")
        if at < enrolled.at:
            raise ApproverRefused("enrolled_later", f"{person} signed before being enrolled")
        if signed.assertion is None:
            raise ApproverRefused("no_assertion", f"{person} did not sign with the passkey")
        enrolled.passkey.verify(signed.assertion, signed.envelope.payload)

    def add(self, signed: Signed, ring: KeyRing) -> EnrolmentStatement:
        """Take an enrolment in; raise :class:`Refused` unless somebody who may vouches for it."""
        statement = enrolment_of(signed)
        if statement.passkey.credential in self._enrolled:
            raise ApproverRefused("enrolled_twice", "a passkey is enrolled twice")
        if not statement.person:
            raise ApproverRefused("nobody", "an enrolment names no person")
        if isinstance(statement, RootEnrolment):
            dsse.verify(signed.envelope, [ring.root], dsse.STATEMENT)
        else:
            ring.verify(signed.envelope, "decision")
            self._check_voucher(signed, statement)
        self._enrolled[statement.passkey.credential] = statement
        return statement

    def _check_voucher(self, signed: Signed, statement: EnrolmentStatement) -> None:
        if statement.enrolled_by == statement.person:
            raise ApproverRefused("own_enrolment", f"{statement.person} vouches for themselves")
        self.check(
            signed, person=statement.enrolled_by, credential=statement.credential, at=statement.at
        )


def enrolment_of(signed: Signed) -> EnrolmentStatement:
    """Return what an enrolment says; who vouches for it is still to be verified."""
    statement = parse(signed.envelope.payload)
    if not isinstance(statement, EnrolmentStatement):
        raise ApproverRefused("wrong_type", "this is no enrolment")
    return statement


def read_enrolments(entries: Iterable[Signed], ring: KeyRing) -> Approvers:
    """Return the approvers of a list of enrolments in which each comes after whoever vouches."""
    approvers = Approvers()
    for number, entry in enumerate(entries):
        if number >= MAX_ENROLMENTS:
            raise ApproverRefused("too_many", f"more than {MAX_ENROLMENTS} enrolments")
        approvers.add(entry, ring)
    return approvers
