"""Every row held against what the log says of it last, in one pass over both, in the order of
their keys.

What is in memory at once is counted in bytes: a row may have half a megabyte, and a text of it that
lies sealed beside the log again as much.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar

from django.apps import apps as django_apps
from django.db import connection, models, transaction
from django.db.models import F, Func, IntegerField
from django.db.models.fields.json import KeyTextTransform, KeyTransform
from django.db.models.functions import Cast, Collate

from apps.audit.events import PERSON_ERASED, declared
from apps.audit.models import ArchivedLeaf, Audited, Event, SealedText
from apps.audit.queries.events import touching
from apps.audit.queries.texts import opened_many
from apps.audit.rows import plain, plain_state, row_key, sealed_columns, text_of
from placet_verify import canonical
from placet_verify.errors import Malformed
from placet_verify.log.checking import Fault

BATCH = 500  # rows, at most
BYTES = 1 << 20  # of them, and what makes it more
LARGE = 1 << 14  # bytes: a larger state is read by itself

# The last state of every row that the log ever saw. PostgreSQL sorts on its disk.
LAST_STATES = f"""
SELECT DISTINCT ON (after.key COLLATE "C") after.key, audit_event.index,
  body::jsonb #>> '{{actor,accountable}}',
  CASE WHEN octet_length(body) <= {LARGE} OR octet_length(after.value::text) <= {LARGE}
    THEN after.value::text END
