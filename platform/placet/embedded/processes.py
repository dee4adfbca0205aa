"""One supervised child process: started, restarted with back-off, stopped, never doubled."""

import ctypes
import os
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

PR_SET_PDEATHSIG = 1
GIVE_UP_AFTER = 5  # deaths within a minute


def die_with_parent() -> None:
    """Ask the kernel to end this process when its parent dies, however that happens."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


@dataclass(slots=True)
class Child:
    """A program that must keep running.

    ``grace`` is how many seconds it has between SIGTERM and SIGKILL. Each child leads its own
    process group, so that Ctrl-C in the terminal reaches the supervisor alone.
    """

    name: str
    command: list[str]
    environment: dict[str, str]
    log: Path
    grace: float = 10.0
    process: subprocess.Popen[bytes] | None = None
    deaths: list[float] = field(default_factory=list)

    def start(self) -> None:
        """Start it, its output going to the end of its log file."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                self.command,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                process_group=0,
                preexec_fn=die_with_parent,
            )

    @property
    def alive(self) -> bool:
        """Tell whether it runs now."""
        return self.process is not None and self.process.poll() is None

    def revive(self) -> bool:
        """Restart it when it has died; ``False`` when it died for good (five times a minute)."""
        if self.alive:
            return True
        now = time.monotonic()
        self.deaths = [t for t in self.deaths if now - t < 60] + [now]
        if len(self.deaths) >= GIVE_UP_AFTER:
            return False
        self.start()
        return True

    def stop(self) -> None:
        """End it and its group: SIGTERM, then SIGKILL after the grace time."""
        if self.process is None:
            return
        self._signal(signal.SIGTERM)
        try:
            self.process.wait(self.grace)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            self.process.wait()

    def _signal(self, number: int) -> None:
        assert self.process is not None
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            return

    def tail(self, lines: int = 20) -> str:
        """Return the last lines of its log."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
