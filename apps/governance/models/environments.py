"""Environments, their policies, and when nothing new starts there."""

from functools import cached_property

from django.db import models

from apps.audit.models import Audited
from apps.governance.approvals import ApprovalPolicy
from apps.governance.passing_over import passing_over
from apps.governance.rules import (
    PolicyState,
)
from apps.identity.models import Project
from apps.serving.models import Target
from placet.kernel import clock
from placet.kernel.ids import IdField
from placet_verify.permit.break_glass import BreakGlassRule, break_glass_rule


class Environment(Audited):
    """An ordered place to release to, with a policy and targets."""

    id = IdField("env")
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="environments")
    name = models.SlugField(max_length=40)
    position = models.IntegerField()
    targets = models.ManyToManyField(Target, related_name="environments")
    on_state_expired = models.CharField(max_length=5, default="serve")  # serve, stop
    # when what is live is recalled: fall_back, stop
    on_recall = models.CharField(max_length=9, default="fall_back", db_default="fall_back")
    plans = models.JSONField(default=dict, db_default={})  # ready to be chosen, by name
    # what soaked here opens a request there, with this plan of it ('': the usual one)
    promote_to = models.ForeignKey(
        "self", on_delete=models.PROTECT, related_name="+", null=True, blank=True
    )
    promote_plan = models.CharField(max_length=40, blank=True, default="", db_default="")
    promote_set_by = models.CharField(max_length=40, blank=True, default="", db_default="")
    review_days = models.IntegerField(null=True, blank=True)  # of who is asked by name; null: open
    created_at = models.DateTimeField(auto_now_add=True)
    revision = models.IntegerField(default=1)

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["project", "name"], name="governance_environment_name")
        ]

    def __str__(self) -> str:
        return self.name

    def environment_scope(self) -> str | None:
        """An environment belongs to itself."""
        return self.name


class PolicyRevision(Audited):
    """A numbered policy document of one environment: ``draft → published | withdrawn``, both
    final. The log keeps the source sealed: comments in it may name people."""

    LOG_SEALED = frozenset({"source"})

    id = IdField("pol")
    environment = models.ForeignKey(Environment, on_delete=models.PROTECT, related_name="policies")
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    number = models.IntegerField()
    state = models.CharField(max_length=10, default=PolicyState.DRAFT)
    generation = models.IntegerField(default=0)
    source = models.TextField()  # YAML as written
    document = models.JSONField()  # validated, with defaults filled in
    digest = models.CharField(max_length=71)  # of the canonical document
    envelope = models.TextField(blank=True)  # DSSE by the decision key, when published
    assertion = models.JSONField(null=True, blank=True)  # over the same, by the publisher's passkey
    drafted_by = models.CharField(max_length=40)
    published_by = models.CharField(max_length=40, blank=True)
    published_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["environment", "number"], name="governance_policy_number"
            )
        ]

    def environment_scope(self) -> str | None:
        """A policy belongs to its environment."""
        return self.environment.name

    @cached_property
    def approvals(self) -> ApprovalPolicy:
        """What it asks of those who decide."""
        return ApprovalPolicy.of(self.document)

    @cached_property
    def break_glass(self) -> BreakGlassRule | None:
        """What it says of breaking the glass; ``None`` where nobody may."""
        return break_glass_rule(self.document)

    @property
    def passing_over(self) -> str:
        """What it says of passing over analyses: ``allow``, ``second_person`` or ``forbid``."""
        return passing_over(self.document)


class Freeze(Audited):
    """A stretch of time in which nothing new starts in an environment."""

    LOG_SEALED = frozenset({"reason"})

    id = IdField("frz")
    environment = models.ForeignKey(Environment, on_delete=models.PROTECT, related_name="freezes")
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    reason = models.TextField()
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True, blank=True)
    created_by = models.CharField(max_length=40)
    created_at = models.DateTimeField(auto_now_add=True)
    lifted_at = models.DateTimeField(null=True, blank=True)

    @property
    def begins_later(self) -> bool:
        """Whether it does not hold yet."""
        return self.starts_at > clock.now()

    def environment_scope(self) -> str | None:
        """A freeze belongs to its environment."""
        return self.environment.name
