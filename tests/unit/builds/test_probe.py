"""What stands between a served Bento and those who judge its answers."""

import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from placet_agent.process import procs
from workers.builder import probe

RANGE = "/proc/sys/net/ipv4/ip_local_port_range"


def test_the_port_is_one_that_the_kernel_gives_nobody() -> None:
    """What BentoML starts listens on such ports too, and spoke first where the service should."""
    port = probe.free_port()
    with socket.create_server(("127.0.0.1", port)):
        low, high = map(int, Path(RANGE).read_text().split())
        assert not low <= port <= high


def test_a_server_is_ended_with_what_it_started_in_a_session_of_its_own(tmp_path: Path) -> None:
    """As BentoML starts its worker: it would keep the model beside that of the next server."""
    told = tmp_path / "worker"
    starts = (
        "import subprocess, sys, time; "
        f"worker = subprocess.Popen(['sleep', '60'], start_new_session=True); "
        f"open({str(told)!r}, 'w').write(str(worker.pid)); time.sleep(60)"
    )
    server = subprocess.Popen([sys.executable, "-c", starts])
    end = time.monotonic() + 10
    while not (told.exists() and told.read_text()) and time.monotonic() < end:
        time.sleep(0.02)
    worker = procs.find(int(told.read_text()))
    assert worker is not None
    probe.end(server)
    assert procs.wait_gone(worker, 5)


def test_who_answers_in_another_language_has_not_answered() -> None:
    def speak(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(b"\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7f\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        speaker = threading.Thread(target=speak, args=(listener,))
        speaker.start()
        assert probe.ask(listener.getsockname()[1], "/readyz") == (0, "BadStatusLine")
        speaker.join()
