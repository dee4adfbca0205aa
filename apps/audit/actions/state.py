"""A row as it goes into the log: free text as a commitment, and sealed aside."""

from typing import Any

from django.db import models
from django.db.models.fields.json import KeyTransform
from django.db.models.functions import Cast

from apps.audit.actions.seal import seal_column
from apps.audit.models import Audited, Event, SealedText
from apps.audit.queries.events import touching
from apps.audit.rows import column_place, owner_of, plain_state, row_key, text_of
from placet.kernel.actor import Actor


def row_state(row: Audited, actor: Actor, texts: list[SealedText]) -> dict[str, Any]:
    """Return every logged column of ``row`` as JSON values, sealed ones as commitments.

    What is to be stored of the sealed ones is added to ``texts``.

    A sealed text is kept under the key of the person that the row belongs to, else of who wrote
    it: that is the accountable actor, or who the row's last event kept the same text for.
    """
    state, key = plain_state(row), row_key(row)
    owner = owner_of(key, state) or actor.accountable
    words = {name: text_of(state[name]) for name in row.LOG_SEALED if state[name]}
    earlier = _earlier(row) if words else {}
    for name, text in words.items():
        place = column_place(key, name)
        state[name], sealed = seal_column(text, person=owner, place=place)
        commitment, writer = earlier.get(name, ("", ""))
        if commitment != state[name] and writer not in ("", owner):
            again, kept = seal_column(text, person=writer, place=place)
            if again == commitment:
                state[name], sealed = again, kept
        texts += [sealed] if sealed else []
    return state


def _earlier(row: Audited) -> dict[str, tuple[str, str]]:
    """Return, by column, the commitments of a row's last event with whom their texts are kept for
    (two queries)."""
    after = KeyTransform("after", Cast("body", models.JSONField()))
    events = touching(Event.objects.all(), [str(row.pk)])
    states = events.annotate(state=KeyTransform(row_key(row), after)).filter(state__isnull=False)
    last = states.order_by("-index").values_list("state", flat=True).first()
    said = {name: str(last[name]) for name in row.LOG_SEALED if last and last.get(name)}
    kept = SealedText.objects.filter(commitment__in=said.values())
    writers = dict(kept.values_list("commitment", "person_id")) if said else {}
    return {name: (one, writers.get(one, "")) for name, one in said.items()}
