"""What a tenant can do on the way into a cell, and inside it: nothing that is not its own."""

import errno
import os
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from placet_agent.process import limits, sandbox, seccomp
from placet_agent.process.sandbox import INSTALLER_UID, Cell
from placet_protocol.report import MAX_REPLICAS

OUR_UID = INSTALLER_UID if os.geteuid() == 0 else os.geteuid()


def run(cell: Cell, script: str) -> subprocess.CompletedProcess[str]:
    """Run a shell script in a cell."""
    words = sandbox.command(cell, ["/bin/sh", "-c", script])
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=30)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LD_PRELOAD", "/given/evil.so"),
        ("LD_LIBRARY_PATH", "/given"),
        ("IFS", "given"),
        ("BASH_ENV", "/given/evil.sh"),
        ("ENV", "/given/evil.sh"),
        ("LOCPATH", "/given"),
    ],
)
def test_no_variable_of_a_tenant_is_there_before_the_drop(name: str, value: str) -> None:
    """The programs on the way in find an environment in which no tenant had a say.

    ``strace`` is not everywhere; what each program on the way was started with is what the words
    say: only ``env``, behind the drop, names a variable.
    """
    words = sandbox.command(Cell(uid=INSTALLER_UID, variables={name: value}), ["/usr/bin/true"])

    behind = words[words.index("--") + 1 :]
    assert f"{name}={value}" in behind
    assert "--clearenv" in words[: words.index("--")]
    assert not any(value in word for word in words[: words.index("--")])
    drop = behind[: behind.index(sandbox.ENV)]
    assert not any("=" in word and not word.startswith("--") for word in drop)
    assert behind[behind.index(sandbox.ENV) + 1] == "-i"


def test_every_program_on_the_way_is_named_by_its_whole_path() -> None:
    words = sandbox.command(Cell(uid=INSTALLER_UID), ["/usr/bin/true"])

    started = [
        word
        for word in words
        if word.rpartition("/")[2] in ("sh", "prlimit", "bwrap", "setpriv", "env")
    ]
    assert started and all(word.startswith("/") for word in started)


@pytest.mark.parametrize("name", ["A=B", "-u", "", "MODE\n", "a b", "--split-string"])
def test_what_env_would_take_for_something_else_is_no_name(name: str) -> None:
    with pytest.raises(ValueError, match="is not the name of a variable"):
        sandbox.command(Cell(uid=None, variables={name: "x"}), ["/usr/bin/true"])


