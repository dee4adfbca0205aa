"""What one endpoint cannot take from the others behind the same HAProxy, nor say for them."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.integration.agent.sockets import Gateway, wait


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    with ExitStack() as stack:
        made = Gateway(tmp_path / "haproxy", stack)  # HAProxy ends after its replicas
        yield made


def test_a_candidate_that_keeps_its_copies_waiting_takes_no_others(gateway: Gateway) -> None:
    entry = gateway.neighbour("good")
    gateway.replica("rev_1", "one")
    hostile = gateway.replica("rev_2", "hostile")
    gateway.replica("rev_3", "good", entry)
    copied = gateway.replica("rev_4", "tried", entry)
    for place, stable, tried in ((gateway.entry, "rev_1", "rev_2"), (entry, "rev_3", "rev_4")):
        place.stable, place.mirrored, place.copies = stable, tried, 10_000
    gateway.serve()
    hostile.answering.clear()
    assert {gateway.who() for _ in range(60)} == {"one"}
    wait(lambda: len(hostile.seen) == 16)  # half of all

    url = f"http://127.0.0.1:{gateway.port}{entry.path}/who"
    for number in range(60):
        assert httpx.get(url).json() == {"name": "good"}
        wait(lambda number=number: len(copied.seen) == number + 1)
    assert len(hostile.seen) == 16
