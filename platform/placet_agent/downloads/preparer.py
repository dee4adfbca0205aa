"""Fetches Bentos and installs runtimes in the background, so that the loop never waits."""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from placet_agent.client import Rejected, Unreachable
from placet_agent.downloads.bentos import BentoFolder, BentoRefused
from placet_agent.downloads.pythons import NoInterpreter
from placet_agent.downloads.runtimes import RuntimeFailed, RuntimeFolder
from placet_agent.downloads.trees import TooMuch
from placet_protocol.state import DesiredRevision, Prefetch
from placet_verify.archive import ArchiveRefused

log = logging.getLogger(__name__)

LONGEST_WAIT = 60.0


@dataclass(frozen=True)
class Need:
    """A Bento with the runtime that it runs in."""

    bento_digest: str
    bento_size: int | None
    runtime_digest: str
    python_version: str = ""

    @classmethod
    def of(cls, revision: DesiredRevision) -> "Need":
        """Return what a revision needs."""
        bento, runtime = (revision.bento_digest, revision.bento_size), revision.runtime
        return cls(*bento, runtime.digest, runtime.python_version)


@dataclass
class Preparation:
    """How far one need is."""

    running: bool = False
    ready: bool = False
    failure: str = ""  # it cannot be had here; tried again all the same
    note: str = "waiting"
    tries: int = 0
    not_before: float = 0.0


class Preparer:
    """At most two at a time; what failed is tried again, later and later."""

    def __init__(
        self, bentos: BentoFolder, runtimes: RuntimeFolder, wake: Callable[[], None]
    ) -> None:
        self.bentos = bentos
        self.runtimes = runtimes
        self.wake = wake
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="prepare")
        self._progress: dict[Need, Preparation] = {}
        self._lock = threading.Lock()
        self._makers: dict[str, threading.Lock] = {}

    def close(self) -> None:
        """Begin nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def ask(self, need: Need) -> Preparation:
        """Return how far ``need`` is, and go on with it."""
        with self._lock:
            progress = self._progress.setdefault(need, Preparation())
            if progress.ready and not self._lies_here(need):
                progress.ready = False
            waits = progress.running or progress.ready or time.monotonic() < progress.not_before
            if not waits:
                progress.running = True
                self._pool.submit(self._work, need, progress)
            return progress

    def _lies_here(self, need: Need) -> bool:
        return self.bentos.has(need.bento_digest) and self.runtimes.has(need.runtime_digest)

    def lying_ready(self, items: Iterable[Prefetch]) -> list[str]:
        """Return the Bentos out of ``items`` that lie here with their runtimes, sorted."""
        needs = (Need(item.bento_digest, None, item.runtime_digest) for item in items)
        return sorted(need.bento_digest for need in needs if self._lies_here(need))

    def forget_others(self, needs: set[Need]) -> None:
        """Drop what nobody asks for any more."""
        with self._lock:
            for need in set(self._progress) - needs:
                if not self._progress[need].running:
                    del self._progress[need]
            left = {d for n in self._progress for d in (n.bento_digest, n.runtime_digest)}
            self._makers = {d: lock for d, lock in self._makers.items() if d in left}

    def _work(self, need: Need, progress: Preparation) -> None:
        failure, note = "", ""
        try:
            self._prepare(need, progress)
        except Unreachable as error:
            note = str(error)
        except Rejected as error:
            note = f"the platform does not hand it out: {error}"
        except (NoInterpreter, RuntimeFailed, BentoRefused, ArchiveRefused, TooMuch) as error:
            failure = str(error)
        except Exception as error:
            log.exception("preparing %s failed", need.bento_digest)
            failure = f"{type(error).__name__}: {error}"
        with self._lock:
            progress.running, progress.failure, progress.note = False, failure, note
            progress.ready = not (failure or note)
            progress.tries = 0 if progress.ready else progress.tries + 1
            wait = 0.0 if progress.ready else min(2.0 ** (progress.tries - 1), LONGEST_WAIT)
            progress.not_before = time.monotonic() + wait
        self.wake()

    def _prepare(self, need: Need, progress: Preparation) -> None:
        if need.python_version:
            self.runtimes.interpreters.find(need.python_version)
        progress.note = "fetching the Bento"
        with self._only_one(need.bento_digest):
            self.bentos.fetch(need.bento_digest, need.bento_size)
        progress.note = "installing the runtime"
        with self._only_one(need.runtime_digest):
            self.runtimes.install(need.runtime_digest, need.python_version)
        # The permit covers the Bento, the Bento holds its lock: so nobody can slip in other wheels.
        if (
            self.bentos.lock(need.bento_digest).split()
            != self.runtimes.lock(need.runtime_digest).split()
        ):
            self.bentos.check(need.bento_digest)  # a power cut may have left it so
            raise BentoRefused("the runtime is not the one that the Bento was built with")

    def _only_one(self, digest: str) -> threading.Lock:
        """Two needs may share a Bento or a runtime: the second waits and finds it made."""
        with self._lock:
            return self._makers.setdefault(digest, threading.Lock())
