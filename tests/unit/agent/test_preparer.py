"""Preparing what revisions need, in the background."""

import threading
from typing import Any

from placet_agent.downloads.preparer import Need, Preparer

BENTO, RUNTIME = "sha256:" + "a" * 64, "sha256:" + "b" * 64


class SlowFolder:
    """Stands for the folder of Bentos and that of runtimes, and notices two makers at once."""

    def __init__(self) -> None:
        self.made: list[str] = []
        self.at_once = 0
        self.most_at_once = 0
        self.second_may_come = threading.Event()
        self.interpreters = self

    def find(self, version: str) -> None:
        """Every interpreter is there."""

    def has(self, digest: str) -> bool:
        return digest in self.made

    def lock(self, digest: str) -> str:
        return "same"

    def fetch(self, digest: str, size: int | None) -> None:
        self.install(digest)

    def install(self, digest: str, python_version: str = "") -> None:
        if self.has(digest):
            return
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.second_may_come.wait(0.2)  # time for a second maker, if there could be one
        self.made.append(digest)
        self.at_once -= 1


def test_two_needs_that_share_a_runtime_make_it_once() -> None:
    bentos, runtimes = SlowFolder(), SlowFolder()
    done = threading.Semaphore(0)
    preparer: Any = Preparer(bentos, runtimes, done.release)  # type: ignore[arg-type]
    ahead = Need(BENTO, None, RUNTIME)
    wanted = Need(BENTO, 10, RUNTIME, "3.13")
    preparer.ask(ahead)
    preparer.ask(wanted)
    assert done.acquire(timeout=10)
    assert done.acquire(timeout=10)
    preparer.close()
    assert bentos.most_at_once == runtimes.most_at_once == 1
    assert bentos.made == [BENTO]
    assert runtimes.made == [RUNTIME]
    assert preparer.ask(ahead).ready
    assert preparer.ask(wanted).ready
    preparer.forget_others({ahead})
    assert set(preparer._makers) == {BENTO, RUNTIME}
    preparer.forget_others(set())
    assert preparer._makers == {}, "one for each digest that was ever asked for"
