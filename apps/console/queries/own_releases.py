"""What became of the releases that somebody asked for, or let out and a recall ended, and what they
can start themselves."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Case, Exists, OuterRef, Q, QuerySet, Subquery, When

from apps.assurance.queries.recalls_beside import RECALLED, recall_that_revoked
from apps.audit.queries import unseal_many
from apps.console.queries.page_parts import in_a_row
from apps.console.queries.release_rows import with_rejection, with_requester
from apps.console.queries.release_words import with_words
from apps.console.queries.rollout_words import paused
from apps.console.queries.stops import Stop, sealed_reason, stop_of, stopper
from apps.discussions.queries import last_said
from apps.governance.models import OPEN_STATES, Decision, Release
from apps.governance.queries.requested_changes import held_by, held_own, with_answer
from apps.governance.queries.visible_rows import (
    INBOX_LIMIT,
    held_roles,
    is_startable,
    releases,
)
from apps.governance.queries.waiting import overtaken
from apps.governance.rules import ReleaseState
from apps.identity.queries import one_of, scope_of, sees_in, visible
from apps.rollouts.actions.after_recall import GOING_OUT
from apps.rollouts.models import Passing, Rollout
from apps.rollouts.passing import unconfirmed, unconfirmed_in, unconfirmed_told
from apps.rollouts.pauses import going
from placet.kernel.actor import Actor
from placet.kernel.clock import now
from placet_verify.statements import APPROVE

DAYS = 14  # so long the outcome of a request is shown
SHOWN = 10
OUTCOMES = (
    ReleaseState.REJECTED,
    ReleaseState.EXPIRED,
    ReleaseState.FAILED,
    ReleaseState.ABORTED,
    ReleaseState.ROLLED_BACK,
    ReleaseState.REVOKED,
)


@dataclass(frozen=True, slots=True)
class OwnRequest:
    """A release that its reader asked for, or let out, and what became of it."""

    release: Any  # with ``rejection``, ``revoking`` and ``going``, and who had a part in it
    texts: Mapping[str, str] = field(default_factory=dict)

    @property
    def _told(self) -> tuple[str, str]:
        """Who ended it, and why in their words: a recall's is told to who may see that."""
        if self.release.state == ReleaseState.REVOKED:
            told, column = self.release.revoking, "reason"
            if told and told[column] not in self.texts:
                return "", ""
        else:
            told, column = self.release.rejection, "comment"
        return (str(told["name"]), self.texts.get(told[column], "")) if told else ("", "")

    @property
    def by(self) -> str:
        """Who rejected it, or recalled what it runs; '' where nobody did."""
        return self._told[0]

    @property
    def why(self) -> str:
        """Why it ended, in the words of who rejected or recalled it, or of what ended it."""
        said = self._told[1]
        if said or self.release.state == ReleaseState.REJECTED:
            return said
        if self.release.state == ReleaseState.REVOKED and self.release.revoking:
            return RECALLED[self.release.revoking["kind"]]
        return str(self.release.ended_reason) if self.release.state in OUTCOMES else ""

    @property
    def withdrawn_at(self) -> datetime | None:
        """When the recall that revoked it was withdrawn, for who may see that."""
        told = self.release.revoking if self.release.state == ReleaseState.REVOKED else None
        seen = told and told["reason"] in self.texts and told["lifted_at"]
        return datetime.fromisoformat(seen) if seen else None

    @property
    def part(self) -> str:
        """What the reader did for it, who did not ask for it."""
        release = self.release
        did = ["approved it"] if release.approved else []
        did += ["started its rollout"] if release.started else []
        did += ["asked a second person about it"] if release.in_vain else []
        return f"You {' and '.join(did)}" if did and not release.asked else ""

    @property
    def unconfirmed(self) -> str:
        """What the reader asked a second person for last, and that nobody confirmed it; '' else."""
        if not self.release.in_vain:
            return ""
        told = unconfirmed_in(self.release.in_vain)
        answer = f": “{told.answer}”" if told.answer else ""
        return f"You asked a second person to {told.wanted}: it {told.outcome}{answer}"

    @property
    def first_why(self) -> str:
        """The first line of it."""
        return next(iter(self.why.strip().splitlines()), "")

    @property
    def paused(self) -> str:
        """Who or what has paused its rollout; '' where nothing has."""
        return paused(self._rollout) if self._rollout else ""

    @property
    def _rollout(self) -> Any:
        """The rollout that is under way, as far as it was read along; ``None`` where none is."""
        return going(self.release)

    @property
    def since(self) -> Any:
        """Since when it stands so."""
        row = self.release
        if row.is_stopped and row.endpoint.stopped_at:
            return row.endpoint.stopped_at
        if rollout := self._rollout:
            return rollout.stands_since if self.paused else rollout.created_at
        return row.ended_at or row.live_at or row.approved_at or row.created_at


