"""Filters of a list that name nothing: an empty list would pass for what was asked for."""

from collections.abc import Collection, Mapping
from typing import Any

from django.db.models import QuerySet

from placet.kernel.problems import FieldError, InvalidInput

UNSEEN = "None that you may see is called so"
NONE: Mapping[str, Any] = {}


def refuse_unknown(
    given: Mapping[str, str],
    *,
    words: Mapping[str, Collection[str]] = NONE,
    called: Mapping[str, QuerySet[Any]] = NONE,
    ids: Mapping[str, QuerySet[Any]] = NONE,
) -> None:
    """Raise :class:`InvalidInput` with each filter that is ``given`` and names nothing: none of
    its ``words``, nothing in the rows that are ``called`` so, no id of the rows in ``ids``.

    Rows are those that the reader may see: what they may not see is answered as what is not there.
    """
    asked = {name for name, value in given.items() if value}
    errors = [
        *(
            FieldError(name, f"One of {', '.join(known)}")
            for name, known in words.items()
            if name in asked and given[name] not in known
        ),
        *(
            FieldError(name, UNSEEN)
            for name, rows in called.items()
            if name in asked and not rows.exists()
        ),
        *(
            FieldError(name, f"You see no {name} with this id")
            for name, rows in ids.items()
            if name in asked and not rows.filter(pk=given[name]).exists()
        ),
    ]
    if errors:
        raise InvalidInput(errors=errors)
