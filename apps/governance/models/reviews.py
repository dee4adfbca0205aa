"""Who was asked by name to review a release, and who stands in for people who are away."""

from django.db import models

from apps.audit.models import Audited
from apps.governance.models.releases import Release
from apps.identity.models import Project
from placet.kernel.ids import IdField


class ReviewRequest(Audited):
    """A person who was asked by name to decide on a release. It gives no right and changes no
    quorum: it says whose answer is waited for. Asked again, it is the same row."""

    id = IdField("rrq")
    release = models.ForeignKey(Release, on_delete=models.PROTECT, related_name="review_requests")
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    person = models.CharField(max_length=40)
    requested_by = models.CharField(max_length=40)  # actor id
    requested_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True, blank=True)
    overdue_at = models.DateTimeField(null=True, blank=True)  # when that was logged; once
    removed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["release", "person"], name="governance_one_review_request"
            )
        ]

    def environment_scope(self) -> str | None:
        """It belongs to the environment of its release."""
        return self.release.environment.name


class Absence(Audited):
    """That somebody is away, and who stands in for them meanwhile where they may decide themselves.
    It gives no right. Each person has one row, which is set anew."""

    id = IdField("abs")
    person = models.CharField(max_length=40, unique=True)
    deputy = models.CharField(max_length=40)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    cleared_at = models.DateTimeField(null=True, blank=True)
