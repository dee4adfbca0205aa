"""A Bento that means harm. Standard library only; what it is told of others lies in its Bento.

``/try?NAME`` makes one attempt and answers what became of it: ``done`` or a word that says what it
got, else the name of the error. ``/who`` answers as any replica does.
"""

import errno
import json
import os
import socket
import sys
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import bombs  # noqa: E402
import calls  # noqa: E402
import files  # noqa: E402
import reaching  # noqa: E402

NAME = (HERE / "name.txt").read_text()
ATTEMPTS = {**reaching.ATTEMPTS, **files.ATTEMPTS, **calls.ATTEMPTS, **bombs.ATTEMPTS}


def attempt(name: str, told: dict[str, str]) -> str:
    """Make one attempt; whatever it raises is its answer."""
    try:
        return ATTEMPTS[name](told)
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, type(error).__name__)
    except Exception as error:
        return f"{type(error).__name__}: {error}"


class Handler(BaseHTTPRequestHandler):
    """Answers in JSON."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = False
    wbufsize = -1

    def log_message(self, *args: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Ready always; the rest as the path says."""
        path, _, query = self.path.partition("?")
        if path.endswith("/garbage"):
            return bombs.garbage(self, query)
        name, *more = query.split("&")
        told = dict(urllib.parse.parse_qsl("&".join(more)))
        value = {"name": NAME} if path != "/try" else {"answer": attempt(name, told)}
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Placet-Revision", os.environ["PLACET_REVISION"])
        self.end_headers()
        self.wfile.write(body)
        return None


class Server(ThreadingHTTPServer):
    """Takes what comes on a socket that was handed over."""

    daemon_threads = True

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        """A Unix socket knows no address of who calls."""
        return self.socket.accept()[0], ("caller", 0)

    def handle_error(self, *args: object) -> None:
        """Say nothing of connections that broke."""


if __name__ == "__main__":
    server = Server(("", 0), Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = socket.socket(fileno=int(sys.argv[1].removeprefix("fd:")))
    reaching.OWN.append(server.socket)
    server.serve_forever()
