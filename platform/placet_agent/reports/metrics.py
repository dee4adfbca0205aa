"""Counts requests per revision from HAProxy's log lines, in windows, and checks the counts."""

import logging
import math
import os
import select
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

from placet_agent.haproxy.admin import Admin, AdminError
from placet_agent.haproxy.limiting import LIMITED
from placet_agent.process.procs import ProcessRef, find
from placet_agent.reports.seen_units import SeenUnits
from placet_agent.state import files
from placet_protocol.fields import format_time
from placet_protocol.report import LATENCY_BOUNDS_MS, Cohort, MetricWindow, RequestCounts
from placet_protocol.report.windows import LONGEST_SECONDS

log = logging.getLogger(__name__)

WINDOW_SECONDS = 10.0
MAX_KEPT = 2000  # windows that wait for the platform to come back
_PIPE_BYTES = 1 << 20
_F_SETPIPE_SZ = 1031


# As HAProxy writes them; others are requests that the split decided on.
COHORTS: dict[str, Cohort] = {name: name for name in get_args(Cohort)}
WAITED = {"sQ", "CQ"}  # in HAProxy's words: its time in the queue is over, its client left that


@dataclass
class WindowTally:
    """One revision in one window.

    ``first`` has the first request of each unit of a split, which the others contain too; ``apart``
    those that no split decided on.
    """

    statuses: Counter[int] = field(default_factory=Counter)  # by hundreds
    latency: Counter[str] = field(default_factory=Counter)
    backends: set[str] = field(default_factory=set)
    first: "WindowTally | None" = None
    apart: dict[Cohort, "WindowTally"] = field(default_factory=dict)

    def add(self, status: int, milliseconds: int) -> None:
        """Count one request."""
        self.statuses[status // 100] += 1
        bound = next((str(b) for b in LATENCY_BOUNDS_MS if milliseconds <= b), "inf")
        self.latency[bound] += 1


@dataclass(frozen=True)
class RequestLine:
    """One request, as HAProxy logged it."""

    pid: int
    backend: str
    revision: str
    status: int
    milliseconds: int
    cohort: Cohort | None = None
    split: str = ""  # its salt and weight
    mark: str = ""  # of the unit, when it was drawn


def parse_line(text: str) -> RequestLine | None:
    """Read a log line; ``None`` for anything else that HAProxy logs.

    ``m1`` and ``m2`` are what a HAProxy writes that an older agent started, until it is reloaded.
    A request that waited for a replica as long as it may, or as its client would, came to none: it
    counts with what limits refuse.
    """
    kind, *parts = text.split() or [""]
    if (kind, len(parts)) not in (("m1", 5), ("m2", 8), ("m3", 9)):
        return None
    how, split, mark = parts[5:8] or ("", "", "")
    if WAITED.intersection(parts[8:]):
        how = LIMITED
    try:
        return RequestLine(
            pid=int(parts[0]),
            backend=parts[1],
            revision=parts[2],
            status=max(int(parts[3]), 0),  # -1: the client left before there was one
            milliseconds=max(int(parts[4]), 0),
            cohort=COHORTS.get(how),
            split=split,
            mark=mark if len(mark) == 16 else "",
        )
    except ValueError:
        return None


def window_end(began: datetime, seconds: float) -> datetime:
    """Return when a window that ``began`` then ends: at a whole multiple of ``seconds``, so that no
    window lies in two of the stretches of time that pages show."""
    rounds = math.floor(began.timestamp() / seconds) + 1
    return datetime.fromtimestamp(rounds * seconds, UTC)


class RequestMeter:
    """Reads the named pipe in a thread of its own and hands out finished windows."""

    def __init__(
        self,
        folder: Path,
        admin: Admin,
        *,
        seconds: float = WINDOW_SECONDS,
        heed: Callable[[RequestLine], None] = lambda line: None,
    ) -> None:
        self.folder = folder
        self._heed = heed  # is shown every line at once
        self.admin = admin
        self.seconds = seconds
        self._lock = threading.Lock()
        self._finished: list[MetricWindow] = []
        self._gaps: list[str] = []
        self._tallies: dict[str, WindowTally] = defaultdict(WindowTally)
        self._seen = SeenUnits(folder / "units")
        self._logged: Counter[tuple[ProcessRef, str]] = Counter()  # lines per HAProxy and backend
        self._writers: dict[int, ProcessRef] = {}  # who had the pid of a line last
        self._looked: set[int] = set()  # pids that were looked at for what was read at once
        self._rest = b""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="metrics", daemon=True)
        self._pipe = -1

    def start(self) -> None:
        """Open the pipe and begin to read."""
        fifo = self.folder / "log.fifo"
        if not fifo.exists():
            os.mkfifo(fifo, 0o600)
        self._pipe = os.open(fifo, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            import fcntl

            fcntl.fcntl(self._pipe, _F_SETPIPE_SZ, _PIPE_BYTES)
        except OSError:
            log.info("the pipe of log lines keeps its default size")
        for name, count in (files.read_hint(self.folder / "logged.json") or {}).items():
            pid, *start, backend = name.split(" ")  # an older agent wrote down no start
            ref = ProcessRef(int(pid), int(start[0])) if start else self._writer(int(pid))
            self._logged[ref, backend] = count
        self._thread.start()

    def stop(self) -> None:
        """End the thread; what was counted so far becomes a last window."""
        self._stop.set()
        self._thread.join(timeout=5)
        if not self._thread.is_alive():  # it would read on from whatever gets the number next
            os.close(self._pipe)

    def take(self) -> tuple[list[MetricWindow], list[str]]:
        """Return finished windows and new gaps; give the windows back if they cannot be sent."""
        with self._lock:
            taken = (self._finished, self._gaps)
            self._finished, self._gaps = [], []
        return taken

    def give_back(self, windows: list[MetricWindow]) -> None:
        """Keep windows that could not be sent, the newest ones if there are too many."""
        with self._lock:
            self._finished = [*windows, *self._finished][-MAX_KEPT:]

    def _run(self) -> None:
        began, clock = datetime.now(UTC), time.monotonic()
        while not self._stop.is_set():
            left = (window_end(began, self.seconds) - datetime.now(UTC)).total_seconds()
            # a clock that is set back puts that off; a window is never much longer for it
            left = min(left, clock + 2 * self.seconds - time.monotonic())
            try:
                if left > 0 and select.select([self._pipe], [], [], min(left, 0.25))[0]:
                    self._drain()
            except Exception:  # whatever one line brings, the next are counted, and guards told
                log.exception("counting failed")
                self._stop.wait(0.25)
            if left <= 0:
                self._close_window(began, time.monotonic() - clock)
                began, clock = datetime.now(UTC), time.monotonic()
        self._close_window(began, time.monotonic() - clock)

    def _drain(self) -> None:
        while True:
            try:
                chunk = os.read(self._pipe, 65536)
            except BlockingIOError:
                return
            self._looked.clear()  # another HAProxy may have the pid since
            *lines, self._rest = (self._rest + chunk).split(b"\n")
            for raw in lines:
                line = parse_line(raw.decode(errors="replace"))
                if line is not None:
                    self._count(line)

    def _count(self, line: RequestLine) -> None:
        self._logged[self._writer(line.pid), line.backend] += 1
        self._heed(line)
        if line.revision != "-":
            tally = self._tallies[line.revision]
            tally.backends.add(line.backend)
            if line.mark and line.cohort != LIMITED and self._seen.is_new(line.split, line.mark):
                tally.first = tally.first or WindowTally()
                tally.first.add(line.status, line.milliseconds)
            if line.cohort is not None:
                tally = tally.apart.setdefault(line.cohort, WindowTally())
            tally.add(line.status, line.milliseconds)

    def _writer(self, pid: int) -> ProcessRef:
        """Return the HAProxy that has ``pid``, or had it when it could last be looked at."""
        if pid not in self._looked:
            self._looked.add(pid)
            with suppress(OSError):  # without a descriptor lines are counted all the same
                self._writers[pid] = find(pid) or self._writers.get(pid, ProcessRef(pid, 0))
        return self._writers.setdefault(pid, ProcessRef(pid, 0))

    def _close_window(self, began: datetime, seconds: float) -> None:
        try:
            self._finish_window(began, seconds)
            self._save()
        except Exception:  # a full disk, say: what is saved here is a hint
            log.exception("a window was not closed as it should be")

    def _finish_window(self, began: datetime, seconds: float) -> None:
        missing = self._missing()
        tallies, self._tallies = self._tallies, defaultdict(WindowTally)
        windows = []
        for revision, tally in sorted(tallies.items()):
            lost = sum(missing.get(backend, 0) for backend in tally.backends)
            windows.append(_window(revision, tally, began, seconds, lost))
        with self._lock:
            self._finished = [*self._finished, *windows][-MAX_KEPT:]
            self._gaps += [
                f"{n} request{'s' * (n != 1)} of {b} {'were' if n != 1 else 'was'} not logged"
                for b, n in missing.items()
            ]

    def _save(self) -> None:
        stored = {
            f"{ref.pid} {ref.start} {backend}": count
            for (ref, backend), count in self._logged.items()
        }
        files.write_json(self.folder / "logged.json", stored, durable=False)
        self._seen.save()

    def _missing(self) -> dict[str, int]:
        """Return the requests per backend that HAProxy counted but that no line told of.

        HAProxy counts a request and writes its line in one go, so after reading the counters
        every counted request's line lies in the pipe. A difference is told once.
        """
        try:
            ref = find(int(self.admin.info()["Pid"]))
            counters = self.admin.backends()
        except (AdminError, KeyError, ValueError, OSError):
            self._drain()
            return {}
        self._drain()
        if ref is None:
            return {}
        missing = {}
        for backend, counter in counters.items():
            lost = counter.total - self._logged[ref, backend]
            if lost > 0:
                missing[backend] = lost
                self._logged[ref, backend] += lost
        for key in [key for key in self._logged if key[0] != ref]:
            del self._logged[key]
        self._writers = {ref.pid: ref}
        return missing


def _window(
    revision: str, tally: WindowTally, began: datetime, seconds: float, lost: int
) -> MetricWindow:
    counts = _counts(tally)
    window = MetricWindow(
        revision=revision,
        started_at=format_time(began),
        # an agent that was held up closes its window late: a report with it would be refused
        seconds=min(max(round(seconds, 3), 0.001), LONGEST_SECONDS),
        status_2xx=counts["status_2xx"],
        status_3xx=counts["status_3xx"],
        status_4xx=counts["status_4xx"],
        status_5xx=counts["status_5xx"],
        latency=counts["latency"],
    )
    if tally.first is not None:
        window["first"] = _counts(tally.first)
    if tally.apart:
        window["apart"] = {cohort: _counts(part) for cohort, part in tally.apart.items()}
    if lost:
        what = "1 request is" if lost == 1 else f"{lost} requests are"
        window["error"] = f"{what} not in these counts"
    return window


def _counts(tally: WindowTally) -> RequestCounts:
    bounds = [*(str(bound) for bound in LATENCY_BOUNDS_MS), "inf"]
    return RequestCounts(
        status_2xx=tally.statuses[2],
        status_3xx=tally.statuses[3],
        status_4xx=tally.statuses[4] + tally.statuses[0],  # 0: the client left first
        status_5xx=tally.statuses[5],
        latency={bound: tally.latency[bound] for bound in bounds},
    )