@dataclass(frozen=True, slots=True)
class ToChange:
    """A release that waits for changes by its reader, who asked for it or made its version."""

    release: Any  # with ``asking``, ``answered_by`` and ``said``
    reader: str  # for whose changes it waits
    texts: Mapping[str, str] = field(default_factory=dict)

    @property
    def requests(self) -> list[tuple[str, str]]:
        """Who asked for changes, each with their words."""
        return [(row["name"], self.texts.get(row["comment"], "")) for row in self.release.asking]

    @property
    def since(self) -> datetime:
        """When the last of them did."""
        return max(datetime.fromisoformat(row["at"]) for row in self.release.asking)

    @property
    def says(self) -> str:
        """Who asked for changes, in a sentence."""
        return f"{in_a_row([name for name, _ in self.requests])} requested changes"

    @property
    def answer(self) -> str:
        """Which release answers it; '' while none does."""
        found = self.release.answered_by
        return f"Release {found['number']} answers it: withdraw this release" if found else ""

    @property
    def said(self) -> str:
        """Who wrote last in the discussion since then; '' for nobody."""
        return _said(self.release, self.since, self.reader)


@dataclass(frozen=True, slots=True)
class HeldByReader:
    """A release that a request for changes of its reader holds."""

    release: Any  # with ``asking``, ``answered_by`` and ``said``
    own: Mapping[str, Any]  # the request, of those in ``asking``
    texts: Mapping[str, str]
    decides: bool  # whether the reader still holds a role that decides there

    @property
    def why(self) -> str:
        """What the reader asked for."""
        return self.texts.get(self.own["comment"], "")

    @property
    def since(self) -> datetime:
        """Since when they hold it."""
        return datetime.fromisoformat(self.own["at"])

    @property
    def until(self) -> str:
        """Until when nothing goes on, in a sentence."""
        then = "decide again or withdraw" if self.decides else "withdraw"
        return f"You requested changes: it is held until you {then} your request"

    @property
    def answer(self) -> str:
        """Which release answers it; '' while none does."""
        found = self.release.answered_by
        return f"Release {found['number']} answers it" if found else ""

    @property
    def said(self) -> str:
        """Who wrote last in the discussion since then; '' for nobody."""
        return _said(self.release, self.since, self.own["person"])

    @property
    def says(self) -> str:
        """Both, in one line."""
        return ". ".join(filter(None, (self.until, self.answer)))


@dataclass(frozen=True, slots=True)
class Startable:
    """An approved release that its reader can start, or whose endpoint they can."""

    release: Any  # with ``stopper``
    recalled: str = ""  # why a recall was made that had Placet stop the endpoint

    @property
    def stop(self) -> Stop | None:
        """Who stopped the endpoint that has to be started first; ``None`` where none has."""
        return stop_of(self.release.endpoint, self.release.stopper, self.recalled)

    @property
    def newer(self) -> str:
        """What went live since it was approved, so that it did not start by itself; '' for none."""
        return overtaken(self.release)


@dataclass(frozen=True, slots=True)
class Followed:
    """The releases that concern a person besides those to decide on."""

    startable: Sequence[Startable]  # oldest first
    own: Sequence[OwnRequest]  # newest first
    changes: Sequence[ToChange] = ()  # oldest first
    holding: Sequence[HeldByReader] = ()  # oldest first


def requests_title(rows: Sequence[OwnRequest]) -> str:
    """Return what stands above releases that somebody asked for, or let out."""
    others = any(row.part for row in rows)
    return "Your requests, approvals and rollouts" if others else "Your requests"


