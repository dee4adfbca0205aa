"""What the page of a release says of it once it has ended: what was so then, and is not now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Case, CharField, Exists, OuterRef, QuerySet, Subquery, Value, When
from django.db.models.functions import Cast, Concat, JSONObject
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.assurance.models import OF_DECISIONS, RecallEffect, RecallKind, RecallState
from apps.assurance.queries.recalls_beside import RECALLED, recall_before_the_decision
from apps.assurance.queries.visible_recalls import recalls_of_version
from apps.audit.queries import unseal
from apps.console.queries.actor_names import by_machine
from apps.console.queries.links import recall_url
from apps.console.queries.page_parts import Banner, Link
from apps.console.queries.promotions import with_promotion
from apps.console.queries.stops import is_stopped_beside, stopped_at_the_decision, stopper
from apps.console.queries.under_way import with_moving
from apps.console.templatetags.placet import ago
from apps.governance import gates
from apps.governance.gates.facts import GateResult
from apps.governance.models import OPEN_STATES, UNFINISHED_STATES, Release
from apps.governance.queries.people import NamedPerson, who_can_decide
from apps.governance.queries.release_detail import DecisionRow, ReleaseView
from apps.governance.rules import CHANGES, RETRIABLE, ReleaseState
from apps.identity.queries import name_in
from apps.identity.rules.permissions import roles_with
from apps.rollouts.attempts import rollback_of
from apps.rollouts.models import Rollout
from apps.rollouts.passed import PassedOver, passed_over_in, with_passed_over
from apps.rollouts.queries import version_name, with_way_back
from apps.serving.models import Revision
from apps.serving.rules import EndpointState
from placet.kernel.actor import Actor
from placet.kernel.clock import now

UNSERVED = (ReleaseState.REJECTED, ReleaseState.WITHDRAWN, ReleaseState.EXPIRED)
NAMED = 8  # people by name, then how many more
AGAIN = "The version is not recalled: it can be requested again."
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
    who: str = ""  # whose decision it may still pass with, in a sentence


@dataclass(frozen=True, slots=True)
class RecalledBefore:
    """That what it runs was recalled, by whom and when, and that this was withdrawn before."""

    recall: Link  # what was recalled
    by: str
    at: datetime
    lifter: str
    lifted_at: datetime


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

    def revoked(self, actor: Actor) -> Banner | None:
        """What revoked it, by whom and why for who may see that recall, and the last one since."""
        if self.release.state != ReleaseState.REVOKED:
            return None
        rows = self.release.recalled
        urls = [recall_url(row["id"], row["project"], actor) for row in rows]
        why, hidden = str(self.release.ended_reason), ""
        if rows:
            why = RECALLED[rows[0]["kind"]]
            hidden = " The recall counts in all projects and is not visible to you."
        if rows and urls[0]:
            why, hidden = f"{why} by {rows[0]['name']}: “{unseal(rows[0]['reason'])}”", ""
        text = f"{why}. It can no longer be deployed.{self._after_recall}{hidden}"
        links = [Link("Open recall", urls[0])] if rows and urls[0] else []
        if len(rows) > 1 and urls[-1]:
            links.append(Link("Open later recall", urls[-1]))
        return Banner("danger", text, links)

    @property
    def _is_recalled(self) -> bool:
        return any(row["state"] == RecallState.STANDING for row in self.release.recalled)

    @property
    def _only_decisions(self) -> bool:
        """Whether nothing of what it runs is recalled, only what was decided on it."""
        of_decisions = all(row["kind"] in OF_DECISIONS for row in self.release.recalled)
        return of_decisions and not self.is_barred

    @property
    def _was_recalled(self) -> SafeString:
        """That what it runs was recalled, where that is withdrawn since."""
        if self._is_recalled or not self.release.recalled:
            return SafeString()
        last = self.release.recalled[-1]
        times = (ago(datetime.fromisoformat(last[name])) for name in ("at", "lifted"))
        if last["kind"] in OF_DECISIONS:
            said = "What was decided on it was recalled {}, which was withdrawn {}. "
            return format_html(said, *times)
        return format_html("What it ran was recalled {}, which was withdrawn {}. ", *times)

    @property
    def _after_recall(self) -> str:
        """What can be done where nothing that it runs is recalled, or not any more; '' else."""
        if self._is_recalled and self._only_decisions:
            return f" {AGAIN}"
        if self._is_recalled or not self.release.recalled:
            return ""
        return " The recall was withdrawn since: request a new release to run it again."

    @property
    def passed_over(self) -> list[PassedOver]:
        """The analyses that people signed and its rollouts went past."""
        return passed_over_in(self.release)

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
    def is_barred(self) -> bool:
        """Whether its version is recalled: it cannot be requested again."""
        return bool(self.release.version_recalls)

    @property
    def what_now(self) -> str:
        """What can be done where it ended before anything of it served."""
        if self.is_barred:
            return (
                f"Nothing was deployed. {self.release.version} is recalled: it can't be released."
            )
        return "Nothing was deployed; a new release can be requested."

    @property
    def rejections(self) -> list[DecisionRow]:
        """The decisions that ended it."""
        if self.release.state != ReleaseState.REJECTED:
            return []
        return [d for d in self.view.decisions if d.verdict == "reject" and not d.voided_reason]

    def recalled_before(self, actor: Actor) -> RecalledBefore | None:
        """The withdrawn recall of what it runs, where ``actor`` may see it."""
        before = self.release.recalled_before
        url = recall_url(before["id"], before["project"], actor) if before else ""
        if not url:
            return None
        own = before["kind"] == RecallKind.VERSION
        at, lifted_at = (datetime.fromisoformat(before[name]) for name in ("at", "lifted_at"))
        what = Link(str(self.release.version) if own else "its Bento", url)
        return RecalledBefore(what, before["by"], at, before["lifter"], lifted_at)

    @property
    def stood(self) -> str:
        """What was live at its endpoint when it was decided, in a sentence; '' before that."""
        if not self.view.is_decided:
            return ""
        when = moment(self.release)
        if self.view.is_unknown:
            return f"What was live {when} was not recorded."
        live = self.view.changes.compared_with or "nothing"
        if is_stopped_beside(self.view):
            then = f"; {live} was live there before"
            if not self.view.changes.compared_with:  # then: others may have been live earlier
                then = ", and nothing was live there"
            return f"{when.capitalize()}, the endpoint was stopped{then}."
        return f"{when.capitalize()}, {live} was live."

    @property
    def live_now(self) -> Link:
        """What is live at its endpoint now."""
        return link_to_live(self.release)

    @property
    def serving_now(self) -> str:
        """What serves there where nothing is live, in a few words; '' where nothing does."""
        return serving_beside(self.release)

    @property
    def gates_title(self) -> str:
        """What stands above its gates: they are looked at for the last time as it starts."""
        if not self.view.is_decided:
            return "Gates"
        if self.has_started:
            return "Gates at its start"
        return "Gates when it ended" if self._was_checked_last else "Gates when last checked"

    @property
    def _was_checked_last(self) -> bool:
        """Whether they were looked at as it ended: only a decision does that."""
        return bool(self.release.state == ReleaseState.REJECTED)

    @property
    def gates(self) -> list[GateLine]:
        """Its gates; of one that waits no more what they said last, as past."""
        if self.view.is_decided:
            return [past(gate, self.view.recalled_since(gate)) for gate in self.view.gates]
        both = zip(self.view.gates, self.view.who_opens, strict=True)
        return [present(gate, people, self.view.lifting.says) for gate, people in both]

    @property
    def checked_at(self) -> datetime | None:
        """When its gates were looked at last, where it never started and waits no more."""
        ended = self.is_over and not self.has_started
        at: datetime | None = self.release.evaluated_at
        return at if ended else None

    @property
    def unchecked(self) -> str:
        """Continues when they were looked at last."""
        return "" if self._was_checked_last else ", and not again when it ended"

    @property
    def bound_note(self) -> str:
        """What an approval is worth where what it is bound to changes."""
        if self.release.state in UNFINISHED_STATES:
            return BOUND
        if self.release.approved_at:
            return "It was approved for exactly these."
        return "It ended before every gate had passed."

    @property
    def rolled_back(self) -> Banner | None:
        """Why it was rolled back, and how to go on."""
        if self.release.state != ReleaseState.ROLLED_BACK:
            return None
        text = format_html(
            "{}. {}It can't be rolled out again: request a release of another version{}",
            went_back(self.release.rollback, self.release.ended_reason.rstrip(".")),
            self._was_recalled,
            self._or_again,
        )
        links = [Link(f"Versions of {self.release.version.model.name}", self._model_url)]
        if went := self.release.rollback:
            links.insert(0, Link("Open rollback", reverse("rollout", args=[went["id"]])))
        return Banner("warning", text, links)

    @property
    def _or_again(self) -> str:
        """Continues that another version can be requested: whether this one can be as well."""
        if not self._is_recalled:
            return ", or of this one again."
        if self._only_decisions:
            return ", or of this one again: what was decided on it is recalled, the version is not."
        return ". What it runs is recalled."

    def retriable(self, rollout: Rollout | None) -> Banner | None:
        """How it can go out after all, where its ``rollout`` failed or was aborted, and who has it
        do so: the page of the rollout has the button."""
        if self.release.state not in RETRIABLE or rollout is None:
            return None
        if self.release.not_after <= now():
            return Banner("info", "Its approval has expired: request a new release to run it.")
        text = format_html(
            "It can be rolled out again on the approval that it has, which expires {}: who has the "
            "role {} can retry its rollout{}, if every gate still passes then.",
            *(ago(self.release.not_after), " or ".join(roles_with("rollout.start"))),
            " once its endpoint is started" if self.release.endpoint.is_stopped else "",
        )
        return Banner("info", text, [Link("Open rollout", reverse("rollout", args=[rollout.pk]))])

    @property
    def _model_url(self) -> str:
        model = self.release.version.model
        return reverse("model", args=[self.release.project.slug, model.name])


def went_back(went: Mapping[str, Any] | None, reason: str) -> SafeString:
    """Say from where to where the rollback ``went``, who did that, when and why."""
    ways, why = SafeString(), reason
    if went is not None:
        why = reason if not reason or by_machine(went["by"]) else f"“{reason}”"
        ways = format_html(
            " from revision {} to revision {} by {} {}",
            *(went["from"], went["to"], went["name"], ago(datetime.fromisoformat(went["at"]))),
        )
    return format_html("Rolled back{}{}{}", ways, ": " if why else "", why)


def moment(release: Release) -> str:
    """Say as of when a release that is decided is shown: nobody decided on one that was withdrawn
    or that expired while it waited for people."""
    decided = release.approved_at or release.state == ReleaseState.REJECTED
    return "at the decision" if decided else "when it ended"


def present(gate: GateResult, people: Sequence[NamedPerson], asking: str = "") -> GateLine:
    """Return what a gate says now; ``people`` are those whose approval it lacks, and ``asking`` is
    what is said of who asked for changes."""
    who = asking if gate["gate"] == CHANGES else ""
    if gate["state"] != "skipped" and gate["gate"] == "approvals" and gate["facts"].get("missing"):
        who = who_can_decide(people, NAMED)
    return GateLine(gate["state"], gate["title"], gate["reason"], who)


def past(gate: GateResult, recalled: Sequence[str] = ()) -> GateLine:
    """Return what a gate said last, without what lay ahead then; one that waited never passed."""
    if gate["state"] == "waiting":
        return GateLine("not_passed", gate["title"], f"Had not passed. {gates.past(gate)}")
    who = f"Recalled since: {', '.join(recalled)}" if recalled else ""
    return GateLine(gate["state"], gate["title"], gates.past(gate), who)


def with_end(releases: QuerySet[Release], actor: Actor) -> QuerySet[Release, Any]:
    """Have each release bring which analyses its rollouts passed over, where ``actor`` may see
    them, where a rollback from it would go, the rollout that took it back
    (``rollback``), the recall of what it runs that was withdrawn before it was decided
    (``recalled_before``), the recalls that revoked it (``recalled``), the name of who
    stopped its endpoint (``stopper``), the rollout under way there
    (:func:`with_moving`), whether that was stopped at the decision (``stopped_then``), the
    standing recalls of its version (``version_recalls``), what is live there now
    (:func:`with_live_now`), and what was and will be requested by itself
    (:func:`with_promotion`)."""
    recalls = RecallEffect.objects.filter(release=OuterRef("pk")).order_by("pk")
    columns = {name: f"recall__{name}" for name in ("project", "kind", "state")}
    columns |= {"at": "recall__created_at", "lifted": "recall__lifted_at"}
    columns |= {"by": "recall__recalled_by", "reason": "recall__reason_sealed"}
    recall = JSONObject(id="recall", name=name_in("recall__recalled_by"), **columns)
    told = with_promotion(with_passed_over(with_live_now(with_way_back(releases)), actor))
    return with_moving(told).annotate(
        rollback=rollback_of(),
        recalled_before=recall_before_the_decision(),
        recalled=ArraySubquery(recalls.values(json=recall)),
        stopper=stopper("endpoint"),
        stopped_then=stopped_at_the_decision(),
        version_recalls=recalls_of_version("version__"),
    )


def link_to_live(release: Any) -> Link:
    """Return what is live at the endpoint of a release that was read :func:`with_live_now`; without
    an address where that is itself, or nothing."""
    live = release.live_now
    if live is None or live["release"] == release.pk:
        return Link("this release" if live else "nothing", "")
    return Link(live["version"], reverse("release", args=[live["release"]]))


def serving_beside(release: Any) -> str:
    """Return what serves there where nothing is live, in a few words; '' where nothing does."""
    return f", while {release.serving_now} serves" if release.serving_now else ""


def with_live_now(releases: QuerySet[Release]) -> QuerySet[Release, Any]:
    """Have each release bring what is live at its endpoint now (``live_now``): its release and its
    version; ``None`` where nothing is. Then also the version that has requests there before it is
    live (``serving_now``), such as one that a recall went back to."""
    live = Release.objects.filter(endpoint=OuterRef("endpoint"), state=ReleaseState.LIVE)
    live = live.exclude(endpoint__state=EndpointState.STOPPED)
    number = Cast("version__number", CharField())
    version = Concat("version__model__name", Value(":"), number)
    said = live.values(json=JSONObject(release="pk", version=version))
    asked = Revision.objects.filter(endpoint=OuterRef("endpoint"), weight__gt=0)
    asked = asked.exclude(endpoint__state=EndpointState.STOPPED).order_by("-weight")
    first = Subquery(asked.values(name=version_name())[:1])
    alone = When(~Exists(live), then=first)
    return releases.annotate(live_now=Subquery(said[:1]), serving_now=Case(alone, default=None))
