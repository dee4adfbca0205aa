"""What shares a node does not meet: not on a port, not by an address, not by an abstract name.

``proofs/faults.py`` runs this in a network of its own, where this host has the address OUTSIDE.
"""

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import httpx

from tests.integration.agent.conftest import NodeUnderTest, free_port
from tests.integration.agent.control import Platform
from tests.integration.agent.run_agent import OPTIONS

OUTSIDE = "198.51.100.7"
STRANGER = """
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"a stranger")

HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
REACH = """
import socket
caller = socket.socket({family})
caller.settimeout(5)
print("refused" if caller.connect_ex({place!r}) else "reached", flush=True)
"""
BIND = """
import socket
listener = socket.create_server(("127.0.0.1", {port}))
print("bound", flush=True)
"""


@contextmanager
def stranger(port: int) -> Iterator[None]:
    """Have another user of the host, who may nothing, answer 200 on a port of the loopback."""
    drop = ["/usr/bin/setpriv", "--reuid=60998", "--regid=60998", "--clear-groups", "--"]
    words = [*drop, str(Path(sys.executable).resolve()), "-I", "-c", STRANGER, str(port)]
    with subprocess.Popen(words, stderr=subprocess.DEVNULL) as process:
        yield
        process.kill()


def test_nobody_answers_on_the_port_of_a_replica_that_starts(
    platform: Platform, joined: NodeUnderTest
) -> None:
    def late(port: int) -> list[str]:
        listen = f"exec /runtime/bin/python -I /bento/server.py {port}"
        return ["/bin/sh", "-c", f"sleep 5; {listen}"]

    joined.start(replace(OPTIONS, program=late))
    platform.serve(platform.revision(1, platform.build("one"), weight=10_000))
    platform.wait(lambda: joined.agent.replicas.all)
    (replica,) = joined.agent.replicas.all.values()
    with stranger(replica.record.port):
        platform.wait(lambda: replica.record.ready or not replica.alive)
        answer = httpx.get(f"http://127.0.0.1:{replica.record.port}/who").text
    assert not replica.record.ready, f"it is called ready while {answer} answers for it"


def test_a_replica_reaches_no_listener_on_the_hosts_loopback(inside: Callable[[str], str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        place = listener.getsockname()
        assert inside(REACH.format(family="socket.AF_INET", place=place)) == "refused"


def test_a_replica_reaches_no_abstract_socket_of_the_host(inside: Callable[[str], str]) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        place = f"\0placet-{uuid4().hex}"
        listener.bind(place)
        listener.listen()
        assert inside(REACH.format(family="socket.AF_UNIX", place=place)) == "refused"


def test_a_replica_reaches_no_address_that_nobody_approved(inside: Callable[[str], str]) -> None:
    with socket.create_server((OUTSIDE, 0)) as listener:
        place = listener.getsockname()
        assert inside(REACH.format(family="socket.AF_INET", place=place)) == "refused"


def test_a_replica_takes_no_port_of_the_host(inside: Callable[[str], str]) -> None:
    port = free_port()
    said = inside(BIND.format(port=port))
    with socket.socket() as caller:
        reached = caller.connect_ex(("127.0.0.1", port)) == 0
    assert not reached, f"a replica {said} a port of the host, and is reached there"
