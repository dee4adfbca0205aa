"""A row as it goes into the log: free text as a commitment, and sealed aside."""

from typing import Any

from apps.audit.actions.seal import seal_column
from apps.audit.models import Audited, SealedText
from apps.audit.rows import column_place, plain_state, row_key, text_of
from placet.kernel.actor import Actor


def row_state(row: Audited, actor: Actor, texts: list[SealedText]) -> dict[str, Any]:
    """Return every logged column of ``row`` as JSON values, sealed ones as commitments.

    What is to be stored of the sealed ones is added to ``texts``.

    A sealed text is kept under the key of the person it belongs to: the row itself when it is a
    person, else the accountable actor.
    """
    owner = str(row.pk) if str(row.pk).startswith("per_") else actor.accountable
    state = plain_state(row)
    for name in row.LOG_SEALED:
        if state[name]:
            place = column_place(row_key(row), name)
            state[name], sealed = seal_column(text_of(state[name]), person=owner, place=place)
            texts += [sealed] if sealed else []
    return state
