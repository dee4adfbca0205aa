"""A small internet of the test's own, a host in it, and on it a replica with a relay or a link.

Each part is a process that runs this file: ``world`` makes the networks, ``server`` answers in
one of them, ``agent`` starts the replica and what stands beside it, ``inside`` is the replica,
which does what it reads from its standard input, a line each.
"""

import hashlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PYTHON = str(Path(sys.executable).resolve())
HOST, INTERNET = "5.5.5.1", "5.5.5.2"
HOST6, INTERNET6 = "2a00:5::1", "2a00:5::2"
PRIVATE, METADATA, NAT64 = "10.9.0.2", "169.254.169.254", "64:ff9b::505:502"
REPORTS, ECHOES = 443, 8443
SOURCE = Path(__file__).read_text() if "__file__" in globals() else sys.orig_argv[3]


def python(part: str, *arguments: str) -> list[str]:
    """Return the command of a part; by its text, for who may not read this file."""
    return [PYTHON, "-I", "-c", SOURCE, part, *arguments]


# --- servers -------------------------------------------------------------------------------------


def report(connection: socket.socket) -> None:
    """Read all there is, then say who was reached and what arrived."""
    digest, size = hashlib.sha256(), 0
    while data := connection.recv(65536):
        digest.update(data)
        size += len(data)
    where = connection.getsockname()[0].removeprefix("::ffff:")
    connection.sendall(f"{where} {size} {digest.hexdigest()}".encode())


def echo(connection: socket.socket) -> None:
    """Send back whatever comes, slowly enough that somebody must wait."""
    while data := connection.recv(65536):
        connection.sendall(data)


def answer(port: int, how: Callable[[socket.socket], None], host: str = "::") -> None:
    """Serve for ever in threads."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server(
        (host, port), family=family, backlog=512, dualstack_ipv6=host == "::"
    )

    def one(connection: socket.socket) -> None:
        with connection:
            try:
                how(connection)
            except OSError:
                return

    def loop() -> None:
        while True:
            threading.Thread(target=one, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=loop, daemon=True).start()


def server(*ports: str) -> None:
    """Answer on both ports of a network, or report on others, until standard input ends."""
    for port in ports:
        answer(int(port), report, "127.0.0.1")
    if not ports:
        answer(REPORTS, report)
        answer(ECHOES, echo)
    print("up", flush=True)
    sys.stdin.read()


# --- the world -----------------------------------------------------------------------------------


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


def world(hosts: str, uid: str, spec: str) -> None:
    """Make host and internet, then run the agent as ``uid``; ends with its standard input."""
    ip("link", "set", "lo", "up")
    ip("link", "add", "v0", "type", "veth", "peer", "name", "v1")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    far = subprocess.Popen(["unshare", "-n", *python("server")], **pipes)  # type: ignore[call-overload]
    until(lambda: apart(far.pid), "the internet has a network of its own")
    ip("link", "set", "v1", "netns", str(far.pid))
    there = ("nsenter", "-t", str(far.pid), "-n", "ip")
    for address in (f"{INTERNET}/24", f"{PRIVATE}/24", f"{METADATA}/32"):
        subprocess.run([*there, "address", "add", address, "dev", "v1"], check=True)
    for address in (f"{INTERNET6}/64", f"{NAT64}/96"):
        words = ["-6", "address", "add", address, "dev", "v1", "nodad"]
        subprocess.run([*there, *words], check=True)
    subprocess.run([*there, "link", "set", "v1", "up"], check=True)
    ip("address", "add", f"{HOST}/24", "dev", "v0")
    ip("address", "add", "10.9.0.1/24", "dev", "v0")
    ip("-6", "address", "add", f"{HOST6}/64", "dev", "v0", "nodad")
    ip("link", "set", "v0", "up")
    ip("route", "add", f"{METADATA}/32", "dev", "v0")
    ip("-6", "route", "add", "64:ff9b::/96", "dev", "v0")
    near = subprocess.Popen(python("server"), **pipes)  # type: ignore[call-overload]
    for one in (near, far):
        assert one.stdout.readline() == b"up\n"
    # the kernel begins IPv6 on a link when it has seen both ends up, which it does by and by
    until(lambda: answers(INTERNET6), "the internet is there by IPv6")
    beside = [near, far]
    if (neighbour := json.loads(spec).get("neighbour")) is not None:
        words = python("server", str(json.loads(spec)["port"]))
        ids = {"user": neighbour, "group": neighbour, "extra_groups": []}
        beside.append(subprocess.Popen(words, **pipes, **ids))  # type: ignore[call-overload]
        assert beside[-1].stdout.readline() == b"up\n"
    subprocess.run(["mount", "--bind", hosts, "/etc/hosts"], check=True)
    groups = [4, 6] if uid == "0" else []  # root is usually in some that nobody else is in
    become = {"user": int(uid), "group": int(uid), "extra_groups": groups}
    done = subprocess.run(python("agent", spec), check=False, **become)  # type: ignore[call-overload]
    for one in beside:
        one.kill()
        one.wait()
    sys.exit(done.returncode)


def apart(pid: int) -> bool:
    """Whether a process has a network of its own."""
    mine = Path("/proc/self/ns/net").readlink()
    return Path(f"/proc/{pid}/ns/net").readlink() != mine


def answers(host: str) -> bool:
    """Whether a server can be reached."""
    try:
        socket.create_connection((host, REPORTS), timeout=1).close()
    except OSError:
        return False
    return True


def until(condition: Callable[[], bool], what: str, seconds: float = 20) -> None:
    """Wait for a condition that has a name."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.01)


