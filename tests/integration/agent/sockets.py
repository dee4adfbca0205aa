"""Replicas on Unix sockets, as HAProxy meets them: threads of the test that answer their name."""

import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingUnixStreamServer
from typing import Any

import httpx

from placet_agent.haproxy import sockets
from placet_agent.haproxy.config import Settings
from placet_agent.haproxy.process import find_binary
from placet_agent.haproxy.proxy import Proxy
from placet_agent.haproxy.table import EndpointRoute
from placet_agent.process.sandbox import PROXY_UID
from tests.integration.agent.conftest import PATH, free_port

USER = PROXY_UID if os.geteuid() == 0 else None


def listen(folder: Path, replica: str) -> socket.socket:
    """Return a listening socket where HAProxy looks for the replica, for HAProxy alone."""
    place = sockets.make_folder(folder / sockets.SOCKETS / replica, USER)
    handle = os.open(place, os.O_PATH | os.O_DIRECTORY)
    listener = socket.socket(socket.AF_UNIX)
    try:
        path = f"/proc/self/fd/{handle}/{sockets.SOCKET}"
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
    cookies: list[list[str] | None] = field(default_factory=list)  # of each request
    headers: tuple[tuple[str, str], ...] = ()  # of each answer
    answering: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        told = self
        self.answering.set()

        class Handler(BaseHTTPRequestHandler):
            def _answer(self) -> None:
                size = int(self.headers.get("content-length") or 0)
                self.rfile.read(size)
                told.seen.append(f"{self.command} {self.path}")
                told.cookies.append(self.headers.get_all("cookie"))
                told.answering.wait()
                body = f'{{"name": "{told.name}"}}'.encode()
                self.send_response(200)
                for name, value in (("content-length", str(len(body))), *told.headers):
                    self.send_header(name, value)
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
        self.answering.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class Gateway:
    """HAProxy with one endpoint, and the replicas that the test stands behind it."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder, self.stack, self.port = folder, stack, free_port()
        self.proxy = self.again()

    def again(self) -> Proxy:
        """Return the HAProxy of the folder, as a restarted agent sees it."""
        settings = Settings(port=self.port, bind="127.0.0.1", uid=USER, server_timeout_seconds=20)
        self.proxy = proxy = Proxy(self.folder, settings, find_binary())
        self.stack.callback(proxy.process.stop)
        return proxy

    @property
    def entry(self) -> EndpointRoute:
        return self.proxy.table.ensure_endpoint("end_1", PATH)

    def neighbour(self, name: str) -> EndpointRoute:
        """Return another endpoint behind the same HAProxy."""
        return self.proxy.table.ensure_endpoint(f"end_{name}", f"/neighbour/production/{name}")

    def place(self, revision: str, replica: str, entry: EndpointRoute | None = None) -> None:
        """Lead requests for the revision to the replica too."""
        address = sockets.socket_of(replica)
        place = entry or self.entry
        self.proxy.table.ensure_server(place, revision, replica, address).drained = False

    def leave(self, replica: str) -> None:
        """Lead no new requests to a replica."""
        for servers in self.entry.servers.values():
            for server in servers.values():
                server.drained |= server.replica == replica

    def replica(
        self,
        revision: str,
        name: str,
        entry: EndpointRoute | None = None,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> SocketReplica:
        """Start a replica and place it."""
        made = SocketReplica(self.folder, name, headers=headers)
        self.stack.callback(made.stop)
        self.place(revision, name, entry)
        return made

    def serve(self, stable: str = "rev_1") -> None:
        self.entry.stable = stable
        self.proxy.ensure_running()
        self.proxy.apply()

    def url(self, path: str = "/who") -> str:
        return f"http://127.0.0.1:{self.port}{PATH}{path}"

    def answers(self) -> int:
        """Return the status of an answer; 0 while nothing listens."""
        try:
            return httpx.get(self.url(), timeout=30).status_code
        except httpx.TransportError:
            return 0

    def who(self) -> str:
        response = httpx.get(self.url(), timeout=30)
        return str(response.json()["name"]) if response.status_code == 200 else response.text


def wait(what: Callable[[], object], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)
