"""Which environments that come last in their project share a target with something else.

An environment is on a target where something of it runs, and where it may run; one that is about to
move away may still run where it was, so what comes last is judged by what runs, once anything does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from apps.governance.models import Environment
from apps.identity.queries import visible
from apps.serving.models import Revision, TargetUse
from apps.serving.rules import RUNNING, EndpointState
from apps.serving.uses import covering
from placet.kernel.actor import Actor

NAMED = 3  # other projects in one sentence
SHOWN = 5
On = Environment.targets.through  # one row for each target that an environment is on


# Of a row: the target lists the environment, something of it runs there, something of it runs.
_LISTED = Q(
    Exists(
        TargetUse.objects.filter(
            covering(OuterRef("environment__name")),
            target=OuterRef("target"),
            project=OuterRef("environment__project"),
        )
    )
)
_RUNNING = Revision.objects.filter(
    state__in=RUNNING,
    endpoint__state=EndpointState.ACTIVE,
    project=OuterRef("environment__project"),
    endpoint__environment=OuterRef("environment__name"),
)
_RUNS = Q(Exists(_RUNNING.filter(endpoint__target=OuterRef("target"))))
_RUNS_ANYWHERE = Q(Exists(_RUNNING))


@dataclass(frozen=True, slots=True)
class Shared:
    """An environment, last in order, and who else is on one of its targets: earlier environments
    of its project, and other projects that the reader sees."""

    project: str
    environment: str
    target: str
    earlier: tuple[str, ...]
    others: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """All of it in one sentence."""
        others = [*self.others[:NAMED], *(["others"] if len(self.others) > NAMED else [])]
        with_whom = " and with ".join(filter(None, (_listing(self.earlier), _listing(others))))
        subject = f"In {self.project}, {self.environment}"
        return f"{subject} shares the target {self.target} with {with_whom}."


def _listing(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def shared_last(actor: Actor) -> list[Shared]:
    """Return the first few of the projects that ``actor`` may see, in one query; no other one is
    named."""
    beside = On.objects.filter(_LISTED | _RUNS, target=OuterRef("target"))
    same = Q(environment__project=OuterRef("environment__project"))
    earlier = beside.filter(same).exclude(environment=OuterRef("environment"))
    others = _seen(beside.exclude(same), actor).order_by("environment__project__name")
    names = others.values("environment__project__name").distinct()
    rows = (
        _seen(On.objects.filter(_RUNS | _LISTED & ~_RUNS_ANYWHERE, ~Exists(_later())), actor)
        .filter(Q(Exists(earlier)) | Q(Exists(others)))
        .order_by("environment__project__name", "environment__project", "target__name")
        .annotate(
            project=F("environment__project__name"),
            environment_name=F("environment__name"),
            on=F("target__name"),
            own=ArraySubquery(
                earlier.order_by("environment__position").values("environment__name")
            ),
            foreign=ArraySubquery(names[: NAMED + 1]),
        )
        .values_list("project", "environment_name", "on", "own", "foreign")[:SHOWN]
    )
    return [Shared(a, b, c, tuple(own), tuple(other)) for a, b, c, own, other in rows]


def _seen(rows: QuerySet[Any], actor: Actor) -> QuerySet[Any]:
    return visible(rows, actor, view="project.view", project="environment__project")


def _later() -> QuerySet[Environment]:
    """The environments that come behind the one of a row, in the order that pages show."""
    position = OuterRef("environment__position")
    behind = Q(position__gt=position) | Q(position=position, pk__gt=OuterRef("environment"))
    return Environment.objects.filter(behind, project=OuterRef("environment__project"))
