"""A worker that says when it was told to stop, and an application that waits for that."""

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from placet.kernel.waiting import ASKED, Wait
from placet.web.worker import Worker
from tests.support.processes import until

BEGUN, TOLD, LET = "begun", "told", "let"  # files in the folder of $TOLD_IN


def folder() -> Path:
    """Where both write."""
    return Path(os.environ["TOLD_IN"])


class Told(Worker):
    """Placet's worker."""

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Be told."""
        super().handle_exit(sig, frame)
        (folder() / TOLD).touch()


class Waits(Wait):
    """Waits for news that never come."""

    def begin(self, news: Callable[[], None]) -> None:
        """Say so."""
        (folder() / (BEGUN + "-news")).touch()

    def end(self) -> None:
        """Hold nothing."""


def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer a request; ``/news`` waits without a thread."""
    if environ["PATH_INFO"] == "/news":
        environ[ASKED] = Waits(seconds=60)
    return pieces(environ["PATH_INFO"], start_response)


def pieces(path: str, start_response: Callable[..., Any]) -> Iterator[bytes]:
    """Answer ``/``; begin the answer to ``/late`` when told to stop, end that to ``/long`` then,
    and that to ``/slow`` when it is let."""
    if path == "/late":
        waits(path)
    start_response("200 OK", [("Content-Length", "10")])
    yield b"begun"
    if path in ("/long", "/slow"):
        waits(path, TOLD if path == "/long" else LET)
    yield b"ended"


def waits(path: str, what: str = TOLD) -> None:
    """Say so, and wait for a file."""
    (folder() / (BEGUN + path.replace("/", "-"))).touch()
    until((folder() / what).exists, 60, what)
