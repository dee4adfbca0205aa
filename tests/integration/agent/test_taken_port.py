"""No replica answers in place of another that is starting.

At 5a35692 the newcomer was called ready while it slept, and its requests were answered by
``attacker``: ``proofs/faults.py`` shows it there.
"""

import tempfile
from pathlib import Path

import pytest

from placet_agent.process import replica
from placet_verify.archive import pack
from tests.integration.agent.conftest import NodeUnderTest
from tests.integration.agent.control import LOCK, Platform
from tests.integration.agent.test_lifecycle import records

PORTS = range(21000, 21100)
SERVER = """
import json, os, socket, sys, threading, time
from http.server import BaseHTTPRequestHandler, HTTPServer

NAME = "%s"

class Handler(BaseHTTPRequestHandler):
    def log_message(self, *args): pass
    def do_GET(self):
        if self.path.endswith("/attack"):
            for port in range(%d, %d):
                try:
                    taken = HTTPServer(("127.0.0.1", port), Handler)
                except OSError:
                    continue
                threading.Thread(target=taken.serve_forever, daemon=True).start()
        body = json.dumps({"name": NAME}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

time.sleep(%d)
kind, _, number = sys.argv[1].rpartition(":")
server = HTTPServer(("127.0.0.1", 0 if kind == "fd" else int(number)), Handler)
if kind == "fd":
    server.socket.close()
    server.socket = socket.socket(fileno=int(number))
    server.get_request = lambda: (server.socket.accept()[0], ("caller", 0))
server.serve_forever()
"""


def build(platform: Platform, name: str, sleeps: int = 0) -> str:
    """Store a Bento whose program listens after so many seconds; return its digest."""
    with tempfile.TemporaryDirectory() as folder:
        bento = Path(folder, "bento")
        (bento / "env/python").mkdir(parents=True)
        (bento / "env/python/requirements.txt").write_text(LOCK)
        (bento / "server.py").write_text(SERVER % (name, PORTS.start, PORTS.stop, sleeps))
        digest = pack(bento, Path(folder, "bento.tar"))
        platform.blobs[digest.removeprefix("sha256:")] = Path(folder, "bento.tar").read_bytes()
    return digest


def test_nobody_answers_in_place_of_a_replica_that_is_starting(
    platform: Platform, node: NodeUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replica, "PORTS", PORTS)  # so that taking all of them takes no time
    attacker = platform.revision(1, build(platform, "attacker"), weight=10_000)
    newcomer = platform.revision(2, build(platform, "newcomer", sleeps=6))
    platform.serve(attacker)
    platform.wait_phase("rev_1", "serving")
    platform.serve(attacker, newcomer)
    platform.wait(lambda: [r for r in records(node) if r["revision"] == "rev_2" and r["inner"]])

    node.get("/attack")
    platform.wait_phase("rev_2", "ready")
    platform.serve({**attacker, "weight": 0}, {**newcomer, "weight": 10_000})
    platform.wait(lambda: platform.seen("rev_2")["weight"] == 10_000)

    assert {node.who() for _ in range(5)} == {"newcomer"}
