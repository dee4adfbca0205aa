"""What a recall did to each release that it reached, or would do: pages, the API and files say the
same."""

from collections.abc import Iterable, Mapping
from typing import Any

from apps.assurance.models import EffectAction, RecallEffect, RecallState
from apps.assurance.queries.recalls_beside import recall_that_revoked
from apps.assurance.queries.ways_back import FELL_BACK, STAYED_STOPPED, fell_back
from apps.governance.models import Release
from apps.governance.rules import REVOCABLE, ReleaseState
from apps.identity.queries import sees_in
from placet.kernel.actor import Actor
from placet.kernel.problems import FieldError, InvalidInput

DONE: dict[str, str] = {
    EffectAction.FELL_BACK: FELL_BACK,
    EffectAction.STOPPED: "endpoint stopped",
    EffectAction.ENDED: "ended",
}
RECALL_WORDS: dict[str, str] = {  # how a recall stands, as pages, lists and files say it
    RecallState.STANDING: "recalled",
    RecallState.LIFTED: "withdrawn",
}
RECALL_STATES = {word: state for state, word in RECALL_WORDS.items()}
WOULD: dict[str, str] = {
    EffectAction.STOPPED: "stop the endpoint",
    EffectAction.ENDED: "revoke",
}


def state_asked(given: Mapping[str, str]) -> str:
    """Return in which state recalls are asked for, as it is stored; '' where in any. It is given
    by its word, or as it is stored: as the API tells it. Raises :class:`InvalidInput` for others.
    """
    state = given.get("state", "")
    if state and state not in RECALL_STATES and state not in RECALL_WORDS:
        raise InvalidInput(errors=[FieldError("state", f"One of {', '.join(RECALL_STATES)}")])
    return RECALL_STATES.get(state, state)


def recalls_that_revoked(releases: Iterable[str]) -> dict[str, Mapping[str, Any]]:
    """Return the recalls that revoked ``releases`` (ids), as ``recall_that_revoked`` has them, by
    release (one query, none for none)."""
    ids = list(releases)
    if not ids:
        return {}
    rows = Release.objects.filter(pk__in=ids, state=ReleaseState.REVOKED)
    return dict(rows.values_list("pk", recall_that_revoked()))


def did(effect: RecallEffect) -> str | None:
    """Return the action of an effect; ``None`` where its release had ended before and nothing of
    it ran."""
    revoked: Mapping[str, Any] | None = effect.revoking  # type: ignore[attr-defined]
    idle = effect.action == EffectAction.REVOKED
    return None if idle and (revoked is None or earlier(effect)) else effect.action


def earlier(effect: RecallEffect) -> Mapping[str, Any] | None:
    """Return the other recall that had revoked the release of an effect before."""
    revoked: Mapping[str, Any] | None = effect.revoking  # type: ignore[attr-defined]
    return revoked if revoked and revoked["id"] != effect.recall_id else None


def outcome(effect: RecallEffect) -> str:
    """Say what a recall did to a release, or how that had ended before, and what ended with it."""
    along: Mapping[str, Any] | None = effect.along  # type: ignore[attr-defined]
    return f"{_ended(effect)}, rollout of {_other(along)} aborted" if along else _ended(effect)


def _ended(effect: RecallEffect) -> str:
    done, state = DONE.get(effect.action), effect.release.state
    if effect.action == EffectAction.FELL_BACK:
        done = fell_back(effect.back)  # type: ignore[attr-defined]
    if effect.action == EffectAction.STOPPED and effect.was_stopped:  # type: ignore[attr-defined]
        done = STAYED_STOPPED
    if state != ReleaseState.REVOKED or earlier(effect):
        return f"Already {_word(state)}{f', {done}' if done else ''}"
    return f"Revoked, {done}" if done else "Revoked (was not running)"


def foreseen(
    state: str,
    action: str,
    fallback: int | None,
    along: Mapping[str, Any] | None = None,
    serving: int | None = None,
    *,
    stopped: bool = False,
) -> str:
    """Say what a recall would do to a release in this state, whose endpoint would go back to the
    revision with the number ``fallback``, and to the rollout ``along`` with it of another one.
    ``serving`` is the number of the revision that goes on serving there; 0 where none does, and
    ``None`` where nothing is said of that. At an endpoint that is ``stopped`` nothing serves before
    somebody starts it."""
    then = _foreseen(state, action, fallback, serving)
    if stopped and action in (EffectAction.FELL_BACK, EffectAction.STOPPED):
        then = _foreseen_stopped(fallback)
    return f"{then}, abort the rollout of {_other(along)}" if along else then


def _foreseen(state: str, action: str, fallback: int | None, serving: int | None) -> str:
    if action == EffectAction.FELL_BACK and fallback is not None:
        return f"roll back to revision {fallback}"
    if action == EffectAction.ENDED and state == ReleaseState.ROLLING_OUT:
        return f"revoke, end its rollout{_serving_on(serving)}"
    return WOULD.get(action, "revoke" if state in REVOCABLE else f"already {_word(state)}")


def _foreseen_stopped(fallback: int | None) -> str:
    if fallback is None:
        return "revoke: the endpoint stays stopped"
    return f"revoke: the endpoint goes back to revision {fallback} once it is started"


def _serving_on(number: int | None) -> str:
    if number is None:
        return ""
    return f": revision {number} goes on serving" if number else ": nothing else serves there"


def would(state: str, action: str) -> str | None:
    """Return the action that is foreseen; ``None`` where nothing would change."""
    return None if action == EffectAction.REVOKED and state not in REVOCABLE else action


def told_id(recall: Mapping[str, Any] | None, actor: Actor) -> str | None:
    """Return the id of a recall for who may see it."""
    if recall is None or not sees_in(recall["project"], "recall.view", actor):
        return None
    return str(recall["id"])


def _other(along: Mapping[str, Any]) -> str:
    return f"release {along['number']} ({along['model']}:{along['version']})"


def _word(state: str) -> str:
    return state.replace("_", " ")
