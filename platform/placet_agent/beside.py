"""What a relay and a link have in common: each stands beside one replica, and ends with it."""

import argparse
import asyncio
import os
import resource
import signal
import socket
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from placet_agent.process.namespaces import NotEntered
from placet_agent.process.procs import ProcessRef
from placet_agent.reports.counting import CountFile

WRITE_EVERY = 1.0
LINGER = 1.0  # seconds for what a replica that has ended still had under way


def parser(name: str) -> argparse.ArgumentParser:
    """Return the parser of what ``words`` and ``launching`` say."""
    argument_parser = argparse.ArgumentParser(prog=name)
    argument_parser.add_argument("--pid", type=int, required=True)
    argument_parser.add_argument("--start", type=int, required=True)
    argument_parser.add_argument("--counts", type=Path, required=True)
    argument_parser.add_argument("--uid", type=int)
    argument_parser.add_argument("--ready", type=int)
    return argument_parser


def words(replica: ProcessRef, counts: Path, uid: int | None) -> list[str]:
    """Return the arguments that say beside whom to stand, where to count, and whom to become."""
    arguments = ["--pid", str(replica.pid), "--start", str(replica.start), "--counts", str(counts)]
    return arguments if uid is None else [*arguments, "--uid", str(uid)]


async def until_end(handle: int, counts: CountFile) -> None:
    """Write counts now and then, until the process behind a pidfd ends or SIGTERM comes."""
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    loop.add_reader(handle, over.set)
    loop.add_signal_handler(signal.SIGTERM, over.set)
    while not over.is_set():
        counts.write()
        with suppress(TimeoutError):
            await asyncio.wait_for(over.wait(), WRITE_EVERY)
    loop.remove_reader(handle)


def watch(ref: ProcessRef) -> int:
    """Return a pidfd of this very process. Raises ``NotEntered`` if it has ended."""
    try:
        handle = os.pidfd_open(ref.pid)
    except OSError as error:
        raise NotEntered(f"process {ref.pid} has ended: {error}") from error
    if not ref.alive:  # asked with the handle open: it is not a later process's
        raise NotEntered(f"process {ref.pid} has ended")
    return handle


def say(handle: int | None, text: str) -> None:
    """Tell who started this process how it stands."""
    if handle is not None:
        os.write(handle, text.encode()[:4000])
        os.close(handle)


def restrain(handles: int) -> None:
    """Limit descriptors to ``handles``, where so many are allowed, and leave no core behind."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    most = handles if hard == resource.RLIM_INFINITY else min(hard, handles)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def preload() -> None:
    """Import what is imported at first use: our files may be closed to whom we become."""
    "name".encode("idna")
    with ThreadPoolExecutor(1) as pool:
        pool.submit(socket.getaddrinfo, "127.0.0.1", 1).result()


async def finish(running: Collection[asyncio.Task[Any]]) -> None:
    """Give what is under way a moment, then break it off."""
    if running:
        await asyncio.wait(set(running), timeout=LINGER)
    left = set(running)
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
