"""Which Bentos and runtimes nodes need."""

from collections.abc import Collection
from datetime import datetime

from django.db.models import Q

from apps.builds.models import Runtime
from apps.serving.models import Prefetch, Revision, Target
from apps.serving.rules import PRESENT, RevisionState


def allowed_runtimes(target: Target) -> set[str]:
    """Return the digests of the runtimes that the node of ``target`` needs."""
    present = Revision.objects.filter(endpoint__target=target, state__in=PRESENT)
    ahead = Prefetch.objects.filter(target=target)
    return set(present.values_list("bento__runtime_id", flat=True)) | set(
        ahead.values_list("bento__runtime_id", flat=True)
    )


def may_fetch(target: Target, sha256: str) -> bool:
    """Tell whether the node of ``target`` needs this blob: a Bento that its state names, or a
    wheel of the runtime of one."""
    digest = f"sha256:{sha256}"
    present = Revision.objects.filter(endpoint__target=target, state__in=PRESENT)
    if present.filter(bento_id=digest).exists():
        return True
    if Prefetch.objects.filter(target=target, bento_id=digest).exists():
        return True
    runtimes = Runtime.objects.filter(pk__in=allowed_runtimes(target))
    return any(
        str(wheel["sha256"]).removeprefix("sha256:") == sha256
        for wheels in runtimes.values_list("wheels", flat=True)
        for wheel in wheels
    )


def bentos_needed(digests: Collection[str], since: datetime) -> set[str]:
    """Return the Bentos that serve, may serve at once, lie ready, or served since that time."""
    over = Q(state__in=(RevisionState.STOPPED, RevisionState.FAILED), ended_at__lt=since)
    serving = Revision.objects.filter(bento__in=digests).exclude(over)
    ready = Prefetch.objects.filter(bento__in=digests)
    return {*serving.values_list("bento_id", flat=True), *ready.values_list("bento_id", flat=True)}
