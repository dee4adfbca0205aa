"""What befalls a running platform from outside: ``kill -9`` of any process, a lost broker."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from redis import Redis

from placet.embedded.postgres import Cluster
from placet.kernel.ids import new_id
from tests.support.installation import Running


def children(placet: Running) -> Iterator[tuple[int, str]]:
    """Yield pid and command line of what the supervisor started."""
    assert placet.process is not None
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == placet.process.pid:
            yield int(entry.name), line


def child(word: str) -> Callable[[Running], None]:
    """Return what kills the child whose command holds ``word``."""

    def kill(placet: Running) -> None:
        for pid, line in children(placet):
            if word in line:
                os.kill(pid, signal.SIGKILL)

    return kill


def haproxy(placet: Running) -> None:
    """Kill the node's HAProxy."""
    found = json.loads((placet.data / "node" / "haproxy" / "process.json").read_text())
    os.kill(found["pid"], signal.SIGKILL)


def replica(placet: Running) -> None:
    """Kill a replica of a model."""
    for path in sorted((placet.data / "node" / "replicas").glob("*.json"))[-1:]:
        if pair := json.loads(path.read_text()).get("inner"):
            os.kill(pair[0], signal.SIGKILL)


def postgres(placet: Running) -> None:
    """Kill PostgreSQL's first process; its others end by themselves."""
    if pid := Cluster.at(placet.data).pid():
        os.kill(pid, signal.SIGKILL)


def broker(placet: Running) -> Redis:
    """Return a client of its Valkey."""
    return Redis(unix_socket_path=urlsplit(placet.known["broker_url"]).path)


def flush(placet: Running) -> None:
    """Make the broker forget everything."""
    with broker(placet) as client:
        client.flushall()


def forge(placet: Running) -> None:
    """Ring for a job that there is not, for one that ran already, and with what is no message."""
    from celery import Celery

    done = placet.sql("SELECT id FROM jobs_job WHERE state = 'succeeded' LIMIT 1")
    with Celery("forged", broker=placet.known["broker_url"], set_as_current=False) as app:
        for job in (new_id("job"), *(row["id"] for row in done), "'; DROP TABLE jobs_job", None):
            app.send_task("jobs.look", args=[job], queue="control")
        app.send_task("os.system", args=["true"], queue="control")
    with broker(placet) as client:
        client.lpush("control", b"\xff not a message")


STRIKES: dict[str, Callable[[Running], None]] = {
    "kill web": child("gunicorn"),
    "kill worker": child("-n worker@placet"),
    "kill worker-build": child("-n worker-build@placet"),
    "kill agent": child("placet_agent run"),
    "kill Valkey": child("valkey-server"),
    "kill HAProxy": haproxy,
    "kill PostgreSQL": postgres,
    "kill replica": replica,
    "FLUSHALL": flush,
    "forged messages": forge,
}

# The child of the supervisor that a strike ends. PostgreSQL is none that dies for good.
OF_CHILD = {
    "kill web": "web",
    "kill worker": "worker",
    "kill worker-build": "worker-build",
    "kill agent": "node",
    "kill Valkey": "broker",
}


def strike(placet: Running, name: str) -> None:
    """Do it; a process that is not there at this moment cannot be killed."""
    try:
        STRIKES[name](placet)
    except (FileNotFoundError, ProcessLookupError, ConnectionError):
        return
