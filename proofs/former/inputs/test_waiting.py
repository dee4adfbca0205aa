"""Nodes that wait keep nobody from their pages."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from apps.serving.models import Node
from placet.kernel.clock import now
from tests.integration.former.server import Waiter, Web, ended, gunicorn
from tests.processes import owner_url, until

pytestmark = pytest.mark.django_db(transaction=True)
THREADS, FEW = 16, 12


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    """One web process with its sixteen threads."""
    with gunicorn(tmp_path) as made:
        yield made


def connections() -> int:
    """Return how many connections to the test's database there are."""
    with psycopg.connect(owner_url()) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        ).fetchone()
    assert row is not None
    return int(row[0])


def test_nodes_that_wait_leave_threads_for_people(web: Web) -> None:
    """Sixteen for each process: thirty-two of the two that there are."""
    waiters = [Waiter.made(f"edge-{number}") for number in range(THREADS)]
    until(web.page, seconds=120, what="a page")
    begun = now()
    wires = [waiter.poll(web.port) for waiter in waiters]
    until(lambda: heard(begun) == THREADS, what="nodes wait")
    answered = web.page(10)
    for wire in wires:
        wire.close()
    assert answered, "no thread is left for people"


def heard(begun: object) -> int:
    """Return how many nodes have asked since."""
    return Node.objects.filter(last_seen_at__gt=begun).count()


def test_one_node_key_leaves_threads_for_people(web: Web) -> None:
    waiter = Waiter.made("edge")
    until(web.page, seconds=120, what="a page")
    wires = [waiter.poll(web.port) for _ in range(40)]
    answered = web.page(10)
    for wire in wires:
        wire.close()
    assert answered, "no thread is left for people"


def test_of_the_polls_of_one_node_one_waits(web: Web) -> None:
    waiter = Waiter.made("edge")
    wires = [waiter.poll(web.port) for _ in range(4)]
    answered = ended(wires, 8)
    for wire in wires:
        wire.close()
    assert answered == 3, "all of them wait"


def test_nodes_that_wait_hold_no_connections_to_the_database(web: Web) -> None:
    waiters = [Waiter.made(f"edge-{number}") for number in range(FEW)]
    until(web.page, seconds=120, what="a page")
    before, begun = connections(), now()
    wires = [waiter.poll(web.port) for waiter in waiters]
    until(lambda: heard(begun) == FEW, what="nodes wait")
    held = connections() - before
    for wire in wires:
        wire.close()
    assert held < FEW // 2
