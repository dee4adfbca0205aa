"""What the page of a release says of it once it has ended: what was so then, and is not now."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, QuerySet, Subquery
from django.db.models.functions import JSONObject
from django.urls import reverse

from apps.assurance.models import RecallEffect
from apps.console.queries.links import recall_url
from apps.console.queries.page_parts import Banner, Link
from apps.governance import gates
from apps.governance.gates.facts import GateResult
from apps.governance.models import OPEN_STATES, Release
from apps.governance.queries.release_detail import DecisionRow, ReleaseView
from apps.governance.rules import ReleaseState
from apps.rollouts.models import Rollout
from apps.rollouts.queries import with_way_back
from apps.rollouts.states import RolloutKind
from placet.kernel.actor import Actor

UNSERVED = (ReleaseState.REJECTED, ReleaseState.WITHDRAWN, ReleaseState.EXPIRED)
BOUND = "If any of these change, the approval is void and nothing is deployed."


def has_ended(release: Release) -> bool:
    """Tell whether nothing of a release waits, goes out or is live."""
    return release.state not in (*OPEN_STATES, ReleaseState.LIVE)


@dataclass(frozen=True, slots=True)
class GateLine:
    """What a gate says, or said when the release ended."""

    state: str
    title: str
    reason: str


@dataclass(frozen=True, slots=True)
class ReleaseEnd:
    """Whether a release has ended, and what is said of it then."""

    view: ReleaseView
    has_started: bool  # its rollout

    @property
    def release(self) -> Any:
        """The release itself, as :func:`with_end` reads it."""
        return self.view.release

    @property
    def is_over(self) -> bool:
        """Whether nothing of it waits, goes out or is live."""
        return has_ended(self.release)

    def recalls(self, actor: Actor) -> list[Link]:
        """The recalls that revoked it, of those that ``actor`` may see."""
        found = (recall_url(row["id"], row["project"], actor) for row in self.release.recalled)
        return [Link("Open recall", url) for url in found if url]

    @property
    def is_unserved(self) -> bool:
        """Whether it ended before anything of it served."""
        return self.release.state in UNSERVED

    @property
    def outcome(self) -> str:
        """How a release ended that nobody decided against."""
        withdrawn = self.release.state == ReleaseState.WITHDRAWN
        return "Withdrawn." if withdrawn else "Expired before rollout."

    @property
    def rejections(self) -> list[DecisionRow]:
        """The decisions that ended it."""
        if self.release.state != ReleaseState.REJECTED:
            return []
        return [d for d in self.view.decisions if d.verdict == "reject" and not d.voided_reason]

    @property
    def gates_title(self) -> str:
        """What stands above its gates."""
        if not self.is_over:
            return "Gates"
        return "Gates at its start" if self.has_started else "Gates when it ended"

    @property
    def gates(self) -> list[GateLine]:
        """Its gates; of one that is over what they said last, as past."""
        say = past if self.is_over else present
        return [say(gate) for gate in self.view.gates]

    @property
    def checked_at(self) -> datetime | None:
        """When its gates were looked at last, where it never started and waits no more."""
        ended = self.is_over and not self.has_started
        at: datetime | None = self.release.evaluated_at
        return at if ended else None

    @property
    def bound_note(self) -> str:
        """What an approval is worth where what it is bound to changes."""
        if not self.is_over:
            return BOUND
        if self.release.approved_at:
            return "It was approved for exactly these."
        return "It ended without being approved."

    @property
    def rolled_back(self) -> Banner | None:
        """Why it was rolled back, and how to go on."""
        if self.release.state != ReleaseState.ROLLED_BACK:
            return None
        why = f": {self.release.ended_reason.rstrip('.')}" if self.release.ended_reason else ""
        text = (
            f"Rolled back{why}. It can't be rolled out again: request a release of another version,"
            " or of this one again."
        )
        links = [Link(f"Versions of {self.release.version.model.name}", self._model_url)]
        if self.release.rollback:
            links.insert(0, Link("Open rollback", reverse("rollout", args=[self.release.rollback])))
        return Banner("warning", text, links)

    @property
    def _model_url(self) -> str:
        model = self.release.version.model
        return reverse("model", args=[self.release.project.slug, model.name])


def present(gate: GateResult) -> GateLine:
    """Return what a gate says now."""
    return GateLine(gate["state"], gate["title"], gate["reason"])


def past(gate: GateResult) -> GateLine:
    """Return what a gate said last, without what lay ahead then; one that waited never passed."""
    if gate["state"] == "waiting":
        return GateLine("not_passed", gate["title"], f"Had not passed. {gates.past(gate)}")
    return GateLine(gate["state"], gate["title"], gates.past(gate))


def with_end(releases: QuerySet[Release]) -> QuerySet[Release]:
    """Have each release bring where a rollback from it would go, the rollout that took it back
    (``rollback``), and the recalls that revoked it (``recalled``)."""
    went = Rollout.objects.filter(kind=RolloutKind.ROLLBACK, endpoint=OuterRef("endpoint"))
    went = went.filter(from_revision__release=OuterRef("pk")).order_by("-created_at")
    recalls = RecallEffect.objects.filter(release=OuterRef("pk")).order_by("pk")
    recall = JSONObject(id="recall", project="recall__project")
    return with_way_back(releases).annotate(
        rollback=Subquery(went.values("pk")[:1]),
        recalled=ArraySubquery(recalls.values(json=recall)),
    )
