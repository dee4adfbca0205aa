"""Processes forked from one that has imported everything: most of a start is imports.

The program that forks calls ``serve``; a test has it by a ``Forker``. Orders are lines of JSON:
``{"start": …, "environment": …, "log": …}`` is answered by a pid, ``{"poll": pid}`` by its exit
code, ``null`` while it runs.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.processes import until

Order = dict[str, Any]


def serve(work: Callable[[Any], object]) -> None:
    """Fork a process for each order, in which ``work`` does what is to start, until none comes."""
    for line in sys.stdin:
        order = json.loads(line)
        print(
            json.dumps(_poll(order["poll"]) if "poll" in order else _fork(order, work)), flush=True
        )


def _poll(pid: int) -> int | None:
    gone, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if gone else None


def _fork(order: Order, work: Callable[[Any], object]) -> int:
    if pid := os.fork():
        return pid
    code: object = 1
    try:
        os.environ.clear()
        os.environ.update(order["environment"])
        output = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC)
        nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        for number, handle in enumerate((nothing, output, output)):
            os.dup2(handle, number)
        work(order["start"])
        code = 0
    except SystemExit as end:
        code = end.code or 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(code if isinstance(code, int) else 1)


@dataclass
class Forker:
    """The program that forks, which is started when it is needed first."""

    command: list[str]
    environment: Mapping[str, str]
    _process: "subprocess.Popen[str] | None" = field(default=None, init=False)

    def start(self, what: Any, environment: Mapping[str, str], log: Path) -> "Forked":
        """Have a process that does ``what``."""
        order = {"start": what, "environment": dict(environment), "log": str(log)}
        return Forked(self, self.ask(order))

    def ask(self, order: Order) -> Any:
        """Order something; return what is answered."""
        if self._process is None:
            self._process = subprocess.Popen(
                self.command,
                env=self.environment,
                text=True,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
        assert self._process.stdin and self._process.stdout
        print(json.dumps(order), file=self._process.stdin, flush=True)
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        """End the program; nothing more to read ends it."""
        if self._process is not None:
            self._process.communicate()
            assert self._process.returncode == 0


@dataclass
class Forked:
    """A forked process, as a ``Popen`` is one that was started."""

    forker: Forker
    pid: int
    returncode: int | None = None

    def poll(self) -> int | None:
        """Return its exit code, ``None`` while it runs."""
        if self.returncode is None:
            self.returncode = self.forker.ask({"poll": self.pid})
        return self.returncode

    def wait(self, timeout: float = 30) -> int | None:
        """Wait for its end."""
        until(lambda: self.poll() is not None, timeout, "the end of a process")
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Signal it, unless it is known to have ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)
