"""What of releases that wait goes void when signatures of somebody count no more."""

from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from apps.governance.models import (
    UNFINISHED_STATES,
    BreakGlass,
    BreakGlassSignature,
    Decision,
    Release,
)
from apps.governance.rules import GLASS_OPEN
from placet_verify.recalls import Uncounted

RECALLED = "recalled"  # why a decision is void


def signed_by(uncounted: Uncounted) -> Q:
    """Select decisions, or signatures for an emergency release, that count no more."""
    return Q(person__in=uncounted.people) | Q(assertion__credential__in=list(uncounted.passkeys))


def uncounting(uncounted: Uncounted) -> QuerySet[Release, Any]:
    """Return the unfinished releases of which something goes void, each with what: a decision
    (``voids``), or an emergency release that is open (``ends``)."""
    gone = signed_by(uncounted)
    decided = Decision.objects.filter(gone, release=OuterRef("pk"), voided_reason="")
    signed = BreakGlassSignature.objects.filter(gone, glass=OuterRef("pk"))
    glasses = BreakGlass.objects.filter(
        Exists(signed), release=OuterRef("pk"), state__in=GLASS_OPEN
    )
    rows = Release.objects.filter(state__in=UNFINISHED_STATES)
    rows = rows.annotate(voids=Exists(decided), ends=Exists(glasses))
    return rows.filter(Q(voids=True) | Q(ends=True))
