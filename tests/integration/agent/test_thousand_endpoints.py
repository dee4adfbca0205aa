"""What a thousand endpoints cost a node behind which nothing serves."""

import resource
from collections.abc import Callable, Iterator
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


def seconds(what: Callable[[], object]) -> float:
    """Return the CPU seconds of this process and of those that it waits for."""

    def used() -> float:
        kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        return sum(u.ru_utime + u.ru_stime for u in map(resource.getrusage, kinds))

    begun = used()
    what()
    return used() - begun


def memory_mb(pid: int) -> float:
    """Return the memory that a process holds."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def test_a_pass_costs_what_has_changed(proxy: Proxy) -> None:
    ref, checks = proxy.process.ref, proxy.judge.checks

    assert seconds(lambda: [proxy.apply() for _ in range(10)]) < 10 * 0.01
    proxy.table.endpoints["end_5"].locked = True
    assert seconds(proxy.apply) < 0.3
    proxy.table.ensure_endpoint("end_x", "/p/production/more")
    assert seconds(proxy.apply) < 0.3
    first = proxy.table.endpoints["end_7"]
    proxy.table.ensure_server(first, "rev_1", "one", sockets.socket_of("one"))
    first.stable = "rev_1"
    assert seconds(proxy.apply) < 0.3

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
