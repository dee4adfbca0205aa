"""Constant load: four connections, two of them new for every request; nothing is retried."""

import http.client
import json
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise

LOADS: list["Load"] = []  # of the test that runs


@dataclass
class Load:
    """Sends requests until ``stop``; whatever is not 200 counts as failed, with its reason."""

    port: int
    path: str
    connections: int = 4
    names: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    order: list[list[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._run, args=(number % 2 == 0,), daemon=True)
            for number in range(self.connections)
        ]
        LOADS.append(self)

    @property
    def sent(self) -> int:
        """How many were sent."""
        return sum(self.names.values()) + len(self.failures)

    def start(self) -> "Load":
        """Begin."""
        for thread in self._threads:
            thread.start()
        return self

    def until(self, count: int) -> None:
        """Wait until so many were sent."""
        while self.sent < count:
            time.sleep(0.01)

    def stop(self) -> None:
        """End."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, fresh: bool) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        seen: list[str] = []
        self.order.append(seen)
        while not self._stop.is_set():
            try:
                connection.request("GET", self.path)
                response = connection.getresponse()
                body = response.read()
                if response.status != 200:
                    raise ConnectionError(f"{response.status} {body!r}")
                name = json.loads(body)["name"]
                seen.append(name)
                with self._lock:
                    self.names[name] += 1
            except (OSError, http.client.HTTPException) as error:
                with self._lock:
                    self.failures.append(repr(error))
                connection.close()
            if fresh:
                connection.close()
        connection.close()

    @property
    def changes(self) -> int:
        """How often a connection saw another name than before."""
        return sum(a != b for seen in self.order for a, b in pairwise(seen))
