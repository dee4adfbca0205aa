"""The approvals gate and the search over duties, where a policy has rules about independence."""

from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from apps.governance import independence
from apps.governance.approvals import ApprovalPolicy, Decider, Parties
from apps.governance.duties import (
    Binding,
    Branch,
    EnvironmentAccess,
    Organisation,
    OrganisationMember,
    PastAct,
    demanded,
    environment_access,
    fewest,
    locked_out,
)
from apps.governance.gates import approvals, evaluate, read
from apps.governance.gates.facts import DecisionFact
from placet_verify.permit.quorum import ApprovalRule
from placet_verify.permit.standing import Standing
from tests.unit.governance.test_gates import FACTS

SECOND, FIRST = Standing(line="second").to_dict(), Standing(line="first").to_dict()


def gate(**members: Any) -> dict[str, Any]:
    return read({"gate": "approvals", "role": "reviewer", **members})


def asked(policy_gate: dict[str, Any], **people: dict[str, Any] | None) -> dict[str, Any]:
    """Return the answer where these reviewers approved, each with where they stood."""
    decisions = [
        DecisionFact(f"per_{name}", "reviewer", "approve", standing=standing)
        for name, standing in people.items()
    ]
    return dict(evaluate(policy_gate, replace(FACTS, decisions=decisions)))


def test_a_policy_without_the_rules_keeps_its_digest() -> None:
    assert gate() == {
        "gate": "approvals",
        "role": "reviewer",
        "count": 1,
        "exclude_requester": True,
        "exclude_author": True,
    }


@pytest.mark.parametrize(
    ("members", "title"),
    [
        ({"second_line": "all"}, "One reviewer of the second line"),
        ({"count": 2, "second_line": 2}, "Two reviewers of the second line"),
        ({"count": 3, "second_line": 1}, "Three reviewers, one of the second line"),
        (
            {"other_reporting_line": True, "passkey": True},
            "One reviewer by passkey, in another reporting line",
        ),
        (
            {"not_last_touched": True, "not_data_owner": True, "not_code_author": True},
            "One reviewer, without a hand in the artifact, who does not own the data, who did not"
            " write the training code",
        ),
    ],
)
def test_the_checklist_says_what_is_asked(members: dict[str, Any], title: str) -> None:
    assert approvals.title(gate(**members)) == title


