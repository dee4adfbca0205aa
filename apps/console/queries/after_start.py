"""What serves at an endpoint once it is started, as its dialogs, messages and pages say it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from apps.console.queries.page_parts import Link, in_a_row
from apps.console.queries.under_way import MOVES
from apps.console.templatetags.placet import percent
from apps.rollouts.models import Rollout
from apps.rollouts.pauses import paused
from apps.rollouts.rules import STEPPING
from apps.rollouts.states import RolloutKind
from apps.serving.models import Revision
from placet_verify.units import WHOLE

KEPT = "these refused calls are not counted. Configuration and history are kept."


@dataclass(frozen=True, slots=True)
class AfterStart:
    """What is there to serve: what is ``live``, else what the ``rollout`` under way brings, else
    what is ``approved``: each release with its number, and whether it ``starts`` by itself."""

    live: Revision | None
    rollout: Rollout | None
    approved: Sequence[Mapping[str, Any]]
    is_stopped: bool = False

    @property
    def awaiting(self) -> list[Link]:
        """The approved releases that wait for what :attr:`awaited` says."""
        return [
            Link(f"release {row['number']}", reverse("release", args=[row["release"]]))
            for row in (self.approved if self.awaited else ())
        ]

    @property
    def awaited(self) -> str:
        """What approved releases wait for; '' for nothing here."""
        if self.is_stopped:
            return "the endpoint to be started"
        if self.rollout is None:
            return ""
        return f"the {self.moving or 'rollout under way'} to end"

    @property
    def moving(self) -> str:
        """The rollout under way, in words; '' for none that has steps before it."""
        row = self.rollout
        if row is None or row.state not in STEPPING:
            return ""
        return f"{MOVES[row.kind]} revision {row.to_revision.number}"

    @property
    def coming(self) -> str:
        """The revision that goes live by a rollout where nothing is; '' for none."""
        row = self.rollout
        if self.live is not None or row is None or not self.moving:
            return ""
        return f"revision {row.to_revision.number}"

    @property
    def share(self) -> int:
        """What the rollout under way sends to its revision now, out of 10,000."""
        return self.rollout.to_revision.weight if self.moving and self.rollout else 0

    @property
    def is_return(self) -> bool:
        """Whether that one was live before."""
        row = self.rollout
        return bool(self.coming) and row is not None and row.kind == RolloutKind.ROLLBACK

    @property
    def is_empty(self) -> bool:
        """Whether nothing is live, and nothing on its way to be."""
        return self.live is None and not self.coming

    @property
    def start_says(self) -> str:
        """What the dialog says that starts it."""
        if self.live:
            return f"{self._again} It needs no approval. {self._then}".strip()
        if self.is_return:
            return (
                f"The endpoint was on its way back to {self.coming}: that serves again once it is "
                "ready, and needs no approval."
            )
        if self.share:
            return f"{self._again} It needs no approval."
        if self.coming:
            return f"Nothing is live here yet: the {self._goes_on}."
        if self.approved:
            return f"Nothing is live here, and clients get 503 until something is. {self._then}"
        return (
            "Nothing is left to run here: started, the endpoint stays empty and clients get 503 "
            "until a release to it goes live."
        )

    @property
    def started(self) -> str:
        """What is said once somebody started it."""
        if self.live:
            moves = f"The {self._goes_on}." if self.moving else self._then
            return f"Started again. {moves}".strip()
        if self.is_return:
            return f"Started. The endpoint goes back to {self.coming}."
        if self.coming:
            return f"Started. The {self._goes_on}."
        if self.approved:
            return f"Started. Nothing is live there yet. {self._then}"
        return "Started. Nothing serves there until a version is released to it."

    @property
    def stop_says(self) -> str:
        """What the dialog says that stops it."""
        if self.moving and (self.live or self.share):
            stays = f"The {self.moving} stays open, and requests are sent as it says by then"
            return f"Clients get 503 until somebody starts it again. {stays}; {KEPT}"
        if self.live:
            return f"Clients get 503 until somebody starts it again; {KEPT}"
        if self.coming:
            goes_on = f"The {self._goes_on} once somebody starts it again"
            return f"Nothing is live here yet: clients get 503 already. {goes_on}; {KEPT}"
        return (
            "Nothing is live here: clients get 503 already, and until a release goes live. While "
            f"the endpoint is stopped none starts; {KEPT}"
        )

    @property
    def stopped(self) -> str:
        """What is said once somebody stopped it."""
        if self.live or self.share:
            stays = f"The {self.moving} stays open." if self.moving else ""
            return f"Stopped: clients get 503 until it is started. {stays}".strip()
        if self.coming:
            return f"Stopped. The {self._goes_on} once it is started."
        return "Stopped. Nothing was live: clients get 503 as before, and no release starts there."

    @property
    def nothing_runs(self) -> str:
        """What is said where nothing runs, and of what would."""
        if self.approved:  # a page of what is stopped names them above
            late = f" {_releases(self.approved, 'has', 'have')} not started yet."
            return f"Nothing runs here, and clients get 503.{'' if self.is_stopped else late}"
        if self.is_stopped:
            return (
                "Nothing runs here, and clients get 503, once it is started too: for it to serve, "
                "start it, and ask for a release of a built version, or retry one whose page "
                "offers that."
            )
        return (
            "Nothing runs here, and clients get 503. A release to this endpoint makes it serve: "
            "ask for one of a built version, or retry one whose page offers that."
        )

    @property
    def _goes_on(self) -> str:
        """The rollout under way, and that it goes on, or not before somebody resumes it."""
        held = self.rollout is not None and paused(self.rollout, "")
        return f"{self.moving} {'stays paused' if held else 'goes on'}"

    @property
    def _again(self) -> str:
        """What serves again, of what is live and what a rollout sends requests to."""
        if not self.moving or self.rollout is None:
            return "What was live serves again."
        to, held = f"revision {self.rollout.to_revision.number}", f"The {self._goes_on}."
        if not self.share:
            return f"What was live serves again. {held}"
        if self.share == WHOLE:
            return f"All requests go to {to}, as its rollout has it now. {held}"
        return (
            f"What was live and {to} share the requests as its rollout has it now, with "
            f"{percent(self.share)} for {to}. {held}"
        )

    @property
    def _then(self) -> str:
        """What starts then of what is approved."""
        soon = [row for row in self.approved if row["starts"]]
        if soon:
            does = _releases(soon, "starts by itself", "start by themselves")
            return f"{does}, if every gate still passes."
        if self.approved:
            waits = ("waits for an operator to start it", "wait for an operator to start them")
            return f"{_releases(self.approved, *waits)}."
        return ""


def _releases(rows: Sequence[Mapping[str, Any]], verb: str, verbs: str) -> str:
    names = in_a_row([str(row["number"]) for row in rows])
    if len(rows) == 1:
        return f"Release {names}, which is approved, {verb}"
    return f"Releases {names}, which are approved, {verbs}"