def test_inside_there_is_no_capability_and_none_can_be_had() -> None:
    done = run(
        Cell(uid=INSTALLER_UID), "/usr/bin/grep -E '^(Cap|NoNew|Seccomp:)' /proc/self/status"
    )

    fields = dict(line.split(":\t") for line in done.stdout.splitlines())
    assert fields["NoNewPrivs"] == "1"
    effective = {fields[name] for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")}
    assert effective == {"0" * 16}
    if os.geteuid() == 0:
        assert fields["CapBnd"] == "0" * 16
    if seccomp.path():
        assert fields["Seccomp"] == "2"


@pytest.mark.parametrize(
    "attempt",
    [
        "echo '|/tmp/x' > /proc/sys/kernel/core_pattern",
        "echo x > /proc/sys/kernel/modprobe",
        "echo 1 > /proc/sys/vm/drop_caches",
        "echo b > /proc/sysrq-trigger",
        "/usr/bin/touch /usr/bin/new",
        "/usr/bin/touch /etc/ld.so.preload",
        "/usr/bin/touch /dev/new",
        "/usr/bin/touch /new",
        "/usr/bin/unshare --user --map-root-user /usr/bin/true",
        "/usr/bin/unshare --user --net /usr/bin/true",
        "/usr/bin/mount -t tmpfs none /tmp",
        "/usr/bin/date -s 2020-01-01",
        "/usr/bin/nsenter --target 1 --net /usr/bin/true",
    ],
)
def test_what_belongs_to_the_kernel_or_the_host_is_refused(attempt: str) -> None:
    done = run(Cell(uid=INSTALLER_UID), f"{attempt} && echo did it")

    assert "did it" not in done.stdout
    assert done.returncode != 0


def test_the_network_inside_is_nothing_but_its_own_loopback() -> None:
    script = "/usr/bin/cat /proc/net/dev | /usr/bin/tail -n +3; /usr/bin/cat /proc/net/unix"

    done = run(Cell(uid=INSTALLER_UID), script)

    interfaces, _, sockets = done.stdout.partition("Num")
    assert [line.split(":")[0].strip() for line in interfaces.splitlines()] == ["lo"]
    assert len(sockets.splitlines()) == 1  # the heading alone: abstract sockets of others are away


@pytest.mark.skipif(not seccomp.path(), reason="no filter is known for this machine")
def test_threads_and_programs_start_under_the_filter() -> None:
    script = (
        "import subprocess, threading; t = threading.Thread(target=print, args=('thread',)); "
        "t.start(); t.join(); print(subprocess.run(['/usr/bin/id', '-u'], "
        "capture_output=True, text=True, check=True).stdout)"
    )

    done = run(Cell(uid=INSTALLER_UID), f'/usr/bin/python3 -c "{script}"')

    assert done.stdout.split() == ["thread", str(OUR_UID)], done


def test_the_filter_is_made_for_the_machines_that_it_knows() -> None:
    for machine in ("x86_64", "aarch64"):
        program = seccomp.program(machine)
        assert program and len(program) % 8 == 0 and len(program) // 8 < 4096
    assert seccomp.program("riscv64") is None


ALLOW, KILL = "allow", "kill"
# what → number on x86_64, on aarch64; three arguments; with its own network, with the host's
JUDGED: dict[str, tuple[tuple[int, int], tuple[int, int, int], str, str]] = {
    "read": ((0, 63), (0, 0, 0), ALLOW, ALLOW),
    "a connection": ((41, 198), (socket.AF_INET, socket.SOCK_STREAM, 0), ALLOW, ALLOW),
    "one that does not block": ((41, 198), (10, 1 | socket.SOCK_NONBLOCK, 6), ALLOW, ALLOW),
    "a datagram": ((41, 198), (socket.AF_INET, 2, 0), "EPROTONOSUPPORT", ALLOW),
    "one of UDP": ((41, 198), (socket.AF_INET6, 2 | 0o2000000, 17), "EPROTONOSUPPORT", ALLOW),
    "an echo": ((41, 198), (socket.AF_INET, 2, 1), "EPROTONOSUPPORT", "EPROTONOSUPPORT"),
    "of many paths": ((41, 198), (socket.AF_INET, 1, 262), "EPROTONOSUPPORT", "EPROTONOSUPPORT"),
    "a group": ((41, 198), (socket.AF_INET, 1, 2), "EPROTONOSUPPORT", "EPROTONOSUPPORT"),
    "netlink": ((41, 198), (socket.AF_NETLINK, 3, 0), "ENOTSUP", "ENOTSUP"),
    "vsock": ((41, 198), (40, 1, 0), "EAFNOSUPPORT", "EAFNOSUPPORT"),
    "a pair": ((53, 199), (socket.AF_UNIX, 2, 0), ALLOW, ALLOW),
    "a pair of datagrams": ((53, 199), (socket.AF_INET, 2, 0), "EPROTONOSUPPORT", ALLOW),
    "a filter": ((54, 208), (3, 1, 26), "EPERM", "EPERM"),
    "a group's filter": ((54, 208), (3, 1, 51), "EPERM", "EPERM"),
    "a buffer's size": ((54, 208), (3, 1, socket.SO_SNDBUF), ALLOW, ALLOW),
    "the same number of TCP": ((54, 208), (3, 6, 26), ALLOW, ALLOW),
    "seccomp": ((317, 277), (1, 0, 0), "EPERM", "EPERM"),
    "the older seccomp": ((157, 167), (22, 2, 0), "EPERM", "EPERM"),
    "a name": ((157, 167), (15, 0, 0), ALLOW, ALLOW),
    "a lease": ((72, 25), (1, 1024, 1), "EPERM", "EPERM"),
    "flags": ((72, 25), (1, 4, 0), ALLOW, ALLOW),
    "interfaces": ((16, 29), (3, 0x8912, 0), "EPERM", "EPERM"),
    "the last of them": ((16, 29), (3, 0x89FF, 0), "EPERM", "EPERM"),
    "what waits to be read": ((16, 29), (3, 0x541B, 0), ALLOW, ALLOW),
    "behind them": ((16, 29), (3, 0x8A00, 0), ALLOW, ALLOW),
    "a thread": ((56, 220), (0x3D0F00, 0, 0), ALLOW, ALLOW),
    "a namespace": ((56, 220), (0x10000011, 0, 0), "EPERM", "EPERM"),
    "a file that grows": ((285, 47), (1, 0, 0), ALLOW, ALLOW),
    "space behind its end": ((285, 47), (1, 1, 0), "ENOTSUP", "ENOTSUP"),
    "asynchronous input": ((206, 0), (1, 0, 0), "ENOSYS", "ENOSYS"),
    "a watch": ((294, 26), (0, 0, 0), "ENOSYS", "ENOSYS"),
}


def judged(program: bytes, machine: int, number: int, arguments: tuple[int, int, int]) -> str:
    """Return what the kernel would answer, by the steps of a filter."""
    data = struct.pack("<iIQ6Q", number, machine, 0, *arguments, 0, 0, 0)
    steps = list(struct.iter_unpack("=HBBI", program))
    value, index = 0, 0
    while True:
        code, yes, no, operand = steps[index]
        index += 1
        if code == 0x06:
            return {0x7FFF0000: ALLOW, 0x80000000: KILL}.get(
                operand, errno.errorcode.get(operand & 0xFFFF, "?")
            )
        if code == 0x20:
            value = struct.unpack_from("<I", data, operand)[0]
        elif code == 0x54:
            value &= operand
        else:
            right = {0x15: value == operand, 0x35: value >= operand, 0x45: bool(value & operand)}
            index += yes if right[code] else no


@pytest.mark.parametrize(("column", "name"), [(0, "x86_64"), (1, "aarch64")])
def test_the_filter_judges_alike_on_every_machine(column: int, name: str) -> None:
    machine = (0xC000003E, 0xC00000B7)[column]
    for network, answer in (("own", 2), ("host", 3)):
        program = seccomp.program(name, network)  # type: ignore[arg-type]
        assert program is not None
        answers = {
            what: judged(program, machine, row[0][column], row[1]) for what, row in JUDGED.items()
        }
        assert answers == {what: row[answer] for what, row in JUDGED.items()}
        assert judged(program, 3, 0, (0, 0, 0)) == KILL  # calls of another kind of machine


def test_with_the_hosts_network_names_are_resolved_by_udp(tmp_path: Path) -> None:
    """What was approved before there was ``egress`` goes on as it was, as far as others let it."""
    script = (
        "import socket\n"
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close()\n"
        "try: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)\n"
        "except OSError as error: print(error.errno)\n"
    )
    words = sandbox.command(Cell(OUR_UID, network="host"), ["/usr/bin/python3", "-c", script])

    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=30)

    assert done.stdout == f"{errno.EOPNOTSUPP}\n", done.stderr


