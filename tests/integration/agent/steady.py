"""Calls an endpoint at a steady rate from a process of its own, and tells how long each call took.

``steady.py PORT PATH PER_SECOND [KEY]`` calls until its standard input ends, each time over a new
connection, and prints a JSON list of seconds; -1 stands for a call that did not answer 200.
"""

import http.client
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress


def once(port: int, path: str, key: str = "") -> float:
    """Return the seconds of one call, or -1."""
    begun = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", path, headers={"X-API-Key": key} if key else {})
        answer = connection.getresponse()
        answer.read()
        return time.monotonic() - begun if answer.status == 200 else -1.0
    except (OSError, http.client.HTTPException):
        return -1.0
    finally:
        connection.close()


def main(port: int, path: str, rate: float, key: str) -> None:
    """Call until standard input ends.

    It stands for somebody on another machine, whose own waiting for a processor does not count:
    where it may, it goes before everybody here.
    """
    with suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    ended, told = threading.Event(), []
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    due = time.monotonic()
    while not (told and ended.is_set()):
        told.append(once(port, path, key))
        due = max(due + 1 / rate, time.monotonic())
        time.sleep(max(0.0, due - time.monotonic()))
    print(json.dumps(told))


@contextmanager
def steadily(port: int, path: str, rate: float = 100.0, key: str = "") -> Iterator[list[float]]:
    """Call from another process meanwhile; the list holds the seconds afterwards."""
    words = [sys.executable, "-I", __file__, str(port), path, str(rate), key]
    found: list[float] = []
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        try:
            yield found
        finally:
            found += json.loads(child.communicate()[0])


def p99(seconds: list[float]) -> float:
    """Return the 99th hundredth, in milliseconds; calls that failed count as without end."""
    ordered = sorted(one if one >= 0 else float("inf") for one in seconds)
    return 1000 * ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], float(sys.argv[3]), "".join(sys.argv[4:]))
