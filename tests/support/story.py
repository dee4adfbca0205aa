"""What happens to releases, told in sentences: a project with its people, a node, and the jobs.

first = story.live("staging")
second = story.release("staging", plan=CANARY)
story.approve(second, by="Rita")
story.settle()
assert story.state(second) == "rolling_out"
assert story.states() == [(1, "live", 9_500), (2, "ready", 500)]
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from apps.audit.models import Event
from apps.builds.models import Bento
from apps.governance.models import Decision, Release
from apps.identity.models import User
from apps.monitoring.models import Alert
from apps.rollouts.models import Drill, Rollout
from apps.serving.models import Revision
from placet.kernel.actor import Actor
from tests.support import rows
from tests.support.factories import actor_of
from tests.support.nodes import SimulatedNode, run
from tests.support.world import World

RunJobs = Callable[..., int]
T = TypeVar("T")
SECONDS = 120.0  # so long is what ``once`` keeps as good as if it had just happened
SEEN = ("serving_node", "last_report_at")  # but for a node, which is silent much sooner


@dataclass
class Story:
    """A project, the node of its only target, and the jobs, which run when a test says so."""

    world: World
    node: SimulatedNode
    run_jobs: RunJobs
    past: str = ""  # how ``rows.once`` calls what has happened

    def __getattr__(self, name: str) -> Actor:
        """Return a person as an actor in a browser session, e.g. ``story.otto``."""
        return self.world.__getattr__(name)

    @property
    def people(self) -> dict[str, User]:
        """Everybody in the project, by name."""
        return self.world.people

    def once(self, what: str, act: Callable[[], T]) -> T:
        """Have ``act`` happen, or put back what came of it in another test of this worker.

        ``what`` must say all that it depends on, but what has happened ``once`` before.
        """

        name = f"{self.past}; {what}"
        made, node = rows.once(
            name, lambda: (act(), self.node), upon=self.past, lasts=SECONDS, lately=SEEN
        )
        vars(self.node).update(vars(node))
        self.past = name
        return made

    def release(
        self, environment: str = "staging", bento: Bento | None = None, /, **changes: Any
    ) -> Release:
        """Have Ada ask for a release: of one more version, built, where no Bento is given."""
        return self.world.request(environment, bento, **changes)

    def approve(self, release: Release, *, by: str = "Rex") -> Decision:
        """Have somebody approve what the release is now."""
        return self.world.decide(release, actor_of(self.people[by]))

    def settle(self, rounds: int = 8) -> None:
        """Let jobs and node take turns until both have nothing left to do."""
        run(self.node, self.run_jobs, rounds)

    def live(
        self, environment: str = "development", bento: Bento | None = None, /, **changes: Any
    ) -> Release:
        """Have a release go all the way to live; Rex approves it where people are asked."""
        release = self.release(environment, bento, **changes)
        if release.state == "requested":
            self.approve(release)
        self.settle()
        assert self.state(release) == "live", self.states()
        return release

    def lived(self) -> Release:
        """``live``, ``once``."""
        return self.once("a release", self.live)

    def under_way(self, plan: dict[str, Any], **changes: Any) -> Release:
        """Have a release to development go as far as it goes by itself, ``once``."""

        def begin() -> Release:
            release = self.release("development", plan=plan, **changes)
            self.settle()
            return release

        return self.once(f"a release under way by {plan} {changes}", begin)

    def rollout(self, release: Release) -> Rollout:
        """Return the only rollout of ``release`` as it stands."""
        rows = Rollout.objects.select_related("from_revision", "to_revision")
        return rows.get(release=release)

    def state(self, row: Release | Rollout | Drill | Alert) -> str:
        """Return what one of them is now."""
        row.refresh_from_db()
        return row.state

    def states(self) -> list[tuple[int, str, int]]:
        """Return number, state and weight of every revision, the oldest first."""
        return list(Revision.objects.order_by("number").values_list("number", "state", "weight"))


def weights() -> list[int]:
    """Return the weight of every revision, the oldest first."""
    return list(Revision.objects.order_by("number").values_list("weight", flat=True))


def kinds(subject: str) -> list[str]:
    """Return the kinds of the events about one thing, in order."""
    rows = Event.objects.filter(subject=subject).order_by("index")
    return list(rows.values_list("kind", flat=True))
