"""Rollouts: moving an endpoint from one revision to the next."""

from django.db import models
from django.db.models import Q

from apps.audit.models import Audited
from apps.governance.models import Release
from apps.identity.models import Project
from apps.serving.models import Endpoint, Revision
from placet.kernel.ids import IdField


class RolloutState(models.TextChoices):
    """``starting → shifting → draining → done``, or ``aborting → aborted``, or ``failed``.

    ``starting``: the new revision is wanted at weight 0 until every replica is ready.
    ``shifting``: the new revision has all the weight; waits until the node says so.
    ``draining``: the old revision is kept warm or drained and stopped.
    """

    STARTING = "starting"
    SHIFTING = "shifting"
    DRAINING = "draining"
    DONE = "done"
    ABORTING = "aborting"
    ABORTED = "aborted"
    FAILED = "failed"


OPEN_STATES = ("starting", "shifting", "draining", "aborting")


class Rollout(Audited):
    """One move of an endpoint: a release going out, or a rollback to the revision before."""

    LOG_SEALED = frozenset({"reason"})
    # the reconciler's own notes: which generation it told the driver, and what came back
    LOG_HIDDEN = frozenset({"commanded", "claimed", "claimed_until", "told_epoch", "told_number"})

    id = IdField("rlo")
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    endpoint = models.ForeignKey(Endpoint, on_delete=models.PROTECT, related_name="rollouts")
    release = models.ForeignKey(Release, on_delete=models.PROTECT, related_name="rollouts")
    kind = models.CharField(max_length=10)  # release, rollback
    from_revision = models.ForeignKey(
        Revision, null=True, on_delete=models.PROTECT, related_name="+"
    )
    to_revision = models.ForeignKey(Revision, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(
        max_length=10, choices=RolloutState.choices, default=RolloutState.STARTING
    )
    generation = models.IntegerField(default=0)
    reason = models.TextField(blank=True)  # why it failed or was aborted, in words
    started_by = models.CharField(max_length=40)
    aborted_by = models.CharField(max_length=40, blank=True)
    deadline = models.DateTimeField()
    phase_times = models.JSONField(default=dict)  # state → RFC 3339 time of entry
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    commanded = models.IntegerField(default=-1)  # the last generation that the driver was told
    claimed = models.IntegerField(default=-1)  # the generation that somebody is telling it now
    claimed_until = models.DateTimeField(null=True, blank=True)
    told_epoch = models.IntegerField(default=0)  # the state that carries the last command
    told_number = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["endpoint"],
                condition=Q(state__in=OPEN_STATES),
                name="rollouts_one_open",
            )
        ]

    def environment_scope(self) -> str | None:
        """A rollout belongs to its endpoint's environment."""
        return self.endpoint.environment
