"""Constant load on an endpoint: four callers, half of the requests on new connections."""

import http.client
import json
import ssl
import threading
import time
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import urlsplit


class TimedResponse(NamedTuple):
    """One request, when its answer was there; ``release`` is '' when nothing said what answered."""

    at: float  # seconds since 1970
    release: str
    good: bool


@dataclass(slots=True)
class Load:
    """Sends ``rows`` to ``url`` from four threads until :meth:`stop`, at ``rate`` a second in all.

    Every second request of a caller opens a new connection. Anything but a 200 counts as failed:
    a refused or reset connection, a time-out, another status.
    """

    url: str
    rows: list[dict[str, Any]]
    rate: float = 120.0
    sent: int = 0
    failed: int = 0
    failures: list[str] = field(default_factory=list)
    releases: dict[str, int] = field(default_factory=dict)
    last: dict[str, float] = field(default_factory=dict)  # release → when it last answered
    answers: list[TimedResponse] = field(default_factory=list)
    _end: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        """Start the four callers."""
        self._threads = [threading.Thread(target=self._call, args=(n,)) for n in range(4)]
        for thread in self._threads:
            thread.start()

    def until(self, requests: int, *, seconds: float = 300) -> None:
        """Wait until at least ``requests`` were sent. Raises ``TimeoutError``."""
        end = time.monotonic() + seconds
        while self.sent < requests:
            if time.monotonic() > end:
                raise TimeoutError(f"only {self.sent} of {requests} requests were sent")
            time.sleep(0.05)

    def stop(self) -> None:
        """Let every caller finish its request, and end."""
        self._end.set()
        for thread in self._threads:
            thread.join()

    def _call(self, number: int) -> None:
        address = urlsplit(self.url)
        assert address.hostname is not None
        connect = partial(http.client.HTTPConnection, address.hostname, address.port, timeout=30)
        if address.scheme == "https":
            connect = partial(
                http.client.HTTPSConnection,
                address.hostname,
                address.port,
                timeout=30,
                context=ssl.create_default_context(),
            )
        kept: http.client.HTTPConnection | None = None
        count = 0
        due = time.monotonic() + number / self.rate
        while not self._end.is_set():
            time.sleep(max(0.0, due - time.monotonic()))
            due += 4 / self.rate
            fresh = count % 2 == 1
            connection = kept
            if fresh or connection is None:
                connection = connect()
            kept = connection if not fresh else kept
            if not self._send(connection, address.path, self.rows[count % len(self.rows)]):
                connection.close()
                kept = None if connection is kept else kept
            elif fresh:
                connection.close()
            count += 1
        if kept is not None:
            kept.close()

    def _send(self, connection: http.client.HTTPConnection, path: str, row: dict[str, Any]) -> bool:
        """Send one request and note how it went; ``False`` when the connection is of no use."""
        error, release, reusable = "", "", False
        try:
            connection.request("POST", path, json.dumps(row), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            release, reusable = answer.headers.get("X-Placet-Release", ""), not answer.will_close
            if answer.status != 200:
                error = f"status {answer.status}"
        except (OSError, http.client.HTTPException) as problem:
            error = f"{type(problem).__name__}: {problem}"
        with self._lock:
            self.sent += 1
            self.failed += bool(error)
            if error and len(self.failures) < 20:
                self.failures.append(error)
            if not error:
                self.releases[release] = self.releases.get(release, 0) + 1
                self.last[release] = time.monotonic()
            self.answers.append(TimedResponse(time.time(), release, not error))
        return reusable
