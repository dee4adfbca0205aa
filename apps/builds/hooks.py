"""Where apps above take part in what builds does."""

from collections.abc import Collection
from datetime import datetime

from apps.builds.models import Bento
from placet.kernel.hooks import Hook


@Hook
def bentos_needed(digests: Collection[str], since: datetime) -> set[str]:
    """Return those among Bento digests that something needs, or needed since then: asked before
    Bentos are given up, and again in the transaction that does it, which holds the Bento's row.

    For apps that release Bentos or have them run. This app knows whose version is held.
    """
    held = Bento.objects.filter(pk__in=digests, version__holds__isnull=False)
    return set(held.values_list("pk", flat=True))


def needed(digests: Collection[str], since: datetime) -> set[str]:
    """Return the Bentos that anything here or above needs, or needed since then."""
    return set[str]().union(*bentos_needed(digests, since))
