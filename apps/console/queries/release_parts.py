"""What the page of a release is made of: sentences of its own, dialogs, documents."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from apps.assurance.queries.recalls_beside import RECALLED
from apps.audit.queries import unseal
from apps.console.queries.actor_names import actor_names
from apps.console.queries.links import recall_url
from apps.console.queries.page_parts import Link, Sign, people_of
from apps.console.queries.plans import Picture, picture
from apps.console.queries.release_changes import limits_words, secrets_words
from apps.console.queries.release_end import NAMED, moment
from apps.console.queries.release_outlook import waiting_signs
from apps.console.queries.release_review import asking_sign
from apps.console.queries.rollout_steps import state_of
from apps.console.queries.stops import is_stopped_beside
from apps.console.queries.under_way import rollout_before, rollout_named
from apps.console.templatetags.placet import capture, number, reaches, span, unit
from apps.governance.events import RELEASE_DECIDED, RELEASE_REVOKED
from apps.governance.models import Release
from apps.governance.plan import Plan
from apps.governance.queries.compared import ComparedRelease
from apps.governance.queries.records import PinnedThen
from apps.governance.queries.release_detail import ReleaseView
from apps.governance.rules import RETRIABLE, ReleaseState, missing_people
from apps.registry.models import EvidenceSource
from apps.rollouts.models import Rollout
from apps.serving.rules import EndpointState
from placet.kernel.actor import Actor
from placet_verify.permit.scaling import scaling_of
from placet_verify.permit.serving import is_slim


def signs(view: ReleaseView) -> list[Sign]:
    """Return what a release waits for: changes, gates that failed, people, the clock; and what
    follows."""
    held = list(asking_sign(view))
    if view.failing:
        what = "A gate has failed" if len(view.failing) == 1 else "Gates have failed"
        titles = ", ".join(gate["title"] for gate in view.failing)
        held.append(Sign("fail", "✕", f"{what}: {titles}", wrap=True))
    if view.missing_roles:
        many = missing_people(view.gates)
        missing = {role: many.get(role, 1) for role in view.missing_roles}
        held.append(Sign("wait", "◷", f"Waiting for {people_of(missing)}"))
    return [*held, *waiting_signs(view)]


def with_story_in_words(view: ReleaseView, actor: Actor) -> ReleaseView:
    """Return ``view`` with nodes named in its story; what came with a decision stands beside it,
    and a recall says whose it was."""
    nodes = actor_names({s.actor for s in view.story if s.actor.startswith("nod_")})
    story = tuple(
        replace(
            s,
            name=nodes.get(s.actor, s.name),
            text="" if s.kind == RELEASE_DECIDED.name else s.text,
            sentence=_revoked(view, actor) if s.kind == RELEASE_REVOKED.name else s.sentence,
        )
        for s in view.story
    )
    return replace(view, story=story)


def _revoked(view: ReleaseView, actor: Actor) -> str:
    """Say which recall revoked a release, by whom and why where the reader may see that."""
    row: Any = view.release  # with what was read along
    said, told = f"Release {row.number} is revoked by a recall", next(iter(row.recalled), None)
    if told is None:
        return said
    what = RECALLED[told["kind"]]
    said = f"{said}: {what[0].lower()}{what[1:]}"
    if not recall_url(told["id"], told["project"], actor):
        return said
    return f"{said} by {told['name']}, “{unseal(told['reason'])}”"


def replicas(serving: Mapping[str, Any], evidence: Sequence[PinnedThen] = ()) -> str:
    """Return how many replicas of what size a release asks for, whether a node scales them, and
    by what was measured how long it takes to wake what sleeps."""
    scaling = scaling_of(serving)
    scaled = f", scaled by load: {scaling.least} to {scaling.most}" if scaling else ""
    wakes = f"; {waking(serving, evidence)}" if scaling and scaling.sleeps else ""
    return f"{_replicas(serving, ' of ')}{scaled}{wakes}"


def waking(serving: Mapping[str, Any], evidence: Sequence[PinnedThen]) -> str:
    """Say that it sleeps, and how long its first request waits by the smoke test of its build."""
    member = f"{'slim_' if is_slim(serving) else ''}cold_start_seconds"
    measured = (one.summary for one in evidence if one.source == EvidenceSource.MEASURED)
    took = next((found[member] for found in measured if member in found), None)
    if not isinstance(took, int | float):
        return "it sleeps when nobody calls, and how long it takes to wake was not measured"
    return f"it sleeps when nobody calls; the smoke test's start took {span(took)}"


def _replicas(serving: Mapping[str, Any], between: str) -> str:
    count = serving["replicas"]
    many = "" if count == 1 else "s"
    return f"{count} replica{many}{between}{number(serving['memory_mb'])} MB"


def serving_words(serving: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a serving configuration says that is not said elsewhere on the page."""
    yield _replicas(serving, " · ")
    if scaling := scaling_of(serving):
        yield f"scaled by load: {scaling}"
    if serving.get("server"):
        yield "slim, without BentoML"
    if serving.get("unit"):
        yield f"routed by {unit(serving['unit'])}"
    if serving.get("capture"):
        yield f"captures {capture(serving['capture'])}"
    if serving.get("limits"):
        yield f"limits: {limits_words(serving['limits'])}"
    if serving.get("secrets"):
        yield f"secrets: {secrets_words(serving['secrets'])}"


