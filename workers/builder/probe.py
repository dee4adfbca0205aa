"""Runs inside the sandbox: serves a Bento, asks it, and writes down what it answered.

Standard library only. It judges nothing: the worker outside compares.
"""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from typing import Any

PORTS = range(20_000, 30_000)  # below what kernels give to who asks for any port
TIMEOUT = 30.0
MAX_ANSWER = 32 * 1024 * 1024


def free_port() -> int:
    """Return a port that nothing listens on, and that the kernel gives nobody by itself: what
    BentoML starts asks it for ports of its own before the service listens."""
    for port in random.sample(PORTS, 100):
        with socket.socket() as listener, suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port
    raise OSError("no port is free")


def ask(port: int, path: str, body: Any = None, timeout: float = TIMEOUT) -> tuple[int, str]:
    """Return status and body; status 0 when there was no answer."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", data=data, headers={"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:  # noqa: S310
            return answer.status, answer.read(MAX_ANSWER).decode("utf-8", "replace")
    except urllib.error.HTTPError as error:
        return error.code, error.read(MAX_ANSWER).decode("utf-8", "replace")
    except (OSError, HTTPException) as error:
        return 0, type(error).__name__


def wait_ready(server: subprocess.Popen[bytes], port: int, seconds: float) -> bool:
    """Wait until ``/readyz`` answers 200; give up when the server ends or time is over."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and server.poll() is None:
        if ask(port, "/readyz", timeout=2)[0] == 200:
            return True
        time.sleep(0.05)
    return False


def served(words: list[str], port: int, seconds: float, requests: list[Any], **more: Any) -> Any:
    """Start a server, put every question to it and end it; report when it was ready."""
    started = time.monotonic()
    environment = {**os.environ, "PLACET_RELEASE": "smoke-test"}
    server = subprocess.Popen([sys.executable, *words], env=environment, **more)
    try:
        ready = wait_ready(server, port, seconds)
        report = {"ready": ready, "seconds": time.monotonic() - started, "answers": []}
        if ready:
            report["answers"] = [ask(port, path, body) for path, body in requests]
        return report
    finally:
        end(server)


def end(server: "subprocess.Popen[bytes]") -> None:
    """End a server and all that it started: BentoML's worker, which has a session of its own, would
    keep its model in memory beside that of the next server."""
    started = below(server.pid)
    server.kill()  # first: it would start another worker
    for pid in started:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    server.wait()


def below(pid: int) -> list[int]:
    """Return the processes that a process started, and those that they did."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended meanwhile
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
            children.setdefault(int(parent), []).append(int(folder.name))
    found = children.get(pid, [])
    for one in found:
        found += children.get(one, [])
    return found


def slim(inside: str, bento: str, seconds: float, requests: list[Any]) -> Any:
    """Do the same without BentoML, as a node would."""
    with socket.create_server(("127.0.0.1", free_port())) as listener:
        handle, port = listener.fileno(), listener.getsockname()[1]
        words = ["-P", inside, bento, "--slim", str(handle)]
        return served(words, port, seconds, requests, pass_fds=[handle])


def main(questions: Path, answers: Path, bento: str, seconds: float, inside: str = "") -> int:
    """Serve ``bento`` and put every question to it; with ``inside`` once more without BentoML."""
    port, requests = free_port(), json.loads(questions.read_text("utf-8"))
    words = ["-m", "bentoml", "serve", bento, "--host", "127.0.0.1", "--port", str(port)]
    report = served(words, port, seconds, requests)
    if inside and report["ready"]:
        report["slim"] = slim(inside, bento, seconds, requests)
    answers.write_text(json.dumps(report), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(
        main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], float(sys.argv[4]), *sys.argv[5:])
    )
