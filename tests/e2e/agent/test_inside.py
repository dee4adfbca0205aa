"""BentoML's private worker on a socket that was handed over, for the version that builds pin.

A Bento that the worker alone cannot serve is found out by its first start, and served by
``bentoml serve`` behind a link, apart from the network all the same.
"""

import re
import time
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import httpx
import pytest

from placet_agent.process.holding import connect
from tests.e2e.agent.test_real_bentos import offer
from tests.e2e.builds.test_bento_project import FACTS
from tests.integration.agent.conftest import PATH, NodeUnderTest
from tests.integration.agent.control import Platform
from tests.support.bentos import build
from tests.support.models import Trained

pytestmark = [pytest.mark.e2e]
COUNTED = re.compile(
    r'bentoml_service_request_total\{endpoint="(?P<api>[^"]+)",http_response_code="(?P<status>\d+)",'
)
UVICORN_KEEPS = 5  # seconds, unless it is told
ALONE = b"""import asyncio
from pathlib import Path

import bentoml


@bentoml.service(name="greeter")
class Greeter:
    @bentoml.api
    def greet(self, name: str, times: int = 1) -> dict:
        return {"text": " ".join([f"Hello {name}"] * times)}

    @bentoml.api
    def interfaces(self, name: str) -> list[str]:
        lines = Path("/proc/net/dev").read_text().splitlines()[2:]
        return [line.partition(":")[0].strip() for line in lines]

    @bentoml.api
    async def loop(self) -> list[str]:
        return [type(asyncio.get_running_loop()).__module__]
"""
SEVERAL = (
    ALONE.replace(
        b'@bentoml.service(name="greeter")',
        b'@bentoml.service(name="words")\nclass Words:\n    @bentoml.api\n'
        b'    def word(self, name: str) -> str:\n        return f"Hello {name}"\n\n\n'
        b'@bentoml.service(name="greeter")',
    )
    .replace(b"class Greeter:\n", b"class Greeter:\n    words = bentoml.depends(Words)\n\n")
    .replace(b'[f"Hello {name}"] * times', b"[self.words.word(name)] * times")
)
TWO_WORKERS = ALONE.replace(b'name="greeter"', b'name="greeter", workers=2')


def project(service: bytes) -> Trained:
    """Return a BentoML project of one file."""
    files = {
        "bentofile.yaml": b'service: service:Greeter\ninclude: ["*.py"]\n',
        "service.py": service,
    }
    return Trained("bentoml", files, FACTS)


@pytest.fixture
def port(node: NodeUnderTest) -> int:
    """Where clients call the node."""
    return node.port


def test_each_kind_of_bento_is_served_apart(platform: Platform, port: int, tmp_path: Path) -> None:
    """One node serves all of them in turn: the runtime is the same."""
    kinds = {
        "alone": (ALONE, "socket"),
        "several": (SEVERAL, "link"),
        "workers": (TWO_WORKERS, "link"),
    }
    for number, (name, (service, isolation)) in enumerate(kinds.items(), start=1):
        made = build(project(service), number, tmp_path)
        offer(platform, made, tmp_path)
        revision = platform.revision(number, made.bento_digest, weight=10_000)
        platform.serve(revision)
        report = platform.wait_phase(f"rev_{number}", "serving", 240)

        assert (name, report["isolation"], report["restarts"]) == (name, isolation, 0)
        assert call(port, "greet", name="Ada", times=2) == {"text": "Hello Ada Hello Ada"}
        assert call(port, "interfaces", name="any") == ["lo"]
        assert call(port, "loop") == ["uvloop"]
        if name == "alone":
            assert_counted(port, greeted=1)
            assert_kept(tmp_path / "node/haproxy/sockets" / replica_of(tmp_path, number) / "http")
        for probe in ("healthz", "livez", "readyz", "metrics"):
            answer = httpx.get(f"http://127.0.0.1:{port}{PATH}/{probe}", timeout=10)
            assert answer.status_code == 200, (name, probe)


def assert_counted(port: int, greeted: int) -> None:
    """Each request has an id, and is counted: nothing else is left of BentoML's own account."""
    url = f"http://127.0.0.1:{port}{PATH}"
    ids = set()
    for given, status in (({"name": "Ada"}, 200), ({"name": 1}, 400), ({"name": "Alan"}, 200)):
        answer = httpx.post(f"{url}/greet", json=given, timeout=10)
        assert answer.status_code == status
        ids.add(answer.headers["X-BentoML-Request-ID"])
    assert len(ids) == 3
    assert all(re.fullmatch("[0-9a-f]{16}", each) for each in ids)

    lines = httpx.get(f"{url}/metrics", timeout=10).text.splitlines()
    said = {line.rpartition(" ")[0]: line.rpartition(" ")[2] for line in lines}
    counts = {
        (found["api"], found["status"]): said[line]
        for line in said
        if (found := COUNTED.match(line))
    }
    assert counts["/greet", "200"] == f"{greeted + 2}.0"
    assert (counts["/greet", "400"], counts["/greet", "500"]) == ("1.0", "0.0")
    assert not any("duration" in line for line in said)


def replica_of(folder: Path, number: int) -> str:
    """Return the name of the replica of a revision."""
    (record,) = (folder / "node/replicas").glob(f"rev_{number}-*.json")
    return record.stem


def assert_kept(path: Path) -> None:
    """Ask over one connection, and again when uvicorn would have closed it by itself."""
    with connect(path, 10) as wire:
        for seconds in (0, UVICORN_KEEPS + 1):
            time.sleep(seconds)
            wire.sendall(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n")
            answer = HTTPResponse(wire)
            answer.begin()
            assert (answer.status, answer.read()) == (200, b"\n")


def call(port: int, api: str, **given: Any) -> Any:
    """Call an API of the Bento that serves."""
    answer = httpx.post(f"http://127.0.0.1:{port}{PATH}/{api}", json=given, timeout=30)
    assert answer.status_code == 200, answer.text
    return answer.json()