def standing(release: Release) -> str:
    """Say in a word whether a release is still proposed, is live or stopped, was tried or has
    served."""
    if release.state == ReleaseState.LIVE:
        return release.shown_state
    if release.state in RETRIABLE:
        return "tried"
    return "served" if release.live_at else "proposed"


def live_word(view: ComparedRelease) -> str:
    """Say how what is live at its endpoint stands, or stood at the decision."""
    return EndpointState.STOPPED if is_stopped_beside(view) else ReleaseState.LIVE


def live_column(view: ComparedRelease) -> str:
    """Return what stands above the numbers of what a release is compared with."""
    then = f"{'then ' if view.is_decided else ''}{live_word(view)}"
    return f"{then} {view.live.version.number}" if view.live else ""


def own_column(release: Release) -> str:
    """Return what stands above the numbers of a release's own version."""
    return f"{standing(release)} {release.version.number}"


def compared_with(view: ReleaseView) -> str:
    """Say what it is compared with, and as of when; or why with nothing."""
    live = view.changes.compared_with
    if not view.is_decided:
        return f"compared with {live} ({live_word(view)})" if live else "nothing is live"
    when = moment(view.release)
    if view.is_unknown:
        return f"what was live {when} was not recorded"
    return (
        f"compared with {live} ({live_word(view)} {when})" if live else f"nothing was live {when}"
    )


def in_place(view: ReleaseView) -> str:
    """Continue the sentence that says what would serve where: in place of what."""
    if before := rollout_before(view.release):
        return f" (replaces what is live once the {rollout_named(before)} has ended)"
    live = view.changes.compared_with
    stopped = ", which is stopped" if view.is_stopped else ""
    return f" (replaces {live}{stopped})" if live else " (nothing is live there)"


def documents(release: Release, *, may_export: bool) -> Iterator[Link]:
    """Yield the signed documents of the release, with what checks them."""
    base = f"/api/v1/releases/{release.pk}"
    if release.approved_at:  # until then some of its signatures are missing
        yield Link("Signed permit", f"{base}/permit")
    if release.approved_at or release.state == ReleaseState.REJECTED:
        yield Link("Verification summary (SLSA)", f"{base}/vsa", download=True)
    if may_export:
        yield Link("Evidence bundle (zip)", f"{base}/bundle", download=True)
        yield Link("Offline verifier (HTML)", "/api/v1/verifier/page", download=True)


def network(view: ReleaseView) -> Sign | None:
    """Return what must not be read past of what it may reach; ``None`` where that is kept."""
    egress = view.release.serving.get("egress")
    if egress is None:
        return Sign("wait", "▲", "Older isolation: the host's network", wrap=True)
    if not view.shared_network:
        return None
    alone = " only" if egress else ""
    sentence = f"requested: {reaches(egress)}{alone}, but {view.shared_network}"
    return Sign("wait", "▲", sentence, wrap=True)


def picture_of(plan: Mapping[str, Any], rollout: Rollout | None) -> Picture:
    """Return how the plan would go out, or how far it is."""
    if rollout is None:
        return picture(Plan.stored(plan).steps)
    return picture(rollout.steps, [state_of(rollout, i) for i in range(len(rollout.steps))])


def barred(view: ReleaseView) -> list[str]:
    """Return why others cannot count, a sentence each."""
    reasons = [b.why for b in view.cannot_count]
    more = len(reasons) - NAMED
    return reasons[:NAMED] + ([f"and {more} more people"] if more > 0 else [])


def excluded(release: Any, actor: Actor) -> str:
    """Say why ``actor`` does not decide on a release that was read with its requester."""
    if actor.accountable != release.requester:
        return "You are the author of this version"
    opened = "This release opened by itself for you"
    return opened if release.opened else "You requested this release"
