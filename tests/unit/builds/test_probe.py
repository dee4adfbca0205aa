"""What stands between a served Bento and those who judge its answers."""

import socket
import threading
from pathlib import Path

from workers.builder import probe

RANGE = "/proc/sys/net/ipv4/ip_local_port_range"


def test_the_port_is_one_that_the_kernel_gives_nobody() -> None:
    """What BentoML starts listens on such ports too, and spoke first where the service should."""
    port = probe.free_port()
    with socket.create_server(("127.0.0.1", port)):
        low, high = map(int, Path(RANGE).read_text().split())
        assert not low <= port <= high


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
