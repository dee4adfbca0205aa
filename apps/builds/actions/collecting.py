"""Giving up the bytes of Bentos and runtimes that nothing needs; their papers stay.

The row stays with ``collected_at``, under whose lock it is checked once more: a release requested
at the same moment holds the same row. The store removes the bytes afterwards, as it does any.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, QuerySet

from apps.audit.actions import record
from apps.builds.events import BENTO_COLLECTED, RUNTIME_COLLECTED
from apps.builds.hooks import needed
from apps.builds.models import Bento, Runtime
from apps.jobs.each import each
from placet.kernel.actor import Actor
from placet.kernel.clock import database_now
from placet.kernel.config import config


@dataclass(frozen=True, slots=True)
class GivenUp:
    """How many Bentos and runtimes were given up."""

    bentos: int
    runtimes: int


def unneeded_bentos(before: datetime) -> list[Bento]:
    """Return the Bentos made before that time which nothing needed since."""
    old = list(Bento.objects.filter(collected_at=None, created_at__lt=before).order_by("pk"))
    kept = needed([bento.pk for bento in old], before)
    return [bento for bento in old if bento.pk not in kept]


def unneeded_runtimes(before: datetime) -> QuerySet[Runtime]:
    """Return the runtimes made before that time which no Bento that is kept runs on."""
    kept = Bento.objects.filter(runtime=OuterRef("pk"), collected_at=None)
    return Runtime.objects.filter(~Exists(kept), collected_at=None, created_at__lt=before)


def collect_bentos(*, actor: Actor) -> GivenUp:
    """Give up every Bento and runtime that nothing needs, each in a transaction of its own.

    One that cannot be given up stops no other: what it raised is raised at the end.
    """
    before, faults = database_now() - timedelta(days=config().collect_after_days), list[Exception]()
    old = unneeded_bentos(before)
    bentos = sum(each(lambda bento: _give_up_bento(bento.pk, before, actor), old, faults))
    names = list(unneeded_runtimes(before).values_list("pk", flat=True))
    runtimes = sum(each(lambda name: _give_up_runtime(name, before, actor), names, faults))
    if faults:
        raise faults[0]
    return GivenUp(bentos, runtimes)


def _give_up_bento(digest: str, before: datetime, actor: Actor) -> bool:
    with record(actor) as log:
        bento = (
            Bento.objects.select_for_update(no_key=True)
            .filter(pk=digest, collected_at=None)
            .first()
        )
        if bento is None or needed([digest], before):
            return False
        bento.collected_at = database_now()
        bento.save(update_fields=["collected_at"])
        log.add(BENTO_COLLECTED, bento, data={"bytes": bento.size})
    return True


def _give_up_runtime(digest: str, before: datetime, actor: Actor) -> bool:
    with record(actor) as log:
        row = Runtime.objects.select_for_update(no_key=True).filter(pk=digest).first()
        if row is None or not unneeded_runtimes(before).filter(pk=digest).exists():
            return False
        row.collected_at = database_now()
        row.save(update_fields=["collected_at"])
        size = sum(wheel["size"] for wheel in row.wheels)
        log.add(RUNTIME_COLLECTED, row, data={"bytes": size})
    return True
