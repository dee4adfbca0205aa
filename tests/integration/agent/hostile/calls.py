"""Attempts by calls of the kernel: privileges, namespaces, tracing, priorities, limits."""

import ctypes
import fcntl
import os
import platform
import resource
import signal
import socket
import stat
import struct
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

Told = dict[str, str]

_libc = ctypes.CDLL(None, use_errno=True)
_COLUMN = {"x86_64": 0, "aarch64": 1}.get(platform.machine(), 0)
# name → number on x86_64, on aarch64
_NUMBERS = {
    "capset": (126, 91),
    "clone": (56, 220),
    "clone3": (435, 435),
    "pivot_root": (155, 41),
    "keyctl": (250, 219),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "init_module": (175, 105),
    "kexec_load": (246, 104),
    "open_by_handle_at": (304, 265),
    "pidfd_getfd": (438, 438),
    "pidfd_open": (434, 434),
    "ioprio_set": (251, 30),
    "sched_setattr": (314, 274),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "acct": (163, 89),
    "syslog": (103, 116),
    "fsopen": (430, 430),
    "mount_setattr": (442, 442),
    "quotactl": (179, 60),
    "process_vm_readv": (310, 270),
    "move_pages": (279, 239),
    "fanotify_init": (300, 262),
    "seccomp": (317, 277),
    "io_setup": (206, 0),
    "inotify_init1": (294, 26),
}
_NEWUSER, _NEWNET, _NEWNS = 0x10000000, 0x40000000, 0x00020000


def answer(result: int, what: str = "done") -> str:
    """Say that a call worked, or raise its error."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return what


def call(name: str, *values: object) -> Callable[[Told], str]:
    """Make a call by its number."""
    words = [ctypes.c_long(v) if isinstance(v, int) else v for v in values]
    return lambda told: answer(_libc.syscall(ctypes.c_long(_NUMBERS[name][_COLUMN]), *words))


def libc(name: str, *values: object) -> Callable[[Told], str]:
    """Make a call by libc's function."""
    return lambda told: answer(getattr(_libc, name)(*values))


def python(act: Callable[[], object], what: str = "done") -> Callable[[Told], str]:
    """Make a call by Python's function."""

    def attempt(told: Told) -> str:
        act()
        return what

    return attempt


def capset(told: Told) -> str:
    """Take every capability."""
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    return call("capset", header, (ctypes.c_uint32 * 6)(*[0xFFFFFFFF] * 6))(told)


def clone(told: Told) -> str:
    """Begin a process in a user namespace of its own."""
    pid = _libc.syscall(ctypes.c_long(_NUMBERS["clone"][_COLUMN]), _NEWUSER | 17, 0, 0, 0, 0)
    if pid == 0:
        os._exit(0)
    return answer(pid)


def join_first(told: Told) -> str:
    """Join the network of the namespace's first process."""
    return answer(_libc.setns(os.open("/proc/self/ns/net", os.O_RDONLY), 0))


def trace_child(told: Told) -> str:
    """Have a child be traced, as a debugger does."""
    child = os.fork()
    if child == 0:
        os._exit(0 if _libc.ptrace(0, 0, 0, 0) == 0 else ctypes.get_errno())
    return answer_of(os.waitpid(child, 0)[1])


def answer_of(status: int) -> str:
    """Say what a child found: 0, or the number of an error."""
    number = os.waitstatus_to_exitcode(status)
    if number:
        raise OSError(number, os.strerror(number))
    return "done"


def chown(told: Told) -> str:
    """Give a file to root."""
    Path("/tmp/given").touch()
    os.chown("/tmp/given", 0, 0)
    return "done"


