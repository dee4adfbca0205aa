"""Which Bentos releases still need."""

from collections.abc import Collection
from datetime import datetime

from django.db.models import Q

from apps.governance.models import OPEN_STATES, Release
from apps.governance.rules import ReleaseState


def bentos_needed(digests: Collection[str], since: datetime) -> set[str]:
    """Return the Bentos of releases that are open or live, or ended since that time."""
    over = Q(ended_at__lt=since) & ~Q(state__in=(*OPEN_STATES, ReleaseState.LIVE))
    return set(
        Release.objects.filter(bento__in=digests).exclude(over).values_list("bento_id", flat=True)
    )
