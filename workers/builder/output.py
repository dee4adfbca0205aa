"""What a sandboxed program prints: passed on line by line, bounded, never in the way of a limit."""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import IO

TAIL_LINES = 200
MAX_LINE = 2000
MAX_OUTPUT = 20_000_000  # bytes; what prints more than this is ended
MAX_LINES = 100_000  # the same; each becomes a row of the build's log
WAITING = 1000  # lines read ahead of who takes them; a program that prints more has to wait
TURN = 0.2  # seconds of passing lines on before limits are looked at again


class PipeReader:
    """Reads a pipe in a thread, so that a silent program can still be ended."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self.tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._pipe, self._over = pipe, False
        self._size = self._count = 0
        self._lines: deque[str] = deque()
        self._news, self._room = threading.Event(), threading.Semaphore(WAITING)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    @property
    def too_much(self) -> bool:
        """Tell whether more was printed than may be."""
        return self._size > MAX_OUTPUT or self._count > MAX_LINES

    def _read(self) -> None:
        while raw := self._pipe.readline(MAX_LINE):
            self._size += len(raw)
            self._count += 1
            if not self.too_much:
                self._room.acquire()
                if self._over:
                    return
                self._lines.append(printable(raw.decode("utf-8", "replace")))
            self._news.set()

    def wait(self, seconds: float) -> None:
        """Wait until there is a line, at most ``seconds``."""
        self._news.wait(seconds)

    def deliver(self, on_line: Callable[[str], None]) -> None:
        """Pass on what came since the last time, or as much of it as one turn has time for."""
        until = time.monotonic() + TURN
        self._news.clear()
        while self._lines and time.monotonic() < until:
            on_line(self._next())
        if self._lines:
            self._news.set()

    def finish(self, on_line: Callable[[str], None], seconds: float) -> None:
        """Pass on what is left after the program ended, as far as ``seconds`` suffice.

        The pipe may stay open, or full: what the program left behind may hold its other end.
        """
        until = time.monotonic() + seconds
        while (self._lines or self._thread.is_alive()) and time.monotonic() < until:
            self.deliver(on_line)
            self._thread.join(0 if self._lines else 0.01)
        self._over = True
        while self._lines:
            self._next()
        self._room.release()
        self._thread.join(TURN)
        if not self._thread.is_alive():  # who reads a pipe keeps it from being closed
            self._pipe.close()

    def _next(self) -> str:
        line = self._lines.popleft()
        self._room.release()
        self.tail.append(line)
        return line


def printable(text: str) -> str:
    """Return ``text`` without its line end and without control characters."""
    return "".join(c if c.isprintable() or c == "\t" else "\ufffd" for c in text.rstrip("\r\n"))