def followed(actor: Actor) -> Followed:
    """Return the releases that ``actor`` can start, those that wait for changes of theirs, those
    that their requests for changes hold, and those they asked for that are open or came to an end
    lately, or let out and a recall ended lately, or in whose rollout they asked a second person in
    vain lately: in one query, and one more where one was rejected, recalled or is to be changed.
    """
    since = now() - timedelta(days=DAYS)
    lately = Q(state__in=OUTCOMES, ended_at__gte=since)
    lately |= Q(state=ReleaseState.LIVE, live_at__gte=since) | Q(state__in=OPEN_STATES)
    asked, approved, started = Q(requester=actor.accountable), _approved(actor), _started(actor)
    mine = asked & lately | _by_recall(since) & (Q(approved) | Q(started))
    vain = _in_vain(actor, since)
    mine |= Q(pk__in=vain.values("rollout__release"))
    waiting = held_own(actor) | held_by(actor)
    concerning = mine | is_startable(actor) | waiting
    first = visible(Release.objects.filter(concerning), actor, view="release.view")
    few = first.order_by("-pk").values("pk")[:INBOX_LIMIT]
    rows = with_rejection(with_requester(releases(actor).filter(one_of(few))))
    rows = with_answer(with_words(rows)).annotate(
        held=Case(When(held_own(actor), then=True), default=False),
        holds=Case(When(held_by(actor), then=True), default=False),
        ready=Case(When(is_startable(actor), then=True), default=False),
        mine=Case(When(mine, then=True), default=False),
        asked=Case(When(asked, then=True), default=False),
        approved=approved,
        started=started,
        in_vain=Subquery(unconfirmed_told(vain.filter(rollout__release=OuterRef("pk")))[:1]),
        said=Case(When(waiting, then=last_said("release"))),
        stopper=stopper("endpoint"),
        revoking=recall_that_revoked(),
    )
    found: list[Any] = list(rows)
    return _sorted_out(found, actor)


def _sorted_out(found: Sequence[Any], actor: Actor) -> Followed:
    """Return what :func:`followed` read by what it is to ``actor``, with what was written on it."""
    ready = sorted((row for row in found if row.ready), key=lambda row: row.approved_at)
    own = [row for row in found if row.mine][:SHOWN]
    held = sorted((row for row in found if row.held), key=lambda row: row.created_at)
    sealed = [sealed_reason(row.endpoint, row.stopper, actor) for row in ready]
    holding = sorted((row for row in found if row.holds), key=lambda row: row.created_at)
    asked_of = [one["comment"] for row in [*held, *holding] for one in row.asking]
    texts = _texts(own, [*sealed, *asked_of], actor)
    startable = zip(ready, sealed, strict=True)
    return Followed(
        [Startable(row, texts.get(why, "")) for row, why in startable],
        [OwnRequest(row, texts) for row in own],
        [ToChange(row, actor.accountable, texts) for row in held],
        list(_holding(holding, texts, actor)),
    )


def _holding(rows: Sequence[Any], texts: Mapping[str, str], actor: Actor) -> Iterator[HeldByReader]:
    for row in rows:
        for one in row.asking:
            if one["person"] == actor.accountable:
                yield HeldByReader(row, one, texts, bool(held_roles(actor, scope_of(row))))


def _said(release: Any, since: datetime, reader: str) -> str:
    """Return who wrote last in the discussion of a release after that, as ``reader`` is told."""
    found = release.said
    if not found or datetime.fromisoformat(found["at"]) <= since:
        return ""
    who = "You" if found["person"] == reader else found["name"]
    return f"{who} wrote in the discussion since"


def _by_recall(since: datetime) -> Q:
    """Select what a recall ended since then."""
    return Q(ended_at__gte=since) & (
        Q(state=ReleaseState.REVOKED) | Q(state=ReleaseState.ABORTED, ended_reason=GOING_OUT)
    )


def _in_vain(actor: Actor, since: datetime) -> QuerySet[Passing]:
    """Return what ``actor`` asked a second person for last in each rollout since then, where nobody
    confirmed it."""
    later = Passing.objects.filter(rollout=OuterRef("rollout"), asked_at__gt=OuterRef("asked_at"))
    last = ~Exists(later.filter(asker=OuterRef("asker")))
    mine = Passing.objects.filter(last, asker=actor.accountable, asked_at__gte=since)
    return unconfirmed(mine)


def _approved(actor: Actor) -> Exists:
    decided = Decision.objects.filter(release=OuterRef("pk"), person=actor.accountable)
    return Exists(decided.filter(verdict=APPROVE))


def _started(actor: Actor) -> Exists:
    return Exists(Rollout.objects.filter(release=OuterRef("pk"), started_by=actor.id))


def _texts(rows: Sequence[Any], sealed: Sequence[str], actor: Actor) -> dict[str, str]:
    """Return what was written on these requests, and what else is ``sealed``."""
    given = [one for one in sealed if one]
    given += [row.rejection["comment"] for row in rows if row.rejection]
    recalls = (row.revoking for row in rows if row.revoking)
    given += [one["reason"] for one in recalls if sees_in(one["project"], "recall.view", actor)]
    return unseal_many(given)
