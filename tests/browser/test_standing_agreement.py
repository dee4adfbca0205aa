"""Rules about independence: both verifiers count alike, whatever a decision says of its person.

The Python one is asked here, the other in Chromium.
"""

import random
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from placet_verify import canonical
from placet_verify.permit.approvers import Signed
from placet_verify.permit.standing import Standing
from placet_verify.statements import PasskeyPolicy, StandingPasskeyDecision
from tests.support.offline import Papers, Second, both, resigned
from tests.support.permits import DOCUMENT, NOON

pytestmark = pytest.mark.browser
DESK = ("per_desk", "per_head", "per_ceo")
RISK = ("per_validation", "per_cro", "per_ceo")
GOOD = Standing(
    line="second",
    reports_to=RISK,
    requester_reports_to=DESK,
    author_reports_to=DESK,
    touched=("per_author",),
    data_owners=("per_owner",),
    code_authors=("per_coder",),
)
ALL: dict[str, Any] = {
    "second_line": "all",
    "other_reporting_line": True,
    "not_last_touched": True,
    "not_data_owner": True,
    "not_code_author": True,
}


def papers(demands: dict[str, Any], standing: Standing | None = GOOD) -> Papers:
    """Return the papers of a release whose policy demands this of its reviewer, who stood so."""
    found = Papers()
    gates = [
        {"gate": "approvals", "role": role, "count": 1, "passkey": True, **more}
        for role, more in (("reviewer", demands), ("approver", {}))
    ]
    document = DOCUMENT | {"gates": gates}
    found.policy = found.by_passkey(
        PasskeyPolicy(
            project="prj_1",
            environment="production",
            revision_id="pol_3",
            number=3,
            document=document,
            drafted_by="per_operator",
            published_by="per_approver",
            at=NOON - timedelta(hours=2),
            nonce="policy-nonce-00001",
            credential=found.people["approver"].credential,
        ),
        "approver",
    )
    found.asked = replace(found.asked, policy_digest=canonical.digest(document))
    found.request = found.asked.sign(found.keys.decision)
    plain = found.decide("reviewer")
    stood = plain if standing is None else decided(found, standing)
    found.decisions = [stood, found.decide("approver")]
    return found


def decided(found: Papers, standing: Standing) -> Signed:
    said = {
        "verdict": "approve",
        "person": "per_reviewer",
        "role": "reviewer",
        "nonce": "reviewer-nonce-000001",
        "at": NOON + timedelta(hours=1),
        "credential": found.people["reviewer"].credential,
        "standing": standing,
    }
    return found.by_passkey(StandingPasskeyDecision.on(found.asked, **said), "reviewer")


def test_who_stands_well_counts(second: Second) -> None:
    made = papers(ALL)
    assert both(second, made.files(), made.root).code == ""


@pytest.mark.parametrize(
    "changes",
    [
        {"line": "first"},
        {"line": "third"},
        {"line": ""},
        {"reports_to": None},
        {"reports_to": DESK},
        {"author_reports_to": RISK},
        {"requester_reports_to": None},
        {"requester_reports_to": ("per_cro", "per_ceo")},
        {"author_reports_to": ("per_reviewer", *RISK)},
        {"touched": None},
        {"touched": ("per_reviewer",)},
        {"data_owners": None},
        {"data_owners": ("per_a", "per_reviewer")},
        {"code_authors": None},
        {"code_authors": ("per_reviewer", "per_z")},
    ],
)
def test_who_stands_otherwise_does_not(second: Second, changes: dict[str, Any]) -> None:
    made = papers(ALL, replace(GOOD, **changes))
    assert both(second, made.files(), made.root).code == "quorum"


def test_a_decision_without_a_standing_meets_no_demand(second: Second) -> None:
    made = papers({"second_line": 1}, None)
    assert both(second, made.files(), made.root).code == "quorum"
    lax = papers({}, GOOD)
    assert both(second, lax.files(), lax.root).code == ""


@pytest.mark.parametrize(
    "demands",
    [
        {"second_line": True},
        {"second_line": 2},
        {"second_line": None},
        {"second_line": "some"},
        {"not_data_owner": "yes"},
        {"other_reporting_line": None},
        {"not_last_touched": 1},
    ],
)
def test_a_gate_that_makes_no_sense_is_refused(second: Second, demands: dict[str, Any]) -> None:
    made = papers(demands)
    assert both(second, made.files(), made.root).code == "malformed"


@pytest.mark.parametrize(
    "spoilt",
    [
        {"line": "fourth"},
        {"line": None},
        {"more": []},
        {"touched": ["per_b", "per_a"]},
        {"touched": ["per_a", "per_a"]},
        {"reports_to": ["per_a", "per_a"]},
        {"data_owners": [""]},
        {"code_authors": "per_coder"},
        {"author_reports_to": [7]},
    ],
)
def test_a_standing_of_another_form_is_none(second: Second, spoilt: dict[str, Any]) -> None:
    made = papers(ALL)
    members = canonical.loads(made.decisions[0].envelope.payload)
    members["predicate"]["standing"] |= spoilt
    payload = canonical.dumps(members)
    envelope = replace(made.decisions[0].envelope, payload=payload)
    signed = resigned(envelope, made.keys.decision)
    made.decisions[0] = Signed(signed, made.people["reviewer"].sign(payload))
    assert both(second, made.files(), made.root).code == "malformed"


def test_both_count_random_organisations_alike(second: Second) -> None:
    chance = random.Random(20)
    people = ["per_reviewer", "per_author", "per_requester", *(f"per_{n}" for n in range(4))]

    def some(most: int, *, ordered: bool) -> tuple[str, ...] | None:
        if chance.random() < 0.1:
            return None
        found = chance.sample(people, chance.randrange(most + 1))
        return tuple(found if ordered else sorted(found))

    codes = []
    for _ in range(60):
        demands = {name: value for name, value in ALL.items() if chance.random() < 0.4}
        standing = Standing(
            line=chance.choice(["", "first", "second", "second", "third"]),
            reports_to=some(3, ordered=True),
            requester_reports_to=some(3, ordered=True),
            author_reports_to=some(3, ordered=True),
            touched=some(2, ordered=False),
            data_owners=some(2, ordered=False),
            code_authors=some(2, ordered=False),
        )
        made = papers(demands, standing)
        codes.append(both(second, made.files(), made.root).code)
    assert {"", "quorum"} == set(codes)
