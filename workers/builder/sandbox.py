"""Runs a program that is not trusted: no network, nothing to read but what it was given.

With bubblewrap the program has its own mount, pid, user, ipc and network namespaces, no
capability and no variable of ours, and runs under the filter of system calls that replicas have
(``placet_agent.process.seccomp``). Where bubblewrap cannot work an unprivileged user and rlimits
are left; ``Sandbox.isolation`` says which, and so does the evidence.
"""

import contextlib
import os
import platform
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from placet_agent.process import seccomp
from placet_agent.process.limits import share_of_files
from placet_agent.process.sandbox import parents
from workers.builder.limits import (
    MAX_OPEN,
    MAX_PROCESSES,
    Group,
    make_group,
    rlimit_words,
    sweep_groups,
)
from workers.builder.output import TURN, PipeReader
from workers.builder.process_users import ANYBODY, ROOT, apart, become, check_readable, give, is_own
from workers.builder.quota import Quota, descendants

Isolation = Literal["bwrap", "user"]
EndReason = Literal["exited", "timeout", "cancelled", "memory", "disk", "output"]
BWRAP = "bwrap"
ETC = Path(__file__).parent / "sandbox_etc"
SYSTEM_FILES = ("/etc/ld.so.cache", "/etc/alternatives")
TICK = 0.05
LAST_WORDS = 5.0  # seconds to pass on what stands in the pipe when the program ended by itself
PROBES = 3  # so often it is tried whether bubblewrap works
SCRATCH = str(1 << 29)  # bytes of /tmp and of shared memory; both count as memory


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended. ``reason`` tells an exit of its own from an end that we put to it."""

    returncode: int
    reason: EndReason
    tail: tuple[str, ...]
    seconds: float

    @property
    def ok(self) -> bool:
        """Tell whether it ended by itself, with success."""
        return self.reason == "exited" and self.returncode == 0

    def sentence(self, what: str) -> str:
        """Say in words why ``what`` did not succeed."""
        words = {
            "exited": f"ended with status {self.returncode}",
            "timeout": f"was still running after {self.seconds:.0f} s and was ended",
            "cancelled": "was cancelled",
            "memory": "needed more memory than a build may have and was ended",
            "disk": "wrote more to disk than a build may and was ended",
            "output": "printed without end and was ended",
        }
        last = next((line for line in reversed(self.tail) if line.strip()), "")
        return f"{what} {words[self.reason]}" + (f": {last}" if last else "")


@dataclass(frozen=True, slots=True)
class Limits:
    """What one run may use."""

    memory_mb: int = 4096
    seconds: float = 600
    disk_mb: int = 8192
    files: int = 50_000  # and folders, in what it may write
    processes: int = MAX_PROCESSES


def never() -> bool:
    """Stand for a run that nobody cancels."""
    return False


def ignore(line: str) -> None:
    """Stand for output that nobody reads."""


def interpreter() -> Path:
    """Return the real path of the Python that this platform runs on, outside any venv."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    base = Path(getattr(sys, "_base_executable", sys.executable))
    for candidate in (Path(sys.base_prefix) / "bin" / version, base):
        if candidate.exists():
            return candidate.resolve()
    raise RuntimeError(f"no interpreter under {sys.base_prefix}")


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A way to run untrusted programs on this machine."""

    isolation: Isolation

    @classmethod
    def detect(cls, record: Path | None = None) -> "Sandbox":
        """Return the best sandbox that works here, found out by trying it.

        ``record`` stands where bubblewrap once worked: there it is used whatever goes wrong now, so
        that builds fail rather than run with less around them. Who wants it otherwise removes it.
        """
        sweep_groups()
        sandbox = cls("bwrap")
        if shutil.which(BWRAP) and any(sandbox.works() for _ in range(PROBES)):
            if record is not None and not record.exists():
                record.parent.mkdir(parents=True, exist_ok=True)
                record.touch()
            return sandbox
        return sandbox if record is not None and record.exists() else cls("user")

    def works(self) -> bool:
        """Tell whether a program ends well in it."""
        try:
            return self.run(["/usr/bin/true"], limits=Limits(seconds=10)).ok
        except OSError:
            return False

    def run(
        self,
        command: Sequence[str],
        *,
        binds_ro: Sequence[Path] = (),
        binds_rw: Sequence[Path] = (),
        env: Mapping[str, str] | None = None,
        limits: Limits | None = None,
        cancelled: Callable[[], bool] = never,
        on_line: Callable[[str], None] = ignore,
        cwd: Path | None = None,
        workplace: Path | None = None,
    ) -> RunResult:
        """Run ``command`` to its end, or to ours, and say how it went.

        ``binds_ro`` and ``binds_rw`` are seen inside under their own paths; everything else of
        this machine but its system folders is not there. Paths in ``workplace`` are seen in
        ``/build`` instead, where bubblewrap makes that possible: BentoML refuses any path with a
        hidden folder in it, and the data may well lie in one. ``on_line`` gets each line of
        output as it comes. ``cancelled`` is asked several times a second.
        """
        limits = limits or Limits()
        seen = _in_build(workplace if self.isolation == "bwrap" else None)
        processes, files = share_of_files(limits.processes, MAX_OPEN)
        group = make_group(limits.memory_mb, processes)
        words = group.entry()
        words += rlimit_words(group, limits.memory_mb, limits.disk_mb, processes, files)
        try:
            self._lend(binds_ro, binds_rw, limits.files)
            with _filter(self.isolation) as handles:
                words += self._wrapper(binds_ro, binds_rw, seen, handles)
                words += self._as_asked(env, cwd, seen)
                words += map(seen, command)
                inside = None if self.isolation == "bwrap" else cwd
                run = _Run(words, group, limits, binds_rw, cancelled, on_line, inside, handles)
                return run.watch()
        finally:
            group.end()

    def _lend(self, read: Sequence[Path], written: Sequence[Path], most: int) -> None:
        """Give what is written to the user that the program will be, where it is one of its own."""
        if is_own(self.isolation):
            check_readable(read)
            for folder in written:
                give(folder, most)

    def _wrapper(
        self,
        binds_ro: Sequence[Path],
        binds_rw: Sequence[Path],
        seen: Callable[[str], str],
        filters: Sequence[int],
    ) -> list[str]:
        if self.isolation == "bwrap":
            return bwrap_words(binds_ro, binds_rw, seen, filters)
        return become() if os.geteuid() == 0 else []

    def _as_asked(
        self, env: Mapping[str, str] | None, cwd: Path | None, seen: Callable[[str], str]
    ) -> list[str]:
        """Return the command that sets the variables, behind the drop of all rights: until then a
        loader would do as root what they say. Only who it is then may enter the folder, too."""
        words = ["/usr/bin/env", "-i"]
        if self.isolation == "bwrap":
            words.append(f"--chdir={seen(str(cwd or '/tmp'))}")  # noqa: S108
        return [*words, *(f"{name}={seen(value)}" for name, value in _variables(env).items())]


def bwrap_words(
    binds_ro: Sequence[Path],
    binds_rw: Sequence[Path],
    seen: Callable[[str], str],
    filters: Sequence[int] = (),
) -> list[str]:
    """Return the ``bwrap`` command that goes before the program; ``seen`` names paths inside."""
    words = [
        BWRAP,
        *(ROOT if apart() else ANYBODY),
        *("--die-with-parent", "--new-session", "--clearenv", "--hostname", "sandbox"),
        *("--ro-bind", "/usr", "/usr", "--proc", "/proc"),
        *_kernel_settings(),
        *("--dev", "/dev"),
        *("--tmpfs", "/dev/pts", "--remount-ro", "/dev/pts"),  # no terminals
        *("--perms", "1777", "--size", SCRATCH, "--tmpfs", "/dev/shm"),  # noqa: S108
        *("--remount-ro", "/dev"),
        *("--perms", "1777", "--size", SCRATCH, "--tmpfs", "/tmp"),  # noqa: S108
    ]
    for name in ("bin", "sbin", "lib", "lib32", "lib64"):
        path = Path("/", name)
        if path.is_symlink():
            words += ["--symlink", str(path.readlink()), str(path)]
        elif path.is_dir():
            words += ["--ro-bind", str(path), str(path)]
    words += _given(binds_ro, binds_rw, seen)
    for handle in filters:
        words += ["--seccomp", str(handle)]
    words += ["--remount-ro", "/", "--chdir", "/", "--"]
    return [*words, *become()] if apart() else words


def _given(
    binds_ro: Sequence[Path], binds_rw: Sequence[Path], seen: Callable[[str], str]
) -> list[str]:
    """Return the mounts of what is no system folder."""
    prefixes = {sys.base_prefix, str(Path(sys.base_prefix).resolve())}
    inside = [seen(str(folder)) for folder in (*binds_ro, *binds_rw)]
    words = parents(["/etc/hosts", *prefixes, *inside])  # which bubblewrap closes, left to itself
    for file in SYSTEM_FILES:
        words += ["--ro-bind-try", file, file]
    for own in sorted(ETC.iterdir()):
        words += ["--ro-bind", str(own), f"/etc/{own.name}"]
    if not Path(sys.base_prefix).is_relative_to("/usr"):
        for prefix in prefixes:
            words += ["--ro-bind", prefix, prefix]
    for folder in binds_ro:
        words += ["--ro-bind", str(folder), seen(str(folder))]
    for folder in binds_rw:
        words += ["--bind", str(folder), seen(str(folder))]
    return words


@contextlib.contextmanager
def _filter(isolation: Isolation) -> Iterator[tuple[int, ...]]:
    """Give a descriptor of the filter that replicas have too; none on a machine without one."""
    program = seccomp.program(platform.machine())
    if program is None or isolation != "bwrap":
        yield ()
        return
    handle = os.memfd_create("placet-seccomp")
    try:
        os.write(handle, program)
        os.lseek(handle, 0, os.SEEK_SET)
        yield (handle,)
    finally:
        os.close(handle)


def _in_build(workplace: Path | None) -> Callable[[str], str]:
    """Return what turns a path, or a word that holds one, into what it is called inside."""
    if workplace is None:
        return str
    outside = str(workplace)
    return lambda text: text.replace(outside, "/build")


def _kernel_settings() -> list[str]:
    """Make the settings of the kernel read-only.

    When a root worker starts bubblewrap the program is still root to the kernel, without any
    capability. Files of root under /proc need none to be written, and ``core_pattern`` names a
    program that the kernel starts outside every sandbox. Bubblewrap covers these folders only
    where it finds them writable by mode, which they are not.
    """
    words: list[str] = []
    for name in shlex.split("sys sysrq-trigger irq bus fs acpi scsi mtrr asound driver"):
        if Path("/proc", name).exists():
            words += ["--ro-bind", f"/proc/{name}", f"/proc/{name}"]
    return words


# Of what stands before the program, all of it ours.
_PLAIN = {"PATH": os.environ.get("PATH", os.defpath)}


def _variables(env: Mapping[str, str] | None) -> dict[str, str]:
    base = {"PATH": "/usr/bin:/bin", "HOME": "/tmp", "TMPDIR": "/tmp", "LANG": "C.UTF-8"}  # noqa: S108
    return {**base, "PYTHONNOUSERSITE": "1", **(env or {})}


@dataclass(slots=True)
class _Run:
    """A program that runs in it, and who wants to know of it."""

    words: list[str]
    group: Group
    limits: Limits
    binds_rw: Sequence[Path]
    cancelled: Callable[[], bool]
    on_line: Callable[[str], None]
    cwd: Path | None
    handles: Sequence[int]

    def watch(self) -> RunResult:
        """Start the program, pass its lines on, and end it when a limit is reached."""
        started, process = time.monotonic(), self._started()
        assert process.stdout is not None
        output, quota = PipeReader(process.stdout), self._quota(process)
        reason: EndReason = "exited"
        try:
            while True:
                output.deliver(self.on_line)
                if process.poll() is not None:
                    break
                verdict = _verdict(started, self.limits, quota, output, self.cancelled)
                if reason == "exited" and verdict:
                    reason = verdict
                    _kill(process, self.group)
                output.wait(TICK)
        finally:
            if process.poll() is None:
                _kill(process, self.group)
                process.wait()
        output.finish(self.on_line, LAST_WORDS if reason == "exited" else TURN)
        if reason == "exited":
            reason = _ended(process, quota, self.group)
        return RunResult(process.returncode, reason, tuple(output.tail), time.monotonic() - started)

    def _started(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self.words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self.cwd,
            env=_PLAIN,
            start_new_session=True,
            pass_fds=self.handles,
        )

    def _quota(self, process: subprocess.Popen[bytes]) -> Quota:
        return Quota(
            self.binds_rw,
            self.limits.disk_mb << 20,
            self.limits.files,
            lambda: _running(process, self.group),
        )


def _ended(process: subprocess.Popen[bytes], quota: Quota, group: Group) -> EndReason:
    """Say how a program ended to which we put no end."""
    if quota.over():  # whoever reads next what it left relies on the bounds
        return "disk"
    out_of_memory = process.returncode != 0 and group.ran_out_of_memory()
    return "memory" if out_of_memory else "exited"


def _running(process: subprocess.Popen[bytes], group: Group) -> list[int]:
    if process.returncode is not None:
        return []
    return group.members() if group.folders else descendants(process.pid)


def _verdict(
    started: float,
    limits: Limits,
    quota: Quota,
    output: PipeReader,
    cancelled: Callable[[], bool],
) -> EndReason | None:
    if time.monotonic() - started > limits.seconds:
        return "timeout"
    if output.too_much:
        return "output"
    if quota.exceeded():
        return "disk"
    return "cancelled" if cancelled() else None


def _kill(process: subprocess.Popen[bytes], group: Group) -> None:
    """End the process and its children. In bwrap the whole pid namespace goes with it."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        process.kill()
    group.end()
