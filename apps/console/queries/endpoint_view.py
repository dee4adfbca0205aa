"""One endpoint as its pages read it: each part when a page asks for it, and once."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any
from zlib import crc32

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Case, Exists, OuterRef, Subquery, When
from django.db.models.functions import JSONObject

from apps.assurance.queries.recalls_beside import reached_by, recall_that_ended
from apps.assurance.queries.ways_back import fell_back
from apps.console.queries.actor_names import actor_names
from apps.console.queries.after_start import AfterStart
from apps.console.queries.alerts import AlertRow, shown_alerts, with_keeper
from apps.console.queries.approvers import approvers_of
from apps.console.queries.drills import DrillRow, drill_rows, last_drills, schedule_with
from apps.console.queries.endpoint_forms import figures_now
from apps.console.queries.endpoint_parts import Asked
from apps.console.queries.endpoint_story import NOTABLE
from apps.console.queries.events import EventLine, reasons_of, story
from apps.console.queries.page_parts import Link
from apps.console.queries.past_revisions import rollout_that_ended
from apps.console.queries.rollout_words import RolloutMove, with_last_words
from apps.console.queries.stops import Stop, stop_told, stopper
from apps.governance.models import Environment, Release
from apps.governance.queries.waiting import on_their_way, to_start
from apps.governance.rules import ReleaseState
from apps.identity.queries import one_of
from apps.monitoring.models import AlertKind, Objective
from apps.monitoring.queries import Recent, alerts_of, figures, objective_with
from apps.monitoring.rules import ObjectiveStatus
from apps.rollouts.models import DrillSchedule, Rollout
from apps.rollouts.queries import ROLLBACK_KEPT, may_serve_again, passing_over
from apps.rollouts.rules import OPEN_STATES, STEPPING
from apps.rollouts.states import RolloutKind
from apps.serving.models import Endpoint, EndpointKey, Revision
from apps.serving.queries import EndpointStatus, endpoint_keys, status_with, visible_endpoints
from apps.serving.rules import PRESENT, EndpointState, RevisionState, Trouble, serving_config
from placet.kernel.actor import Actor, Scope
from placet.kernel.problems import NotFound
from placet_verify.capture import Capture
from placet_verify.units import UnitSource

SHOWN = 20  # revisions of an endpoint
FEW = 5  # releases that wait
RECENT_MINUTES = 15


@dataclass(frozen=True)
class EndpointView:
    """One endpoint, read along with its drills, its recalls and what is agreed."""

    endpoint: Endpoint  # as endpoint_view reads it
    actor: Actor
    everything: bool = False  # in its story, and not only what people decide by

    @cached_property
    def revisions(self) -> list[Revision]:
        """The newest revisions, and all that are present."""
        return revisions_of(self.endpoint, self.actor)

    @cached_property
    def history(self) -> list[Revision]:
        """The newest revisions."""
        return self.revisions[:SHOWN]

    @cached_property
    def status(self) -> EndpointStatus:
        """What runs there."""
        return status_with(self.endpoint, self.revisions)

    @cached_property
    def judged(self) -> EndpointStatus:
        """What runs there, and whether it meets its objective."""
        return with_verdict(self.status, self.verdict)

    @property
    def live(self) -> Revision | None:
        """The revision that serves."""
        return self.status.live.revision if self.status.live else None

    @cached_property
    def former(self) -> list[Revision]:
        """What a rollback may go to, the newest first."""
        return drilled(self.rollouts, self.revisions) or former_of(self.live, self.revisions)

    @property
    def objective(self) -> Objective | None:
        """What is agreed."""
        return objective_with(self.endpoint)

    @cached_property
    def _figures(self) -> tuple[dict[str, Recent], ObjectiveStatus | None]:
        if self.live is None:
            return {}, None
        beside = [row.revision.pk for row in self.status.revisions]
        judged = self.objective if self.stop is None else None  # what is stopped keeps to nothing
        return figures(self.live, judged, beside=beside, minutes=RECENT_MINUTES)

    @property
    def recent(self) -> dict[str, Recent]:
        """What each revision answered lately."""
        return self._figures[0]

    @property
    def verdict(self) -> ObjectiveStatus | None:
        """Whether what is agreed is met."""
        return self._figures[1]

    @cached_property
    def alerts(self) -> list[AlertRow]:
        """What is wrong with it now."""
        rows = shown_alerts(with_keeper(alerts_of(self.endpoint)), self.actor)
        row, figures = self.objective, dict[str, str]()
        if row is not None and self.verdict is not None and self.stop is None:
            figures = {self.endpoint.pk: figures_now(row, self.verdict)}
        return [replace(one, now=one.told(figures)) for one in rows]

    @cached_property
    def keys(self) -> list[EndpointKey]:
        """Its API keys, the newest first."""
        return list(endpoint_keys(self.endpoint).order_by("-created_at"))

    @cached_property
    def rollouts(self) -> list[Rollout]:
        """Its newest rollouts; which ones is found first, as of its revisions."""
        newest = self.endpoint.rollouts.order_by("-created_at").values("pk")[:10]
        rows = self.endpoint.rollouts.filter(one_of(newest)).order_by("-created_at")
        rows = rows.select_related("release", "from_revision", "to_revision")
        rows = rows.defer("from_revision__permit", "to_revision__permit")
        return list(with_last_words(rows, self.actor))

    @property
    def moves(self) -> list[RolloutMove]:
        """The same as its pages list them."""
        return [RolloutMove(row) for row in self.rollouts]

    @property
    def move(self) -> RolloutMove:
        """The one that is under way."""
        return RolloutMove(self.rollout)

    @cached_property
    def stop(self) -> Stop | None:
        """Who stopped it, and why; ``None`` where nobody did."""
        return stop_told(self.endpoint, getattr(self.endpoint, "stopper", {}), self.actor)

    @property
    def answering(self) -> list[tuple[str, str]]:
        """The revisions that requests go to, by id and in words."""
        rows = [row.revision for row in self.status.revisions if row.revision.weight]
        return [(row.pk, f"revision {row.number} ({row.bento.version})") for row in rows]

    @property
    def after_start(self) -> AfterStart:
        """What serves there once it is started."""
        approved = getattr(self.endpoint, "approved", ())
        return AfterStart(self.live, self.rollout, approved, self.endpoint.is_stopped)

    @cached_property
    def drills(self) -> list[DrillRow]:
        """Its rollback tests, the newest first."""
        return drill_rows(self.endpoint)

    @property
    def schedule(self) -> DrillSchedule | None:
        """When rollback tests run by themselves."""
        return schedule_with(self.endpoint)

    @cached_property
    def _story(self) -> tuple[list[EventLine], dict[str, str]]:
        people = {self.endpoint.created_by, *(row.started_by for row in self.rollouts)}
        ids = [self.endpoint.pk, *(row.pk for row in (*self.history[:5], *self.rollouts))]
        ids += [self.objective.pk] if self.objective else []
        place = Scope(self.endpoint.project_id, self.endpoint.environment)
        kinds = () if self.everything else NOTABLE
        return story(ids, self.actor, people=people, place=place, kinds=kinds)

    @property
    def timeline(self) -> list[EventLine]:
        """What happened to it."""
        return self._story[0]

    @property
    def names(self) -> dict[str, str]:
        """The names of who made it, moved it, and did what its story tells."""
        return self._story[1]

    @cached_property
    def said(self) -> dict[int, str]:
        """Why, in the words of who did it, by the index of a line of the story."""
        return reasons_of(self.timeline)

    @property
    def further(self) -> Link:
        """What shows the other lines of the story, or fewer."""
        if self.everything:
            return Link("Show decisions and changes of state only", "?#activity")
        return Link("Show everything", "?activity=all#activity")

    @cached_property
    def keeper_names(self) -> dict[str, str]:
        """The names of whom its objective tells, and of who ran its rollback tests."""
        owner = self.objective.owner if self.objective else ""
        return actor_names({owner, *(drill.started_by for drill in self.drills)})

    @property
    def asked(self) -> Asked | None:
        """The newest release that was asked of it; ``None`` where something was rolled out there,
        or nothing was asked."""
        asked = getattr(self.endpoint, "asked", None)
        if self.endpoint.state == EndpointState.DELETED or not asked or asked["used"]:
            return None
        return Asked(asked["release"], asked["number"], asked["state"])

    @property
    def traffic(self) -> Recent | None:
        """What the live revision answered."""
        live = self.status.live
        return self.recent.get(live.revision.pk) if live else None

    @property
    def split(self) -> UnitSource | None:
        """The unit that requests are split by, of the candidate else of what is live."""
        rows = [r.revision for r in self.status.revisions if r.revision.weight]
        candidates = [row for row in rows if row.state != RevisionState.LIVE]
        deciding = (candidates or rows)[:1]
        return serving_config(deciding[0].serving).unit if deciding else None

    @property
    def capture(self) -> Capture | None:
        """What the revision that serves writes down of its predictions."""
        first = self.status.serving
        return serving_config(first.revision.serving).capture if first else None

    @property
    def sample(self) -> Any:
        """One example row of the version that serves, for the snippets."""
        first = self.status.serving
        example = first.revision.bento.version.example if first else None
        return example[0] if example else {}

    @property
    def address(self) -> str:
        """The URL that clients call: ``/predict``, or the API that what serves names; '' while the
        target has no address."""
        first = self.status.serving
        if not self.status.url:
            return ""
        return f"{self.status.url}/{first.revision.bento.version.api if first else 'predict'}"

    @property
    def is_stopping(self) -> bool:
        """Whether somebody stopped it, and its node says that replicas answer still."""
        return self.endpoint.is_stopped and any(r.ready_replicas for r in self.status.revisions)

    @property
    def health(self) -> str:
        """How it is: as it is judged, and ``stopping`` until its node has stopped it."""
        return "stopping" if self.is_stopping else self.judged.health

    @property
    def previous(self) -> Revision | None:
        """The revision that a rollback goes to unless another one is named."""
        return self.former[0] if self.former else None

    @property
    def rollout(self) -> Rollout | None:
        """The rollout that is under way, if any."""
        return next((r for r in self.rollouts if r.state in OPEN_STATES), None)

    @property
    def mark(self) -> str:
        """What its page was made for, in a query string: with another one, more than the part that
        renews itself is out of date."""
        moves = [f"{row.pk}-{row.generation}" for row in self.rollouts[:1]]
        return ".".join([self.endpoint.state, self.live.pk if self.live else "", *moves])

    @property
    def page_state(self) -> str:
        """What all of its page was made for that does not renew itself: its buttons, their dialogs,
        its alerts and recalls. It goes into a header of HTTP too, so it holds no name, and no
        blank at either end, which a header loses."""
        live, going = self.live, self.rollout
        recalled = getattr(self.endpoint, "recalled", ())
        parts = [f"{live.pk} {live.replicas}" if live else "", going.pk if going else ""]
        parts += [f"{one['state']} {fell_back(one['back'])}" for one in recalled]
        parts += [one.title for one in self.status.found]
        return ";".join([self.endpoint.state, str(getattr(self.endpoint, "needed", "")), *parts])

    @property
    def served_state(self) -> str:
        """The same of the page of its revisions: what each is there, and which share it had."""
        each = [f"{r.number} {r.state} {r.weight} {r.peak_weight}" for r in self.revisions]
        return f"{self.endpoint.state};{self.status.health};{crc32(';'.join(each).encode()):08x}"

    @property
    def going_out(self) -> bool:
        """Tell whether a rollback would abort a release that is going out."""
        row = self.rollout
        return (
            row is not None
            and row.kind == RolloutKind.RELEASE
            and row.state in STEPPING
            and row.from_revision_id is not None
        )


def endpoint_view(endpoint_id: str, actor: Actor, *, everything: bool = False) -> EndpointView:
    """Return one endpoint as its pages read it, or raise ``NotFound``."""
    rows = visible_endpoints(actor, deleted=True).select_related("objective", "drill_schedule")
    endpoint = rows.annotate(**read_along()).filter(pk=endpoint_id).first()
    if endpoint is None:
        raise NotFound
    return EndpointView(endpoint, actor, everything)


def with_verdict(status: EndpointStatus, verdict: ObjectiveStatus | None) -> EndpointStatus:
    """Return ``status`` with its objective not met where that is so: as its page measures it, also
    in the seconds before the alert about it is open."""
    known = {trouble.title for trouble in status.found}
    if verdict is None or verdict.standing != "breached" or AlertKind.OBJECTIVE.label in known:
        return status
    found = (Trouble(AlertKind.OBJECTIVE.label, verdict.reason), *status.found)
    return replace(status, found=found)


def read_along() -> dict[str, Any]:
    """Return what the query that reads an endpoint reads along: its drills, its recalls, which
    environment is the last of its project, who stopped it, and the newest release that was
    ``asked`` of it, with whether any was ever rolled out there (``used``), and those that are
    ``approved``, each with whether it ``starts`` by itself."""
    places = Environment.objects.filter(project=OuterRef("project")).order_by("-position")
    there = {"endpoint": OuterRef("endpoint")}
    served = Exists(Revision.objects.filter(**there)) | Exists(
        Release.objects.filter(**there, live_at__isnull=False)
    )
    used = Case(When(served, then=True), default=False)
    asked = Release.objects.filter(endpoint=OuterRef("pk")).order_by("-pk")
    starts = Case(When(Exists(to_start().filter(pk=OuterRef("pk"))), then=True), default=False)
    approved = asked.filter(state=ReleaseState.APPROVED).values(
        json=JSONObject(release="pk", number="number", starts=starts)
    )
    newest = asked.values(json=JSONObject(release="pk", number="number", state="state", used=used))
    return {
        "last_drills": last_drills(),
        "recalled": reached_by(),
        "last_environment": Subquery(places.values("name")[:1]),
        "stopper": stopper(),
        "asked": Subquery(newest[:1]),
        "approved": ArraySubquery(approved[:FEW]),
        "needed": Exists(on_their_way()),
    }


def revisions_of(endpoint: Endpoint, actor: Actor) -> list[Revision]:
    """Return the newest revisions and all that are present, each with the number of its release,
    since when that is live (as lists say it: anew with each start and each way back), who approved
    it, and the recall and the rollout that ended it.

    Which ones is found first: of few the database looks after each whether it may serve again, of
    many it would do that for every revision of every endpoint.
    """
    newest = endpoint.revisions.order_by("-number").values("pk")[:SHOWN]
    release = Release.objects.filter(pk=OuterRef("release"))
    columns = {
        "release_number": Subquery(release.values("number")),
        "release_live_at": Subquery(release.filter(state=ReleaseState.LIVE).values("live_at")),
        "passed_over": passing_over(),
        "may_serve_again": Exists(may_serve_again().filter(pk=OuterRef("pk"))),
        **approvers_of("release"),
        "recall": recall_that_ended(),
        "ended_by": rollout_that_ended(actor),
    }
    present = endpoint.revisions.filter(state__in=PRESENT).values("pk")
    rows = endpoint.revisions.filter(one_of(newest.union(present)))
    rows = rows.select_related("bento__version__model", "bento__runtime")
    return list(rows.annotate(**columns).order_by("-number"))


def drilled(rollouts: Sequence[Rollout], history: list[Any]) -> list[Revision]:
    """Return the revision that a drill is on its way to: a rollback would stay there."""
    there = {
        r.to_revision_id for r in rollouts if r.kind == RolloutKind.DRILL and r.state in STEPPING
    }
    return [row for row in history if row.pk in there]


def former_of(live: Revision | None, history: list[Any]) -> list[Revision]:
    """Return what a rollback may go to, as :func:`apps.rollouts.queries.former_revisions` does,
    from ``history`` as :func:`revisions_of` reads it."""
    former = [
        row
        for row in history
        if live is not None and row.number < live.number and row.may_serve_again
    ]
    return former[:ROLLBACK_KEPT]
