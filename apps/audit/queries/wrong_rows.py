"""Every row held against what the log says of it last, in one pass over both, in the order of
their keys.

What is in memory at once is counted in bytes: a row may have half a megabyte, and a text of it that
lies sealed beside the log again as much.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.apps import apps as django_apps
from django.db import connection, models
from django.db.models import Func, IntegerField
from django.db.models.functions import Cast, Collate

from apps.audit.models import Audited
from apps.audit.queries.batches import BATCH, in_batches, opened_in_turn
from apps.audit.rows import plain, plain_state, row_key, sealed_columns, text_of
from placet_verify import canonical
from placet_verify.errors import Malformed
from placet_verify.log.checking import Fault

LARGE = 1 << 14  # bytes: a larger state is read by itself

# The last state of every row that the log ever saw. PostgreSQL sorts on its disk.
LAST_STATES = f"""
SELECT DISTINCT ON (after.key COLLATE "C") after.key, audit_event.index,
  CASE WHEN octet_length(body) <= {LARGE} OR octet_length(after.value::text) <= {LARGE}
    THEN after.value::text END
FROM audit_event, jsonb_each(body::jsonb -> 'after') AS after
ORDER BY after.key COLLATE "C", audit_event.index DESC
"""  # noqa: S608  (a number of our own)
ONE_STATE = "SELECT (body::jsonb -> 'after' -> %s)::text FROM audit_event WHERE index = %s"


@dataclass(frozen=True, slots=True)
class _Said:
    """What the log says last of a row, and how many characters that has."""

    state: dict[str, Any]
    size: int


@dataclass(frozen=True, slots=True)
class _Stored:
    """A row as it is, and about how many bytes it has."""

    row: Audited
    size: int


@dataclass(frozen=True, slots=True)
class _Pair:
    """Both, under one key; ``None`` where there is none."""

    key: str
    said: _Said | None
    stored: _Stored | None

    @property
    def size(self) -> int:
        return sum(half.size for half in (self.said, self.stored) if half is not None)


@dataclass(frozen=True, slots=True)
class _Sealed:
    """A column whose text is sealed on its way into the log."""

    key: str
    name: str
    is_json: bool


def wrong_rows() -> Iterator[Fault]:
    """Yield the rows that are not as the log says last: missing, too many, or different.

    To be asked :func:`~apps.audit.queries.batches.at_one_moment`.
    """
    for batch in in_batches(_merge(_logged(), _stored()), lambda pair: pair.size):
        yield from _faults(batch)


def _logged() -> Iterator[tuple[str, _Said]]:
    with connection.chunked_cursor() as cursor:
        cursor.execute(LAST_STATES)
        for key, index, short in cursor:
            text = short if short is not None else _state_at(key, index)
            if text != "null":  # of a row that was removed
                yield key, _Said(canonical.loads(text), len(text))


def _state_at(key: str, index: int) -> str:
    with connection.cursor() as cursor:
        cursor.execute(ONE_STATE, [key, index])
        (text,) = cursor.fetchone()
        return str(text)


def _stored() -> Iterator[tuple[str, _Stored]]:
    """Yield every audited row in the order of its key, as the log's are sorted (by code point)."""
    tables = [m for m in django_apps.get_models() if issubclass(m, Audited)]
    for model in sorted(tables, key=lambda m: f"{m._meta.label_lower}:"):
        rows = model._default_manager.order_by(Collate(Cast("pk", models.TextField()), "C"))
        sizes = rows.values_list("pk", _RowSize(model)).iterator(chunk_size=BATCH)
        for batch in in_batches(sizes, lambda pair: pair[1]):
            by_pk = model._default_manager.in_bulk([pk for pk, _ in batch])
            for pk, size in batch:
                if row := by_pk.pop(pk, None):
                    yield row_key(row), _Stored(row, size)


class _RowSize(Func):
    """How many bytes a row has as text."""

    output_field = IntegerField()

    def __init__(self, model: type[models.Model]) -> None:
        table = connection.ops.quote_name(model._meta.db_table)
        super().__init__(template=f"octet_length({table}::text)")


def _merge(
    logged: Iterable[tuple[str, _Said]], stored: Iterable[tuple[str, _Stored]]
) -> Iterator[_Pair]:
    """Pair what is logged with what is stored, both in the order of their keys."""
    left, right = iter(logged), iter(stored)
    one, other = next(left, None), next(right, None)
    while one is not None or other is not None:
        if other is None or (one is not None and one[0] < other[0]):
            assert one is not None
            yield _Pair(one[0], one[1], None)
            one = next(left, None)
        elif one is None or other[0] < one[0]:
            yield _Pair(other[0], None, other[1])
            other = next(right, None)
        else:
            yield _Pair(one[0], one[1], other[1])
            one, other = next(left, None), next(right, None)


