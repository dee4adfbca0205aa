"""Between a job and the scanner: one file that came with a comment."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from apps.discussions import actions
from apps.discussions.opening import may_run
from apps.discussions.queries import waiting_file
from apps.jobs.handlers import Cancelled, LeasedJob, Retry
from apps.jobs.models import Job, JobState
from placet_agent.downloads.leftovers import remove
from workers.build_job import sandbox, workplaces
from workers.builder import scanner
from workers.builder.errors import BuildCancelled
from workers.builder.process_users import give, is_own
from workers.builder.spec import Scan

MEMORY_MB, SECONDS, UNPACKED = 1024, 60.0, 200_000_000
MILD = ("safe", "unknown")  # verdicts that are raised where opening a file may run something
UNFINISHED = "The scan did not finish"  # at the job: more might name the file, and outlive it


def scan(file: str, job: LeasedJob) -> dict[str, Any] | None:
    """Scan a file in the sandbox of builds and write down what was found. One that is settled, or
    that nobody can read any more, is left alone."""
    waiting = waiting_file(file)
    if waiting is None:
        return {"verdict": "none"}
    try:
        with folder_of(*waiting, job=job) as folder:
            found = _scanned(folder, job)
    except BuildCancelled:
        raise Cancelled("The scan was cancelled") from None
    except OSError:
        raise Retry(UNFINISHED) from None
    if not found.finished and not found.spent and not job.last_attempt:
        raise Retry(UNFINISHED)
    verdict, words = found.verdict if found.finished else "unscanned", words_of(found)
    if verdict in MILD and (why := may_run(*waiting)):
        verdict, words = "code-carrying", "; ".join(filter(None, (why, words)))
    actions.settle_scan(file, verdict=verdict, found=words, job=job)
    return {"verdict": verdict}


def _scanned(folder: Path, job: LeasedJob) -> Scan:
    return scanner.scan(
        folder,
        sandbox(),
        memory_mb=MEMORY_MB,
        seconds=SECONDS,
        unpacked=UNPACKED,
        cancelled=job.cancelled,
    )


def words_of(found: Scan) -> str:
    """Return the gravest things that were found, in a line."""
    told = [f"{one.path}: {one.what}" if one.path else one.what for one in found.findings[:3]]
    return "; ".join(told)[:600]


@contextmanager
def folder_of(name: str, content: bytes, *, job: LeasedJob) -> Iterator[Path]:
    """Lend a folder with one file, which nobody reads but the worker and what it runs."""
    folder = workplaces() / f"{job.id}-{job.generation}"
    for earlier in workplaces().glob(f"{job.id}-*"):
        remove(earlier)
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        folder.mkdir(mode=0o700)
        path = folder / name
        path.touch(mode=0o600)
        path.write_bytes(content)
        if is_own(sandbox().isolation):
            give(folder, 2)
        yield folder
    finally:
        remove(folder)


def sweep_folders() -> int:
    """Remove the folders of scans that do not run any more: their worker died."""
    removed = 0
    for folder in workplaces().glob("job_*-*"):
        job, _, generation = folder.name.rpartition("-")
        running = Job.objects.filter(pk=job, state=JobState.RUNNING)
        if generation not in map(str, running.values_list("generation", flat=True)):
            removed += remove(folder)
    return removed
