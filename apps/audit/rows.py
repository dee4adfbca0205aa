"""A row as the log holds it: every logged column as a JSON value, whatever is sealed still open."""

import base64
import hmac
import json
from datetime import datetime
from typing import Any

from django.apps import apps as django_apps
from django.db import models

from apps.audit.models import Audited
from placet.kernel.clock import rfc3339
from placet_verify import canonical

UNLOGGED_RELATIONS = frozenset({"groups", "user_permissions"})  # Django's own, unused


def row_key(row: models.Model) -> str:
    """Return the name of a row in ``after``: ``app.model:primary key``."""
    return f"{row._meta.label_lower}:{row.pk}"


def plain_state(row: Audited) -> dict[str, Any]:
    """Return every logged column of ``row`` as JSON values, sealed ones still as text."""
    state = {
        column.attname: plain(getattr(row, column.attname))
        for column in row._meta.concrete_fields
        if column.name not in row.LOG_HIDDEN
    }
    for relation in row._meta.many_to_many:
        if relation.name not in row.LOG_HIDDEN | UNLOGGED_RELATIONS:
            keys = getattr(row, relation.name).values_list("pk", flat=True)
            state[relation.name] = sorted(str(pk) for pk in keys)
    return state


def plain(value: Any) -> Any:
    """Return ``value`` as canonical JSON can hold it; times are RFC 3339, big numbers text."""
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, bytes | memoryview):
        return base64.b64encode(bytes(value)).decode()
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 2**53:
        return str(value)
    if isinstance(value, dict | list):
        return json.loads(json.dumps(value, default=str), parse_int=_bounded)
    return value


def text_of(value: Any) -> str:
    """Return a logged column's value as the text that is sealed."""
    return value if isinstance(value, str) else canonical.dumps(value).decode()


def owner_of(key: str, state: dict[str, Any]) -> str:
    """Return the person that a row, named as :func:`row_key` does, is or belongs to, by its logged
    state: its texts are theirs, whoever logs it. '' for a row of nobody's."""
    pk = key.partition(":")[2]
    if pk.startswith("per_"):
        return pk
    model = _audited(key)
    return str(state.get(model.LOG_OWNER) or "") if model and model.LOG_OWNER else ""


def sealed_columns(key: str) -> dict[str, str]:
    """Return the columns of a row, named as :func:`row_key` does, that are commitments in the log,
    and the place that the text of each was sealed for.

    It is '' where the column itself is a commitment (``…_sealed``), whose text an action sealed.
    Rows of a table that there is no more have none.
    """
    model = _audited(key)
    if model is None:
        return {}
    names = (column.attname for column in model._meta.concrete_fields)
    columns = {name: "" for name in names if name.endswith("_sealed")}
    return columns | {name: column_place(key, name) for name in model.LOG_SEALED}


def _audited(key: str) -> type[Audited] | None:
    try:
        model = django_apps.get_model(key.partition(":")[0])
    except (LookupError, ValueError):
        return None
    return model if issubclass(model, Audited) else None


def column_place(key: str, name: str) -> str:
    """Return the place of one column of a row."""
    return f"{key}:{name}"


def column_salt(secret: bytes, place: str, text: str) -> bytes:
    """Return the salt of a column's text: HMAC-SHA-256 of place and text, cut to 128 bits."""
    return hmac.digest(secret, f"{place}\x00{text}".encode(), "sha256")[:16]


def _bounded(text: str) -> int | str:
    number = int(text)
    return number if abs(number) < 2**53 else text