def _faults(batch: list[_Pair]) -> Iterator[Fault]:
    rows = {p.key: plain_state(p.stored.row) for p in batch if p.said and p.stored}
    texts = _wrong_texts([p for p in batch if p.key in rows], rows)
    for pair in batch:
        for sentence in _differences(pair, rows.get(pair.key, {}), texts):
            yield Fault(f"row {pair.key}", f"row {pair.key}: {sentence}")


def _differences(
    pair: _Pair, row: dict[str, Any], texts: dict[tuple[str, str], str]
) -> Iterator[str]:
    if pair.stored is None:
        yield "the log has it, but the row is gone"
        return
    if pair.said is None:
        yield "the row is there, but the log does not have it"
        return
    state, model = pair.said.state, pair.stored.row
    for name, value in row.items():
        logged = state[name] if name in state else _unsaid(model, name)
        sealed = name in model.LOG_SEALED
        if not (sealed and canonical.is_digest(logged)) and not _agree(logged, value, sealed):
            yield f"{name} is {value!r}, the log says {logged!r}"[:300]
        if sentence := texts.get((pair.key, name)):
            yield sentence


def _agree(logged: Any, value: Any, sealed: bool) -> bool:
    """Tell whether a column that is open in the log has what it says; nothing is sealed as ''."""
    if _same(logged, value) or _same_in_parts(logged, value):
        return True
    return sealed and logged in ("", None) and value in ("", None)


def _same(one: Any, other: Any) -> bool:
    """Tell whether the log would write both alike: to Python, 1 is True."""
    return one == other and canonical.dumps(one) == canonical.dumps(other)


def _same_in_parts(logged: Any, value: Any) -> bool:
    """Tell whether all parts of both are the same, or digits where the row has a float of 2^53 or
    more.

    PostgreSQL gives floats back as whole numbers, which earlier releases did not take for floats
    but logged as text, as they do whole ones; those are floats now where a float has their digits.
    """
    pairs = [(logged, value)]
    while pairs:
        one, other = pairs.pop()
        if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
            pairs += [(part, other[name]) for name, part in one.items()]
        elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
            pairs += zip(one, other, strict=True)
        elif not (_same(one, other) or _is_digits_of(one, other)):
            return False
    return True


def _is_digits_of(logged: Any, value: Any) -> bool:
    if not isinstance(value, float) or not 2**53 <= abs(value) < math.inf:
        return False
    return bool(logged == str(int(Decimal(repr(value)))))


def _wrong_texts(pairs: list[_Pair], rows: dict[str, dict[str, Any]]) -> dict[tuple[str, str], str]:
    """Say of which columns the sealed text is not theirs, by key of the row and name."""
    wanted: defaultdict[str, list[_Sealed]] = defaultdict(list)
    for pair in pairs:
        for name, place in sealed_columns(pair.key).items():
            digest = str(pair.said.state.get(name)) if pair.said else ""
            if place and canonical.is_digest(digest):
                wanted[digest].append(_Sealed(pair.key, name, _is_json(pair, name)))
    sentences: dict[tuple[str, str], str] = {}
    for commitment, text in opened_in_turn(list(wanted)):
        for one in wanted[commitment]:
            value = rows[one.key].get(one.name)
            if not _is_text_of(text, value, one):
                sentence = f"{one.name} is {value!r}, the log says {text!r}"
                sentences[one.key, one.name] = sentence[:300]
    return sentences


def _is_json(pair: _Pair, name: str) -> bool:
    columns = pair.stored.row._meta if pair.stored else None
    return columns is not None and isinstance(columns.get_field(name), models.JSONField)


def _is_text_of(text: str, value: Any, column: _Sealed) -> bool:
    if isinstance(value, str):  # or it was an object or a list, and now is the text of one
        return text == value and not (column.is_json and _read_many(text) is not None)
    many = _read_many(text)
    return text == text_of(value) or (many is not None and _same_in_parts(many, value))


def _read_many(text: str) -> dict[str, Any] | list[Any] | None:
    """Return the object or list that a sealed text is of, if it is."""
    try:
        value = canonical.loads(text)
    except Malformed:
        return None
    return value if isinstance(value, dict | list) and text_of(value) == text else None


def _unsaid(row: Audited, name: str) -> Any:
    """Return what a column has of which the row's last event, an earlier release's, does not know:
    what it had when it came."""
    came_with = {c.attname: c.get_default() for c in row._meta.concrete_fields}
    return plain(came_with.get(name, []))  # a relation to many, which has none yet