@pytest.mark.parametrize(
    "members",
    [
        {"second_line": 2},
        {"second_line": 0},
        {"second_line": True},
        {"second_line": "some"},
        {"second_line": None},
        {"other_reporting_line": "yes"},
        {"not_last_touched": 1},
        {"not_data_ownr": True},
    ],
)
def test_what_makes_no_sense_is_refused_by_its_name(members: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as fault:
        gate(**members)
    assert [line["loc"] for line in fault.value.errors()] == [(next(iter(members)),)]


def test_who_is_not_of_the_second_line_does_not_count() -> None:
    strict = gate(second_line="all")
    assert asked(strict, rex=FIRST)["reason"] == "Waiting for one reviewer of the second line"
    assert asked(strict, rex=None)["facts"]["missing"] == 1
    assert asked(strict, rex=SECOND)["passed"]


def test_at_least_one_of_two() -> None:
    two = gate(count=2, second_line=1)
    waiting = asked(two, rex=FIRST, rita=FIRST)
    assert waiting["reason"] == "Waiting for one reviewer of the second line; 2 of 2 approved"
    assert (waiting["facts"]["missing"], waiting["facts"]["second_line_missing"]) == (1, 1)
    assert asked(two, rex=FIRST)["reason"] == (
        "Waiting for one reviewer of the second line; 1 of 2 approved"
    )
    assert asked(two)["reason"] == "Waiting for two reviewers, one of the second line"
    assert asked(two, rex=SECOND)["reason"] == "Waiting for one reviewer; 1 of 2 approved"
    assert asked(two, rex=FIRST, rita=SECOND)["passed"]
    assert asked(two, rex=SECOND, rita=SECOND)["passed"]


def test_a_standing_that_cannot_be_read_passes_nothing() -> None:
    answer = asked(gate(second_line="all"), rex={"line": "second"})
    assert (answer["passed"], answer["state"]) == (False, "error")


def test_why_somebody_does_not_count_is_a_sentence() -> None:
    policy = ApprovalPolicy.of({"gates": [gate(second_line="all", not_data_owner=True)]})
    rita = Decider("per_rita", policy, Parties("per_ada", "per_alan"))
    assert independence.sentence("Rita", rita.why_not({"reviewer"})) == (
        "Rita cannot count: no line of defence is set, no owner is declared of some of the data"
    )
    known = Standing(line="second", data_owners=("per_olga",))
    assert replace(rita, standing=known).why_not({"reviewer"}) == []
    assert replace(rita, standing=known).counting({"reviewer"}) == ["reviewer"]


# duties


DESK, RISK = ("desk", "head", "ceo"), ("validation", "cro", "ceo")
OTHER_LINE = (ApprovalRule("approver", 1, demands=("other_reporting_line",)),)
SECOND_LINE = (ApprovalRule("approver", 1, demands=("second_line",)),)


def around(
    rules: tuple[ApprovalRule, ...], *people: OrganisationMember, past: tuple[PastAct, ...] = ()
) -> EnvironmentAccess:
    """Return an environment where ada makes and asks, and vera and vito approve."""
    bindings = (
        Binding("contributor", "ada", "risk"),
        Binding("approver", "vera", "risk"),
        Binding("approver", "vito", "risk"),
    )
    organisation = Organisation(people, bindings, past=past)
    return environment_access(organisation, "risk", "production", rules)


def who(name: str, line: str = "", reports_to: tuple[str, ...] | None = None) -> OrganisationMember:
    return OrganisationMember(name, f"{name}@example.com", line=line, reports_to=reports_to)


def test_a_policy_that_nobody_stands_for_is_locked_out() -> None:
    ada, vito = who("ada", reports_to=DESK), who("vito")
    assert locked_out(around(SECOND_LINE, ada, who("vera", "first"), vito))
    assert not locked_out(around(SECOND_LINE, ada, who("vera", "second"), vito))
    assert locked_out(around(OTHER_LINE, ada, who("vera", reports_to=DESK), vito))
    assert not locked_out(around(OTHER_LINE, ada, who("vera", reports_to=RISK), vito))
    assert locked_out(around(OTHER_LINE, who("ada"), who("vera", reports_to=RISK), vito))


def test_where_nobody_makes_anything_yet_somebody_of_elsewhere_is_thought_of() -> None:
    access = around(OTHER_LINE, who("vera", reports_to=RISK))
    assert not locked_out(access)


def test_who_decided_before_being_moved_counts_on() -> None:
    past = (PastAct("vera", "release.approve", "risk", "production"),)
    ada, vera = who("ada", reports_to=DESK), who("vera", "first", DESK)
    assert not locked_out(around(SECOND_LINE, ada, vera, past=past))
    assert not locked_out(around(OTHER_LINE, ada, vera, past=past))


def test_who_made_and_touched_it_themselves_fills_no_place() -> None:
    lax = ApprovalRule("approver", 1, exclude_requester=False, exclude_author=False)
    assert demanded((lax,)) == 1
    for demand in ("other_reporting_line", "not_last_touched"):
        assert demanded((replace(lax, demands=(demand,)),)) == 2
    alone = Organisation(
        (who("ada", "second", DESK),),
        (Binding("contributor", "ada", "risk"), Binding("approver", "ada", "risk")),
    )

    def reached(rule: ApprovalRule) -> bool:
        return not locked_out(environment_access(alone, "risk", "production", (rule,)))

    assert reached(lax)
    assert not reached(replace(lax, demands=("not_last_touched",)))
    assert not reached(replace(lax, demands=("other_reporting_line",)))
    assert not reached(replace(lax, demands=("not_data_owner",)))  # nobody else declares it


def test_the_answer_is_exact_however_many_branches_there_are() -> None:
    """Twenty desks alike: one of them stands for all, but two people of one desk are not apart."""
    desks = [(f"desk{n}", f"head{n}", "ceo") for n in range(20)]
    people = [who(f"maker{n}", reports_to=desk) for n, desk in enumerate(desks)]
    people += [who(f"approver{n}", reports_to=desk) for n, desk in enumerate(desks)]
    bindings = [Binding("contributor", f"maker{n}", "risk") for n in range(20)]
    bindings += [Binding("approver", f"approver{n}", "risk") for n in range(20)]
    organisation = Organisation(tuple(people), tuple(bindings))
    found = fewest(environment_access(organisation, "risk", "production", OTHER_LINE), most=3)
    assert found is not None
    assert found.people == 2
    deciders = {s.who.removeprefix("approver") for s in found.steps if s.act == "approve"}
    makers = {s.who.removeprefix("maker") for s in found.steps if s.act == "make"}
    assert len(deciders) == len(makers) == 1
    assert not makers & deciders


def test_branches_tell_what_reporting_lines_tell() -> None:
    ceo, cro, rex = Branch.of("ceo", ()), Branch.of("cro", ("ceo",)), Branch.of("rex", RISK)
    ada = Branch.of("ada", DESK)
    assert Branch.of("eve", None) is None
    assert ceo and cro and rex and ada
    assert ada.apart(rex)
    assert ada.apart(cro)
    assert not cro.apart(rex)
    assert not ceo.apart(ada)
    assert not ada.apart(ceo)
