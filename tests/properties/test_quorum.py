"""A gate counts as a node does: what it says is missing is missing in the permit as well."""

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from apps.governance import gates
from apps.governance.gates.facts import DecisionFact
from placet_verify.permit.quorum import gate_rules, tally
from placet_verify.permit.standing import DEMANDS, Standing
from placet_verify.statements import APPROVE
from tests.unit.governance.test_gates import FACTS

PEOPLE = (FACTS.requester, FACTS.author, "rex", "rita", "vera", "vito")
who = st.sampled_from(PEOPLE)
flags = ("exclude_requester", "exclude_author", "passkey", *DEMANDS[1:])
asked = st.fixed_dictionaries(
    {"role": st.sampled_from(["reviewer", "approver"]), "count": st.integers(1, 3)},
    optional={name: st.booleans() for name in flags} | {"second_line": st.sampled_from([1, "all"])},
)
some = st.lists(who, max_size=2, unique=True).map(tuple)
standing = st.builds(
    Standing,
    line=st.sampled_from(["", "first", "second"]),
    reports_to=st.none() | some,
    requester_reports_to=st.none() | some,
    author_reports_to=st.none() | some,
    touched=st.none() | some,
    data_owners=st.none() | some,
    code_authors=st.none() | some,
)
decided = st.lists(
    st.builds(
        DecisionFact,
        person=who,
        role=st.sampled_from(["reviewer", "approver"]),
        verdict=st.just(APPROVE),
        passkey=st.booleans(),
        standing=st.none() | standing.map(Standing.to_dict),
    ),
    unique_by=lambda decision: decision.person,
    max_size=len(PEOPLE),
)


@given(asked, decided)
def test_a_gate_misses_whom_a_node_would_miss(
    members: dict[str, Any], decisions: list[DecisionFact]
) -> None:
    gate = gates.read({"gate": "approvals", **members})
    answer = gates.evaluate(gate, replace(FACTS, decisions=decisions))
    counts = tally(
        gate_rules(gate),
        requester=FACTS.requester,
        author=FACTS.author,
        approvals=[(d.person, d.role) for d in decisions],
        passkeys=frozenset(d.person for d in decisions if d.passkey),
        standings={d.person: Standing.from_dict(d.standing) for d in decisions if d.standing},
    )
    assert answer["facts"]["missing"] == sum(count.missing for count in counts)
    assert answer["passed"] == all(count.met for count in counts)
    taken = {person for count in counts for person in count.people}
    assert taken <= set(answer["facts"]["by"])