# --- the agent and its replica -------------------------------------------------------------------


def agent(text: str) -> None:
    """Start a replica and what stands beside it, say which processes they are, wait for its end."""
    spec = json.loads(text)
    sys.path.insert(0, spec["platform"])
    from placet_agent import link, loopback, relay
    from placet_agent.process import holding, procs
    from placet_verify.permit.serving import Destination

    folder, root = Path(spec["folder"]), os.geteuid() == 0
    wanted = [Destination.read(one) for one in spec.get("egress", [])]
    (folder / "hosts").write_text(loopback.hosts_file(wanted))
    (folder / "hosts").chmod(0o644)
    reader, writer = os.pipe()
    words = [
        "/usr/bin/bwrap",
        "--unshare-pid",
        "--unshare-ipc",
        "--ro-bind",
        "/",
        "/",
        "--proc",
        "/proc",
        "--dev",
        "/dev",
        "--ro-bind",
        str(folder / "hosts"),
        "/etc/hosts",
        "--info-fd",
        str(writer),
        "--cap-drop",
        "ALL",
    ]
    words += [] if spec.get("shared") else ["--unshare-net"]
    words += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"] if root else ["--unshare-user"]
    if root:
        uid = str(spec["uid"])
        words += ["/usr/bin/setpriv", "--reuid", uid, "--regid", uid, "--clear-groups"]
        words += ["--inh-caps=-all", "--no-new-privs"]
    replica = subprocess.Popen([*words, *python("inside")], pass_fds=[writer])
    os.close(writer)
    with os.fdopen(reader) as answers:
        ref = procs.find(json.loads(answers.read())["child-pid"])
    assert ref is not None
    found: dict[str, Any] = {"replica": [ref.pid, ref.start]}
    common: dict[str, Any] = {"log": folder / "log", "marker": ("PLACET_REPLICA", spec["name"])}
    began = time.monotonic()
    try:
        if wanted:
            beside = relay.start(
                ref,
                wanted,
                counts=folder / "egress" / "counts.json",
                uid=60602 if root else None,
                **common,
            )
            found["relay"] = [beside.pid, beside.start]
        if "port" in spec:
            path, handle = holding.listen(folder / "rep", 60600 if root else None)
            owner = (spec["uid"] if root else os.geteuid()) if spec.get("shared") else None
            beside = link.start(
                ref,
                handle,
                spec["port"],
                counts=folder / "link" / "counts.json",
                uid=60603 if root else None,
                shared=owner,
                **common,
            )
            found |= {"link": [beside.pid, beside.start], "path": str(path)}
    except Exception as error:
        found["error"] = str(error)
    found["seconds"] = time.monotonic() - began
    print(json.dumps(found), flush=True)
    replica.wait()


def inside() -> None:
    """Do what each line asks; say how it went."""
    kept: list[socket.socket] = []
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            said = DO[asked.pop("do")](kept, **asked)
        except OSError as error:
            said = type(error).__name__
        print(json.dumps(said), flush=True)


def ask(kept: list[socket.socket], host: str, port: int, send: int = 0) -> str:
    """Send some bytes, close that direction, and return all that is answered."""
    with socket.create_connection((host, port), timeout=30) as connection:
        connection.sendall(b"x" * send)
        connection.shutdown(socket.SHUT_WR)
        found = b""
        while data := connection.recv(65536):
            found += data
        return found.decode()


def stay(kept: list[socket.socket], host: str, port: int, count: int) -> list[str]:
    """Open connections that stay; return what each answers to a word."""
    found = []
    for _ in range(count):
        try:  # a reset may come as early as that
            kept.append(connection := socket.create_connection((host, port), timeout=30))
            connection.sendall(b"word")
            found.append(connection.recv(4).decode() or "closed")
        except OSError as error:
            found.append(type(error).__name__)
    return found


def let_go(kept: list[socket.socket]) -> int:
    """Close what stayed."""
    for connection in kept:
        connection.close()
    gone = len(kept)
    kept.clear()
    return gone


def stall(kept: list[socket.socket], host: str, port: int, size: int) -> list[int]:
    """Send without reading until nothing more is taken; then read all back."""
    connection = socket.create_connection((host, port), timeout=1)
    sent = 0
    try:
        while sent < size:
            sent += connection.send(b"y" * min(65536, size - sent))
    except TimeoutError:
        pass
    connection.settimeout(30)
    connection.shutdown(socket.SHUT_WR)
    read = 0
    while data := connection.recv(65536):
        read += len(data)
    connection.close()
    return [sent, read]


def serve(kept: list[socket.socket], port: int) -> str:
    """Report and echo on a port of one's own, as a Bento of several services would serve."""
    answer(port, echo, "127.0.0.1")
    return "serving"


DO: dict[str, Callable[..., object]] = {
    "ask": ask,
    "stay": stay,
    "let_go": let_go,
    "stall": stall,
    "serve": serve,
}

if __name__ == "__main__":
    {"world": world, "server": server, "agent": agent, "inside": inside}[sys.argv[1]](*sys.argv[2:])
