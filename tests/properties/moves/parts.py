"""What every part of the machine stands on: people, places, the bystander, and moves that fail."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import ClassVar

from django.db import DatabaseError, transaction
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine

from apps.builds.models import Bento
from apps.identity.models import Team
from placet.kernel.actor import Actor
from placet.kernel.problems import Problem
from placet_agent.state.trust import Trust
from tests.properties.moves.oracle import Demand, Demands, Glass, Oracle
from tests.support import factories
from tests.support.nodes import SimulatedNode
from tests.support.world import World

REVIEWER, APPROVER = Demand("reviewer"), Demand("approver")
POLICIES: tuple[Demands, ...] = (
    (REVIEWER,),
    (APPROVER,),
    (Demand("reviewer", 2),),
    (REVIEWER, APPROVER),
    (Demand("reviewer", exclude_requester=False), APPROVER),
    (Demand("reviewer", exclude_author=False, exclude_requester=False),),
    (REVIEWER, APPROVER, Glass()),
    (Demand("reviewer", 2), Glass(3)),
)
PLACES = ("staging", "production")
PEOPLE = ("Ada", "Alan", "Rex", "Rita", "Vera", "Vito", "Otto", "Zoe", "Zed", "Mallory", "Rob")
SOME = st.integers(0, 7)  # one of those that there are, by number


class Parts(RuleBasedStateMachine):
    """``world``, ``bentos`` and ``teams`` are shared; each example is rolled back."""

    world: World
    bentos: list[Bento]
    teams: list[Team]
    run_jobs: Callable[..., int]
    made: ClassVar[Counter[str]] = Counter()  # moves that were let through, by name
    refused: ClassVar[Counter[str]] = Counter()

    left: ExitStack
    oracle: Oracle
    node: SimulatedNode
    trust: Trust
    by_hand = False  # whether somebody writes the tables in this example
    forged = False  # whether somebody has
    judged = ""  # the signed state that the node judged last
    started: set[str]  # releases whose rollout has begun
    admitted: set[tuple[str, str]]  # releases and Bentos that the node has let in
    floors: dict[str, int]  # by environment, the newest policy under which it let something in

    @contextmanager
    def move(self, name: str) -> Iterator[None]:
        """Try something that may be refused, and count what became of it."""
        self.refused[name] += 1
        with self.may_fail():
            yield
            self.refused[name] -= 1
            self.made[name] += 1

    @contextmanager
    def may_fail(self) -> Iterator[None]:
        """Do all of it or nothing; what was forged may make it fail in any way."""
        try:
            with transaction.atomic():
                yield
        except Problem:
            return
        except (DatabaseError, ValueError, KeyError):
            assert self.forged, "it failed with nothing forged"

    def actor(self, name: str) -> Actor:
        """Return somebody in a browser session, with the grants of this moment."""
        return factories.actor_of(self.world.people[name])
