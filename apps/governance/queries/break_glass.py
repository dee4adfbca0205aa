"""Break-glasses as people read them: who opened which, what runs by it, and its review."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet, Value
from django.db.models.functions import JSONObject

from apps.audit.queries import unseal_many
from apps.governance.models import BreakGlass, BreakGlassSignature, Release
from apps.governance.queries.break_glass_endings import (
    Ending,
    endings,
    how_ended,
    standing_of,
)
from apps.governance.queries.requested_changes import asked
from apps.governance.queries.visible_rows import INBOX_LIMIT, in_reach
from apps.governance.rules import (
    GLASS_OPEN,
    BreakGlassStanding,
    BreakGlassState,
    ReleaseState,
    ReviewState,
)
from apps.identity.queries import people_names, scope_of, visible
from apps.registry.queries import large_of
from apps.serving.hooks import keeper
from placet.kernel import clock
from placet.kernel.actor import Actor
from placet.kernel.problems import NotFound

UNREVIEWED = (BreakGlassState.CONFIRMED, BreakGlassState.ENDED)
RUNNING = (ReleaseState.ROLLING_OUT, ReleaseState.LIVE)


@dataclass(frozen=True, slots=True)
class BreakGlassSigner:
    """One person who opened or confirmed it."""

    person: str
    name: str
    role: str
    comment: str
    passkey: bool
    at: datetime
    void: bool  # a recall took it back that stands, or ended the emergency release or its release


@dataclass(frozen=True, slots=True)
class BreakGlassView:
    """A break-glass with names and texts."""

    glass: BreakGlass
    reason: str
    signers: tuple[BreakGlassSigner, ...]
    reviewer: str
    findings: str
    now: datetime
    ended_by: Mapping[str, Any] | None  # the recall that did, as ``keeper().took_back`` has it
    how_ended: str  # who or what ended it, in words; '' while it is open
    standing: BreakGlassStanding

    @property
    def missing(self) -> int:
        """How many people are still to confirm it."""
        opened = self.glass.state == BreakGlassState.OPENED
        return self.glass.people - len(self.signers) if opened else 0

    @property
    def review(self) -> ReviewState:
        """How the review stands."""
        glass = self.glass
        if glass.review_due_at is None:
            return ReviewState.NONE
        if glass.reviewed_at is not None:
            return ReviewState.CLOSED
        late = glass.review_due_at < self.now
        return ReviewState.OVERDUE if late else ReviewState.OPEN

    @property
    def running(self) -> bool:
        """Tell whether what was started by it serves, whatever its review found: nothing does at
        an endpoint that is stopped."""
        release = self.glass.release
        serves = release.state in RUNNING and not release.endpoint.is_stopped
        return self.glass.used_at is not None and serves

    @property
    def runs_unreviewed(self) -> bool:
        """Tell whether it serves while nobody has closed its review."""
        return self.running and self.review != ReviewState.CLOSED


def break_glasses(
    actor: Actor, *, project: str = "", state: str = "", review: str = "", release: str = ""
) -> QuerySet[BreakGlass]:
    """Return the break-glasses that ``actor`` may see, each with whether nothing counts that they
    sign (``reader_recalled``); every filter that is given must match.

    ``review`` is ``open`` (overdue ones too), ``overdue`` or ``closed``.
    """
    rows = BreakGlass.objects.select_related(
        "project",
        "release__environment",
        "release__endpoint",
        "release__version__model",
        "release__policy",
    ).defer(*large_of("release__version"))
    rows = rows.annotate(reader_recalled=keeper().uncounts(Value(actor.accountable)))
    wanted = {"project__slug": project, "state": state, "release": release}
    rows = rows.filter(**{name: value for name, value in wanted.items() if value})
    if review in (ReviewState.OPEN, ReviewState.OVERDUE):
        rows = rows.filter(state__in=UNREVIEWED)
    if review == ReviewState.OVERDUE:
        rows = rows.filter(review_due_at__lt=clock.now())
    if review == ReviewState.CLOSED:
        rows = rows.filter(state=BreakGlassState.REVIEWED)
    return visible(rows, actor, view="release.view")


def get_break_glass(glass_id: str, actor: Actor) -> BreakGlass:
    """Return one break-glass by id, or raise ``NotFound``."""
    row = break_glasses(actor).filter(pk=glass_id).first()
    if row is None:
        raise NotFound
    return row


def break_glass_views(rows: Iterable[BreakGlass]) -> list[BreakGlassView]:
    """Return break-glasses with names and texts, in at most five queries."""
    glasses, now = list(rows), clock.now()
    signed, ended = _signed(glasses), endings(glasses)
    fallen = {row.pk: _has_fallen(row, signed[row.pk]) for row in glasses}
    people = {s.person for some in signed.values() for s in some} | {r.reviewed_by for r in glasses}
    people |= {ending.by for ending in ended.values()}
    names = people_names(person for person in people if person)
    sealed = [s.comment_sealed for some in signed.values() for s in some]
    texts = unseal_many([*sealed, *(row.findings_sealed for row in glasses)])
    return [
        BreakGlassView(
            row,
            texts.get(row.reason_sealed, ""),
            tuple(_signer(s, names, texts, fallen=fallen[row.pk]) for s in signed[row.pk]),
            names.get(row.reviewed_by, row.reviewed_by),
            texts.get(row.findings_sealed, ""),
            now,
            **_ending(row, signed[row.pk], ended.get(row.pk), names),
        )
        for row in glasses
    ]


def _ending(
    glass: BreakGlass, signed: Sequence[Any], ending: Ending | None, names: Mapping[str, str]
) -> dict[str, Any]:
    """Return how one stands, and how it ended if it did."""
    recall = _ended_by(glass, signed)
    back = [one.person for one in signed if recall and _is_of(one.taken_back, recall)]
    recalled = [names.get(person, person) for person in back]
    return {
        "ended_by": recall,
        "how_ended": how_ended(glass, ending, names, recalled),
        "standing": standing_of(glass, ending, recall),
    }


def _is_of(taken_back: Mapping[str, Any] | None, recall: Mapping[str, Any]) -> bool:
    return taken_back is not None and taken_back["id"] == recall["id"]


def _signed(glasses: Sequence[BreakGlass]) -> dict[str, list[Any]]:
    """Return what was signed, by the ids of what that is for, each with the first recall that took
    it back (``taken_back``), and the first of those that stand (``is_back``)."""
    signed: dict[str, list[Any]] = {row.pk: [] for row in glasses}
    rows = BreakGlassSignature.objects.filter(glass__in=list(signed))
    stands = keeper().took_back(standing=True)
    rows = rows.annotate(taken_back=keeper().took_back(), is_back=stands)
    rows = rows.order_by("created_at", "pk")
    for row in rows if signed else ():
        signed[row.glass_id].append(row)
    return signed


def _recalled_by(signed: Sequence[Any], until: datetime | None) -> Mapping[str, Any] | None:
    """Return the first recall that took back one of these signatures ``until`` then, if any."""
    found = [row.taken_back for row in signed if row.taken_back]
    first = min(found, key=lambda one: datetime.fromisoformat(one["at"]), default=None)
    told = first and until and datetime.fromisoformat(first["at"]) <= until
    return first if told else None


def _ended_by(glass: BreakGlass, signed: Sequence[Any]) -> Mapping[str, Any] | None:
    """Return the recall that ended an emergency release: it ends at once with the recall of a
    signer, but for what a release had started by before, which goes on unless that is revoked."""
    revoked = glass.release.state == ReleaseState.REVOKED
    ended = glass.ended_at if revoked else glass.used_at or glass.ended_at
    return _recalled_by(signed, ended if glass.ended_at else None)


def _has_fallen(glass: BreakGlass, signed: Sequence[Any]) -> bool:
    """Tell whether a recall of a signer ended it, or later what was live by it."""
    revoked = glass.release.state == ReleaseState.REVOKED
    until = glass.release.ended_at if revoked and glass.used_at else None
    return bool(_ended_by(glass, signed) or _recalled_by(signed, until))


def _signer(
    signature: Any, names: dict[str, str], texts: dict[str, str], *, fallen: bool
) -> BreakGlassSigner:
    return BreakGlassSigner(
        signature.person,
        names.get(signature.person, signature.person),
        signature.role,
        texts.get(signature.comment_sealed, ""),
        signature.assertion is not None,
        signature.created_at,
        void=bool(signature.is_back or (fallen and signature.taken_back)),
    )


def glasses_awaiting(actor: Actor) -> QuerySet[BreakGlass]:
    """Return the break-glasses that ``actor`` may confirm now, or whose review they may close."""
    me, at = actor.accountable, "release__environment"
    signed = BreakGlassSignature.objects.filter(glass=OuterRef("pk"), person=me)
    part = Q(release__requester=me) | Q(release__version__author=me) | Q(Exists(signed))
    confirm = in_reach(actor, {"release.approve"}, environment=at) & Q(
        ~keeper().uncounts(Value(me)),
        ~Exists(asked("release")),
        state=BreakGlassState.OPENED,
        until__gt=clock.now(),
        release__state=ReleaseState.REQUESTED,
    )
    review = in_reach(actor, {"break_glass.review"}, environment=at)
    review &= Q(state=BreakGlassState.ENDED)
    return BreakGlass.objects.filter(~part, confirm | review)


def glasses_told(actor: Actor) -> QuerySet[BreakGlass, Any]:
    """Return :func:`glasses_awaiting` as a list shows them, the one that ends or is due first: each
    as one JSON value, so that another query can bring them."""
    names = {"due": "review_due_at", "at": "opened_at", "place": "release__environment__name"}
    names |= {"model": "release__version__model__name", "number": "release__version__number"}
    names |= {"name": "project__name", "id": "pk"}
    told = JSONObject(state="state", until="until", project="project", **names)
    return glasses_awaiting(actor).order_by("until").values(json=told)[:INBOX_LIMIT]


def may_open(release: Release, actor: Actor) -> bool:
    """Tell whether the page offers ``actor`` to open one for ``release``."""
    pending = release.state == ReleaseState.REQUESTED and release.not_after > clock.now()
    allowed = release.policy.break_glass is not None and actor.in_session
    return pending and allowed and actor.can("release.break_glass", scope_of(release))


def may_confirm(found: BreakGlassView, actor: Actor) -> bool:
    """Tell whether the page offers ``actor`` to confirm it."""
    row = found.glass
    waits = (
        row.state == BreakGlassState.OPENED
        and row.until > found.now
        and row.release.state == ReleaseState.REQUESTED
    )
    others = {*row.release.parties, *(s.person for s in found.signers)}
    allowed = actor.in_session and actor.accountable not in others
    return waits and allowed and actor.can("release.approve", scope_of(row))


def may_end(found: BreakGlassView, actor: Actor) -> bool:
    """Tell whether the page offers ``actor`` to end it before its time."""
    scope = scope_of(found.glass)
    able = actor.can("release.break_glass", scope) or actor.can("release.approve", scope)
    return found.glass.state in GLASS_OPEN and actor.in_session and able


def may_review(found: BreakGlassView, actor: Actor) -> bool:
    """Tell whether the page offers ``actor`` to close its review."""
    row = found.glass
    others = {*row.release.parties, *(s.person for s in found.signers)}
    allowed = actor.in_session and actor.accountable not in others
    return (
        row.state == BreakGlassState.ENDED
        and allowed
        and actor.can("break_glass.review", scope_of(row))
    )
