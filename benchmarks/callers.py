"""Callers in C on a core of their own: ``wrk``, which compares every answer byte for byte.

With more than one processor, servers are pinned to the first and callers to the last one, so that
what a server does with a core is measured and not what callers leave of it.
"""

import http.client
import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

CONNECTIONS = 8
SCRIPT = """
local threads = {}
local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end
function setup(thread) table.insert(threads, thread) end
function init(paths)
  expected, wrong, first = read(paths[2]), 0, ""
  wrk.method, wrk.body = "POST", read(paths[1])
  wrk.headers["Content-Type"] = "application/json"
end
function response(status, headers, body)
  if status ~= 200 or body ~= expected then
    wrong = wrong + 1
    if first == "" then first = status .. " " .. body:sub(1, 300) end
  end
end
function done(summary, latency)
  local wrong, first, broken = 0, "", 0
  for _, thread in ipairs(threads) do
    wrong = wrong + thread:get("wrong")
    if first == "" then first = thread:get("first") end
  end
  for kind, count in pairs(summary.errors) do
    if kind ~= "status" then broken = broken + count end
  end
  io.write(string.format("\\n%d %d %f %f %d %d %s", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), wrong, broken, first))
end
"""


@dataclass(frozen=True)
class Server:
    """Where one row is asked for, how the request is written, where the answer stands, and which
    processes it consists of."""

    url: str
    wrap: str  # of the request: row, rows, split
    inside: str = ""  # of the answer: the member that holds the predictions
    processes: Callable[[], Iterable[psutil.Process]] = tuple

    def body(self, row: dict[str, Any]) -> bytes:
        """Return the request for one row."""
        if self.wrap == "split":
            split = {"columns": list(row), "data": [list(row.values())]}
            return json.dumps({"dataframe_split": split}).encode()
        return json.dumps(row if self.wrap == "row" else {"rows": [row]}).encode()

    def answer(self, row: dict[str, Any], expected: Any) -> bytes:
        """Ask for one row once and return the answer. Raises ``AssertionError`` where it is not
        the model's own."""
        place = urlsplit(self.url)
        connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=60)
        kind = {"Content-Type": "application/json"}
        connection.request("POST", place.path, self.body(row), kind)
        response = connection.getresponse()
        raw = response.read()
        connection.close()
        assert response.status == 200, f"{self.url}: {response.status} {raw[:300]!r}"
        found = json.loads(raw)
        found = found[self.inside] if self.inside else found
        assert (found[0] if isinstance(found, list) else found) == expected, f"{self.url}: {raw!r}"
        return raw


@dataclass(frozen=True)
class Turn:
    """What callers saw in one turn: answers a second, milliseconds that half and 99 of a hundred
    took at most, and microseconds of its processes' CPU time for each."""

    rate: float
    p50: float
    p99: float
    cpu: float


def stay_on_first_core() -> int:
    """Pin this process and what it starts from now on; return the core that is left for callers.

    Raises ``SystemExit`` where there is only one processor.
    """
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise SystemExit("Callers need a core of their own: this machine has only one.")
    os.sched_setaffinity(0, {cores[0]})
    return cores[-1]


def turn(server: Server, row: dict[str, Any], expected: Any, seconds: int, core: int) -> Turn:
    """Ask for one row again and again from ``core``, over eight connections, after a second of it
    to warm up.

    Raises ``AssertionError`` where an answer was not 200 or not, byte for byte, the first one,
    which was compared with ``expected``, and where a connection broke.
    """
    with tempfile.TemporaryDirectory(prefix="placet-bench-") as folder:
        paths = {name: Path(folder) / name for name in ("script.lua", "body", "expected")}
        paths["script.lua"].write_text(SCRIPT)
        paths["body"].write_bytes(server.body(row))
        paths["expected"].write_bytes(server.answer(row, expected))
        _wrk(server.url, 1, core, list(paths.values()))
        processes = list(server.processes())
        before = _spent(processes)
        requests, micros, p50, p99 = _wrk(server.url, seconds, core, list(paths.values()))
        spent = _spent(processes) - before
    return Turn(requests / micros * 1e6, p50 / 1000, p99 / 1000, spent / requests * 1e6)


def _wrk(url: str, seconds: int, core: int, paths: list[Path]) -> tuple[float, float, float, float]:
    script, body, expected = map(str, paths)
    pin = ["taskset", "-c", str(core)]
    load = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "30s", "-s", script]
    done = subprocess.run(
        [*pin, *load, url, "--", body, expected], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    *figures, first = done.stdout.rpartition("\n")[2].split(" ", 6)
    requests, micros, p50, p99, wrong, broken = map(float, figures)
    assert not wrong, f"{url}: {wrong:g} of {requests:g} answers are others: {first}"
    assert not broken, f"{url}: {broken:g} connections broke"
    return requests, micros, p50, p99


def _spent(processes: Iterable[psutil.Process]) -> float:
    """Return the seconds of processor time that they took until now."""
    return sum(time.user + time.system for time in (each.cpu_times() for each in processes))
