"""Builds: running one in the pipeline, and tidying up after workers that died."""

from dataclasses import asdict
from typing import Any

from apps.builds import actions
from apps.jobs.handlers import LAST, LeasedJob, every, handler
from apps.registry.actions import collect_blobs
from placet.kernel.actor import SYSTEM
from workers import build_job, file_scan


def gave_up(job: LeasedJob, error: str) -> None:
    """End the build of a job that failed for good."""
    actions.fail(str(job.args["build"]), error, job=job)


@handler("builds.run", queue="build", max_attempts=2, on_failed=gave_up)
def run(job: LeasedJob) -> dict[str, Any] | None:
    """Build one version."""
    return build_job.build(str(job.args["build"]), job)


@handler("builds.load_samples", queue="control", max_attempts=5, rank=LAST)
def load_samples(job: LeasedJob) -> dict[str, Any] | None:
    """Register the sample models in the project that was made for them."""
    return {"finalised": actions.load_samples(job=job)}


@every(seconds=60, name="builds.sweep", queue="build")
def sweep(job: LeasedJob) -> dict[str, Any] | None:
    """End builds whose job ended without them, and remove folders that nobody works in."""
    try:
        settled = actions.settle_lost()
    finally:  # what cannot be ended keeps no folder
        removed = build_job.sweep_folders() + file_scan.sweep_folders()
    return {"settled": settled, "removed": removed}


@every(seconds=3600, name="builds.collect", queue="control")
def collect(job: LeasedJob) -> dict[str, Any] | None:
    """Give up Bentos and runtimes that nothing needs, and remove blobs that nothing needs."""
    try:
        given_up = actions.collect_bentos(actor=SYSTEM)
    finally:  # what cannot be given up keeps no blob that nothing needs
        removed = collect_blobs(actor=SYSTEM)
    return asdict(given_up) | asdict(removed)


@every(seconds=3600, name="builds.collect_runtimes", queue="build")
def collect_runtimes(job: LeasedJob) -> dict[str, Any] | None:
    """Remove runtimes that no build on this worker used for long."""
    return {"removed": build_job.collect_runtimes()}
