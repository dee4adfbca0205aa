"""What a thousand endpoints cost a node behind which nothing serves."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import httpx
import pytest

from placet_agent.haproxy import sockets
from placet_agent.haproxy.config import Settings
from placet_agent.haproxy.process import find_binary
from placet_agent.haproxy.proxy import Proxy
from placet_agent.haproxy.table import FIRST_GROUPS
from tests.integration.agent.conftest import free_port
from tests.integration.agent.sockets import USER
from tests.support.spending import spent

MANY = 1_000


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[Proxy]:
    """A HAProxy that knows a thousand endpoints, of which none has a revision."""
    settings = Settings(port=free_port(), bind="127.0.0.1", uid=USER)
    made = Proxy(tmp_path / "haproxy", settings, find_binary())
    made.ensure_running()
    for number in range(MANY):
        made.table.ensure_endpoint(f"end_{number}", f"/p/production/e{number}")
    made.apply()
    yield made
    made.process.stop()


def memory_mb(pid: int) -> float:
    """Return the memory that a process holds."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def test_a_pass_costs_what_has_changed(proxy: Proxy) -> None:
    ref, checks = proxy.process.ref, proxy.judge.checks
    numbers = count()

    def lock() -> None:
        proxy.table.endpoints[f"end_{next(numbers)}"].locked = True
        proxy.apply()

    def add() -> None:
        proxy.table.ensure_endpoint(f"end_x{next(numbers)}", f"/p/production/x{next(numbers)}")
        proxy.apply()

    def serve() -> None:
        endpoint = proxy.table.endpoints[f"end_{(number := next(numbers))}"]
        revision, name = f"rev_{number}", f"r{number}"
        proxy.table.ensure_server(endpoint, revision, name, sockets.socket_of(name))
        endpoint.stable = revision
        proxy.apply()

    # each in seconds of this process: HAProxy is not asked to check anything, see below
    assert spent(lambda: [proxy.apply() for _ in range(10)], 10 * 0.01)[0] < 10 * 0.01
    for change in (lock, add, serve):
        assert spent(change, 0.3)[0] < 0.3

    assert proxy.process.ref == ref
    assert proxy.judge.checks == checks  # nothing that HAProxy could refuse has changed
    assert proxy.table.groups == FIRST_GROUPS


def test_haproxy_holds_no_backends_for_them_and_answers_for_each(proxy: Proxy) -> None:
    assert proxy.process.ref is not None
    url = f"http://127.0.0.1:{proxy.settings.port}/p/production"

    assert memory_mb(proxy.process.ref.pid) < 60
    assert httpx.get(f"{url}/e0/x").json()["code"] == "nothing_live"
    assert httpx.get(f"{url}/e{MANY - 1}/x").json()["code"] == "nothing_live"
    assert httpx.get(f"{url}/e{MANY}/x").json()["code"] == "not_found"
