"""Looking at what was uploaded or left by a sandboxed program: links to anywhere, bytes of anyone.

What has to be parsed is parsed in a sandbox (:func:`told_by`); outside it only plain files of
bounded size are read.
"""

import json
import os
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from placet_agent.downloads.leftovers import remove
from placet_verify import canonical
from workers.builder.errors import BuildCancelled
from workers.builder.sandbox import Limits, Sandbox, never
from workers.builder.trees import FOLDER

ROOT = Path(__file__).resolve().parents[2]
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
SPENT = ("timeout", "memory", "disk")
MAX_TOLD = 16 * 1024 * 1024
MAX_WEIGHT = 512 * 1024 * 1024  # of memory, for what is read as JSON


class Spent(ValueError):
    """A sandboxed program took all the time or memory that it had."""


def read_plain(path: Path, limit: int) -> bytes:
    """Read a file that a sandboxed program left: no link, no device, not too large.

    Raises ``OSError`` for anything else. The folder is ours, or no program is there any more.
    """
    return _read(os.open(path, _FILE), path.name, limit)


def read_below(top: Path, name: PurePosixPath, limit: int) -> bytes:
    """Read such a file below ``top``, which is ours, with no link on the way: who writes there may
    do so still. Raises ``OSError`` as :func:`read_plain` does."""
    folder = os.open(top, FOLDER)
    try:
        for part in name.parts[:-1]:
            above, folder = folder, os.open(part, FOLDER, dir_fd=folder)
            os.close(above)
        return _read(os.open(name.name, _FILE, dir_fd=folder), name.name, limit)
    finally:
        os.close(folder)


def _read(handle: int, name: str, limit: int) -> bytes:
    with os.fdopen(handle, "rb") as stream:
        status = os.fstat(stream.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_size > limit:
            raise OSError(f"{name} is no plain file or is too large")
        return stream.read(limit)


def read_json(path: Path, limit: int) -> Any:
    """Read JSON that a sandboxed program left; ``[],`` over and over takes 20 times its length.

    Raises ``OSError``, or ``ValueError`` for what is none or would fill the worker's memory.
    """
    raw = read_plain(path, limit)
    if canonical.weight(raw) > MAX_WEIGHT:
        raise ValueError(f"{path.name} has more in it than is read")
    try:
        return json.loads(raw)
    except RecursionError:
        raise ValueError(f"{path.name} is nested too deeply") from None


def told_by(
    module: str,
    subject: Path,
    sandbox: Sandbox,
    limits: Limits,
    *words: str,
    name: str,
    early: bool = False,
    cancelled: Callable[[], bool] = never,
) -> str:
    """Have ``python -m module SUBJECT ANSWER WORDS`` of ours read ``subject`` in a sandbox; return
    its answer; with ``early`` also one that it gave before it was ended. ``name`` is what people
    call it. What it puts aside lies on the disk: a sandbox's own /tmp is memory.

    Raises ``OSError`` or ``ValueError`` with a sentence when there is no whole answer.
    """
    with folder_for_answer() as folder:
        answer = folder / "answer.json"
        result = sandbox.run(
            [sys.executable, "-m", module, str(subject), str(answer), *words],
            binds_ro=[
                Path(sys.prefix),
                ROOT / "workers",
                *(ROOT / "platform" / one for one in ("placet/kernel", "placet_verify")),
                subject,
            ],
            binds_rw=[folder],
            env={
                "PYTHONPATH": f"{ROOT / 'platform'}:{ROOT}",
                "PYTHONDONTWRITEBYTECODE": "1",
                "TMPDIR": str(folder),
            },
            limits=replace(limits, files=100),
            cancelled=cancelled,
        )
        if result.reason == "cancelled":
            raise BuildCancelled
        if not result.ok and not (early and answer.exists()):
            raise (Spent if result.reason in SPENT else ValueError)(result.sentence(name))
        return read_plain(answer, MAX_TOLD).decode()


@contextmanager
def folder_for_answer() -> Iterator[Path]:
    """Lend a folder that a sandboxed program may write in."""
    folder = Path(tempfile.mkdtemp(prefix="placet-told-"))
    try:
        yield folder
    finally:
        remove(folder)