FROM audit_event, jsonb_each(body::jsonb -> 'after') AS after
ORDER BY after.key COLLATE "C", audit_event.index DESC
"""  # noqa: S608  (a number of our own)
ONE_STATE = "SELECT (body::jsonb -> 'after' -> %s)::text FROM audit_event WHERE index = %s"
UNREADABLE = (
    "its text can be read by nobody, and the log has no erasure of whose it was: it was removed or"
    " changed past Placet"
)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Said:
    """What the log says last of a row; ``by`` answers for the event."""

    state: dict[str, Any]
    by: str
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
    """A column that holds a commitment in the log, as ``sealed_columns`` says; ``by`` answers for
    the event that says it last."""

    key: str
    name: str
    place: str
    by: str
    is_json: bool


def wrong_rows() -> Iterator[Fault]:
    """Yield the rows that are not as the log says last: missing, too many, or different; and those
    of which a sealed text is gone though the log has no erasure."""
    outermost = not connection.in_atomic_block
    with transaction.atomic():
        if outermost:  # both sides as they were at one moment, while others go on
            connection.cursor().execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        erasures = Event.objects.filter(kind=PERSON_ERASED.name)
        erased = set(erasures.values_list("subject", flat=True))
        for batch in in_batches(_merge(_logged(), _stored()), lambda pair: pair.size):
            yield from _faults(batch, erased)


def in_batches(items: Iterable[T], size: Callable[[T], int]) -> Iterator[list[T]]:
    """Yield ``items`` in lists that end with the one that makes them ``BYTES``, by their ``size``,
    or ``BATCH`` in number."""
    batch: list[T] = []
    held = 0
    for item in items:
        batch.append(item)
        held += size(item)
        if held >= BYTES or len(batch) == BATCH:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch


def _logged() -> Iterator[tuple[str, _Said]]:
    with connection.chunked_cursor() as cursor:
        cursor.execute(LAST_STATES)
        for key, index, by, short in cursor:
            text = short if short is not None else _state_at(key, index)
            if text != "null":  # of a row that was removed
                yield key, _Said(canonical.loads(text), by, len(text))


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


def _faults(batch: list[_Pair], erased: set[str]) -> Iterator[Fault]:
    rows = {p.key: plain_state(p.stored.row) for p in batch if p.said and p.stored}
    texts = _wrong_texts([p for p in batch if p.key in rows], rows, erased)
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
    if _same(logged, value) or _same(logged, _as_read_before(value)):
        return True
    return sealed and logged in ("", None) and value in ("", None)


def _same(one: Any, other: Any) -> bool:
    """Tell whether the log would write both alike: to Python, 1 is True."""
    return one == other and canonical.dumps(one) == canonical.dumps(other)


def _wrong_texts(
    pairs: list[_Pair], rows: dict[str, dict[str, Any]], erased: set[str]
) -> dict[tuple[str, str], str]:
    """Say what is wrong with sealed texts, by key of the row and name of the column."""
    wanted: defaultdict[str, list[_Sealed]] = defaultdict(list)
    for pair in pairs:
        for name, place in sealed_columns(pair.key).items():
            if pair.said and canonical.is_digest(digest := str(pair.said.state.get(name))):
                is_json = _is_json(pair, name)
                wanted[digest].append(_Sealed(pair.key, name, place, pair.said.by, is_json))
    sentences: dict[tuple[str, str], str] = {}
    for commitment, text in _opened_in_turn(list(wanted)):
        for one in wanted.pop(commitment):
            value = rows[one.key].get(one.name)
            if one.place and not _is_text_of(text, value, one):
                sentence = f"{one.name} is {value!r}, the log says {text!r}"
                sentences[one.key, one.name] = sentence[:300]
    for commitment, columns in wanted.items():
        for one in columns:
            if erased.isdisjoint(_owners(one, commitment)):
                sentences[one.key, one.name] = f"{one.name}: {UNREADABLE}"
    return sentences


def _is_json(pair: _Pair, name: str) -> bool:
    columns = pair.stored.row._meta if pair.stored else None
    return columns is not None and isinstance(columns.get_field(name), models.JSONField)


def _opened_in_turn(commitments: list[str]) -> Iterator[tuple[str, str]]:
    """Yield the texts that can be opened, never more of them at once than ``BYTES``."""
    size = Func(F("ciphertext"), function="octet_length", output_field=IntegerField())
    rows = SealedText.objects.filter(commitment__in=commitments).values_list("commitment", size)
    for part in in_batches(rows, lambda row: row[1]):
        yield from opened_many(commitment for commitment, _ in part).items()


def _is_text_of(text: str, value: Any, column: _Sealed) -> bool:
    if isinstance(value, str) and column.is_json and _is_of_many(text):
        return False  # it was an object or a list, and now is the text of one
    return text == text_of(value) or text == text_of(_as_read_before(value))


def _is_of_many(text: str) -> bool:
    """Tell whether a sealed text is that of an object or a list."""
    try:
        value = canonical.loads(text)
        return isinstance(value, dict | list) and text_of(value) == text
    except Malformed:
        return False


def _owners(column: _Sealed, commitment: str) -> set[str]:
    """Return whose text it was, by the log.

    What a row is sealed with belongs to the person that it is, or to who logged it. A column that
    is a commitment itself may have been logged since by somebody else: its text belongs to who is
    the first to show it. Where that event is not one that seals it, and earlier ones were archived,
    it may also be the text of whom it is kept for, which nobody signs.
    """
    pk = column.key.partition(":")[2]
    if column.place:
        return {pk if pk.startswith("per_") else column.by}
    by = KeyTextTransform("accountable", KeyTransform("actor", Cast("body", models.JSONField())))
    showing = touching(Event.objects.filter(body__contains=commitment), [pk])
    first = min(showing.values_list("index", "kind", by), default=None)
    owners = {first[2]} if first else set()
    if first and column.name in declared(first[1]).seals:
        return owners
    if ArchivedLeaf.objects.filter(**({"index__lt": first[0]} if first else {})).exists():
        kept = SealedText.objects.filter(commitment=commitment)
        owners |= set(kept.values_list("person_id", flat=True))
    return owners


def _unsaid(row: Audited, name: str) -> Any:
    """Return what a column has of which the row's last event, an earlier release's, does not know:
    what it had when it came."""
    came_with = {c.attname: c.get_default() for c in row._meta.concrete_fields}
    return plain(came_with.get(name, []))  # a relation to many, which has none yet


def _as_read_before(value: Any) -> Any:
    """Return a column as it was logged where its numbers of 2^53 and more were whole ones, and so
    text: PostgreSQL gives floats back as whole numbers, which earlier releases did not take for
    floats, and which are taken for floats now where a float has the same digits."""
    if not isinstance(value, dict | list):
        return value
    return json.loads(json.dumps(value), parse_float=_digits)


def _digits(text: str) -> float | str:
    number = float(text)
    return str(int(Decimal(text))) if abs(number) >= 2**53 else number
