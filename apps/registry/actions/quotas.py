"""How many bytes a project may keep, counted under its row's lock: two cannot share room."""

from collections.abc import Mapping
from datetime import timedelta
from math import ceil

from apps.identity.models import Project
from apps.registry.errors import QuotaExceeded
from apps.registry.models import StoredContent
from apps.registry.usage import bytes_kept, bytes_removed, collected_within
from placet.kernel.clock import database_now


def lock_project(project_id: str) -> Project:
    """Hold the project's row until the end of the transaction: before its versions, as whoever
    has one built does."""
    return Project.objects.select_for_update(no_key=True).get(pk=project_id)


def refuse_over_quota(project: Project, wanted: int = 0) -> None:
    """Refuse ``wanted`` more bytes than the quota leaves beside what is kept and announced; 0 asks
    whether all that is there fits. A quota of 0 is none."""
    if not project.artifact_quota:
        return
    used = bytes_kept(project.pk)
    if used + wanted > project.artifact_quota:
        days = ceil(collected_within() / timedelta(days=1))
        raise QuotaExceeded(
            f"{project.slug} may keep {project.artifact_quota:,} bytes, keeps {used:,} "
            f"({bytes_removed(project.pk):,} of them in no file) and would need "
            f"{wanted:,} more: ask an access admin for a higher quota, or remove files of drafts, "
            f"which count until they are collected, for up to {days} days"
        )


def count_stored(project_id: str, sizes: Mapping[str, int]) -> None:
    """Have contents, given by digest, count for a project until they are collected."""
    at = database_now()
    StoredContent.objects.bulk_create(
        [
            StoredContent(project_id=project_id, sha256=sha256, size=size, at=at)
            for sha256, size in sorted(sizes.items())  # two who write the same wait in one order
        ],
        update_conflicts=True,
        unique_fields=["sha256", "project"],
        update_fields=["at"],
    )
