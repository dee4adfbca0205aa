"""How many bytes a project may keep, counted under its row's lock: two cannot share room."""

from apps.identity.models import Project
from apps.registry.errors import QuotaExceeded
from apps.registry.usage import bytes_kept


def lock_project(project_id: str) -> Project:
    """Hold the project's row until the end of the transaction: before its versions, as whoever
    has one built does."""
    return Project.objects.select_for_update(no_key=True).get(pk=project_id)


def refuse_over_quota(project: Project, wanted: int = 0, *, instead: int = 0) -> None:
    """Refuse ``wanted`` more bytes than the quota leaves beside what is kept and announced; 0 asks
    whether all that is there fits. ``instead`` of what is kept then goes. A quota of 0 is none."""
    if not project.artifact_quota:
        return
    used = bytes_kept(project.pk) - instead
    if used + wanted > project.artifact_quota:
        raise QuotaExceeded(
            f"{project.slug} may keep {project.artifact_quota:,} bytes, keeps {used:,} and would "
            f"need {wanted:,} more: remove files of drafts, or ask an access admin for a higher "
            "quota"
        )
