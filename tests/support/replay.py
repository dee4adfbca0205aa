"""Every row from the log alone: what a whole path of events must add up to."""

from collections.abc import Iterable, Iterator
from typing import Any

from django.apps import apps as django_apps

from apps.audit.actions import plain_state, row_key
from apps.audit.models import Audited
from apps.audit.queries import ERASED, replay, unseal_many
from apps.audit.rows import text_of


def audited_models() -> list[type[Audited]]:
    """Return every table whose rows the log must be able to rebuild."""
    return [m for m in django_apps.get_models() if issubclass(m, Audited)]


def assert_log_rebuilds_every_row(*of: type[Audited]) -> int:
    """Compare every audited row with the state that the log alone gives; return how many.

    Fails on a row without a state, a state without a row, and a column that differs. A sealed
    column is compared by the text behind its commitment, unless that was erased. ``of`` are the
    tables to look at where a test made other rows past the log; all without it.
    """
    rows = dict(_rows(of or audited_models()))
    labels = {f"{model._meta.label_lower}:" for model in of}
    states = {
        key: state for key, state in replay().items() if not of or key.startswith(tuple(labels))
    }
    faults = [f"{key} is not in the log" for key in rows.keys() - states.keys()]
    faults += [f"{key} is in the log, but there is no such row" for key in states.keys() - rows]
    texts = unseal_many(_commitments(rows, states))
    for key in sorted(rows.keys() & states.keys()):
        faults += _differences(key, rows[key], states[key], texts)
    assert not faults, "\n".join(faults[:40])
    return len(rows)


def _rows(models: Iterable[type[Audited]]) -> Iterator[tuple[str, Audited]]:
    for model in models:
        for row in model._default_manager.all():
            yield row_key(row), row


def _commitments(rows: dict[str, Audited], states: dict[str, dict[str, Any]]) -> set[str]:
    return {
        states[key][name]
        for key, row in rows.items()
        if key in states
        for name in row.LOG_SEALED
        if states[key].get(name) and isinstance(states[key][name], str)
    }


def _differences(
    key: str, row: Audited, logged: dict[str, Any], texts: dict[str, str]
) -> Iterator[str]:
    for name, value in plain_state(row).items():
        if name not in logged:
            yield f"{key}: {name} was never logged"
            continue
        found = logged[name]
        if name in row.LOG_SEALED and found and isinstance(found, str):  # not before it was sealed
            found = texts[found]
            if found == ERASED:
                continue
            value = text_of(value)
        if found != value and not (name in row.LOG_SEALED and not found and not value):
            yield f"{key}: {name} is {value!r}, the log says {found!r}"
