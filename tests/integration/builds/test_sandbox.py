"""What a program in the sandbox can do to the machine: nothing. All of it is tried for real."""

import errno
import os
import resource
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from placet_agent.process import seccomp
from placet_agent.process.limits import FEW_FILES, FEW_PROCESSES
from workers.builder import output, process_users
from workers.builder import sandbox as module
from workers.builder.errors import BuildFailed
from workers.builder.limits import make_group
from workers.builder.output import printable
from workers.builder.sandbox import Limits, RunResult, Sandbox, interpreter

PYTHON = str(interpreter())


@pytest.fixture(scope="module")
def box() -> Sandbox:
    """The sandbox of this machine, which must be the strong one."""
    found = Sandbox.detect()
    assert found.isolation == "bwrap", "bubblewrap does not work here: install it"
    return found


def python(box: Sandbox, code: str, **options: object) -> RunResult:
    """Run a Python program in the sandbox."""
    return box.run([PYTHON, "-I", "-c", code], **options)  # type: ignore[arg-type]


def test_a_bubblewrap_that_fails_now_is_not_given_up_where_it_worked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A worker that took one failure for an answer ran everything after it without a sandbox."""
    record, failing, script = tmp_path / "bwrap.txt", tmp_path / "failing", tmp_path / "bwrap"
    real = shutil.which("bwrap")
    script.write_text(f'#!/bin/sh\n[ -e {failing} ] && exit 1\nexec {real} "$@"\n')
    script.chmod(0o755)
    monkeypatch.setattr(module, "BWRAP", str(script))
    failing.touch()
    assert Sandbox.detect(record).isolation == "user"
    assert not record.exists()

    failing.unlink()
    assert Sandbox.detect(record).isolation == "bwrap"

    failing.touch()
    found = Sandbox.detect(record)
    assert (found.isolation, python(found, "print('ran')").tail) == ("bwrap", ())
    record.unlink()
    assert Sandbox.detect(record).isolation == "user"


def test_one_failure_of_bubblewrap_is_no_answer(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    script, tried = tmp_path / "bwrap", tmp_path / "tried"
    real = shutil.which("bwrap")
    script.write_text(f'#!/bin/sh\n[ -e {tried} ] || {{ > {tried}; exit 1; }}\nexec {real} "$@"\n')
    script.chmod(0o755)
    monkeypatch.setattr(module, "BWRAP", str(script))

    assert Sandbox.detect().isolation == "bwrap"


def test_it_has_no_network(box: Sandbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        code = (
            "import socket\n"
            f"for a in (('127.0.0.1', {port}), ('10.0.0.1', 80), ('1.1.1.1', 53)):\n"
            "    try: socket.create_connection(a, 1); print('REACHED', a)\n"
            "    except OSError as e: print('no', e.errno)\n"
        )
        result = python(box, code)
    assert result.ok
    assert [line.split()[0] for line in result.tail] == ["no", "no", "no"]


def test_it_reads_nothing_of_the_machine_but_the_system(box: Sandbox, tmp_path: Path) -> None:
    secret = tmp_path / "build.key"
    secret.write_text("secret")
    given = tmp_path / "given"
    given.mkdir()
    (given / "file").write_text("given")
    places = [
        str(secret),
        "/root",
        "/home",
        "/etc/shadow",
        "/var",
        "/run",
        "/proc/1/root/etc/shadow",
        "/sys",
        "/srv",
    ]
    # An interpreter under a home folder is shown, and so is the way to it.
    hidden = [p for p in places if not sys.base_prefix.startswith(f"{p}/")]
    code = (
        "from pathlib import Path\n"
        f"print(Path({str(given / 'file')!r}).read_text())\n"
        f"for p in {hidden!r}:\n"
        "    try: print(Path(p).exists())\n"
        "    except PermissionError: print(False)\n"
    )
    result = python(box, code, binds_ro=[given])
    assert result.tail == ("given", *["False"] * len(hidden))


def test_what_its_user_cannot_read_is_named_before_it_runs(box: Sandbox, tmp_path: Path) -> None:
    """Made under a mask of 077, everything failed with "Permission denied" alone."""
    given = tmp_path / "given"
    given.mkdir(mode=0o700)
    (tmp_path / "file").touch(mode=0o600)
    for closed in (given, tmp_path / "file"):
        if process_users.apart():
            with pytest.raises(BuildFailed, match=f"chmod -R go\\+rX {closed}"):
                python(box, "print('ran')", binds_ro=[closed])
        else:
            assert python(box, "print('ran')", binds_ro=[closed]).tail == ("ran",)
        closed.chmod(0o755)
        assert python(box, "print('ran')", binds_ro=[closed]).tail == ("ran",)


def test_it_writes_only_where_it_may(box: Sandbox, tmp_path: Path) -> None:
    for name in ("mine", "given"):
        (tmp_path / name).mkdir()
    places = [
        "/usr/x",
        "/etc/x",
        "/x",
        "/dev/x",
        f"{tmp_path}/given/x",
        f"{tmp_path}/mine/x",
        "/tmp/x",
        "/dev/shm/x",
    ]
    code = (
        f"for p in {places!r}:\n"
        "    try: open(p, 'w').write('x'); print(p)\n"
        "    except OSError: pass\n"
    )
    result = python(box, code, binds_ro=[tmp_path / "given"], binds_rw=[tmp_path / "mine"])
    assert result.tail == (f"{tmp_path}/mine/x", "/tmp/x", "/dev/shm/x")


def test_it_changes_no_setting_of_the_kernel(box: Sandbox) -> None:
    code = (
        "import os\n"
        "for top, folders, files in os.walk('/proc'):\n"
        "    if top == '/proc': folders[:] = [f for f in folders if not f.isdigit()\n"
        "                                     and f not in ('self', 'thread-self')]\n"
        "    for f in files:\n"
        "        p = os.path.join(top, f)\n"
        "        if p.startswith('/proc/pressure/'): continue\n"
        "        try: os.close(os.open(p, os.O_WRONLY | os.O_NONBLOCK)); print(p)\n"
        "        except OSError: pass\n"
        "print('looked')\n"
    )
    assert python(box, code).tail == ("looked",)


def test_it_gets_no_variable_of_ours(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLACET_DATABASE_URL", "postgresql://secret")
    result = python(box, "import os; print(sorted(os.environ))", env={"ASKED": "1"})
    assert "PLACET" not in result.tail[0]
    assert "ASKED" in result.tail[0]


def test_its_variables_are_not_there_before_it_has_given_up_its_rights(box: Sandbox) -> None:
    """A loader does what they say in each program that it starts: here it writes a line each."""
    said = python(box, "print('started')", env={"LD_DEBUG": "statistics"}).tail
    assert "started" in said
    assert sum("total startup time" in line for line in said) == 1


def test_it_has_no_privilege_and_sees_no_process(box: Sandbox) -> None:
    code = (
        "import os\n"
        "print(os.getuid())\n"
        "print([l for l in open('/proc/self/status') if l.startswith(('CapEff', 'NoNewPrivs'))])\n"
        "print(len([p for p in os.listdir('/proc') if p.isdigit()]))\n"
        "try: os.setuid(0); print('ROOT')\n"
        "except OSError: print('no')\n"
        "try: os.unshare(os.CLONE_NEWUSER); print('NAMESPACE')\n"
        "except (OSError, AttributeError): print('no')\n"
    )
    result = python(box, code)
    assert result.tail[0] == (str(process_users.BUILDER) if process_users.apart() else "65534")
    assert "CapEff:\\t0000000000000000" in result.tail[1]
    assert "NoNewPrivs:\\t1" in result.tail[1]
    assert int(result.tail[2]) <= 3
    assert result.tail[3:] == ("no", "no")


def test_it_is_nobody_that_the_worker_is(box: Sandbox, tmp_path: Path) -> None:
    """What the kernel counts by user, epoll's watches say, a build takes from the worker's else."""
    code = f"import os; os.close(os.open({str(tmp_path / 'file')!r}, os.O_CREAT))"
    assert python(box, code, binds_rw=[tmp_path]).ok
    owner = (tmp_path / "file").stat().st_uid
    assert owner == (process_users.BUILDER if process_users.apart() else os.geteuid())
    assert process_users.apart() == (os.geteuid() == 0)


def test_of_what_is_counted_by_user_the_worker_keeps_most(box: Sandbox) -> None:
    code = (
        "import resource\n"
        "print(resource.getrlimit(resource.RLIMIT_SIGPENDING)[1])\n"
        "print(resource.getrlimit(resource.RLIMIT_MSGQUEUE)[1])\n"
    )
    signals, queues = map(int, python(box, code).tail)
    assert 0 < signals < resource.getrlimit(resource.RLIMIT_SIGPENDING)[0]
    assert 0 < queues < resource.getrlimit(resource.RLIMIT_MSGQUEUE)[0]


@pytest.mark.parametrize(
    ("attempt", "refused"),
    [
        ("socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).setsockopt(1, 26, PROGRAM)", "EPERM"),
        ("socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).setsockopt(1, 51, PROGRAM)", "EPERM"),
        ("check(libc.prctl(22, 2, PROGRAM, 0, 0))", "EPERM"),
        ("socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, 2)", "ENOTSUP"),
        ("socket.socket(socket.AF_INET, socket.SOCK_DGRAM)", "EPROTONOSUPPORT"),
        ("check(libc.inotify_init())", "ENOSYS"),
        ("fcntl.fcntl(os.open('/tmp/x', os.O_CREAT | os.O_RDWR), 1024, 1)", "EPERM"),
        ("os.open('/dev/ptmx', os.O_RDWR)", "ENOENT"),
        ("check(libc.ptrace(0, 0, 0, 0))", "EPERM"),
    ],
)
@pytest.mark.skipif(not seccomp.path(), reason="no filter is known for this machine")
def test_what_the_kernel_counts_for_all_together_is_refused(
    box: Sandbox, attempt: str, refused: str
) -> None:
    """Filters of the older BPF have one bound for the host: without any, no sandbox starts."""
    code = (
        "import ctypes, errno, fcntl, os, socket, struct\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "steps = ctypes.create_string_buffer(struct.pack('=HBBI', 6, 0, 0, 0x7FFF0000))\n"
        "PROGRAM = struct.pack('HxxxxxxP', 1, ctypes.addressof(steps))\n"
        "def check(result):\n"
        "    if result < 0: raise OSError(ctypes.get_errno(), '')\n"
        f"try: {attempt}; print('had it')\n"
        "except OSError as e: print(errno.errorcode[e.errno])\n"
    )
    assert python(box, code).tail == (refused,)


def test_a_fork_bomb_runs_into_its_limit(box: Sandbox) -> None:
    code = (
        "import os, time\n"
        "while True:\n"
        "    try:\n"
        "        if os.fork() == 0: time.sleep(60)\n"
        "    except OSError as e: print('stopped', e.errno); break\n"
    )
    result = python(box, code, limits=Limits(processes=40, seconds=20))
    assert result.tail[-1] == "stopped 11"
    assert result.seconds < 20


def test_a_run_has_no_sizable_share_of_the_files_that_the_host_may_open(box: Sandbox) -> None:
    host = int(Path("/proc/sys/fs/file-max").read_text())
    code = (
        "import os, time\n"
        "n = 0\n"
        "try:\n"
        "    while True: os.open('/dev/null', 0); n += 1\n"
        "except OSError: print(n, flush=True)\n"
        "forks = 1\n"
        "try:\n"
        "    while True:\n"
        "        if os.fork() == 0: time.sleep(60)\n"
        "        forks += 1\n"
        "except OSError: print(forks)\n"
    )
    opened, forked = map(int, python(box, code, limits=Limits(seconds=60)).tail)
    assert opened * forked <= max(host // 4, FEW_FILES * FEW_PROCESSES)
    assert opened > 1000  # and one process has what anything honest needs
    assert forked > 500


def test_memory_is_limited_and_said_in_words(box: Sandbox) -> None:
    result = python(box, "x = bytearray(10**9)", limits=Limits(memory_mb=100))
    assert not result.ok
    assert "memory" in result.sentence("The build").lower()


def test_a_full_disk_ends_the_program_not_the_machine(box: Sandbox, tmp_path: Path) -> None:
    code = (
        "i = 0\n"
        "while True:\n"
        f"    open({str(tmp_path)!r} + f'/{{i}}', 'wb').write(b'x' * 10**6); i += 1\n"
    )
    result = python(box, code, binds_rw=[tmp_path], limits=Limits(disk_mb=20, seconds=30))
    assert result.reason == "disk"
    assert "disk" in result.sentence("The build")
    one = f"open({str(tmp_path)!r} + '/one', 'wb').write(b'x' * 10**8)"
    assert not python(box, one, binds_rw=[tmp_path], limits=Limits(disk_mb=20)).ok


def test_what_never_ends_is_ended_with_its_children(box: Sandbox) -> None:
    code = (
        "import subprocess, time\n"
        "subprocess.Popen(['sleep', '987'], start_new_session=True)\n"
        "print('started', flush=True)\n"
        "time.sleep(987)\n"
    )
    result = python(box, code, limits=Limits(seconds=1))
    assert (result.reason, result.tail) == ("timeout", ("started",))
    assert subprocess.run(["pgrep", "-f", "sleep 987"], capture_output=True).returncode == 1


def test_cancelling_ends_it_at_once(box: Sandbox) -> None:
    flag = threading.Event()
    threading.Timer(0.5, flag.set).start()
    started = time.monotonic()
    result = python(box, "import time; time.sleep(60)", cancelled=flag.is_set)
    assert result.reason == "cancelled"
    assert time.monotonic() - started < 5


def test_endless_output_is_cut_off(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "MAX_OUTPUT", 100_000)
    result = python(box, "while True: print('x' * 1000)", limits=Limits(seconds=20))
    assert result.reason == "output"
    assert len(result.tail) <= output.TAIL_LINES


FLOOD = "import os, time\nfor _ in range(320): os.write(1, b'ab\\n' * 20000)\ntime.sleep(300)\n"


def test_lines_without_end_are_cut_off_as_bytes_are(box: Sandbox) -> None:
    seen: list[str] = []
    result = python(box, FLOOD, limits=Limits(seconds=60), on_line=seen.append)
    assert result.reason == "output"
    assert len(seen) <= output.MAX_LINES


def test_limits_hold_whatever_is_printed(box: Sandbox) -> None:
    """Lines that were taken one by one until none was left kept every limit waiting."""
    taken: list[float] = []

    def slow(line: str) -> None:
        until = time.perf_counter() + 0.005  # as long as a journal takes that is written down
        while time.perf_counter() < until:
            pass
        taken.append(until)

    result = python(box, FLOOD, limits=Limits(seconds=1), on_line=slow)
    assert result.reason == "timeout"
    assert result.seconds < 4

    taken.clear()
    result = python(box, FLOOD, on_line=slow, cancelled=lambda: len(taken) > 20)
    assert result.reason == "cancelled"
    assert result.seconds < 4


def test_what_a_program_printed_last_is_not_lost(box: Sandbox) -> None:
    seen: list[str] = []
    result = python(box, "for n in range(20000): print(n)", on_line=seen.append)
    assert seen == [str(n) for n in range(20000)]
    assert result.tail[-1] == "19999"


def test_lines_come_while_it_runs(box: Sandbox) -> None:
    seen: list[float] = []
    started = time.monotonic()
    code = "import time; print('a', flush=True); time.sleep(1.5); print('b')"
    python(box, code, on_line=lambda line: seen.append(time.monotonic() - started))
    assert seen[0] < 1.2 < seen[1]


def test_control_characters_do_not_reach_the_log() -> None:
    assert printable("a\x1b[2Jb\x00c\r\n") == "a\ufffd[2Jb\ufffdc"


@pytest.mark.parametrize("number", [errno.ENOMEM, errno.ENOSPC])
def test_no_program_runs_with_less_because_a_group_fails_now(
    monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def fail(path: Path, *words: object, **options: object) -> None:
        raise OSError(number, "not now")

    monkeypatch.setattr(Path, "mkdir", fail)
    with pytest.raises(OSError, match="not now"):
        make_group(100)


def test_where_no_group_may_be_made_there_are_rlimits(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, *words: object, **options: object) -> None:
        raise OSError(errno.EROFS, "never")

    monkeypatch.setattr(Path, "mkdir", refuse)
    assert make_group(100).mechanism == "prlimit"


def test_nothing_is_left_behind(box: Sandbox) -> None:
    python(box, "print(1)")
    groups = [
        p for p in Path("/sys/fs/cgroup").glob("*/placet-*") if str(module.os.getpid()) in p.name
    ]
    assert groups == []
    group = make_group(100)
    assert group.mechanism in {"cgroup1", "cgroup2", "prlimit"}
    group.end()
    assert not any(folder.exists() for folder in group.folders)
