"""A state that comes in the middle of a pass waits for the next one, and no step for another."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from placet_agent.haproxy.table import RoutingTable
from placet_agent.reconcile import Reconciler
from placet_agent.reports.guard_watch import Sentinel
from placet_agent.reports.receipts import Receipts, Who
from placet_agent.state.aborts import Aborts
from placet_protocol.state import DesiredState
from placet_verify.recalls import Book
from placet_verify.signing.keys import PrivateKey


def state(number: int) -> DesiredState:
    """Return what a pass looks at of a state without endpoints."""
    desired: Any = SimpleNamespace(
        generation=(1, number),
        epoch=1,
        endpoints=(),
        prefetch=(),
        recalled=frozenset(),
        on_expired="serve",
        refused=(),
        errors=(),
    )
    return cast(DesiredState, desired)


def reconciler(folder: Path, apply: Callable[[], None]) -> Reconciler:
    """Return a reconciler of a node where nothing runs."""
    proxy: Any = SimpleNamespace(
        ensure_running=lambda: False,
        apply=apply,
        table=RoutingTable(),
        ending=False,
        weights=dict,
        loads=dict,
        complaints=list,
        write_error="",
        is_silent=False,
        process=SimpleNamespace(ends_often=""),
    )
    doors = SimpleNamespace(stand=lambda: None, revisions=set[str])
    warming = SimpleNamespace(ready=0, follow=lambda runtimes, replicas: None)
    starter = SimpleNamespace(doors=doors)
    replicas: Any = SimpleNamespace(all={}, warming=warming, starter=starter)
    preparer: Any = SimpleNamespace(forget_others=lambda needs: None, lying_ready=lambda items: [])
    sentinel = Sentinel(Aborts(folder / "aborts.json"), lambda: None)
    who = Who("nod_1", "tgt_1", PrivateKey.generate())
    receipts = Receipts(folder / "receipts.json", who, Book)
    supply: Any = SimpleNamespace(forget_others=lambda: None)
    return Reconciler(proxy, replicas, preparer, sentinel, receipts, supply)


def test_a_pass_never_says_that_it_applied_what_came_while_it_ran(tmp_path: Path) -> None:
    coming = [state(2)]

    def apply() -> None:
        if coming:
            one.take(coming.pop(), {})

    one = reconciler(tmp_path, apply)
    one.take(state(1), {})

    one.run()
    assert one.observed.applied == (1, 1)
    assert one.newest is not None
    assert one.newest.generation == (1, 2)
    one.run()
    assert one.observed.applied == (1, 2)


@pytest.mark.parametrize(
    "step",
    [
        "_stopper.begin_with_strangers",
        "_prepare",
        "_wake",
        "_follow_load",
        "_keep_sleepers",
        "_scale_each",
        "_arranger.arrange",
    ],
)
def test_a_step_that_fails_keeps_no_other_from_being_taken_and_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    taken: list[str] = []
    one = reconciler(tmp_path, lambda: taken.append("apply"))
    one.take(state(1), {})

    def fault(*words: object) -> None:
        raise OSError(24, "Too many open files")

    part, _, name = step.rpartition(".")
    monkeypatch.setattr(getattr(one, part) if part else one, name, fault)

    def stop(verdicts: object) -> bool:
        taken.append("stop")
        return False

    monkeypatch.setattr(one._stopper, "go_on", stop)
    one.run()
    assert taken == ["apply", "stop"]
    assert one.observed.applied == (1, 1)
    assert [row["code"] for row in one.observed.errors] == ["pass_failed"]
