"""Bentos that a target fetches ahead, so that a release starts at once when it is approved."""

from apps.audit.actions import record
from apps.builds.models import Bento
from apps.serving import desired
from apps.serving.events import PREFETCH_ADDED, PREFETCH_REMOVED
from apps.serving.models import Prefetch, Target
from placet.kernel.actor import Actor
from placet.kernel.config import config


def prefetch(target: Target, *, bento: Bento, holder: str, actor: Actor) -> Prefetch | None:
    """Have ``target`` fetch ``bento`` for ``holder`` (a release id). Fetching starts nothing.

    The caller has authorised the request of the release. Repeating it changes nothing. Beyond the
    quota of the Bento's project it is ``None``: the Bento is fetched when it is to start.
    """
    ahead = Prefetch.objects.filter(target=target, project=bento.project_id).exclude(bento=bento)
    with record(actor) as log:
        if ahead.values("bento").distinct().count() >= config().max_prefetched:
            return None
        row, created = Prefetch.objects.get_or_create(
            target=target, bento=bento, holder=holder, defaults={"project_id": bento.project_id}
        )
        if created:
            log.add(PREFETCH_ADDED, row)
            desired.publish(target.pk)
    return row


def release_prefetch(holder: str, *, actor: Actor) -> None:
    """Forget what was fetched ahead for ``holder``: its release ended or runs."""
    with record(actor) as log:
        for row in Prefetch.objects.select_for_update().filter(holder=holder):
            target_id, pk = row.target_id, row.pk
            row.delete()
            row.pk = pk  # the log names the row that is gone
            log.add(PREFETCH_REMOVED, deleted=(row,))
            desired.publish(target_id)
