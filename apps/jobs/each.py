"""Doing the same with many rows, of which none stops the others."""

from collections.abc import Callable, Iterable
from typing import TypeVar

import structlog
from django.db.models import Model

from apps.jobs.handlers import LeaseLost

RowT = TypeVar("RowT", bound="Model | str")
ResultT = TypeVar("ResultT")
log = structlog.get_logger(__name__)


def each(
    act: Callable[[RowT], ResultT], rows: Iterable[RowT], faults: list[Exception]
) -> list[ResultT]:
    """Return what ``act`` says of each row that it does not raise on.

    What it raises is logged and added to ``faults``, of which the caller raises the first when all
    have had their turn: the job has failed, and people are told. A lease that is lost ends it.
    """
    done = []
    for row in rows:
        try:
            done.append(act(row))
        except LeaseLost:
            raise
        except Exception as fault:
            log.exception("turn_failed", of=row if isinstance(row, str) else row.pk)
            faults.append(fault)
    return done
