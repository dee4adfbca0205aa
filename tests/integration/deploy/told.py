"""A worker that says when it was told to stop, and an application that waits for that."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from placet.web.worker import Worker
from tests.support.processes import until

BEGUN, TOLD = "begun", "told"  # files in the folder of $TOLD_IN


def folder() -> Path:
    """Where both write."""
    return Path(os.environ["TOLD_IN"])


class Told(Worker):
    """Placet's worker."""

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Be told."""
        super().handle_exit(sig, frame)
        (folder() / TOLD).touch()


def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
    """Answer ``/``; begin the answer to ``/late`` when told to stop, end that to ``/long`` then."""
    path = environ["PATH_INFO"]
    if path == "/late":
        waits(path)
    start_response("200 OK", [("Content-Length", "10")])
    yield b"begun"
    if path == "/long":
        waits(path)
    yield b"ended"


def waits(path: str) -> None:
    """Say so, and wait to be told."""
    (folder() / (BEGUN + path.replace("/", "-"))).touch()
    until((folder() / TOLD).exists, 60, "the end")
