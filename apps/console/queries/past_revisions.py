"""The revisions that were released to an endpoint: when each had requests, and how it ended."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import SimpleNamespace
from typing import Any

from django.db.models import OuterRef, Q, Subquery
from django.db.models.functions import JSONObject

from apps.assurance.queries.recalls_beside import recalls_told
from apps.console.queries.approvers import approval
from apps.console.queries.endpoint_parts import version_url
from apps.console.queries.links import recall_url
from apps.console.queries.rollout_steps import BADLY
from apps.console.queries.rollout_words import LastWords, last_words, with_last_words
from apps.console.queries.stops import Stop
from apps.console.templatetags.placet import percent
from apps.rollouts.models import Rollout
from apps.rollouts.states import RolloutKind, RolloutState
from apps.serving.models import Endpoint
from apps.serving.rules import ENDED, PRESENT, RevisionState
from placet.kernel.actor import Actor
from placet_verify.units import WHOLE

OVER = ENDED | {RevisionState.WARM, RevisionState.DRAINING}  # another one has its requests


@dataclass(frozen=True, slots=True)
class PastRevision:
    """One revision in the list of all that were released."""

    row: Any  # a revision as revisions_of reads it
    project: str
    stopped_at: datetime | None  # since when its endpoint is stopped
    actor: Actor
    told: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # recalls, as recalls_told
    stops: Stop | None = None  # of its endpoint

    @property
    def url(self) -> str:
        """Where its version is read."""
        return version_url(self.row.bento.version, self.project)

    @property
    def state(self) -> str:
        """How it is: what is live behind a stopped endpoint answers nobody, and nothing failed of
        what was aborted."""
        ended = self.row.ended_by if self.row.state in ENDED else None
        if ended and ended["state"] == RolloutState.ABORTED:
            return RolloutState.ABORTED
        stopped = self.stopped_at and self.row.state in PRESENT
        return RevisionState.STOPPED if stopped else self.row.state

    @property
    def stop(self) -> Stop | None:
        """Who stopped it with its endpoint, and why."""
        return self.stops if self.row.state in PRESENT else None

    @property
    def end(self) -> LastWords | None:
        """Why a rollout or a rollback took its requests, and who said so."""
        ended = self.row.ended_by if self.row.state in OVER else None
        return last_words(SimpleNamespace(**ended)) if ended else None

    @property
    def is_recalled(self) -> bool:
        """Whether a recall ended it."""
        return bool(self.row.recall) and self.row.state in ENDED

    @property
    def recall_url(self) -> str:
        """Where that recall is read, '' for who may not see it."""
        return recall_url(self.row.recall["id"], self.row.recall["project"], self.actor)

    @property
    def recaller(self) -> str:
        """Who recalled it, for who may see that recall."""
        told = self.told.get(self.row.recall["id"])
        return str(told["by_name"]) if told else ""

    @property
    def recalled_at(self) -> datetime:
        """When it was recalled."""
        return datetime.fromisoformat(self.row.recall["at"])

    @property
    def recall_reason(self) -> str:
        """Why it was recalled, for who may see that recall."""
        told = self.told.get(self.row.recall["id"])
        return str(told["reason"]) if told else ""

    @property
    def recall_withdrawn_at(self) -> datetime | None:
        """When that recall was withdrawn, for who may see it; ``None`` while it stands."""
        told = self.told.get(self.row.recall["id"])
        at = told["withdrawn_at"] if told else None
        return datetime.fromisoformat(at) if at else None

    @property
    def approvers(self) -> str:
        """Who approved it, '' when nobody had to."""
        return approval(self.row.approvers, self.row.emergency)

    @property
    def since(self) -> datetime | None:
        """When it had its first requests: as it went live where nobody wrote that down."""
        since: datetime | None = self.row.first_served_at or self.row.live_at
        return since

    @property
    def until(self) -> datetime | None:
        """When it had the last of them; ``None`` while it has some."""
        stopped: datetime | None = self.stopped_at if self.row.weight else None
        if self.row.first_served_at is None and not self.row.weight:
            return stopped or self.row.ended_at or self.row.live_at
        return self.row.last_served_at or stopped

    @property
    def share(self) -> str:
        """The largest share of the requests that it had; '' for all of them."""
        peak = self.row.peak_weight
        return f"at most {percent(peak)}" if 0 < peak < WHOLE else ""

    @property
    def by(self) -> str:
        """Continues the words that name its release: by whom that was approved."""
        if self.row.emergency:
            return f", {self.approvers[0].lower()}{self.approvers[1:]}"
        return f", approved by {self.approvers}" if self.approvers else ""


def past_revisions(
    rows: Iterable[Any], stop: Stop | None, endpoint: Endpoint, actor: Actor
) -> list[PastRevision]:
    """Return what was released to ``endpoint``, as ``revisions_of`` read it: who recalled what and
    why is told to who may see the recall. ``stop`` tells who stopped it."""
    rows = list(rows)
    told = recalls_told((row.recall for row in rows if row.recall), actor)
    beside = (endpoint.project.slug, endpoint.stopped_at, actor, told)
    return [PastRevision(row, *beside, stop) for row in rows]


def rollout_that_ended(actor: Actor) -> Subquery:
    """Return the rollback that went back from a revision, or the rollout of it that ended badly,
    as ``last_words`` reads it for ``actor``: a column of the query that reads revisions."""
    back = Q(kind=RolloutKind.ROLLBACK, state=RolloutState.DONE, from_revision=OuterRef("pk"))
    badly = Q(kind=RolloutKind.RELEASE, state__in=BADLY, to_revision=OuterRef("pk"))
    rows = with_last_words(Rollout.objects.filter(back | badly), actor).order_by("-created_at")
    names = ("reason", "state", "aborted_by", "done_last", "recalled")
    return Subquery(rows.values(json=JSONObject(**{name: name for name in names}))[:1])