def setuid_program(told: Told) -> str:
    """Start a program that becomes root by its mode, and look who it is."""
    with subprocess.Popen(
        ["/usr/bin/su", "-c", "id"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as child:
        try:
            status = Path(f"/proc/{child.pid}/status").read_text()
        finally:
            child.kill()
    effective = int(status.partition("Uid:")[2].split()[1])
    return "its own user" if effective == os.getuid() else f"user {effective}"


def setuid_file(told: Told) -> str:
    """Make a set-user-id program of its own and see whether it may count."""
    Path("/tmp/own").write_bytes(Path("/usr/bin/id").read_bytes())
    os.chmod("/tmp/own", 0o4755)
    found = subprocess.run(["/tmp/own", "-u"], capture_output=True, text=True, check=True)
    return "its own user" if int(found.stdout) == os.getuid() else f"user {found.stdout}"


def everybody(told: Told) -> str:
    """End everybody that can be ended; the test looks whether others felt it."""
    child = os.fork()
    if child == 0:
        signal.pause()
    os.kill(-1, signal.SIGKILL)
    return "its own alone" if os.WIFSIGNALED(os.waitpid(child, 0)[1]) else "nobody"


def by_number(told: Told) -> str:
    """Signal a process of the host by its number there."""
    os.kill(int(told["pid"]), signal.SIGKILL)
    return "done"


def raise_limit(which: int) -> Callable[[Told], str]:
    """Raise a limit past what it may be."""

    def attempt(told: Told) -> str:
        hard = resource.getrlimit(which)[1]
        if hard == resource.RLIM_INFINITY:
            return "there is no limit"
        try:
            resource.setrlimit(which, (hard + 1, hard + 1))
        except ValueError:
            return "EPERM"
        return "raised"

    return attempt


def core(told: Told) -> str:
    """End a child so that the kernel writes its memory down."""
    child = os.fork()
    if child == 0:
        os.chdir("/tmp")
        os.abort()
    status = os.waitpid(child, 0)[1]
    return "written" if os.WCOREDUMP(status) else "nothing is written"


def filtered(option: int) -> Callable[[Told], str]:
    """Attach a filter of the older BPF to a socket; for others a program that is not there."""

    def attempt(told: Told) -> str:
        steps = struct.pack("=HBBI", 0x06, 0, 0, 0xFFFF)
        kept = ctypes.create_string_buffer(steps)
        value = struct.pack("HxxxxxxP", 1, ctypes.addressof(kept))
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
            one.setsockopt(socket.SOL_SOCKET, option, value)
        return "attached"

    return attempt


def seccomp_filter() -> object:
    """Return a filter of one step that allows all, and what it points to."""
    kept = ctypes.create_string_buffer(struct.pack("=HBBI", 0x06, 0, 0, 0x7FFF0000))
    return ctypes.create_string_buffer(struct.pack("HxxxxxxP", 1, ctypes.addressof(kept))), kept


_FILTER, _STEPS = seccomp_filter()  # type: ignore[misc]


def deadline(told: Told) -> str:
    """Ask for the processor before everybody else."""
    words = (ctypes.c_uint64 * 6)(6 << 32 | 48, 0, 0, 10**7, 10**8, 10**8)
    return call("sched_setattr", 0, words, 0)(told)


def first_pidfd(told: Told) -> str:
    """Take a descriptor out of the namespace's first process."""
    handle = _libc.syscall(ctypes.c_long(_NUMBERS["pidfd_open"][_COLUMN]), 1, 0)
    answer(handle)
    return call("pidfd_getfd", handle, 0, 0)(told)


ATTEMPTS: dict[str, Callable[[Told], str]] = {
    "become_root": python(lambda: os.setuid(0)),
    "become_roots_group": python(lambda: os.setgid(0)),
    "join_other_groups": python(lambda: os.setgroups([0])),
    "take_every_capability": capset,
    "give_a_file_to_root": chown,
    "make_a_disk": python(lambda: os.mknod("/tmp/disk", stat.S_IFBLK | 0o600, os.makedev(8, 0))),
    "rename_the_host": python(lambda: socket.sethostname("taken")),
    "set_the_clock": libc("settimeofday", (ctypes.c_long * 2)(int(time.time()), 0), None),
    "mount": libc("mount", b"none", b"/tmp", b"tmpfs", 0, None),
    "mount_control_groups": libc("mount", b"none", b"/tmp", b"cgroup", 0, b"memory"),
    "mount_by_the_newer_calls": call("fsopen", b"tmpfs", 0),
    "unmount_what_covers_proc_sys": libc("umount2", b"/proc/sys", 2),
    "change_the_root": python(lambda: os.chroot("/tmp")),
    "pivot_the_root": call("pivot_root", b"/tmp", b"/tmp"),
    "unshare_users": libc("unshare", _NEWUSER),
    "unshare_users_and_network": libc("unshare", _NEWUSER | _NEWNET),
    "unshare_mounts": libc("unshare", _NEWNS),
    "clone_into_new_users": clone,
    "clone_by_the_newer_call": call("clone3", 0, 0),
    "join_a_network": join_first,
    "trace_process_1": libc("ptrace", 16, 1, 0, 0),
    "be_traced": trace_child,
    "read_another_process": call("process_vm_readv", 1, 0, 0, 0, 0, 0),
    "take_a_descriptor_of_another_process": first_pidfd,
    "open_a_file_by_its_handle": call("open_by_handle_at", -1, 0, 0),
    "use_the_kernels_keys": call("keyctl", 0, -3, 1),
    "load_bpf": call("bpf", 0, 0, 0),
    "count_events": call("perf_event_open", 0, 0, -1, -1, 0),
    "handle_faults": call("userfaultfd", 0),
    "use_io_uring": call("io_uring_setup", 1, 0),
    "load_a_module": call("init_module", 0, 0, b""),
    "load_another_kernel": call("kexec_load", 0, 0, 0, 0),
    "switch_the_machine_off": call("reboot", 0xFEE1DEAD, 672274793, 0, 0),
    "swap_to_a_file": call("swapon", b"/tmp/given", 0),
    "account_for_processes": call("acct", b"/tmp/given"),
    "read_the_kernels_ring": call("syslog", 3, 0, 0),
    "watch_the_file_system": call("fanotify_init", 0x04, 0),
    "watch_the_file_system_as_anybody_may": call("fanotify_init", 0x200, 0),
    "watch_who_starts_programs": call("inotify_init1", 0),
    "be_told_of_changes_in_a_folder": python(
        lambda: fcntl.fcntl(os.open("/usr/bin", os.O_RDONLY), fcntl.F_NOTIFY, fcntl.DN_ACCESS)
    ),
    "take_a_lease_of_its_log": python(lambda: fcntl.fcntl(1, fcntl.F_SETLEASE, fcntl.F_WRLCK)),
    "take_a_terminal": python(lambda: os.open("/dev/ptmx", os.O_RDWR)),
    "take_contexts_of_asynchronous_input": call("io_setup", 65536, (ctypes.c_ulong * 1)()),
    "filter_a_socket": filtered(26),
    "filter_a_socket_by_the_newer_bpf": filtered(50),
    "filter_a_group_of_sockets": filtered(51),
    "filter_a_group_of_sockets_by_the_newer_bpf": filtered(52),
    "filter_its_own_calls": call("seccomp", 1, 0, _FILTER),
    "filter_its_own_calls_by_the_older_call": libc("prctl", 22, 2, _FILTER, 0, 0),
    "run_a_program_as_root_by_its_mode": setuid_program,
    "run_a_set_user_id_file_of_its_own": setuid_file,
    "kill_process_1": libc("kill", 1, 9),
    "kill_a_process_of_the_host": by_number,
    "kill_everybody": everybody,
    "be_nicer_to_itself": python(lambda: os.setpriority(os.PRIO_PROCESS, 0, -10)),
    "read_and_write_before_all_others": call("ioprio_set", 1, 0, 1 << 13),
    "run_in_real_time": python(lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))),
    "run_by_a_deadline": deadline,
    "raise_its_limit_of_files": raise_limit(resource.RLIMIT_NOFILE),
    "raise_its_limit_of_processes": raise_limit(resource.RLIMIT_NPROC),
    "raise_its_limit_of_cores": raise_limit(resource.RLIMIT_CORE),
    "raise_its_limit_of_a_files_size": raise_limit(resource.RLIMIT_FSIZE),
    "leave_a_core": core,
}
