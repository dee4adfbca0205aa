"""A state that comes in the middle of a pass waits for the next one."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from placet_agent.aborts import Aborts
from placet_agent.haproxy.table import Table
from placet_agent.receipts import Receipts, Who
from placet_agent.reconcile import Reconciler
from placet_agent.sentinel import Sentinel
from placet_protocol.state import DesiredState
from placet_verify.keys import PrivateKey
from placet_verify.recalls import Book


def state(number: int) -> DesiredState:
    """Return what a pass looks at of a state without endpoints."""
    wish: Any = SimpleNamespace(
        generation=(1, number),
        epoch=1,
        endpoints=(),
        prefetch=(),
        recalled=frozenset(),
        on_expired="serve",
        refused=(),
        errors=(),
    )
    return cast(DesiredState, wish)


def test_a_pass_never_says_that_it_applied_what_came_while_it_ran(tmp_path: Path) -> None:
    coming = [state(2)]
    table = Table()

    def apply() -> None:
        if coming:
            reconciler.take(coming.pop(), {})

    proxy: Any = SimpleNamespace(
        ensure_running=lambda: False, apply=apply, table=table, ending=False, weights=dict,
        complaints=list,
    )  # fmt: skip
    replicas: Any = SimpleNamespace(all={})
    preparer: Any = SimpleNamespace(forget_others=lambda needs: None, lying_ready=lambda items: [])
    sentinel = Sentinel(Aborts(tmp_path / "aborts.json"), lambda: None)
    who = Who("nod_1", "tgt_1", PrivateKey.generate())
    receipts = Receipts(tmp_path / "receipts.json", who, Book)
    reconciler = Reconciler(proxy, replicas, preparer, sentinel, receipts)
    reconciler.take(state(1), {})

    reconciler.run()
    assert reconciler.observed.applied == (1, 1)
    assert reconciler.newest is not None
    assert reconciler.newest.generation == (1, 2)
    reconciler.run()
    assert reconciler.observed.applied == (1, 2)