def test_what_is_handed_to_a_cell_never_has_the_number_of_its_filter() -> None:
    handles = [os.open("/dev/null", os.O_RDONLY) for _ in range(3)]

    moved = [sandbox.above(handle) for handle in handles]

    assert min(moved) > sandbox.FILTER_FD
    for handle in moved:
        os.close(handle)


def test_memory_is_limited_by_the_kernel() -> None:
    limiter, name = limits.limiter(), f"test-{os.getpid()}"
    groups = limiter.make(name, 64)
    words = [
        *sandbox._enter(groups, ""),
        sandbox.PRLIMIT,
        *limiter.words(64),
        sys.executable,
        "-c",
        "x = bytearray(400 << 20)",
    ]

    done = subprocess.run(words, capture_output=True, check=False)

    assert done.returncode != 0
    assert not groups or limiter.killed(name)
    for _ in range(50):
        limiter.remove(name)
        if not any(group.exists() for group in groups):
            break
        time.sleep(0.02)
    assert not any(group.exists() for group in groups)


@pytest.mark.skipif(not limits.limiter().roots, reason="no control groups can be made here")
def test_processes_and_share_of_the_processor_are_set_beside_memory() -> None:
    name = f"test-{os.getpid()}"

    groups = limits.limiter().make(name, 64)

    try:
        names = {path.name for group in groups for path in group.iterdir()}
        assert "pids.max" in names and {"cpu.shares", "cpu.weight"} & names
        contents = {p.name: p.read_text().strip() for g in groups for p in g.glob("pids.max")}
        assert contents == {"pids.max": str(limits.PROCESSES)}
    finally:
        limits.limiter().remove(name)


