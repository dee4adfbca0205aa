"""Where apps above take part in what the registry does."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from django.contrib.postgres.expressions import ArraySubquery

from apps.registry.models import ArtifactFile, Upload
from placet.kernel.hooks import Hook, Slot


@Hook
def blobs_needed(digests: Collection[str]) -> set[str]:
    """Return those among SHA-256 digests in hex that something needs: asked before a blob is
    condemned, again under the lock of its row before it is swept, and when one is erased at once.

    For apps that keep files in the store. This app knows its files, and uploads whose bytes may be
    in the store already: any others bring theirs, and announcing a digest keeps nothing there.
    """
    of_files = set(ArtifactFile.objects.filter(sha256__in=digests).values_list("sha256", flat=True))
    return of_files | set(
        Upload.objects.filter(sha256__in=digests, verified=True).values_list("sha256", flat=True)
    )


def needed(digests: Collection[str]) -> set[str]:
    """Return the digests that anything here or above needs."""
    return set[str]().union(*blobs_needed(digests))


class VersionKeeper(Protocol):
    """Who keeps the recalls: one app above, which must be there."""

    def recalls(self) -> ArraySubquery:
        """Return the standing recalls of a version, or of data that it was trained on, as a column
        of a query that reads it."""

    def sentence(self, found: Sequence[Mapping[str, str]]) -> str:
        """Return why no release runs of what :meth:`recalls` found; '' when it found nothing."""


version_keeper = Slot[VersionKeeper]("which versions are recalled")
