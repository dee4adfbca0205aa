"""Replicas on Unix sockets, as HAProxy meets them: threads of the test that answer their name."""

import os
import socket
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingUnixStreamServer
from typing import Any

from placet_agent.haproxy import places
from placet_agent.sandbox import PROXY_UID

USER = PROXY_UID if os.geteuid() == 0 else None


def listen(folder: Path, replica: str) -> socket.socket:
    """Return a listening socket where HAProxy looks for the replica, for HAProxy alone."""
    place = places.make_folder(folder / places.SOCKETS / replica, USER)
    handle = os.open(place, os.O_PATH | os.O_DIRECTORY)
    listener = socket.socket(socket.AF_UNIX)
    try:
        path = f"/proc/self/fd/{handle}/{places.SOCKET}"
        listener.bind(path)
        Path(path).chmod(0o600)
        if USER is not None:
            os.chown(path, USER, USER)
    finally:
        os.close(handle)
    listener.listen(128)
    return listener


@dataclass
class SocketReplica:
    """One replica that answers with its name as JSON."""

    folder: Path
    name: str
    seen: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        told = self

        class Handler(BaseHTTPRequestHandler):
            def _answer(self) -> None:
                size = int(self.headers.get("content-length") or 0)
                self.rfile.read(size)
                told.seen.append(f"{self.command} {self.path}")
                body = f'{{"name": "{told.name}"}}'.encode()
                self.send_response(200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = _answer

            def log_message(self, format: str, *args: Any) -> None:
                pass

            def address_string(self) -> str:
                return "socket"

        self._server = ThreadingUnixStreamServer("", Handler, bind_and_activate=False)
        self._server.socket.close()
        self._server.socket = listen(self.folder, self.name)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def stop(self) -> None:
        """Answer no longer."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
