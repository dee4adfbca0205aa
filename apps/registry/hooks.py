"""Where apps above take part in what the registry does."""

from collections.abc import Collection

from apps.registry.models import ArtifactFile, Upload
from placet.kernel.hooks import Hook


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
