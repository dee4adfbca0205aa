"""The rule, the holds, and the archives."""

from collections.abc import Collection, Iterator

from django.db.models import QuerySet

from apps.assurance.models import HoldState, LegalHold, Retention
from apps.audit.models import Archive
from apps.audit.queries.archived import archives
from apps.registry.store import store
from placet.kernel.actor import Actor
from placet.kernel.problems import NeedsPermission, NotFound
from placet_verify.log.checking import Fault

SEE = ("audit.view", "audit.retain", "audit.hold")


def sees_retention(actor: Actor) -> bool:
    """Tell whether ``actor`` sees rule, holds and archives."""
    return any(actor.can(permission) for permission in SEE)


def _need(actor: Actor) -> None:
    if not sees_retention(actor):
        raise NeedsPermission(actor, *SEE)


def retention(actor: Actor) -> Retention | None:
    """Return the rule; nothing is archived while there is none."""
    _need(actor)
    return Retention.objects.first()


def visible_holds(actor: Actor) -> QuerySet[LegalHold]:
    """Return every hold, those that were lifted too."""
    _need(actor)
    return LegalHold.objects.all()


def get_hold(hold_id: str, actor: Actor) -> LegalHold:
    """Return one hold, or raise ``NotFound``."""
    hold = visible_holds(actor).filter(pk=hold_id).first()
    if hold is None:
        raise NotFound
    return hold


def visible_archives(actor: Actor) -> QuerySet[Archive]:
    """Return every archive, without what is in it."""
    _need(actor)
    return archives()


def get_archive(archive_id: str, actor: Actor) -> Archive:
    """Return one archive, for who may take a copy of the whole log."""
    row = visible_archives(actor).filter(pk=archive_id).first()
    if row is None:
        raise NotFound
    if not actor.can("audit.export"):
        raise NeedsPermission(actor, "audit.export")
    return row


def held_subjects() -> tuple[str, ...]:
    """Return what no archived event may mention; '' stands in every event."""
    standing = LegalHold.objects.filter(state=HoldState.STANDING).order_by("pk")
    return tuple(standing.values_list("subject", flat=True))


def archive_files(digests: Collection[str]) -> set[str]:
    """Return those of ``digests`` (hex) that are archives: blobs that are never collected."""
    wanted = [f"sha256:{digest}" for digest in digests]
    files = Archive.objects.filter(file__in=wanted).values_list("file", flat=True)
    return {name.removeprefix("sha256:") for name in files}


def missing_files() -> Iterator[Fault]:
    """Yield the archives whose file is not in the artifact store any more."""
    for row in Archive.objects.order_by("pk"):
        if not store().exists(row.file):
            yield Fault(f"archive {row.pk}", f"archive {row.pk}: its file {row.file} is missing")
