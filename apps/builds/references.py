"""Which Bentos are needed. Apps above, which know releases and revisions, say so."""

from collections.abc import Callable, Collection
from datetime import datetime

from apps.builds.models import Bento, Runtime

# Given Bento digests and a time, returns those that something needs or needed since then.
Needs = Callable[[Collection[str], datetime], set[str]]
_needs: list[Needs] = []


def register(needs: Needs) -> None:
    """Have ``needs`` asked before a Bento is collected."""
    if needs not in _needs:
        _needs.append(needs)


def needed(digests: Collection[str], since: datetime) -> set[str]:
    """Return the Bentos that are held by their version, or that anything above needs."""
    found = set(
        Bento.objects.filter(pk__in=digests, version__holds__isnull=False).values_list(
            "pk", flat=True
        )
    )
    for needs in _needs:
        found |= needs(digests, since)
    return found


def blobs(digests: Collection[str]) -> set[str]:
    """Return the blobs that Bentos and runtimes need: archives, wheels, and every SBOM."""
    asked = set(digests)
    archives = Bento.objects.filter(collected_at=None, pk__in=[f"sha256:{d}" for d in asked])
    found = {pk.removeprefix("sha256:") for pk in archives.values_list("pk", flat=True)}
    found |= set(Bento.objects.filter(sbom__in=asked).values_list("sbom", flat=True))
    for wheels in Runtime.objects.filter(collected_at=None).values_list("wheels", flat=True):
        found |= asked & {wheel["sha256"] for wheel in wheels}
    return found
