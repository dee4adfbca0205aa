"""A request that waits for news without a thread: what a view and the server say to each other.

A server that can keep a request says so in its environ (``POSSIBLE``). A view that has nothing new
puts there what it waits for (``ASKED``), and answers as it does when nothing comes. The server
keeps that answer with the connection. It sends it when time is up; when there is news it has the
application answer anew, which finds the same wait in the environ (``WAITED``).

No client sets these: what it sends stands in an environ under ``HTTP_…``.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field

POSSIBLE, ASKED, WAITED = "placet.wait.possible", "placet.wait.asked", "placet.wait.over"


@dataclass(eq=False, kw_only=True)
class Wait(ABC):
    """What a view waits for, ``seconds`` at most. The server calls it from one thread."""

    seconds: float
    began: float = field(default_factory=time.monotonic)
    log: Callable[[float], None] | None = None  # writes down that it was answered without news

    @abstractmethod
    def begin(self, news: Callable[[], None]) -> None:
        """Have ``news`` called, from any thread, as soon as there is some. Must not block."""

    @abstractmethod
    def end(self) -> None:
        """Forget it: it is answered, or nobody waits any more."""

    @property
    def waited(self) -> float:
        """For how many seconds it has been waited so far."""
        return time.monotonic() - self.began
