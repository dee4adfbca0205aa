"""Exceptions for one release: who opened them, who confirmed them, and their review."""

from django.db import models
from django.db.models import Q

from apps.audit.models import Audited
from apps.governance.models.releases import Release
from apps.governance.rules import (
    GLASS_OPEN,
    BreakGlassState,
)
from apps.identity.models import Project
from placet.kernel.ids import IdField


class BreakGlass(Audited):
    """An exception for one release: ``opened → confirmed → ended``, or ``opened → lapsed``.

    One person opens it, others confirm it; what was confirmed is reviewed afterwards, by somebody
    else, whether it was used or not. Whether it counts anywhere says the permit, not this row.
    """

    id = IdField("bgl")
    release = models.ForeignKey(Release, on_delete=models.PROTECT, related_name="break_glasses")
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=9, default=BreakGlassState.OPENED)
    generation = models.IntegerField(default=0)
    statement_digest = models.CharField(max_length=71)  # the request statement that was shown
    opening_digest = models.CharField(max_length=71)  # of the statement that opened it
    reason_sealed = models.CharField(max_length=71)
    people = models.IntegerField()  # how many the policy demands
    review_days = models.IntegerField()  # as the policy says
    opened_by = models.CharField(max_length=40)
    opened_at = models.DateTimeField()
    until = models.DateTimeField()
    confirmed_at = models.DateTimeField(null=True, blank=True)
    used_at = models.DateTimeField(null=True, blank=True)  # a rollout was started by it
    ended_at = models.DateTimeField(null=True, blank=True)
    review_due_at = models.DateTimeField(null=True, blank=True)  # null: nothing to review
    reviewed_at = models.DateTimeField(null=True, blank=True)
    reviewed_by = models.CharField(max_length=40, blank=True)
    finding = models.CharField(max_length=13, blank=True)  # justified, not_justified
    findings_sealed = models.CharField(max_length=71, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["release"],
                condition=Q(state__in=GLASS_OPEN),
                name="governance_one_glass",
            )
        ]
        indexes = [
            models.Index(
                fields=["until"],
                condition=Q(state__in=GLASS_OPEN),
                name="governance_glass_open",
            ),
            models.Index(
                fields=["project", "review_due_at"],
                condition=Q(review_due_at__isnull=False, reviewed_at__isnull=True),
                name="governance_glass_review",
            ),
        ]

    def environment_scope(self) -> str | None:
        """A break-glass belongs to its release's environment."""
        return self.release.environment.name


class BreakGlassSignature(Audited):
    """What one person signed to open or confirm a break-glass. Never edited."""

    id = IdField("bgs")
    glass = models.ForeignKey(BreakGlass, on_delete=models.PROTECT, related_name="signatures")
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    person = models.CharField(max_length=40)
    role = models.CharField(max_length=20)  # responder, approver
    comment_sealed = models.CharField(max_length=71, blank=True)
    envelope = models.TextField()  # DSSE by the decision key
    assertion = models.JSONField(null=True, blank=True)  # over the same, by the person's passkey
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["glass", "person"], name="governance_one_glass_each")
        ]

    def environment_scope(self) -> str | None:
        """A signature belongs to the environment of the release."""
        return self.glass.release.environment.name
