"""Where people stand: their lines of defence, and their reporting lines up to the top."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import structlog
from django.db.models import QuerySet
from django.db.models.expressions import RawSQL

from apps.audit.queries.vouched_rows import is_logged, last_logged
from apps.audit.rows import row_key
from apps.identity.models import Position

DEPTH = 64  # most managers above somebody
log = structlog.get_logger(__name__)
# the positions of some people and of everybody above them
UP = """
WITH RECURSIVE up (id, manager_id, depth) AS (
  SELECT id, manager_id, 0 FROM identity_position WHERE person_id = ANY(%s)
  UNION
  SELECT p.id, p.manager_id, up.depth + 1
  FROM identity_position p JOIN up ON p.person_id = up.manager_id WHERE up.depth < %s
) SELECT id FROM up
"""


@dataclass(frozen=True, slots=True)
class PersonPosition:
    """One person's position as plain values."""

    line: str
    manager: str
    top: bool
    set_by: str


@dataclass(frozen=True, slots=True)
class Positions:
    """Positions by person. ``for_`` says of whom something is asked: what they set themselves,
    about whomever, is as if it were not there."""

    rows: Mapping[str, PersonPosition]

    def line(self, person: str, *, for_: str) -> str:
        """Return a person's line of defence, '' when it is not known."""
        row = self._row(person, for_)
        return row.line if row is not None else ""

    def managers(self, person: str, *, for_: str) -> tuple[str, ...] | None:
        """Return who is above a person, up to the top; ``None`` when the way there is not known."""
        above: list[str] = []
        row = self._row(person, for_)
        while row is not None and not row.top:
            if not row.manager or row.manager == person or row.manager in above:
                return None
            above.append(row.manager)
            row = self._row(row.manager, for_)
        return tuple(above) if row is not None else None

    def _row(self, person: str, for_: str) -> PersonPosition | None:
        row = self.rows.get(person)
        return row if row is not None and row.set_by != for_ else None


def placed(row: Position) -> PersonPosition:
    """Return a row's plain values."""
    return PersonPosition(row.line, row.manager_id or "", row.top, row.set_by)


def rows_above(people: Iterable[str]) -> QuerySet[Position]:
    """Return the positions of ``people`` and of everybody above them."""
    wanted = sorted({person for person in people if person.startswith("per_")})
    return Position.objects.filter(pk__in=RawSQL(UP, [wanted, DEPTH]))  # noqa: S611  (a fixed text)


def positions(people: Iterable[str], *, vouched: bool = False, lock: bool = False) -> Positions:
    """Return the positions of ``people`` and of everybody above them (one query, two if vouched).

    ``vouched`` leaves out what the sealed log does not say: for decisions. With ``lock`` they stay
    as they are until the transaction ends.
    """
    query = rows_above(people).order_by("pk")
    rows = list(query.select_for_update(no_key=True) if lock else query)
    if vouched:
        states = last_logged(rows).states
        for row in rows:
            if not is_logged(row, states):
                log.warning("position_not_in_log", row=row_key(row))
        rows = [row for row in rows if is_logged(row, states)]
    return Positions({row.person_id: placed(row) for row in rows})


def all_positions() -> Positions:
    """Return everybody's position (one query)."""
    return Positions({row.person_id: placed(row) for row in Position.objects.all()})
