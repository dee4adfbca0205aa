"""The in-toto statements that Placet signs, each as a typed value with one exact byte form.

A statement is read strictly: parsing and writing again must give the same bytes, so that nothing
can hide in a member that nobody looks at. Version 1 of each type stays readable for ever; a
change of meaning is a new predicate type.
"""

from placet_verify import canonical
from placet_verify.errors import Malformed
from placet_verify.statements.base import Statement
from placet_verify.statements.break_glass import BreakGlassStatement, PasskeyBreakGlass
from placet_verify.statements.enrolment import EnrolmentStatement, RootEnrolment
from placet_verify.statements.governance import (
    APPROVE,
    REJECT,
    REQUEST_CHANGES,
    VERDICTS,
    DecisionStatement,
    PasskeyDecision,
    PasskeyPolicy,
    PolicyStatement,
    RequestStatement,
)
from placet_verify.statements.provenance import ProvenanceStatement
from placet_verify.statements.recall import (
    LiftStatement,
    RanReceipt,
    RecalledNames,
    RecallStatement,
    StoppedReceipt,
)
from placet_verify.statements.standing import (
    StandingDecision,
    StandingPasskeyDecision,
    decision_kind,
    read_decision,
    standing_of,
)
from placet_verify.statements.summary import VerificationSummary

__all__ = [
    "APPROVE",
    "REJECT",
    "REQUEST_CHANGES",
    "VERDICTS",
    "BreakGlassStatement",
    "DecisionStatement",
    "EnrolmentStatement",
    "LiftStatement",
    "PasskeyBreakGlass",
    "PasskeyDecision",
    "PasskeyPolicy",
    "PolicyStatement",
    "ProvenanceStatement",
    "RanReceipt",
    "RecallStatement",
    "RecalledNames",
    "RequestStatement",
    "RootEnrolment",
    "StandingDecision",
    "StandingPasskeyDecision",
    "Statement",
    "StoppedReceipt",
    "VerificationSummary",
    "decision_kind",
    "parse",
    "read_decision",
    "standing_of",
]

_KINDS = (
    PolicyStatement,
    PasskeyPolicy,
    RequestStatement,
    DecisionStatement,
    PasskeyDecision,
    BreakGlassStatement,
    PasskeyBreakGlass,
    StandingDecision,
    StandingPasskeyDecision,
    EnrolmentStatement,
    RootEnrolment,
    ProvenanceStatement,
    RecallStatement,
    LiftStatement,
    RanReceipt,
    StoppedReceipt,
    VerificationSummary,
)


def parse(payload: bytes) -> Statement:
    """Read a payload of any known type."""
    members = canonical.loads(payload)
    predicate_type = members.get("predicateType") if isinstance(members, dict) else None
    for kind in _KINDS:
        if predicate_type == kind.TYPE:
            return kind.parse(payload)
    raise Malformed("this is not a statement that Placet makes", "wrong_type")
