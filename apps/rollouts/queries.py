"""Reading rollouts."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import chain
from typing import Any

from django.db.models import (
    Case,
    CharField,
    Exists,
    F,
    JSONField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.db.models.expressions import RawSQL
from django.db.models.functions import Cast, Coalesce, Concat, JSONObject

from apps.governance.models import BreakGlass, Release
from apps.governance.rules import ReleaseState
from apps.identity.queries import authorize, visible
from apps.monitoring.queries import TOLERANCE, Compared, compare
from apps.registry.models import ModelVersion
from apps.registry.queries import large_of
from apps.rollouts.models import Drill, DrillSchedule, DrillState, Look, Passing, Rollout
from apps.rollouts.rules import OPEN_STATES, STEPPING
from apps.rollouts.states import ENDED_STATES, HOLDING, PassingState, RolloutState
from apps.serving.hooks import keeper
from apps.serving.models import Endpoint, Revision, Target
from apps.serving.rules import RevisionState
from placet.kernel.actor import Actor, Scope
from placet.kernel.clock import now
from placet.kernel.problems import NotFound
from placet.kernel.subqueries import settled

# states of a revision that one may go back to
BACK_FROM = (RevisionState.WARM, RevisionState.STOPPED)
# what tells of a rollout whether it waits for a person
HELD = [
    *("project_id", "kind", "state", "step", "step_times", "phase_times"),
    *("paused_by", "from_revision_id"),
]
ROLLBACK_KEPT = 5  # revisions of an endpoint that one may go back to
UNFINISHED = Q(state__in=OPEN_STATES) | Q(commanded__lt=F("generation"))


def visible_rollouts(actor: Actor) -> QuerySet[Rollout, Any]:
    """Return the rollouts that ``actor`` may see, and whether a second person is asked for
    something at their present step (``is_asked``)."""
    rows = Rollout.objects.select_related(
        "project", "endpoint", "release", "from_revision", "to_revision"
    ).defer("release__request_envelope", "from_revision__permit", "to_revision__permit")
    rows = rows.annotate(is_asked=Exists(asked_at_present()))
    return visible(rows, actor, view="rollout.view")


def asked_at_present() -> QuerySet[Passing]:
    """Return what waits for a second person, for a query that reads rollouts: what was asked at an
    earlier step waits no more, nor of a rollout that has no step before it."""
    rows = Passing.objects.filter(rollout=OuterRef("pk"), step=OuterRef("step"))
    return rows.filter(state=PassingState.ASKED, rollout__state__in=STEPPING)


def get_rollout(rollout_id: str, actor: Actor) -> Any:
    """Return one rollout, or raise :class:`NotFound`."""
    return found(visible_rollouts(actor), rollout_id)


def found(rollouts: QuerySet[Rollout, Any], rollout_id: str) -> Any:
    """Return the one of ``rollouts`` with this id, or raise :class:`NotFound`."""
    rollout = rollouts.filter(pk=rollout_id).first()
    if rollout is None:
        raise NotFound
    return rollout


def awaiting_person(actor: Actor) -> list[Rollout]:
    """Return the rollouts that go no further until ``actor`` or somebody else who may lets them:
    held, at a pause of their plan without an end, at an analysis that was not settled in its
    time, to be shipped, or where somebody else asks a second person to go past analyses. The
    longest open first (no query for who may let none go on)."""
    rows = (
        _held(actor)
        .select_related(
            "project", "endpoint", "release__version", "to_revision__bento__version__model"
        )
        .defer(
            "release__request_envelope",
            "to_revision__permit",
            *large_of("release__version"),
            *large_of("to_revision__bento__version"),
        )
    )
    return [row for row in rows if _waits_for(row, actor)]


def held_rollouts(actor: Actor) -> RawSQL:
    """Return what :func:`count_awaiting` tells from, as a column of any query."""
    columns = {name: name for name in (*HELD, "created_at", "asker")}
    beside = {"environment": "endpoint__environment", "plan": "release__plan"}
    beside |= {"requester": "release__requester", "author": "release__version__author"}
    return settled(
        _held(actor).values(json=JSONObject(**columns, **beside)), JSONField(), many=True
    )


def count_awaiting(held: Iterable[Mapping[str, Any]], actor: Actor) -> int:
    """Return how many rollouts :func:`awaiting_person` would, of ``held`` as
    :func:`held_rollouts` brought them."""
    return sum(_waits_for(_rollout(one), actor) for one in held)


def _held(actor: Actor) -> QuerySet[Rollout, Any]:
    """Return the first rollouts that may wait for ``actor``, each with who answers for what a
    second person is asked there (``asker``), and since when: their steps are in no column."""
    lets = actor.can_somewhere("rollout.operate") or actor.can_somewhere("release.approve")
    rows = Rollout.objects.all() if lets else Rollout.objects.none()
    rows = visible(rows, actor, view="rollout.view").filter(state__in=STEPPING)
    rows = rows.exclude(state__in=ENDED_STATES)  # as the index of the few that are open has it
    asked = asked_at_present()
    rows = rows.annotate(
        asker=Subquery(asked.values("asker")[:1]), asked_at=Subquery(asked.values("asked_at")[:1])
    )
    held = Q(state__in=HOLDING) | ~Q(paused_by="") | Q(asker__isnull=False)
    return rows.filter(held).order_by("pk")[:50]


def _rollout(held: Mapping[str, Any]) -> Any:
    version = ModelVersion(author=held["author"])
    release = Release(plan=held["plan"], requester=held["requester"], version=version)
    endpoint = Endpoint(environment=held["environment"])
    known = {name: held[name] for name in HELD}
    created_at = datetime.fromisoformat(held["created_at"])
    row: Any = Rollout(release=release, endpoint=endpoint, created_at=created_at, **known)
    row.asker = held["asker"]
    return row


def _waits_for(rollout: Any, actor: Actor) -> bool:
    if rollout.asker not in (None, actor.accountable) and _may_operate(rollout, actor):
        return True
    if not rollout.waits_for_person:
        return False
    return may_ship(rollout, actor) if rollout.waits_to_ship else _may_operate(rollout, actor)


def _may_operate(rollout: Rollout, actor: Actor) -> bool:
    return actor.can("rollout.operate", Scope(rollout.project_id, rollout.endpoint.environment))


def may_ship(rollout: Rollout, actor: Actor) -> bool:
    """Tell whether ``actor`` is one whose approval ships an A/B test: see ``actions.ship``."""
    return (
        actor.can("release.approve", Scope(rollout.project_id, rollout.endpoint.environment))
        and actor.accountable not in rollout.release.parties
        and actor.in_session
    )


def looks(rollout: Rollout) -> QuerySet[Look]:
    """Return what the analyses of ``rollout`` said, each time that was kept."""
    return Look.objects.filter(rollout=rollout)


def disagreements(rollout: Rollout, actor: Actor, *, tolerance: float = TOLERANCE) -> Compared:
    """Compare what both revisions captured since the rollout began. Needs ``prediction.view``."""
    authorize(actor, "prediction.view", rollout.endpoint, view="rollout.view")
    if rollout.from_revision_id is None:
        return Compared(0, 0, tolerance)
    return compare(
        rollout.from_revision_id,
        rollout.to_revision_id,
        since=rollout.created_at,
        tolerance=tolerance,
    )


def last_look(rollout: Rollout) -> Look | None:
    """Return the last look of the present step, or of the A/B test that is to be shipped.

    The last that was made, whatever the clock said then.
    """
    if rollout.judged_step is None:
        return None
    return looks(rollout).filter(step=rollout.judged_step).order_by("pk").last()


def unjustified() -> QuerySet[BreakGlass]:
    """Return the break-glasses that something was started by, and whose review did not find them
    justified."""
    return BreakGlass.objects.filter(finding="not_justified").exclude(used_at=None)


def former_revisions(live: Revision) -> list[Revision]:
    """Return the revisions before ``live`` that one may go back to, the newest first: those that
    :func:`may_serve_again`."""
    if live.number == 1:
        return []
    rows = may_serve_again().filter(endpoint=live.endpoint_id, number__lt=live.number)
    rows = rows.select_related("bento__version__model", "endpoint__target")
    return list(rows.order_by("-number")[:ROLLBACK_KEPT])


def with_way_back(releases: QuerySet[Release]) -> QuerySet[Release]:
    """Have each release bring the version that a rollback from what is live at its endpoint goes to
    (``rollback_to``, '' for none), as :func:`former_revisions` says, what was live before that and
    why no rollback goes there (``passed_over``, as :func:`passing_over` has it), whether the review
    of a break-glass did not find what is live justified (``live_unjustified``), and which version
    is live with which weight (``live_version``, '' for none, and ``live_weight``)."""
    live = Revision.objects.filter(endpoint=OuterRef("endpoint"), state=RevisionState.LIVE)
    before = {"endpoint": OuterRef("endpoint"), "number__lt": Subquery(live.values("number")[:1])}
    former = may_serve_again().filter(**before)
    served = Revision.objects.filter(**before, live_at__isnull=False)
    unjust = unjustified().filter(
        release__endpoint=OuterRef("endpoint"), release__state=ReleaseState.LIVE
    )
    return releases.annotate(
        rollback_to=Coalesce(
            Subquery(former.order_by("-number").values(name=version_name())[:1]), Value("")
        ),
        passed_over=Subquery(served.order_by("-number").values(json=passing_over())[:1]),
        live_unjustified=Exists(unjust),
        live_version=Coalesce(Subquery(live.values(name=version_name())[:1]), Value("")),
        live_weight=Subquery(live.values("weight")[:1]),
    )


def version_name(revision: str = "") -> Concat:
    """Return the name of its version as a column of a query that reads revisions, or has one as
    ``revision``, two underscores behind it."""
    number = Cast(f"{revision}bento__version__number", CharField())
    return Concat(f"{revision}bento__version__model__name", Value(":"), number)


def passing_over() -> JSONObject:
    """Return, as a column of a query that reads revisions, what :func:`may_serve_again` asks of
    each but for its Bento: its version, its state, that of its release, the kind of the recall that
    revoked it, and whether the review of a break-glass found that one unjustified."""
    release = Release.objects.filter(pk=OuterRef("release")).values("state")
    recalled = Release.objects.filter(pk=OuterRef("release")).annotate(by=keeper().that_revoked())
    unjust = Case(When(Exists(unjustified().filter(release=OuterRef("release"))), then=True))
    told: dict[str, Any] = {"version": version_name(), "state": "state"}
    told |= {"release": Subquery(release)}
    told |= {"recall": Subquery(recalled.values(by_kind=F("by__kind")))}
    return JSONObject(**told, unjustified=unjust)


def may_serve_again() -> QuerySet[Revision]:
    """Return the revisions that one may go back to from a later one of their endpoints.

    Those whose release was superseded. One whose release failed or was rolled back is passed over,
    one that went out by a break-glass whose review did not find it justified as well, one whose
    Bento was collected cannot start, and one that is still draining is left alone: it is on its
    way out.
    """
    superseded = Release.objects.filter(state=ReleaseState.SUPERSEDED).exclude(
        pk__in=unjustified().values("release")
    )
    return Revision.objects.filter(
        state__in=BACK_FROM, release__in=superseded.values("pk"), bento__collected_at=None
    )


def rollout_under_way(endpoint: Endpoint) -> Rollout | None:
    """Return the rollout that moves ``endpoint`` now."""
    return Rollout.objects.filter(endpoint=endpoint, state__in=OPEN_STATES).first()


def unfinished(target: Target) -> list[str]:
    """Return the ids of rollouts on ``target`` that are open, or whose end was not told yet."""
    rows = Rollout.objects.filter(UNFINISHED, endpoint__target=target)
    return list(rows.order_by("pk").values_list("pk", flat=True))


def analysing(node: str) -> list[str]:
    """Return the target of ``node`` when a rollout there waits for what is measured."""
    rows = Rollout.objects.filter(state=RolloutState.ANALYSING, endpoint__target__node=node)
    return list(rows.order_by().values_list("endpoint__target", flat=True).distinct())


def drills_of(endpoint: Endpoint) -> QuerySet[Drill]:
    """Return the drills of ``endpoint``: who sees that sees them."""
    return Drill.objects.filter(endpoint=endpoint).select_related("rollout", "endpoint")


def schedule_of(endpoint: Endpoint) -> DrillSchedule | None:
    """Return when the drills of ``endpoint`` come round, if they do."""
    rows = DrillSchedule.objects.select_related("endpoint")
    return rows.filter(endpoint=endpoint).first()


def drills_due() -> QuerySet[DrillSchedule]:
    """Return the schedules whose drill is due."""
    rows = DrillSchedule.objects.filter(next_at__lte=now()).select_related("endpoint")
    return rows.order_by("pk")


def drills_under_way() -> QuerySet[Drill]:
    """Return the drills of which nobody has written down what came of them."""
    rows = Drill.objects.filter(state=DrillState.RUNNING).order_by("pk")
    return rows.select_related("endpoint", "rollout__to_revision")


def drills_to_look_at() -> list[QuerySet[Any]]:
    """Return what there may be to do about drills."""
    return [drills_under_way(), drills_due()]


def targets_to_look_at() -> list[Target]:
    """Return the targets where something has a deadline."""
    found = (rows.values_list("endpoint__target", flat=True) for rows in with_deadlines())
    return list(Target.objects.filter(pk__in=set(chain(*found))).order_by("pk"))


def with_deadlines() -> list[QuerySet[Any]]:
    """Return the rollouts and the revisions that have one."""
    overdue = Q(state=RevisionState.DRAINING) | Q(state=RevisionState.WARM, warm_until__lte=now())
    return [Rollout.objects.filter(UNFINISHED), Revision.objects.filter(overdue)]
