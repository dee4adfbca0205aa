"""People, a superuser and whoever writes the tables move at random: nothing unapproved is served.

A hypothesis state machine makes real moves on PostgreSQL: roles, teams, policies, requests,
decisions, broken glasses, rollouts, and rows written by hand. After each, the control worker signs
the state and a node, with nothing but the installation's root, judges it. A bystander
(``moves.oracle``) says from what it saw whether that may be. ``proofs/moves.py`` draws 2,000
sequences of 50 moves, with many seeds.
"""

import json
import os
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, run_state_machine_as_test

from apps.governance.models import PolicyRevision
from apps.identity.models import RoleBinding
from placet.kernel.keystore import keys_document, ring
from placet_agent.state.data_dir import Home
from placet_agent.state.trust import Trust
from tests.properties.machine.parts import rolled_back
from tests.properties.moves.oracle import Demand, Demands, Glass, Oracle
from tests.properties.moves.parts import PLACES, POLICIES
from tests.properties.moves.people import People, source
from tests.properties.moves.promises import Promises
from tests.properties.moves.writers import Writers
from tests.support import factories
from tests.support.forgeries import signed_now
from tests.support.nodes import SimulatedNode
from tests.support.world import World

JOINED = {"Zoe": "admin", "Zed": "admin", "Mallory": "viewer", "Rob": "responder"}


class Machine(People, Writers, Promises):
    """See the module."""

    @initialize(by_hand=st.booleans(), demands=st.sampled_from(POLICIES))
    def begin(self, by_hand: bool, demands: Demands) -> None:
        """Start with a policy in each environment, and a node that has taken its first state.

        In half of the examples nobody writes the tables: there more is promised.
        """
        self.left = ExitStack()
        self.left.enter_context(rolled_back())
        self.by_hand, self.forged = by_hand, False
        self.started: set[str] = set()
        self.admitted: set[tuple[str, str]] = set()
        self.floors = dict.fromkeys(PLACES, 0)
        self.oracle = self.know_who_is_who()
        for place in PLACES:
            row = self.world.policy(place, source(demands))
            self.oracle.published(place, row.number, demands)
        self.node = SimulatedNode.joined(self.world.target)
        home = Home(Path(self.left.enter_context(tempfile.TemporaryDirectory())))
        home.make()
        self.trust = Trust(home, self.world.target.pk, ring().root, fetch_keys)
        envelope = signed_now(self.world)
        self.trust.keep(self.trust.open_state(envelope), envelope)

    def know_who_is_who(self) -> Oracle:
        """Return a bystander who knows the roles and policies from before the example: whoever
        hides a newer policy's row brings the first one back, and its quorum is a quorum then."""
        oracle = Oracle()
        for binding in RoleBinding.objects.all():
            subject = binding.person_id or binding.team_id or ""
            oracle.roles[subject].add((binding.role, binding.environment))
        for policy in PolicyRevision.objects.filter(state="published"):
            gates = [g for g in policy.document["gates"] if g["gate"] == "approvals"]
            demands: Demands = tuple(Demand(g["role"], g["count"], **said(g)) for g in gates)
            if "break_glass" in policy.document:
                demands += (Glass(policy.document["break_glass"]["people"]),)
            oracle.published(policy.environment.name, policy.number, demands)
        return oracle

    def teardown(self) -> None:
        """Take everything back."""
        if hasattr(self, "left"):
            self.left.close()


def said(gate: dict[str, Any]) -> dict[str, bool]:
    """Return whom an approvals gate leaves out."""
    return {name: gate[name] for name in ("exclude_requester", "exclude_author")}


def fetch_keys() -> dict[str, Any]:
    """Answer as the platform's ``GET keys`` does."""
    return {"v": 1, "root_public": ring().root.to_base64(), "keys": keys_document()}


def shared_world() -> World:
    """Return the project, with two access admins, a responder, and Mallory, who may only look."""
    world = World()
    for name, role in JOINED.items():
        roles = {role: None if role == "admin" else world.project}
        world.people[name] = factories.person(f"{name} {world.slug}", roles=roles)
    return world


@pytest.mark.django_db
def test_nothing_is_served_that_no_quorum_approved(run_jobs: Callable[..., int]) -> None:
    """Run the machine."""
    Machine.world, Machine.run_jobs = shared_world(), staticmethod(run_jobs)
    Machine.teams = [factories.team(name) for name in ("Validation", "Risk")]
    authors = ("Alan", "Rita", "Alan", "Vera")
    versions = [Machine.world.version(author=author) for author in authors]
    Machine.bentos = [Machine.world.bento(version) for version in versions]
    Machine.made, Machine.refused = Counter(), Counter()
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=int(os.environ.get("PLACET_SEQUENCES", "10")),
            stateful_step_count=50,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    counts = {"let_through": Machine.made, "refused": +Machine.refused}
    print(counts)
    if out := os.environ.get("PLACET_MOVES_OUT"):
        Path(out).write_text(json.dumps(counts))
