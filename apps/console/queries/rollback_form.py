"""Going back to an earlier revision, as the page of an endpoint offers and explains it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apps.console.queries.endpoint_parts import former_words
from apps.console.queries.endpoint_view import EndpointView
from apps.console.queries.way_back import not_back, nowhere
from apps.registry.models import ModelVersion
from apps.serving.rules import EndpointState, RevisionState


@dataclass(frozen=True, slots=True)
class RollbackForm:
    """The dialog that goes back, or stops what goes out."""

    title: str
    says: str
    choices: list[tuple[int, str]]  # of revisions, where there is more than one


def can_roll_back(view: EndpointView) -> bool:
    """Tell whether there is something to go back to now: a stopped endpoint is started first."""
    active = view.endpoint.state == EndpointState.ACTIVE
    return view.going_out or (active and view.previous is not None)


def rollback_words(view: EndpointView) -> str:
    """Say what a rollback would do, or why there is nothing to go back to."""
    if view.going_out and view.rollout:
        return f"Revision {view.rollout.to_revision.number} is going out: a rollback aborts that."
    if view.former and view.endpoint.state == EndpointState.STOPPED:
        first = view.former[0]
        back = f"Rolling back to {first.bento.version} (revision {first.number})"
        return f"{back} is possible once the endpoint is started: a stopped one is not rolled back."
    if not view.former:
        return nowhere(not_back(_before(view)))
    return former_words(view.former)


def _before(view: EndpointView) -> Mapping[str, Any] | None:
    """Return what was live before what is, as the revisions of an endpoint bring it."""
    live = view.live
    rows: list[Any] = [row for row in view.history if live and row.number < live.number]
    return next((row.passed_over for row in rows if row.live_at), None)


def rollback_form(view: EndpointView, version: ModelVersion | None) -> RollbackForm:
    """Return the dialog that goes back, or stops what goes out so that ``version`` has all."""
    if view.going_out and view.rollout:
        stopped = view.endpoint.state == EndpointState.STOPPED
        at = "once the endpoint is started" if stopped else "at once"
        says = (
            f"It is going out: its rollout is aborted, and {version} has all requests again {at}. "
            "It is written to the log."
        )
        return RollbackForm(f"Stop revision {view.rollout.to_revision.number}?", says, [])
    says = (
        "It was approved before, so no new approval is needed and nothing is analysed. It is "
        "written to the log."
    )
    if len(view.former) == 1:
        (row,) = view.former
        served = f"Revision {row.number} is served by {row.served_by}."
        return RollbackForm(f"Roll back to {row.bento.version}?", f"{served} {says}", [])
    choices = []
    for row in view.former:
        how = "standby" if row.state == RevisionState.WARM else "is started first"
        what = f"{row.number}: {row.bento.version}, {row.served_by}, {how}"
        choices.append((row.number, what))
    return RollbackForm("Roll back?", says, choices)
