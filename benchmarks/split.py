"""How exactly HAProxy splits 100,000 requests, and what the split costs.

Starts HAProxy from the files that the node agent writes, in front of two answering servers
(HAProxy too, so that they are no bottleneck), and sends requests over pipelined connections. For
each weight: per request the candidate's count may be off by one; by unit every unit must be
answered by who ``placet_verify.units`` says. Then the rate of each kind of split beside a plain
HAProxy, in turns.
Prints one JSON object; ends with 1 when a split is not exact.

Usage: python benchmarks/split.py [--requests N] [--rounds N]
"""

import argparse
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from io import BufferedReader
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "platform"), str(ROOT)]

from placet_agent.haproxy.config import Settings  # noqa: E402
from placet_agent.haproxy.process import find_binary  # noqa: E402
from placet_agent.haproxy.proxy import Proxy  # noqa: E402
from placet_verify.units import UnitSource, gets_candidate  # noqa: E402

WEIGHTS = (100, 500, 1_000, 3_333, 5_000)
SALT = "5a17c0ffee5a17c0"
PATH = "/risk/production/score"
PIPELINED = 100
SOURCES = {
    "per_request": None,
    "by_header": UnitSource("header", "X-User"),
    "by_json": UnitSource("json", "/user"),
}
PLAIN = """
global
  nbthread 1
  maxconn 4000
defaults
  mode http
  timeout connect 2s
  timeout client 60s
  timeout server 60s
"""


def free_port() -> int:
    """Return a port that nobody has now."""
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])


def request(unit: str) -> bytes:
    """Return a request with the unit in a header and in the body."""
    body = json.dumps({"rows": [[1.0, 2.0, 3.0, 4.0]], "user": unit}).encode()
    head = f"POST {PATH}/predict HTTP/1.1\r\nHost: x\r\nX-User: {unit}\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def answers(port: int, units: Sequence[str]) -> Iterator[str]:
    """Send one request for each unit, many at a time; yield S or C, in the order sent."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        stream = connection.makefile("rb")
        for start in range(0, len(units), PIPELINED):
            batch = units[start : start + PIPELINED]
            connection.sendall(b"".join(map(request, batch)))
            for _ in batch:
                yield _answer(stream)


def _answer(stream: BufferedReader) -> str:
    status = stream.readline()
    assert status.startswith(b"HTTP/1.1 200"), status
    length = 0
    while (line := stream.readline().rstrip()) != b"":
        name, _, value = line.partition(b":")
        length = int(value) if name.lower() == b"content-length" else length
    return str(stream.read(length).decode())


@contextmanager
def haproxy(folder: Path, text: str) -> Iterator[None]:
    """Run a HAProxy of its own with this configuration."""
    (folder / "plain.cfg").write_text(text)
    process = subprocess.Popen([find_binary(), "-db", "-f", "plain.cfg"], cwd=folder)
    try:
        yield
    finally:
        process.terminate()
        process.wait(10)


def wait_for(port: int) -> None:
    """Return when somebody listens."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        with socket.socket() as trial:
            if trial.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.01)
    raise TimeoutError(f"nobody listens on {port}")


@contextmanager
def answering(folder: Path) -> Iterator[tuple[int, int, int]]:
    """Run two answering servers, and a plain HAProxy before the first; yield the three ports."""
    stable, candidate, plain = free_port(), free_port(), free_port()
    text = PLAIN
    for name, port in (("S", stable), ("C", candidate)):
        text += f"frontend {name}\n  bind 127.0.0.1:{port}\n"
        text += f"  http-request return status 200 content-type text/plain string {name}\n"
    gateway = PLAIN + f"frontend f\n  bind 127.0.0.1:{plain}\n  default_backend b\nbackend b\n"
    gateway += f"  option http-server-close\n  http-reuse never\n  server s 127.0.0.1:{stable}\n"
    with ExitStack() as stack:
        for name, config in (("servers", text), ("gateway", gateway)):
            (folder / name).mkdir()
            stack.enter_context(haproxy(folder / name, config))
        for port in (stable, candidate, plain):
            wait_for(port)
        yield stable, candidate, plain


class Gateway:
    """The node's HAProxy with one endpoint of two revisions."""

    def __init__(self, folder: Path, stable: int, candidate: int) -> None:
        self.port = free_port()
        self.proxy = Proxy(folder, Settings(port=self.port, bind="127.0.0.1"), find_binary())
        entry = self.proxy.table.ensure_endpoint("end_1", PATH)
        self.proxy.table.ensure_server(entry, "rev_1", "one", stable)
        self.proxy.table.ensure_server(entry, "rev_2", "two", candidate)
        entry.stable, entry.candidate = "rev_1", "rev_2"
        self.entry = entry

    def split(self, unit: UnitSource | None, weight: int) -> None:
        """Have HAProxy split so."""
        self.entry.unit, self.entry.salt, self.entry.weight = unit, SALT, weight
        self.proxy.ensure_running()
        self.proxy.apply()


def exact(gateway: Gateway, count: int) -> tuple[dict[str, dict[str, int]], bool]:
    """Return how far off each split was: requests per request, units by unit."""
    units, off = [f"user-{number}" for number in range(count)], dict[str, dict[str, int]]()
    for name, source in SOURCES.items():
        off[name] = {}
        for weight in WEIGHTS:
            gateway.split(source, weight)
            got = list(answers(gateway.port, units))
            if source is None:
                off[name][f"{weight}"] = got.count("C") - count * weight // 10_000
            else:
                wanted = ["C" if gets_candidate(SALT, u, weight) else "S" for u in units]
                off[name][f"{weight}"] = sum(a != b for a, b in zip(got, wanted, strict=True))
    fine = all(abs(n) <= (name == "per_request") for name, row in off.items() for n in row.values())
    return off, fine


def rates(gateway: Gateway, plain: int, count: int, rounds: int) -> dict[str, float]:
    """Return requests a second of a plain HAProxy and of each split at 10 %, medians of rounds."""
    units = [f"user-{number}" for number in range(count)]
    found: dict[str, list[float]] = {name: [] for name in ("plain", *SOURCES)}
    for _ in range(rounds):
        for name in found:
            port = plain
            if name != "plain":
                gateway.split(SOURCES[name], 1_000)
                port = gateway.port
            begun = time.perf_counter()
            assert sum(1 for _ in answers(port, units)) == count
            found[name].append(count / (time.perf_counter() - begun))
    return {name: round(statistics.median(values)) for name, values in found.items()}


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, answering(Path(name)) as (stable, candidate, plain):
        Path(name).chmod(0o755)  # HAProxy drops its rights when it is started by root
        gateway = Gateway(Path(name, "node"), stable, candidate)
        try:
            off, fine = exact(gateway, options.requests)
            speed = rates(gateway, plain, max(options.requests // 5, 100), options.rounds)
        finally:
            gateway.proxy.process.stop()
    share = {n: round(speed[n] / speed["plain"], 3) for n in SOURCES}
    print(json.dumps({"requests": options.requests, "off": off, "per_second": speed,
                      "of_plain": share, "exact": fine}, indent=1))  # fmt: skip
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
