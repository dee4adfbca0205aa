"""People who meet in the database, each on a connection of their own."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from django.db import connection, connections

from tests.support.processes import until

P = ParamSpec("P")
T = TypeVar("T")
WAITS_FOR_ME = """
SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))
"""


def waited_for() -> bool:
    """Tell whether another transaction waits for what this one holds."""
    with connection.cursor() as cursor:
        cursor.execute(WAITS_FOR_ME)
        return bool(cursor.fetchone()[0])


class Meeting:
    """A moment in the middle of their work to which two come: neither goes on before the other is
    there, or cannot come, for they wait for what the first one holds."""

    def __init__(self) -> None:
        self._here: set[int] = set()

    def come(self) -> None:
        """Wait for the other."""
        self._here.add(threading.get_ident())
        until(lambda: len(self._here) > 1 or waited_for(), what="a meeting")

    def before(self, work: Callable[P, T]) -> Callable[P, T]:
        """Return ``work`` with the meeting before it."""

        def met(*args: P.args, **named: P.kwargs) -> T:
            self.come()
            return work(*args, **named)

        return met

    def behind(self, work: Callable[P, T]) -> Callable[P, T]:
        """Return ``work`` with the meeting behind it."""

        def met(*args: P.args, **named: P.kwargs) -> T:
            made = work(*args, **named)
            self.come()
            return made

        return met


def at_once(*works: Callable[[], object]) -> list[object]:
    """Do every work in a thread of its own; return what each returned or raised."""

    def run(work: Callable[[], object]) -> object:
        try:
            return work()
        except Exception as error:
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))
