"""A row as it goes into the log: free text as a commitment, and sealed aside."""

from typing import Any

from django.db import models
from django.db.models import F
from django.db.models.fields.json import KeyTransform
from django.db.models.functions import Cast

from apps.audit.actions.seal import seal_column
from apps.audit.models import Audited, Event, SealedText
from apps.audit.queries.filtering import touching
from apps.audit.rows import column_place, owner_of, plain_state, row_key, text_of
from placet.kernel.actor import Actor

BATCH = 20  # events


def row_state(row: Audited, actor: Actor, texts: list[SealedText]) -> dict[str, Any]:
    """Return every logged column of ``row`` as JSON values, sealed ones as commitments.

    What is to be stored of the sealed ones is added to ``texts``.

    A sealed text is kept under the key of the person that the row belongs to, else of who wrote
    it: that is the accountable actor, or who the row's last event kept the same text for.
    """
    state, key = plain_state(row), row_key(row)
    belongs_to = owner_of(key, state)
    owner = belongs_to or actor.accountable
    words = {name: text_of(state[name]) for name in row.LOG_SEALED if state[name]}
    earlier = _earlier(row) if words and not belongs_to else {}
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
    (three queries, and one more for each ``BATCH`` of later events that are about the row and do
    not hold it)."""
    last = _last_state(row)
    said = {name: str(last[name]) for name in row.LOG_SEALED if last.get(name)}
    kept = SealedText.objects.filter(commitment__in=said.values())
    writers = dict(kept.values_list("commitment", "person_id")) if said else {}
    return {name: (one, writers.get(one, "")) for name, one in said.items()}


def _last_state(row: Audited) -> dict[str, Any]:
    # By a sum: ordered by the index itself, PostgreSQL may read the log from its end until it
    # meets the row, which may have rested for millions of events.
    touched = touching(Event.objects.all(), [str(row.pk)])
    indexes = list(touched.order_by((F("index") + 0).desc()).values_list("index", flat=True))
    after = KeyTransform("after", Cast("body", models.JSONField()))
    for start in range(0, len(indexes), BATCH):
        events = Event.objects.filter(index__in=indexes[start : start + BATCH])
        states = events.annotate(state=KeyTransform(row_key(row), after))
        found = states.filter(state__isnull=False).order_by((F("index") + 0).desc())
        for state in found.values_list("state", flat=True)[:1]:
            return dict(state)
    return {}
