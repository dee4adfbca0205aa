"""The recall that ended an emergency release, because it took back what one of its signers signs.

Nothing that is stored says so: an emergency release ends at once with the recall of a signer, so
what ended later than such a recall was open when it came, and was ended by it; but for what a
release had started by before, which goes on unless the recall revoked that.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Q

from apps.assurance.models import Recall, RecallKind
from apps.console.queries.links import recall_url
from apps.governance.models import BreakGlassSignature
from apps.governance.queries.break_glass import BreakGlassView
from apps.governance.rules import ReleaseState
from placet.kernel.actor import Actor


@dataclass(frozen=True, slots=True)
class EndedByRecall:
    """A recall that ended one, and whose signatures it took back."""

    url: str  # where it is read; '' for who may not see it
    people: frozenset[str]


def recalls_that_ended(views: Sequence[BreakGlassView], actor: Actor) -> dict[str, EndedByRecall]:
    """Return the recalls that ended these emergency releases, by their ids (one query, none where
    all go on)."""
    ended = [view.glass for view in views if view.glass.ended_at]
    if not ended:
        return {}
    signed = {glass.pk: list(glass.signatures.all()) for glass in ended}
    signers = {one.person for rows in signed.values() for one in rows}
    since = min(glass.opened_at for glass in ended)
    of_signer = Q(kind=RecallKind.PERSON, what__in=signers) | Q(kind=RecallKind.PASSKEY)
    recalls = list(Recall.objects.filter(of_signer, created_at__gte=since).order_by("pk"))
    found = {}
    for glass in ended:
        for recall in recalls:
            revoked = glass.release.state == ReleaseState.REVOKED
            over = glass.ended_at if revoked else glass.used_at or glass.ended_at
            if over is None or recall.created_at > over:
                continue
            if people := _taken_back(recall, signed[glass.pk]):
                url = recall_url(recall.pk, recall.project_id, actor)
                found[glass.pk] = EndedByRecall(url, people)
                break
    return found


def _taken_back(recall: Recall, signatures: Sequence[BreakGlassSignature]) -> frozenset[str]:
    """Return whose of these ``recall`` took back, once they had signed."""
    passkeys = recall.names.get("passkeys") or ()
    return frozenset(
        one.person
        for one in signatures
        if one.created_at <= recall.created_at
        and (one.person == recall.what or (one.assertion or {}).get("credential") in passkeys)
    )
