"""Which blobs are needed. Apps above say which of theirs are; this app knows its own files.

Registered in ``AppConfig.ready()``.
"""

from collections.abc import Callable, Collection

from apps.registry.models import ArtifactFile, Upload

# Given SHA-256 digests in hex, returns those among them that something needs.
References = Callable[[Collection[str]], set[str]]
_references: list[References] = []


def register(references: References) -> None:
    """Have ``references`` asked before a blob is condemned and again before it is removed."""
    if references not in _references:
        _references.append(references)


def needed(digests: Collection[str]) -> set[str]:
    """Return the digests that files, announced uploads or anything above needs."""
    found = set(ArtifactFile.objects.filter(sha256__in=digests).values_list("sha256", flat=True))
    found |= set(Upload.objects.filter(sha256__in=digests).values_list("sha256", flat=True))
    for references in _references:
        found |= references(digests)
    return found
