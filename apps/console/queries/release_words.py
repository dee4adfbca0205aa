"""How a release stands, in the words of lists: what its gates answer, and what has paused it."""

from typing import Any

from django.db.models import Q, QuerySet

from apps.console.queries.page_parts import Sign, in_a_row, people_of
from apps.console.queries.release_outlook import (
    held_by_other_than_people,
    passes_at,
    starts_alone,
)
from apps.console.queries.under_way import rollout_before, rollout_named, with_moving
from apps.governance import gates, rules
from apps.governance.gates.facts import GateResult
from apps.governance.models import UNFINISHED_STATES, Release
from apps.governance.queries.by_clock import gates_now, with_clock
from apps.governance.queries.requested_changes import with_requests
from apps.governance.queries.shown_states import SHOWN_STATES, has_failed_gate, shown_as
from apps.governance.queries.waiting import overtaken, with_overtaking
from apps.governance.rules import ReleaseState
from apps.rollouts.pauses import PAUSED, stands, with_going
from apps.rollouts.states import RolloutState

BY_HAND = "Waits for an operator to start it"
_NEXT = SHOWN_STATES.index(ReleaseState.ROLLING_OUT) + 1
LISTED_STATES = (*SHOWN_STATES[:_NEXT], PAUSED, *SHOWN_STATES[_NEXT:])
BEFORE = {  # by the word that is asked for: the state of what may be told by it, beside its own
    ReleaseState.REQUESTED: ReleaseState.REQUESTED,
    ReleaseState.FAILED: ReleaseState.REQUESTED,
    ReleaseState.ROLLING_OUT: ReleaseState.ROLLING_OUT,
    PAUSED: ReleaseState.ROLLING_OUT,
}


def with_words(releases: QuerySet[Release]) -> QuerySet[Release, Any]:
    """Have releases, with their policy and environment, bring what :func:`listed_state` and
    :func:`~apps.rollouts.pauses.going` tell from, who asked for changes, and what went live since
    they were approved."""
    return with_overtaking(with_moving(with_going(with_clock(with_requests(releases)))))


def listed_state(release: Release) -> str:
    """Return how a release that was read :func:`with_words` stands, by the name of its word: one
    whose gate has failed does not wait, for nobody opens that gate, and one that is paused is not
    rolling out."""
    return ReleaseState.FAILED if has_failed_gate(release) else stands(release)


def listed_as(rows: QuerySet[Release], state: str) -> QuerySet[Release]:
    """Leave only what lists tell by this word, if one is given. What gates and rollouts say is in
    no column: of the few that are open each is asked."""
    if state not in BEFORE:
        return shown_as(rows, state)
    few = rows.select_related(None).select_related("environment", "policy")
    asked = with_words(few.filter(state=BEFORE[state]))
    words = {row.pk: listed_state(row) for row in asked}  # what is being aborted is still going out
    going = (state, RolloutState.ABORTING) if state == ReleaseState.ROLLING_OUT else (state,)
    found = Q(pk__in=[pk for pk, word in words.items() if word in going])
    return rows.filter(found | Q(state=state) if state == ReleaseState.FAILED else found)


def gate_sign(release: Release) -> Sign | None:
    """Say how the gates of a release that is not decided stood last, and of one that is approved
    which rollout has to end first, and who starts it where that is somebody, and why; ``None`` of
    others."""
    if release.state not in UNFINISHED_STATES:
        return None
    if release.state == ReleaseState.APPROVED:
        return _to_start(release)
    held = gates.holding_back(gates_now(release))
    if failed := [gate["title"] for gate in held if gate["state"] != "waiting"]:
        return Sign("fail", "✕", f"Failed: {', '.join(failed)}", wrap=True)
    return _waiting(held, asked_by(release)) if held else Sign("pass", "✓", "Gates passed")


def _to_start(release: Release) -> Sign | None:
    """Say what an approved release waits for; ``None`` where it starts by itself."""
    by_hand, text = not starts_alone(release), BY_HAND
    if before := rollout_before(release):
        then = ", then for an operator to start it" if by_hand else ""
        text = f"Waits for the {rollout_named(before)} to end{then}"
    elif not by_hand:
        return None
    if newer := overtaken(release):
        text = f"{newer}: {text[0].lower()}{text[1:]}"
    return Sign("wait", "◷", text, wrap=True)


def asked_by(release: Any) -> str:
    """Say that changes are requested, and by whom where the release brought that; '' where none
    are."""
    if not rules.is_held(release.gates):
        return ""
    names = [one["name"] for one in getattr(release, "asking", ())]
    return f"Changes requested by {in_a_row(names)}" if names else "Changes requested"


def _waiting(held: list[GateResult], asked: str) -> Sign:
    """Say whom a release waits for, and the clock or what else besides; first that changes were
    ``asked`` for, where they were."""
    missing, last = dict(sorted(rules.missing_people(held).items())), None
    said = [asked] if asked else []
    said += [f"Waiting for {people_of(missing)}"] if missing else []
    if others := held_by_other_than_people(held):
        times = [at for at in map(passes_at, others) if at]
        last = max(times) if len(times) == len(others) else None
        titles = ", ".join(gate["title"] for gate in others)
        many = "" if len(others) > 1 else "es"
        said.append(f"{titles}: pass{many}" if last else titles)
    return Sign("wait", "✎" if asked else "◷", "; ".join(said), True, last)