@pytest.mark.skipif(limits.limiter().kind != "cgroup1", reason="groups stand otherwise there")
def test_a_replica_stands_beside_all_else_on_the_host_when_the_processor_is_shared_out() -> None:
    """In a folder of ours one that uses up the folder's share would leave its neighbours none."""
    limiter, name = limits.limiter(), f"test-{os.getpid()}"
    groups = limiter.make(name, 64)
    try:
        by_processor = [group for group in groups if (group / "cpu.shares").exists()]
        assert [group.parent for group in by_processor] == [limits.ROOT / "cpu"]
        assert (by_processor[0] / "cpu.shares").read_text().strip() == str(limits.SHARE)
    finally:
        limiter.remove(name)
    assert not any(group.exists() for group in groups)


def test_what_stands_beside_a_replica_is_charged_its_processor_time_alone(tmp_path: Path) -> None:
    """Counted among its processes, it could start no thread where the replica has them all."""
    names = ("memory", "pids", "cpu")
    limiter = limits.Limiter("cgroup1", tuple(tmp_path / name / "placet" for name in names))
    groups = limiter.make("rev_1-1", 64)
    limiter.charge("rev_1-1", 4321)

    charged = [group.parent.name for group in groups if (group / "cgroup.procs").exists()]
    assert charged == ["cpu"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives each replica a user of its own")
def test_that_no_user_id_is_free_is_said_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "REPLICA_UIDS", range(61000, 61002))
    with pytest.raises(RuntimeError, match="no user id is free"):
        sandbox.free_uid({61000, 61001})


@pytest.mark.parametrize(
    "first",
    [OSError(11, "Resource temporarily unavailable"), subprocess.TimeoutExpired("true", 20)],
)
def test_a_host_that_is_only_busy_is_not_taken_for_one_without_networks(
    monkeypatch: pytest.MonkeyPatch, first: Exception
) -> None:
    """Replicas would share the host's network."""
    monkeypatch.setattr(sandbox, "_given", set())
    faults, real = [first], subprocess.run

    def busy(*words: Any, **options: Any) -> Any:
        if faults:
            raise faults.pop()
        return real(*words, **options)

    monkeypatch.setattr(subprocess, "run", busy)
    assert sandbox.gives("own")
    assert not faults


def test_what_a_program_leaves_behind_ends_with_it() -> None:
    """Of an installer nobody knows the first process: what it left would run for ever."""
    script = "(trap '' TERM HUP; exec /usr/bin/setsid /usr/bin/sleep 8) & echo begun"
    began = time.monotonic()

    done = run(Cell(uid=INSTALLER_UID), script)

    assert (done.returncode, done.stdout) == (0, "begun\n")
    assert time.monotonic() - began < 6  # its output is closed, so that nothing has it any more


def test_a_replica_has_no_sizable_share_of_the_files_that_the_host_may_open() -> None:
    cell = Cell(uid=sandbox.user(INSTALLER_UID))
    done = run(cell, "ulimit -n; ulimit -u || ulimit -p")
    opened, processes = map(int, done.stdout.split())
    host = int(Path("/proc/sys/fs/file-max").read_text())
    assert opened * processes <= max(host // 4, limits.FEW_FILES * limits.FEW_PROCESSES)
    assert opened >= limits.FEW_FILES


def test_the_platform_lets_in_as_many_replicas_as_there_are_users_for() -> None:
    assert len(sandbox.REPLICA_UIDS) == MAX_REPLICAS
