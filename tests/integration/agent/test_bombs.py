"""A replica that uses up what there is harms itself: its neighbour answers all the while.

``bombs.txt`` has a line for each attempt, as ``escapes.txt`` has. The gate for the neighbour's
slowest calls is wide, since other tests run beside this one; ``benchmarks/neighbours.py`` measures.
What shows that limits are there is what the attempts get: without them ``take_memory`` gets all it
asks for, ``begin_processes`` 2500 processes, and the log becomes a terabyte.
"""

import os
from pathlib import Path

import pytest

from placet_agent.process import limits, sandbox
from tests.integration.agent.steady import p99, steadily
from tests.integration.agent.tenants import PATHS, USER, Tenants, hostile, tenants
from tests.integration.agent.test_escapes import Row, unmoved

ROWS = [Row.read(line) for line in Path(__file__).with_name("bombs.txt").read_text().splitlines()]
SECONDS = "1"
GATE_MS = 1000.0  # for the 99th hundredth, on a machine that is busy with other tests as well
DEAF = "shut_its_own_socket"
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="needs an agent that is root")


def fits(got: str, wanted: frozenset[str]) -> bool:
    """Whether an answer is one of the table's, where ``*`` stands for a figure."""
    return any(
        got.startswith(one.removesuffix("*")) if one.endswith("*") else got == one for one in wanted
    )


def tried(node: Tenants, name: str) -> tuple[str, list[float]]:
    """Have the hostile replica try something; return what it got, and the neighbour's seconds."""
    with steadily(node.port, PATHS["neighbour"] + "/who", 50) as seconds:
        got = node.attempt(name, seconds=SECONDS)
        node.await_hostile()
    return got, seconds


def log_bytes(node: Tenants) -> int:
    """Return what the largest log has on the disk."""
    return max(path.stat().st_size for path in (node.home.folder / "logs").glob("*.log"))


def test_every_bomb_has_a_line_in_the_table() -> None:
    assert {row.name for row in ROWS} | {DEAF} == set(hostile("bombs").ATTEMPTS)


@root_only
@pytest.mark.skipif(limits.limiter().kind == "prlimit", reason="there are no control groups here")
def test_what_a_replica_uses_up_is_its_own() -> None:
    with tenants() as node:
        before, slow = unmoved(node), {}
        for row in ROWS:
            got, seconds = tried(node, row.name)
            assert fits(got, row.as_root), (row.name, got)
            assert unmoved(node) == before, row.name
            assert log_bytes(node) <= sandbox.TMP_BYTES
            slow[row.name] = p99(seconds)
        print(slow)
        assert max(slow.values()) < GATE_MS, slow


@root_only
def test_as_an_ordinary_user_it_is_said_which_bombs_hold(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with tenants(USER) as node:
        before, got = unmoved(node), {}
        for row in ROWS:
            got[row.name], seconds = tried(node, row.name)
            assert min(seconds) >= 0, row.name  # slower perhaps, but nobody is left without answer
            assert unmoved(node) == before, row.name
    with capsys.disabled():
        print()
        for row in ROWS:
            held = f"not kept here: {row.why}" if row.why else f"bounded ({got[row.name]})"
            print(f"{row.name}: {held}")
    assert {row.name: got[row.name] for row in ROWS if not fits(got[row.name], row.as_user)} == {}


@root_only
def test_a_replica_that_makes_itself_deaf_harms_itself_and_is_started_anew() -> None:
    with tenants() as node:
        before, first = unmoved(node), node.record("rev_1")["id"]

        assert node.attempt(DEAF) == "deaf"

        # nobody connects to it any more; it goes on answering over what was connected before
        assert unmoved(node) == before
        node.platform.wait(lambda: node.record("rev_1")["id"] != first, 60)
        node.await_hostile(60)
        assert unmoved(node) == before
