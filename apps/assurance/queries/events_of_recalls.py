"""What the log says of recalls and receipts: the events that an outsider needs, by index.

Whoever may take a release or a recall away gets all of them. A recall that counts everywhere names
releases of other projects too, by id: what it reached is one statement, and cannot be taken apart.
"""

from collections.abc import Collection, Iterable

from django.db.models import Model, Q

from apps.assurance.events import (
    RECALL_CONFIRMED,
    RECALL_CONTRADICTED,
    RECALL_LIFTED,
    RECALL_REACHED,
    RECALLED,
    RECEIPT_KEPT,
)
from apps.assurance.models import Recall, RecallEffect, Receipt, ReceiptKind
from apps.assurance.queries.visible_recalls import visible_recalls
from apps.audit.models import Event
from apps.audit.queries import events_about, showing
from apps.audit.queries.bodies import body_of, states_of
from apps.serving.events_of_nodes import joined, placed
from apps.serving.models import Endpoint
from placet.kernel.actor import Actor

OF_RECALL = (RECALLED, RECALL_LIFTED, RECALL_CONFIRMED, RECALL_CONTRADICTED)


def made_by_hidden(indexes: Collection[int], actor: Actor) -> set[int]:
    """Return which of these events, by index, say what a recall reached that ``actor`` may not
    see (two queries at most); also those of which nobody can tell whose recall it was."""
    if not indexes or actor.projects_with("recall.view") is None:
        return set()
    bodies = Event.objects.filter(index__in=indexes).values_list("index", "body")
    named = {index: _recalls_in(body) for index, body in bodies}
    recalls = visible_recalls(actor).filter(pk__in=set[str]().union(*named.values()))
    seen = set(recalls.values_list("pk", flat=True))
    return {at for at in indexes if not (found := named.get(at)) or found - seen}


def _recalls_in(body: str) -> set[str]:
    """Return the recalls whose effects an event shows."""
    rows = (row for row in states_of(body_of(body)).values() if row)
    return {str(row["recall_id"]) for row in rows if "recall_id" in row}


def of_release(release: str, bento: str, endpoint: Endpoint) -> dict[int, str]:
    """Return the events of what nodes signed about a release, and of what takes it back."""
    named = Q(names__bentos__contains=[bento]) | Q(names__releases__contains=[release])
    recalls = list(Recall.objects.filter(named).order_by("pk").values_list("pk", flat=True))
    about = Q(release=release) | Q(recall__in=recalls, target=endpoint.target_id)
    rows = [
        *_keys(Recall, recalls),
        *_keys(Receipt, Receipt.objects.filter(about).values_list("pk", flat=True)),
        *_keys(RecallEffect, _effects(release, recalls)),
    ]
    events = events_about([endpoint.pk], RECEIPT_KEPT, RECALL_REACHED)
    return showing(events | events_about(recalls, *OF_RECALL), rows)


def of_recall(recall: Recall) -> dict[int, str]:
    """Return the events of a recall: what it did, what nodes signed, and what ran of it.

    Every node that is told signs that nothing runs; those on which nothing could have are left out.
    """
    releases = recall.names["releases"]
    effects = list(RecallEffect.objects.filter(recall=recall).only("pk", "endpoint", "target"))
    targets = {effect.target_id for effect in effects}
    signed = Q(kind=ReceiptKind.RAN, release__in=releases) | Q(recall=recall.pk, target__in=targets)
    rows = [
        *_keys(Recall, [recall.pk]),
        *_keys(RecallEffect, [effect.pk for effect in effects]),
        *_keys(Receipt, Receipt.objects.filter(signed).values_list("pk", flat=True)),
    ]
    events = events_about(
        {effect.endpoint_id for effect in effects}, RECALL_REACHED, RECEIPT_KEPT
    ) | events_about([recall.pk], *OF_RECALL)
    return joined(targets) | placed(releases) | showing(events, rows)


def _effects(release: str, recalls: list[str]) -> Iterable[str]:
    rows = RecallEffect.objects.filter(release=release, recall__in=recalls)
    return rows.values_list("pk", flat=True)


def _keys(model: type[Model], pks: Iterable[str]) -> list[str]:
    return [f"{model._meta.label_lower}:{pk}" for pk in pks]
