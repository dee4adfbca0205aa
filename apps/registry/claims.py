"""Claims on blobs: who is about to rely on one takes the collector's sentence off it."""

from django.db import transaction

from apps.registry.errors import BlobSwept
from apps.registry.models import CondemnedBlob


def claim(sha256: str) -> None:
    """Take the sentence off a blob that is about to be relied upon. Raises :class:`BlobSwept`."""
    if not CondemnedBlob.objects.filter(pk=sha256).exists():
        return
    with transaction.atomic():
        CondemnedBlob.objects.filter(pk=sha256, sweeping=False).delete()
        if CondemnedBlob.objects.filter(pk=sha256).exists():
            raise BlobSwept
