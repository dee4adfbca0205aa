"""Files of comments, scanned as a worker does, with what it is to say."""

from apps.discussions.actions import settle_scan
from apps.discussions.models import CommentFile
from apps.jobs.actions.lease import claim, end
from apps.jobs.handlers import LeasedJob
from apps.jobs.models import Job, JobState


def lease_of(file: CommentFile) -> LeasedJob:
    """Claim the job that scans a file."""
    import workers.tasks  # noqa: F401  (registers the handlers)

    job = claim(job_id=Job.objects.get(kind="discussions.scan", args__file=file.pk).pk)
    assert job is not None
    more = {"generation": job.generation, "attempt": 1, "max_attempts": 3}
    return LeasedJob(id=job.pk, kind=job.kind, args=job.args, project=job.project, **more)


def scanned(file: CommentFile, verdict: str = "safe", found: str = "") -> CommentFile:
    """Settle what the scanner says of a file; return it as it is then."""
    job = lease_of(file)
    settle_scan(file.pk, verdict=verdict, found=found, job=job)
    end(job, JobState.SUCCEEDED)
    file.refresh_from_db()
    return file
