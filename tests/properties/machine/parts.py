"""What every part of the machine stands on: plans, the clock, and processes that may be killed."""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from importlib import import_module
from typing import Any, ClassVar
from unittest.mock import patch

import time_machine
from django.db import transaction
from hypothesis.stateful import RuleBasedStateMachine

from apps.jobs.handlers import Retry
from apps.serving.models import Node, Target
from placet.kernel.clock import now
from placet.kernel.problems import Problem
from tests.crashes.points import around, pairs
from tests.support.driver import FakeDriver, TargetDown
from tests.support.world import World

ANALYSIS: dict[str, Any] = {"metrics": [{"metric": "error_rate"}]}
MARGIN: dict[str, Any] = {
    "metrics": [{"metric": "error_rate", "margin": 0.01}],
    "timeout_seconds": 600,
}
PLANS: list[dict[str, Any]] = [
    {},
    {"strategy": "blue_green"},
    {
        "strategy": "canary",
        "steps": [
            {"set_weight": 0.01},
            {"pause": {"duration_seconds": 60}},
            {"set_weight": 33.33},
            {"pause": {}},
            {"set_weight": 100},
            {"pause": {"duration_seconds": 60}},
        ],
    },
    {
        "strategy": "shadow",
        "steps": [
            {"set_mirror": {"percent": 50}},
            {"set_header_route": {"header": "X-Try", "value": "v2"}},
            {"pause": {"duration_seconds": 60}},
        ],
    },
    {
        "strategy": "canary",
        "steps": [
            {"set_weight": 5},
            {"analysis": ANALYSIS},
            {"set_weight": 50},
            {"analysis": ANALYSIS},
        ],
    },
    {
        "strategy": "canary",
        "steps": [
            {"set_weight": 20},
            {"analysis": MARGIN | {"on_inconclusive": "abort"}},
            {"set_weight": 60},
            {"analysis": MARGIN | {"on_inconclusive": "pass"}},
        ],
    },
]
STARTING = pairs("rollouts.start_commit", "rollouts.store", "rollouts.command")
DRILLING = around("drill.started", "rollout.returning", "drill.finished", "drill.skipped")
# the modules whose crash points a rollout goes past
DOOMED = ("apps.rollouts.reconciler", "apps.rollouts.actions.start", "apps.audit.actions.record")


class Killed(BaseException):
    """The process died here."""


class Lease:
    """A lease that nobody takes away, and what the job was given."""

    def __init__(self, **args: str) -> None:
        self.args = args

    def fence(self) -> None:
        """Hold."""


class Parts(RuleBasedStateMachine):
    """``world``, ``driver`` and ``node`` are shared; each example is rolled back."""

    world: World
    driver: FakeDriver
    node: Node
    died_at: ClassVar[Counter[str]] = Counter()

    def open(self) -> None:
        """Start from nothing behind the endpoint, inside a transaction of this example."""
        self.left = ExitStack()
        self.left.enter_context(rolled_back())
        self.clock = self.left.enter_context(time_machine.travel(now(), tick=True))
        for module in map(import_module, DOOMED):
            self.left.enter_context(patch.object(module, "crash_point", self.pass_point))
        self.driver.__init__()  # type: ignore[misc]
        self.fuse: int | None = None  # crash points that are passed before somebody dies at one
        self.doom = ""  # the crash point at which the next one who passes it dies
        self.deaths = 0
        self.told: Counter[tuple[str, int]] = Counter()
        self.counted: dict[int, int] = {}  # windows that can be judged, and how much they count
        self.useless: set[int] = set()  # windows that cannot

    def pass_point(self, name: str) -> None:
        """Die here when it is time to."""
        if self.fuse is not None:
            self.fuse -= 1
        if name == self.doom or (self.fuse is not None and self.fuse < 0):
            self.fuse, self.doom = None, ""
            self.died_at[name] += 1
            raise Killed(name)

    @contextmanager
    def process(self) -> Iterator[None]:
        """Do something that may be refused, that may fail, and whose process may be killed."""
        try:
            yield
        except (Problem, Retry, TargetDown):
            return
        except Killed:
            self.deaths += 1

    def let_pass(self, seconds: int) -> None:
        """Set the clock on, or back."""
        self.clock.shift(timedelta(seconds=seconds))

    @property
    def target(self) -> Target:
        """The only target."""
        return self.world.target

    @property
    def begun(self) -> bool:
        """Tell whether the example got as far as to begin."""
        return hasattr(self, "left")


@contextmanager
def rolled_back() -> Iterator[None]:
    """Take back all that is written in here."""
    with transaction.atomic():
        try:
            yield
        finally:
            transaction.set_rollback(True)
