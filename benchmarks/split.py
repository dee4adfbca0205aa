"""How exactly HAProxy splits 100,000 requests, and what the split costs.

Starts HAProxy from the files that the node agent writes, in front of two answering servers
(HAProxy too, so that they are no bottleneck), and sends requests over pipelined connections. For
each weight: per request the candidate's count may be off by one; by unit every unit must be
answered by who ``placet_verify.units`` says. Then what one thread of HAProxy can do with each kind
of split, beside a plain HAProxy in turns.
Prints one JSON object and keeps it with ``--keep``; ends with 1 when a split is not exact.

Usage: python benchmarks/split.py [--requests N] [--rounds N] [--keep FILE]
"""

import argparse
import json
import socket
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
def haproxy(folder: Path, text: str) -> Iterator[int]:
    """Run a HAProxy of its own with this configuration; yield its pid."""
    (folder / "plain.cfg").write_text(text)
    process = subprocess.Popen([find_binary(), "-db", "-f", "plain.cfg"], cwd=folder)
    try:
        yield process.pid
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
def answering(folder: Path) -> Iterator[tuple[int, int, int, int]]:
    """Run two answering servers, and a plain HAProxy before the first.

    Yields the ports of the three, and the pid of the plain one.
    """
    stable, candidate, plain = free_port(), free_port(), free_port()
    text = PLAIN
    for name, port in (("S", stable), ("C", candidate)):
        text += f"frontend {name}\n  bind 127.0.0.1:{port}\n"
        text += f"  http-request return status 200 content-type text/plain string {name}\n"
    gateway = PLAIN + f"frontend f\n  bind 127.0.0.1:{plain}\n  default_backend b\nbackend b\n"
    gateway += f"  http-reuse always\n  server s 127.0.0.1:{stable}\n"
    with ExitStack() as stack:
        for name, config in (("servers", text), ("gateway", gateway)):
            (folder / name).mkdir()
            pid = stack.enter_context(haproxy(folder / name, config))
        for port in (stable, candidate, plain):
            wait_for(port)
        yield stable, candidate, plain, pid


class Gateway:
    """The node's HAProxy with one endpoint of two revisions."""

    def __init__(self, folder: Path, stable: int, candidate: int) -> None:
        self.port = free_port()
        self.proxy = Proxy(folder, Settings(port=self.port, bind="127.0.0.1"), find_binary())
        self.entry = entry = self.proxy.table.ensure_endpoint("end_1", PATH)
        self.replicas = {"rev_1": ("one", stable), "rev_2": ("two", candidate)}
        entry.stable, entry.candidate = self.replicas

    @property
    def pid(self) -> int:
        """The process that runs now; a reload starts another one."""
        ref = self.proxy.process.ref
        assert ref is not None
        return ref.pid

    def split(
        self, unit: UnitSource | None, weight: int, copies: int = 0, *, keeps: bool = True
    ) -> None:
        """Have HAProxy split so, and copy so many requests of 10,000."""
        for revision, (name, port) in self.replicas.items():
            self.proxy.table.ensure_server(self.entry, revision, name, port, keeps=keeps)
        self.entry.unit, self.entry.salt, self.entry.weight = unit, SALT, weight
        self.entry.copies, self.entry.mirrored = copies, "rev_2" if copies else ""
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


def on_cpu(pid: int) -> float:
    """Return the seconds that the one thread of a process has run."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def rates(gateway: Gateway, plain: tuple[int, int], count: int, rounds: int) -> dict[str, float]:
    """Return the requests for each second of processor time, the best of all rounds.

    Of a plain HAProxy, of each split at 10 %, of the one per request over a new connection to the
    replica each time (``anew``), and of the one by header with 10 % copied. HAProxy has one
    thread, so this is what it can do; the client in Python is slower than any of them.
    """
    units = [f"user-{number}" for number in range(count)]
    kinds = {name: (source, 0, True) for name, source in SOURCES.items()}
    kinds["anew"] = (None, 0, False)
    kinds["copied"] = (SOURCES["by_header"], 1_000, True)
    found: dict[str, list[float]] = {name: [] for name in ("plain", *kinds)}
    for _ in range(rounds):
        for name in found:
            port, pid = plain
            if name != "plain":
                source, copies, keeps = kinds[name]
                gateway.split(source, 1_000, copies, keeps=keeps)
                port, pid = gateway.port, gateway.pid
            begun = on_cpu(pid)
            assert sum(1 for _ in answers(port, units)) == count
            found[name].append(count / (on_cpu(pid) - begun))
    return {name: round(max(values)) for name, values in found.items()}


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--keep", type=Path, help="the file to keep the figures in")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, answering(Path(name)) as ports:
        stable, candidate, *plain = ports
        Path(name).chmod(0o755)  # HAProxy drops its rights when it is started by root
        gateway = Gateway(Path(name, "node"), stable, candidate)
        try:
            off, fine = exact(gateway, options.requests)
            speed = rates(
                gateway, (plain[0], plain[1]), max(options.requests // 5, 100), options.rounds
            )
        finally:
            gateway.proxy.process.stop()
    share = {n: round(speed[n] / speed["plain"], 3) for n in speed if n != "plain"}
    figures = {
        "requests": options.requests,
        "off": off,
        "per_second": speed,
        "of_plain": share,
        "exact": fine,
    }
    print(text := json.dumps(figures, indent=1))
    if options.keep:
        options.keep.write_text(text + "\n")
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
