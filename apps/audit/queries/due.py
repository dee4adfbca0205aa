"""Whether there is anything to do for what comes round over the log: asked before it is done."""

from django.db.models import Exists, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from apps.audit.models import Checkpoint, LogHead, VerifiedHead
from apps.audit.queries import checkpoint_files


def unsigned() -> list[QuerySet[LogHead]]:
    """Return the head of the log where its newest checkpoint is not of all of it, or is not what is
    kept outside the database, letter by letter."""
    kept = Checkpoint.objects.filter(size=OuterRef("size"), note=checkpoint_files.newest_text())
    beyond = Checkpoint.objects.filter(size__gt=OuterRef("size"))
    return [LogHead.objects.exclude(Exists(kept), ~Exists(beyond))]


def unverified() -> list[QuerySet[Checkpoint]]:
    """Return the checkpoints beyond what was verified as the log grew."""
    verified = VerifiedHead.objects.values("size")[:1]
    return [Checkpoint.objects.filter(size__gt=Coalesce(Subquery(verified), 0))]
