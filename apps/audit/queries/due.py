"""Whether there is anything to do for what comes round over the log: asked before it is done."""

from typing import Any

from django.db.models import Exists, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from apps.audit.models import Checkpoint, LogHead, VerifiedHead
from apps.audit.queries import checkpoint_files


def unsigned() -> list[QuerySet[Any]]:
    """Return the head of the log where its newest checkpoint is not of all of it, or is not what is
    kept outside the database, letter by letter; checkpoints whose log has lost its head."""
    kept = Checkpoint.objects.filter(size=OuterRef("size"), note=checkpoint_files.newest_text())
    beyond = Checkpoint.objects.filter(size__gt=OuterRef("size"))
    behind = LogHead.objects.exclude(Exists(kept), ~Exists(beyond))
    return [behind, Checkpoint.objects.filter(~Exists(LogHead.objects.all()))]


def unverified() -> list[QuerySet[Checkpoint]]:
    """Return the checkpoints beyond what was verified as the log grew."""
    verified = VerifiedHead.objects.values("size")[:1]
    return [Checkpoint.objects.filter(size__gt=Coalesce(Subquery(verified), 0))]
