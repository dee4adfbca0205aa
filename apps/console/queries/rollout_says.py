"""What the dialogs of a rollout say that their verbs would do now, as it stands."""

from apps.console.queries.rollout_words import sides_of
from apps.console.queries.rollouts import RolloutView
from apps.governance.plan import Pause
from apps.rollouts.models import Rollout
from apps.rollouts.steps import last_weight

LATER = "The endpoint is stopped: requests follow once it is started."
ANEW = "with the existing approval. Gates are checked again."


def says_of(view: RolloutView) -> dict[str, str]:
    """Return what each verb does now, of those that say something else as time goes by."""
    onwards = {
        "resume": _resumed(view),
        "skip": _skipped(view),
        "promote": _promoted(view),
        "ship": f"{_all(view.rollout)}. You approve the result of its A/B test.",
    }
    if view.rollout.endpoint.is_stopped:
        onwards = {verb: f"{does} {LATER}" for verb, does in onwards.items()}
    for verb, passes in (("skip", view.passing.skip), ("promote", view.passing.promote)):
        onwards[verb] = "\n".join(filter(None, (onwards[verb], passes.says)))
    if asked := view.passing.asked:
        onwards |= {"confirm": asked.says, "decline": "The rollout goes on as it is."}
    return {**onwards, "retry": _retried(view), "abort": _aborted(view.rollout)}


def after_abort(row: Rollout) -> str:
    """Say what serves once a rollout is aborted."""
    leaving, stopped = sides_of(row)[1], row.endpoint.is_stopped
    if row.from_revision is None:
        also = ", once the endpoint is started too" if stopped else ""
        return f"Nothing was live when it began: clients get 503{also}."
    if stopped:
        return f"Nothing serves until the endpoint is started: then the {leaving} revision does."
    return f"All requests return to the {leaving} revision."


def _aborted(row: Rollout) -> str:
    coming, leaving = sides_of(row)
    if row.endpoint.is_stopped or row.from_revision is None:
        return f"Ends the {coming} revision at once. {after_abort(row)}"
    return f"Returns all requests to the {leaving} revision at once, then ends the {coming} one."


def _all(row: Rollout) -> str:
    return f"Sends all requests to the {sides_of(row)[0]} revision"


def _is_last(row: Rollout) -> bool:
    return row.step + 1 >= len(row.steps)


def _live(row: Rollout) -> str:
    return f"No step is left: the {sides_of(row)[0]} revision goes live."


def _resumed(view: RolloutView) -> str:
    row, place = view.rollout, view.rollout.step
    if place < 0:
        return "Goes on with what comes before the first step."
    if row.steps[place] == Pause():
        return _live(row) if _is_last(row) else "Starts the next step."
    return f"Goes on with step {place + 1}: {view.steps[place].text}."


def _skipped(view: RolloutView) -> str:
    return _live(view.rollout) if _is_last(view.rollout) else "Starts the next step now."


def _promoted(view: RolloutView) -> str:
    row, coming = view.rollout, sides_of(view.rollout)[0]
    if row.step >= last_weight(row.steps):
        ends = "goes live once this step is over"
        rest = "." if _is_last(row) else ", skipping the remaining steps."
        return f"The {coming} revision has all requests already: it {ends}{rest}"
    return f"{_all(row)} once it is ready, skipping the remaining steps."


def _retried(view: RolloutView) -> str:
    if view.rollout.live_there:  # type: ignore[attr-defined]
        return f"Starts again from the first step {ANEW}"
    return (
        f"Starts again {ANEW} Nothing is live there: the steps are skipped, and all requests go to "
        "it once it is ready."
    )
