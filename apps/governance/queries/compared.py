"""A release with what it is compared with, and what was approved before it."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import Case, Q, Subquery, When

from apps.governance.models import UNFINISHED_STATES, Release
from apps.governance.queries.facts import Path, last_served, path
from apps.governance.queries.visible_rows import ReadAlong, whole_releases
from apps.governance.rules import ReleaseState
from apps.serving.rules import EndpointState
from placet.kernel.actor import Actor
from placet.kernel.problems import NotFound
from placet_verify import canonical


@dataclass(frozen=True, slots=True)
class ComparedRelease:
    """A release, and what is live at its endpoint while it waits; what was live there at the
    decision ever after."""

    release: Release
    live: Release | None

    @property
    def is_decided(self) -> bool:
        """Whether it waits for nobody any more: it is shown as it was at the decision."""
        return self.release.state not in UNFINISHED_STATES

    @property
    def is_stopped(self) -> bool:
        """Whether the endpoint that it is or would be live at is stopped now."""
        return self.release.endpoint.state == EndpointState.STOPPED

    @property
    def is_unknown(self) -> bool:
        """Whether nobody wrote down what was live at the decision."""
        return self.is_decided and self.release.seen_live is None


def compared_release(
    release_id: str, actor: Actor, read_along: ReadAlong | None = None
) -> tuple[ComparedRelease, dict[Path, Release]]:
    """Return a release with what it is compared with, and by its path what its gates look at: of
    one that is unfinished what served there last. Raises ``NotFound``. One query, and one more
    while it is unfinished."""
    row, seen = _with_seen_live(release_id, actor, read_along)
    if row.state not in UNFINISHED_STATES:
        return ComparedRelease(row, seen), {path(row): seen} if seen else {}
    served = last_served([row])
    return ComparedRelease(row, live_of(row, served)), served


def live_of(row: Release, served: Mapping[Path, Release]) -> Release | None:
    """Return what is live at the endpoint of a release, of what served there last; ``None`` where
    nothing is."""
    last = served.get(path(row))
    here = (row.endpoint_id, ReleaseState.LIVE)
    return last if last and (last.endpoint_id, last.state) == here else None


def approved_before(row: Release) -> Release | None:
    """Return the release that was approved last before ``row`` was, or came to its end: at its
    endpoint's path, else of its model in its environment. It comes with the card of its version
    (one query)."""
    here = Q(endpoint__name=row.endpoint.name)
    rows = Release.objects.filter(here | Q(version__model=row.version.model_id)).filter(
        project=row.project_id, environment=row.environment_id, approved_at__isnull=False
    )
    if until := row.approved_at or row.ended_at:
        rows = rows.filter(approved_at__lt=until)
    first = Case(When(here, then=0), default=1)
    columns = ("approved_at", "version__number", "version__card", "version__model__name")
    rows = rows.exclude(pk=row.pk).select_related("version__model", "endpoint")
    return rows.only(*columns, "endpoint__name").order_by(first, "-approved_at", "-pk").first()


def bound_evidence(row: Release) -> str:
    """Return the digest of all that a release pinned, in which decisions on it name that."""
    return canonical.digest(sorted({pin["digest"] for pin in row.evidence}))


def _with_seen_live(
    release_id: str, actor: Actor, read_along: ReadAlong | None
) -> tuple[Release, Release | None]:
    """Return a release, and with the same query what was live at its path when it was decided;
    ``None`` where nothing was. Raises ``NotFound``."""
    seen = Release.objects.filter(pk=release_id).values("seen_live")
    both = Release.objects.filter(Q(pk=release_id) | Q(pk=Subquery(seen)))
    found = {row.pk: row for row in whole_releases(both, actor, read_along)}
    if release_id not in found:
        raise NotFound
    row = found[release_id]
    return row, found.get(row.seen_live or "")
