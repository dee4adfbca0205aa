"""Between a job and the scanner: one file that came with a comment."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from apps.discussions import actions
from apps.discussions.queries import waiting_file
from apps.jobs.handlers import Cancelled, LeasedJob, Retry
from placet_agent.downloads.leftovers import remove
from workers.build_job import sandbox
from workers.builder import scanner
from workers.builder.errors import BuildCancelled
from workers.builder.spec import Scan

MEMORY_MB, SECONDS = 1024, 60.0


def scan(file: str, job: LeasedJob) -> dict[str, Any] | None:
    """Scan a file in the sandbox of builds and write down what was found. One that is settled, or
    that nobody can read any more, is left alone."""
    waiting = waiting_file(file)
    if waiting is None:
        return {"verdict": "none"}
    with folder_of(*waiting) as folder:
        try:
            limits: dict[str, Any] = {"memory_mb": MEMORY_MB, "seconds": SECONDS}
            found = scanner.scan(folder, sandbox(), **limits, cancelled=job.cancelled)
        except BuildCancelled:
            raise Cancelled("The scan was cancelled") from None
    if not found.finished and not job.last_attempt:
        raise Retry(words_of(found))
    verdict = found.verdict if found.finished else "unscanned"
    actions.settle_scan(file, verdict=verdict, found=words_of(found), job=job)
    return {"verdict": verdict}


def words_of(found: Scan) -> str:
    """Return the gravest things that were found, in a line."""
    told = [f"{one.path}: {one.what}" if one.path else one.what for one in found.findings[:3]]
    return "; ".join(told)[:600]


@contextmanager
def folder_of(name: str, content: bytes) -> Iterator[Path]:
    """Lend a folder with one file, which whoever runs in the sandbox may read."""
    folder = Path(tempfile.mkdtemp(prefix="placet-file-"))
    try:
        folder.chmod(0o755)
        path = folder / name
        path.write_bytes(content)
        path.chmod(0o644)
        yield folder
    finally:
        remove(folder)
