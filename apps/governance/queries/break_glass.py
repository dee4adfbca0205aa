"""Break-glasses as people read them: who opened which, what runs by it, and its review."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Prefetch, QuerySet, Value

from apps.audit.queries import unseal_many
from apps.governance.models import BreakGlass, BreakGlassSignature, Release
from apps.governance.rules import GLASS_OPEN, BreakGlassState, ReleaseState, ReviewState
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


@dataclass(frozen=True, slots=True)
class BreakGlassView:
    """A break-glass with names and texts."""

    glass: BreakGlass
    reason: str
    signers: tuple[BreakGlassSigner, ...]
    reviewer: str
    findings: str
    now: datetime

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
        """Tell whether what was started by it serves, whatever its review found."""
        return self.glass.used_at is not None and self.glass.release.state in RUNNING

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
    signed = BreakGlassSignature.objects.order_by("created_at", "pk")
    rows = BreakGlass.objects.select_related(
        "project",
        "release__environment",
        "release__endpoint",
        "release__version__model",
        "release__policy",
    ).defer(*large_of("release__version"))
    rows = rows.prefetch_related(Prefetch("signatures", signed))
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
    """Return break-glasses with names and texts, in at most four queries."""
    glasses, now = list(rows), clock.now()
    signed = {row.pk: list(row.signatures.all()) for row in glasses}
    people = {s.person for some in signed.values() for s in some} | {r.reviewed_by for r in glasses}
    names = people_names(person for person in people if person)
    sealed = [s.comment_sealed for some in signed.values() for s in some]
    texts = unseal_many([*sealed, *(row.findings_sealed for row in glasses)])
    return [
        BreakGlassView(
            row,
            texts.get(row.reason_sealed, ""),
            tuple(_signer(s, names, texts) for s in signed[row.pk]),
            names.get(row.reviewed_by, row.reviewed_by),
            texts.get(row.findings_sealed, ""),
            now,
        )
        for row in glasses
    ]


def _signer(
    signature: BreakGlassSignature, names: dict[str, str], texts: dict[str, str]
) -> BreakGlassSigner:
    return BreakGlassSigner(
        signature.person,
        names.get(signature.person, signature.person),
        signature.role,
        texts.get(signature.comment_sealed, ""),
        signature.assertion is not None,
        signature.created_at,
    )


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
