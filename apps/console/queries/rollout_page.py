"""The page of one rollout: what it says, and what people may do, as its templates print it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.urls import reverse

from apps.console.queries.page_parts import Button, Link
from apps.console.queries.rollout_says import says_of
from apps.console.queries.rollout_steps import BADLY, ended_by
from apps.console.queries.rollout_words import (
    LastWords,
    last_words,
    moved,
    paused,
    sides_of,
)
from apps.console.queries.rollouts import RolloutSide, RolloutView, rollout_view, unretried
from apps.console.queries.stops import Stop, stop_told
from apps.console.queries.tried_again import tried_again
from apps.console.templatetags.placet import guarded, number, percent, rate
from apps.monitoring.rules import FEWEST
from apps.rollouts.models import Rollout
from apps.rollouts.rules import PROMOTE
from apps.rollouts.series import WINDOW
from apps.rollouts.states import RolloutKind, RolloutState
from apps.rollouts.steps import needs
from apps.rollouts.traffic import SETTLED
from apps.serving.replicas import ready_of
from apps.serving.windows import KEEP_DAYS, kept_period
from placet.kernel.actor import Actor, Scope
from placet.kernel.clock import now


@dataclass(frozen=True, slots=True)
class Verb:
    """Something that people do to a rollout, and what they read before they say why."""

    name: str
    title: str
    says: str = ""  # '' where that depends on how the rollout stands
    takes_step: bool = False  # whether it is done to the step that was shown, and to no later one
    permission: str = "rollout.operate"
    takes_digest: bool = False  # whether it answers what was shown that a second person is asked
    asks_why: bool = True


VERBS = (
    Verb("resume", "Resume", takes_step=True),
    Verb(
        "pause",
        "Pause",
        "No further step starts until the rollout is resumed. Traffic stays as it is.",
    ),
    Verb("skip", "Skip step", takes_step=True),
    Verb("promote", "Promote", takes_step=True),
    Verb("confirm", "Confirm", takes_digest=True),
    Verb("decline", "Decline", takes_digest=True),
    Verb(
        "withdraw",
        "Withdraw request",
        "Nobody can confirm it any more. The rollout goes on as it is.",
        takes_digest=True,
        asks_why=False,
    ),
    Verb(
        "ship",
        "Ship",
        takes_step=True,
        permission="release.approve",
    ),
    Verb("retry", "Retry", permission="rollout.start"),
)
ABORT = Verb("abort", "Abort")
HEADINGS: dict[str, str] = {
    RolloutKind.ROLLBACK: "Back to",
    RolloutKind.DRILL: "Rollback test to",
}
FAILED_BACK = "Rollback to"  # where it did not come to that
PANELS = (
    ("weight", "Share of the {coming} revision"),
    ("errors", "Server errors"),
    ("latency", "Latency"),
    ("requests", "Requests per second"),
)
AT_ONCE: dict[str, str] = {
    RolloutKind.ROLLBACK: "A rollback moves all requests at once.",
    RolloutKind.DRILL: (
        "A rollback test moves all requests at once, as a rollback does, and returns them."
    ),
}


@dataclass(frozen=True, slots=True)
class ReasonForm:
    """The dialog of a verb, which asks why."""

    verb: Verb
    url: str
    says: str
    tone: str = "primary"


@dataclass(frozen=True, slots=True)
class RolloutPage:
    """Everything the page of one rollout shows."""

    view: RolloutView
    actor: Actor

    @property
    def rollout(self) -> Rollout:
        """The rollout itself."""
        return self.view.rollout

    def may(self, permission: str) -> bool:
        """Tell whether the reader holds ``permission`` where it goes out."""
        scope = Scope(self.rollout.project_scope(), self.rollout.environment_scope())
        return self.actor.can(permission, scope)

    @property
    def url(self) -> str:
        """Where the page is, from which it renews itself while it is open."""
        return reverse("rollout", args=[self.rollout.pk])

    @property
    def renews(self) -> bool:
        """Whether more is to come: the last counts do after its end, and a retry once its endpoint,
        which is stopped, is started."""
        ended = self.rollout.finished_at
        if self.rollout.endpoint.is_stopped and self.unretried:
            return True
        return ended is None or now() < ended + timedelta(seconds=SETTLED + WINDOW)

    @property
    def release_url(self) -> str:
        """Where the release that it goes to is read."""
        return reverse("release", args=[self.rollout.release_id])

    @property
    def sides(self) -> tuple[str, str]:
        """What the revision that comes is called, and the one that gives way."""
        return sides_of(self.rollout)

    @property
    def fewest(self) -> int:
        """How many requests a percentile is shown of."""
        return FEWEST

    @property
    def panels(self) -> list[tuple[str, str]]:
        """The charts of what was counted: the name in ``series.js``, and the title."""
        return [(name, title.format(coming=self.sides[0])) for name, title in PANELS]

    @property
    def heading_start(self) -> str:
        """Begins its heading, before the version."""
        if self.ended_badly and self.rollout.kind == RolloutKind.ROLLBACK:
            return FAILED_BACK
        return HEADINGS.get(self.rollout.kind, "")

    @property
    def heading_end(self) -> str:
        """Continues its heading after the version: in place of what, and at what comes next."""
        stable = self.rollout.from_revision
        replaces = "replaced" if self.rollout.state == RolloutState.DONE else "replaces"
        replaces = "was to replace" if self.ended_badly else replaces
        verb = "from" if self.heading_start else replaces
        instead = f"{verb} {stable.bento.version} " if stable else ""
        return f"{instead}at"

    @property
    def moved(self) -> str:
        """From which revision to which it goes."""
        return moved(self.rollout)

    @property
    def starter(self) -> str:
        """Who started it."""
        return self.view.names.get(self.rollout.started_by, "")

    @property
    def may_compare(self) -> bool:
        """Whether both revisions get the same requests, and the reader may see the answers."""
        row = self.rollout
        kept = row.from_revision and row.to_revision.serving.get("capture")
        return bool(kept) and "mirror" in needs(row.steps) and self.may("prediction.view")

    @property
    def paused(self) -> str:
        """Who or what has paused it; '' where nothing has."""
        return paused(self.rollout)

    @property
    def waits(self) -> str:
        """What it waits for while it goes on; whoever paused it is all that it waits for then."""
        if not (self.view.is_open and self.view.waits_for) or self.rollout.paused_by:
            return ""
        if self.rollout.endpoint.is_stopped:
            return ""  # that somebody starts it, which is said beside who stopped it
        return f"Waiting for {self.view.waits_for}."

    @property
    def stop(self) -> Stop | None:
        """Who stopped its endpoint, while it is under way; ``None`` where nobody did."""
        row: Any = self.rollout
        return stop_told(row.endpoint, row.stopper, self.actor) if self.view.is_open else None

    @property
    def while_stopped(self) -> str:
        """Continues that nothing is served: until when, and what goes on without that."""
        if self.rollout.state == RolloutState.ABORTING:
            return " until it is started. The abort ends without that."
        return ", and no step takes effect, until it is started."

    @property
    def ended_badly(self) -> bool:
        """Whether its reason is one that people must see."""
        return self.rollout.state in BADLY

    @property
    def ended_by(self) -> str:
        """Who ended it, where it ended badly."""
        return ended_by(self.rollout, self.view.names)

    @property
    def words(self) -> LastWords | None:
        """Why it is as it is, and who said so."""
        return last_words(self.rollout)

    @property
    def has_controls(self) -> bool:
        """Whether the reader may do what makes sense now."""
        operates = self.may("rollout.operate") and self.view.is_open
        return operates or (self.may("rollout.start") and self.view.can["retry"])

    @property
    def unretried(self) -> str:
        """Why it cannot be retried now; '' where it can, or nobody would."""
        return unretried(self.rollout)

    @property
    def tried_again(self) -> list[Link]:
        """Where it was tried again, where it ended badly."""
        return list(tried_again(self.rollout)) if self.ended_badly else []

    @property
    def may_abort(self) -> bool:
        """Whether it can still be stopped."""
        return self.view.can["abort"]

    @property
    def buttons(self) -> list[Button]:
        """What the reader can do to it now, all but stop it, and to answer."""
        return list(buttons(self.view.can))

    @property
    def answers(self) -> list[Button]:
        """What the reader can say to what a second person is asked for."""
        asked = self.view.passing.asked
        if asked is None or not self.may("rollout.operate"):
            return []
        own = asked.asker == self.actor.accountable
        return list(buttons({"withdraw": own, "confirm": not own, "decline": not own}))

    @property
    def kept(self) -> str:
        """Why its analyses cannot be passed over, for who could skip and promote otherwise."""
        return self.view.passing.refusal if self.may("rollout.operate") else ""

    @property
    def says(self) -> dict[str, str]:
        """What its verbs do now, by name, where that changes while the page is open."""
        return says_of(self.view)

    @property
    def forms(self) -> list[ReasonForm]:
        """The dialogs of what the reader may do: they stay while the rest of the page renews."""
        pk, does = self.rollout.pk, self.says
        forms = []
        for verb in (*VERBS, ABORT):
            ends = verb == ABORT
            args = [pk] if ends else [pk, verb.name]
            url = reverse("rollout-abort" if ends else "rollout-control", args=args)
            says = does.get(verb.name, verb.says)
            forms.append(ReasonForm(verb, url, says, "danger" if ends else "primary"))
        return [form for form in forms if self.may(form.verb.permission)]

    @property
    def promoted(self) -> str:
        """Who promoted it, beside the heading of its steps: who asked for that, and who confirmed
        it, where two were needed."""
        row = self.rollout
        if not row.promoted_by:
            return ""
        passed = self.view.passing.passed_over
        two = next((one for one in passed if one.second and one.verb == PROMOTE), None)
        return f"promoted by {two.who if two else self.view.names.get(row.promoted_by, '')}"

    @property
    def steps_note(self) -> str:
        """Why its steps are not those that a plan has, or fewer."""
        if self.view.skipped:
            return "Nothing was live here, so the steps were skipped."
        return AT_ONCE.get(self.rollout.kind, "")

    @property
    def guard(self) -> str:
        """What the node does by itself."""
        if not self.rollout.guard:
            return ""
        after = guarded(self.rollout.guard)
        if not self.view.is_open:
            return f"Safety net until it ended: the node would have rolled back after {after}."
        return (
            "Safety net: even if Placet is down or the rollout is paused, the node rolls back "
            f"after {after}."
        )

    @property
    def uncounted(self) -> str:
        """Why nothing is said of what was counted; '' where that is known."""
        ended, counted = self.rollout.finished_at, self.view.counted
        if ended and ended <= kept_period()[0]:
            return f"Counts are kept for {KEEP_DAYS} days: those of this rollout are gone."
        if counted.something:
            return ""
        if counted.too_short:
            every = f"nodes count requests in stretches of {WINDOW} s, and no whole one lies in it"
            what = (
                "Its last step" if self.rollout.step >= 0 else "It ended before its first step, and"
            )
            return f"{what} was too short to measure: {every}."
        if counted.is_over:
            return f"Its last requests are not counted yet: that takes up to {SETTLED + WINDOW} s."
        if self.rollout.endpoint.is_stopped:
            return "Nothing is counted while the endpoint is stopped."
        first = f" The first {WINDOW} s are counted at" if counted.awaited else ""
        return f"Nothing is counted yet.{first}"

    @property
    def counted_from(self) -> datetime | None:
        """When that is no more so, where that is known."""
        stopped = self.rollout.endpoint.is_stopped
        return None if stopped else self.view.counted.awaited

    @property
    def counted_of(self) -> str:
        """Continues the time of which counts are known."""
        if not self.view.counted.is_over:
            return "; what came since is not counted yet"
        return " of its last step" if self.rollout.step >= 0 else ", before its first step"

    @property
    def traffic(self) -> list[tuple[str, list[str]]]:
        """What flows where: lines of a table, each with a value for every revision."""
        view = self.view
        return traffic(view.sides, is_open=view.is_open, is_counted=not self.uncounted)


def rollout_page(rollout_id: str, actor: Actor) -> RolloutPage:
    """Return the rollout as its page shows it, or raise ``NotFound``."""
    return RolloutPage(rollout_view(rollout_id, actor), actor)


def buttons(can: dict[str, bool]) -> Iterator[Button]:
    """Yield a button for each verb that makes sense; the usual ones stand out."""
    for verb in VERBS:
        if can.get(verb.name):
            text = verb.title
            usual = verb.name in ("resume", "retry", "confirm")
            yield Button(f"{text}…", dialog=verb.name, tone="primary" if usual else "")


def traffic(
    sides: Sequence[RolloutSide], *, is_open: bool = True, is_counted: bool = True
) -> list[tuple[str, list[str]]]:
    """Return what is wished, applied and counted of each revision; of a rollout that is over only
    what was counted, and nothing of that where no time is counted."""
    applied = ["–" if s.applied is None else percent(s.applied) for s in sides]
    counted = [
        ("Observed", [rate(s.share) for s in sides]),
        ("Requests", [number(s.counts.requests) for s in sides]),
        ("Server errors", [rate(s.counts.error_rate) for s in sides]),
        ("Rejected requests (4xx)", [rate(s.counts.rejected_rate) for s in sides]),
    ]
    counted = counted if is_counted else []
    if not is_open:
        return counted
    return [
        ("Target", [percent(s.revision.weight) for s in sides]),
        ("Configured", applied),
        *counted,
        ("Replicas ready", [ready_of(s.revision, s.ready) for s in sides]),
    ]
