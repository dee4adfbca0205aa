"""The real web process on the test's database, and HAProxy before it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from placet_agent.haproxy.process import find_binary
from tests.integration.agent.conftest import free_port
from tests.integration.deploy.test_web import ROOT, wait_listening
from tests.support.processes import database_url

# As somebody puts one before it: connections to the server are kept, which is HAProxy's default,
# each for requests of whoever comes ("always"), and less boldly ("safe", the default).
PROXY = """
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend usual
  bind 127.0.0.1:{proxied}
  default_backend web
frontend bold
  bind 127.0.0.1:{shared}
  default_backend shared
backend web
  server web 127.0.0.1:{direct}
backend shared
  http-reuse always
  server web 127.0.0.1:{direct}
"""
WAYS = ["direct", "proxied", "shared"]


@dataclass(frozen=True)
class Web:
    """Where it listens, by the way to it, and its log."""

    ports: dict[str, int]
    log: Path


@contextmanager
def served(folder: Path) -> Iterator[Web]:
    """Gunicorn as it is shipped, one process, and HAProxy before it."""
    ports = {way: free_port() for way in WAYS}
    environment = os.environ | {
        "PYTHONPATH": f"{ROOT / 'platform'}:{ROOT}",
        "PLACET_DATABASE_URL": database_url(),
        "PLACET_PROCESS": "web",
        "PLACET_DATA_DIR": str(folder / "data"),
        "PLACET_LISTEN": f"127.0.0.1:{ports['direct']}",
        "WEB_CONCURRENCY": "1",
        "PLACET_TOKEN_REQUESTS_PER_MINUTE": "0",
        "PYTHONWARNINGS": "ignore",
    }
    path = folder / "web.log"
    (folder / "haproxy.cfg").write_text(PROXY.format(**ports))
    shipped = str(ROOT / "platform/deploy/gunicorn.conf.py")
    with path.open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "-c", shipped],
            env=environment,
            cwd=ROOT,
            text=True,
            stdout=log,
            stderr=log,
        )
        proxy = subprocess.Popen([find_binary(), "-f", str(folder / "haproxy.cfg")])
    try:
        wait_listening(process, ports["direct"])
        for way in WAYS[1:]:
            wait_listening(proxy, ports[way])
        yield Web(ports, path)
    finally:
        for ended in (proxy, process):
            ended.terminate()
            ended.wait(30)
