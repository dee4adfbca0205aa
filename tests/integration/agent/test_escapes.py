"""A Bento that means harm tries what it can; what became of each attempt stands in a table.

``escapes.txt`` has a line for each: what it gets where the agent is root, and where the agent is an
ordinary user. There some things do not hold; why is said behind a ``!``.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.integration.agent.tenants import USER, Tenants, first_of, hostile, tenants

HERE = Path(__file__).parent
GARBAGE = {
    "noise": 502,
    "huge_headers": 502,
    "line_breaks": 502,
    "two_lengths": 502,
    "half": 0,
    "another_answer": 200,
}
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="needs an agent that is root")


@dataclass(frozen=True)
class Row:
    """What one attempt gets; several answers are as good as one another on other kernels."""

    name: str
    as_root: frozenset[str]
    as_user: frozenset[str]
    why: str  # '' : denied to an ordinary user's replica too

    @classmethod
    def read(cls, line: str) -> "Row":
        """Read a line of the table."""
        name, root, user = (part.strip() for part in line.split("|"))
        user, _, why = (part.strip() for part in user.partition("!"))
        return cls(name, frozenset(root.split(" / ")), frozenset(user.split(" / ")), why)


ROWS = [Row.read(line) for line in (HERE / "escapes.txt").read_text().splitlines()]


def attempts() -> set[str]:
    """Return the names that the hostile Bento knows, but for those that use up what there is."""
    return {name for part in ("reaching", "files", "calls") for name in hostile(part).ATTEMPTS}


@pytest.fixture(scope="module")
def as_root() -> Iterator[Tenants]:
    """Three tenants of a node whose agent is root."""
    with tenants() as made:
        yield made


def unmoved(node: Tenants) -> tuple[object, ...]:
    """Return what must be the same whatever the hostile tenant does."""
    replicas = [
        (node.record(name)["id"], first_of(node.record(name)).alive) for name in ("rev_2", "rev_3")
    ]
    by_port = httpx.get(f"http://127.0.0.1:{node.record('rev_3')['port']}/who", timeout=20)
    return (*replicas, node.who("neighbour"), node.who("older"), by_port.json()["name"])


def test_every_attempt_has_a_line_in_the_table() -> None:
    assert len(ROWS) == len({row.name for row in ROWS}) >= 100
    assert {row.name for row in ROWS} == attempts()


@root_only
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_hostile_replica_is_denied(as_root: Tenants, row: Row) -> None:
    before = unmoved(as_root)

    got = as_root.attempt(row.name)

    assert got in row.as_root
    assert unmoved(as_root) == before == (*before[:2], "neighbour", "older", "older")
    assert as_root.greeter.callers == 0
    assert as_root.who("hostile") == "hostile"


@root_only
@pytest.mark.parametrize("kind", GARBAGE)
def test_what_a_replica_answers_reaches_no_other_endpoint(as_root: Tenants, kind: str) -> None:
    status, body = as_root.call("hostile", f"/garbage?{kind}")

    assert status == GARBAGE[kind]
    assert b"SECOND" not in body
    for _ in range(5):
        assert as_root.call("neighbour")[0] == 200
        assert as_root.who("neighbour") == "neighbour"
    as_root.await_hostile()


@root_only
def test_as_an_ordinary_user_it_is_said_what_holds(capsys: pytest.CaptureFixture[str]) -> None:
    with tenants(USER) as node:
        before = unmoved(node)
        got = {row.name: node.attempt(row.name) for row in ROWS}
        assert unmoved(node) == before
        assert node.greeter.callers == 0

    with capsys.disabled():
        print()
        for row in ROWS:
            held = f"not kept here: {row.why}" if row.why else f"denied ({got[row.name]})"
            print(f"{row.name}: {held}")
    assert {name: told for name, told in got.items() if told not in by_name(name).as_user} == {}


@root_only
@pytest.mark.parametrize("uid", [None, USER], ids=["root", "user"])
def test_one_that_took_a_warm_process_gets_no_more(uid: int | None) -> None:
    with tenants(uid, warm=True) as node:
        before = unmoved(node)
        got = {row.name: node.attempt(row.name) for row in ROWS}
        assert unmoved(node) == before == (*before[:2], "neighbour", "older", "older")
        assert node.greeter.callers == 0
    held = {row.name: row.as_root if uid is None else row.as_user for row in ROWS}
    assert {name: told for name, told in got.items() if told not in held[name]} == {}


def by_name(name: str) -> Row:
    """Return the line of an attempt."""
    return next(row for row in ROWS if row.name == name)
