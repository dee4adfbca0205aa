"""The sealed texts of all states that the log has of any row: one that nobody can read was erased
with whose it was, or somebody removed it past Placet."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.apps import apps as django_apps
from django.db import connection

from apps.audit.events import PERSON_ERASED, declared
from apps.audit.models import ArchivedLeaf, Audited, Event, SealedText
from apps.audit.queries.batches import in_batches, opened_in_turn
from apps.audit.rows import owner_of, sealed_columns
from placet_verify import canonical
from placet_verify.log.checking import Fault

# What a column of a row ever committed to, each with the first event that has it. PostgreSQL sorts
# on its disk.
COMMITMENTS = """
SELECT DISTINCT ON (after.key, said.key, said.value)
  after.key, said.key, said.value, audit_event.index, audit_event.kind,
  body::jsonb #>> '{actor,accountable}'
FROM audit_event, jsonb_each(body::jsonb -> 'after') AS after,
  jsonb_each_text(CASE jsonb_typeof(after.value) WHEN 'object' THEN after.value END) AS said
WHERE said.key = ANY(%s) AND said.value ~ '^sha256:[0-9a-f]{64}$'
ORDER BY after.key, said.key, said.value, audit_event.index
"""
SIZE = 1 << 10  # bytes that one of them has here, about


@dataclass(frozen=True, slots=True)
class _Commitment:
    """What a column of a row committed to, first in the event ``index``, for which ``by``
    answers."""

    key: str
    name: str
    commitment: str
    index: int
    kind: str
    by: str


def removed_texts() -> Iterator[Fault]:
    """Yield the rows of which a sealed text, of their last state or an earlier one, can be read by
    nobody though the log has no erasure of whose it was.

    To be asked :func:`~apps.audit.queries.batches.at_one_moment`.
    """
    erasures = Event.objects.filter(kind=PERSON_ERASED.name)
    erased = set(erasures.values_list("subject", flat=True))
    for batch in in_batches(_commitments(), lambda one: SIZE):
        readable = {c for c, _ in opened_in_turn([one.commitment for one in batch])}
        for one in batch:
            if one.commitment not in readable and erased.isdisjoint(_owners(one)):
                yield Fault(
                    f"row {one.key}",
                    f"row {one.key}: {one.name}: its text can be read by nobody, and the log has no"
                    " erasure of whose it was: it was removed or changed past Placet (it was"
                    f" logged at leaf {one.index})",
                )


def _commitments() -> Iterator[_Commitment]:
    tables = [m._meta.label_lower for m in django_apps.get_models() if issubclass(m, Audited)]
    names = set().union(*(sealed_columns(f"{table}:") for table in tables))
    with connection.chunked_cursor() as cursor:
        cursor.execute(COMMITMENTS, [sorted(names)])
        for row in cursor:
            one = _Commitment(*row)
            if one.name in sealed_columns(one.key):
                yield one


def _owners(one: _Commitment) -> set[str]:
    """Return whose text it was, by the log.

    A text of a row belongs to the person that the row is or belongs to, else to who is the first to
    show it; earlier releases took who logged a row of somebody's. Where that event is not one that
    seals it, and earlier ones were archived, it may also be the text of whom it is kept for, which
    nobody signs.
    """
    owner = ""
    if sealed_columns(one.key)[one.name]:
        after = canonical.loads(Event.objects.get(index=one.index).body)["after"]
        owner = owner_of(one.key, after[one.key])
        if owner and one.key.endswith(f":{owner}"):
            return {owner}
    owners = {owner or one.by, one.by}
    if one.name in declared(one.kind).seals:
        return owners
    if ArchivedLeaf.objects.filter(index__lt=one.index).exists():
        kept = SealedText.objects.filter(commitment=one.commitment)
        owners |= set(kept.values_list("person_id", flat=True))
    return owners
