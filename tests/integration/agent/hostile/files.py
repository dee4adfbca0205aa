"""Attempts on files: of the agent, of HAProxy, of others, of the kernel, and its own."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

Told = dict[str, str]


def read(path: str) -> str:
    """Read a file or list a folder."""
    found = Path(path)
    if found.is_dir():
        return "listed " + " ".join(sorted(os.listdir(path))[:9])
    with found.open("rb") as stream:
        return f"read {len(stream.read(64))} bytes"


def home(path: str) -> Callable[[Told], str]:
    """Read something in the node's folder."""
    return lambda told: read(f"{told['home']}/{path}")


def beside(name: str, path: str = "") -> Callable[[Told], str]:
    """Read what belongs to the neighbour."""
    return lambda told: read(told[name] + path)


def write(path: str, text: str = "1\n") -> Callable[[Told], str]:
    """Write into a file; where that works it is said, and the file is left as it was found."""

    def attempt(told: Told) -> str:
        handle = os.open(path, os.O_WRONLY)
        try:
            os.write(handle, text.encode())
        finally:
            os.close(handle)
        return "written"

    return attempt


def make(path: str) -> Callable[[Told], str]:
    """Make a file where nothing of ours may be changed."""

    def attempt(told: Told) -> str:
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o777))
        return "made"

    return attempt


def through_first(told: Told) -> str:
    """Go through the root of the namespace's first process, which stands outside of ours."""
    return read("/proc/1/root" + told["home"])


def descriptors(told: Told) -> str:
    """List what is open: sockets by their kind, the rest by path; connections are its callers'."""
    found = set()
    for number in range(4096):
        try:
            about = os.fstat(number)
        except OSError:
            continue
        target = os.readlink(f"/proc/self/fd/{number}")
        if stat.S_ISSOCK(about.st_mode):
            target = "socket"
        found.add("log" if target.endswith(".log") else target.partition("[")[0])
    return " ".join(sorted(found))


def descriptors_of_first(told: Told) -> str:
    """Open what the namespace's first process has open; name what is not this one's as well."""
    found = set()
    for number in os.listdir("/proc/1/fd"):
        place = f"/proc/1/fd/{number}"
        try:
            os.close(os.open(place, os.O_RDONLY | os.O_NONBLOCK))
        except OSError:
            continue
        found.add(os.readlink(place))
    own = {os.readlink(f"/proc/self/fd/{number}") for number in range(3)}
    return " ".join(sorted(found - own)) or "its own output"


def around_the_log(told: Told) -> str:
    """Open the log that is its output for reading others' beside it, or as a folder."""
    handle = os.open("..", os.O_RDONLY, dir_fd=1)
    return f"listed {os.listdir(handle)[:3]}"


def truncate_reopened_log(told: Told) -> str:
    """Open the file behind its output anew, for writing without the end being demanded."""
    os.close(os.open("/proc/self/fd/1", os.O_RDWR))
    return "opened"


def environment(told: Told) -> str:
    """Look for words of the agent's environment, in any process there is to be seen."""
    found = "\n".join(f"{name}={value}" for name, value in os.environ.items())
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                found += (entry / "environ").read_text(errors="replace")
            except OSError:
                continue
    return "a secret was found" if told["secret"] in found else "no secret is there"


def processes(told: Told) -> str:
    """Name all programs that can be seen."""
    names = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            names.add((entry / "comm").read_text().strip())
    return " ".join(sorted(name.rstrip("0123456789.") for name in names))


def swap(told: Told) -> str:
    """Put a link in the place of the own Bento."""
    os.rename("/bento/name.txt", "/bento/other.txt")
    return "renamed"


def swap_root(told: Told) -> str:
    """Put a link in the place of the Bento's folder itself."""
    os.rename("/bento", "/old")
    return "renamed"


def chmod(told: Told) -> str:
    """Make a file of the Bento writable."""
    os.chmod("/bento/name.txt", 0o777)
    return "changed"


def hard_link(told: Told) -> str:
    """Keep a file of the host by a name of its own."""
    os.link("/usr/bin/su", "/tmp/su")
    return "linked"


ATTEMPTS: dict[str, Callable[[Told], str]] = {
    "read_the_nodes_key": home("node.key"),
    "read_the_nodes_memory": home("memory.json"),
    "read_the_nodes_state": home("state.json"),
    "list_the_nodes_folder": home(""),
    "read_haproxys_configuration": home("haproxy/haproxy.cfg"),
    "read_haproxys_keys": home("haproxy/keys.map"),
    "read_haproxys_certificate": home("haproxy/tls.pem"),
    "open_haproxys_log_pipe": home("haproxy/log.fifo"),
    "read_another_replicas_record": beside("record"),
    "read_another_replicas_log": beside("log"),
    "read_another_replicas_capture": home("capture"),
    "read_another_replicas_bento": beside("bento"),
    "read_another_replicas_files_in_tmp": beside("root", "/tmp/mine"),
    "read_another_process_of_the_host": beside("process", "/environ"),
    "see_the_processes_of_others": processes,
    "go_through_the_root_of_process_1": through_first,
    "read_the_memory_of_process_1": lambda told: read("/proc/1/mem"),
    "open_the_descriptors_of_process_1": descriptors_of_first,
    "list_the_open_descriptors": descriptors,
    "go_up_from_the_log": around_the_log,
    "open_its_log_anew_for_writing": truncate_reopened_log,
    "find_the_agents_environment": environment,
    "write_core_pattern": write("/proc/sys/kernel/core_pattern", "|/tmp/x"),
    "write_modprobe": write("/proc/sys/kernel/modprobe", "/tmp/x"),
    "write_the_hosts_name": write("/proc/sys/kernel/hostname", "taken"),
    "write_ip_forward": write("/proc/sys/net/ipv4/ip_forward"),
    "write_the_hosts_memory_settings": write("/proc/sys/vm/overcommit_memory"),
    "write_sysrq": write("/proc/sysrq-trigger", "h"),
    "be_spared_by_the_oom_killer": write("/proc/self/oom_score_adj", "-1000"),
    "map_itself_to_root": write("/proc/self/uid_map", "0 0 1"),
    "read_the_kernels_memory": lambda told: read("/proc/kcore"),
    "read_the_kernels_log": lambda told: read("/proc/kmsg"),
    "read_a_disk": lambda told: read("/dev/vda"),
    "write_the_kernels_log": write("/dev/kmsg"),
    "see_control_groups": lambda told: read("/sys/fs/cgroup"),
    "raise_its_memory_limit": lambda told: write(told["group"] + "/memory.limit_in_bytes")(told),
    "leave_its_control_group": write("/sys/fs/cgroup/pids/cgroup.procs", "0"),
    "set_a_release_agent": write("/sys/fs/cgroup/memory/release_agent", "/tmp/x"),
    "write_into_its_bento": make("/bento/new.txt"),
    "write_into_its_runtime": make("/runtime/bin/new"),
    "write_into_etc": make("/etc/ld.so.preload"),
    "write_into_usr": make("/usr/bin/new"),
    "write_into_the_servers_folder": make("/placet/new"),
    "rename_a_file_of_its_bento": swap,
    "put_a_link_in_the_place_of_its_bento": swap_root,
    "make_its_bento_writable": chmod,
    "link_a_program_of_the_host": hard_link,
}
