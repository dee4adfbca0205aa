"""Releases, what people decided and said on them, and what opens by itself."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Coalesce

from apps.audit.models import Audited
from apps.builds.models import Bento
from apps.governance.approvals import Decider, Parties
from apps.governance.models.environments import Environment, PolicyRevision
from apps.governance.rules import (
    ReleaseState,
    shown_state,
)
from apps.identity.models import Project
from apps.registry.models import ModelVersion
from apps.serving.models import Endpoint
from apps.serving.rules import EndpointState
from placet.kernel.ids import IdField
from placet.kernel.states import choices_of
from placet_verify.permit.standing import Standing

# not started: a new policy still reaches them
UNFINISHED_STATES = (ReleaseState.REQUESTED, ReleaseState.APPROVED)

OPEN_STATES = (ReleaseState.REQUESTED, ReleaseState.APPROVED, ReleaseState.ROLLING_OUT)

# as a column; what an earlier release of Placet made live during the upgrade has the second alone
FIRST_LIVE = Coalesce("first_live_at", "live_at")


class Release(Audited):
    """Put one Bento behind one endpoint in one environment, with a plan and a serving
    configuration."""

    LOG_SEALED = frozenset({"reason", "ended_reason"})
    LOG_HIDDEN = frozenset({"first_live_at"})  # the log has the event itself

    id = IdField("rel")
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="releases")
    number = models.IntegerField()
    environment = models.ForeignKey(Environment, on_delete=models.PROTECT, related_name="releases")
    endpoint = models.ForeignKey(Endpoint, on_delete=models.PROTECT, related_name="releases")
    version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="releases")
    bento = models.ForeignKey(Bento, on_delete=models.PROTECT, related_name="releases")
    policy = models.ForeignKey(PolicyRevision, on_delete=models.PROTECT, related_name="releases")
    plan = models.JSONField()
    serving = models.JSONField()  # {"replicas": 1, "memory_mb": 1024, "variables": {}}
    evidence = models.JSONField(default=list)  # [{"id", "kind", "digest"}], pinned at request
    reason = models.TextField(blank=True)
    state = models.CharField(
        max_length=12, choices=choices_of(ReleaseState), default=ReleaseState.REQUESTED
    )
    generation = models.IntegerField(default=0)
    requested_by = models.CharField(max_length=40)  # actor id
    requester = models.CharField(max_length=40)  # accountable person id
    request_envelope = models.TextField(blank=True)  # DSSE by the decision key
    request_digest = models.CharField(max_length=71, blank=True)  # of the statement's bytes
    gates = models.JSONField(default=list)  # the last evaluation, as people saw it
    evaluated_at = models.DateTimeField(null=True, blank=True)
    # what was live at its endpoint at the last of them before it was approved: the id of its
    # release, '' for nothing; None of releases from before this was written down
    seen_live = models.CharField(max_length=40, null=True, blank=True)  # noqa: DJ001
    quorum_met = models.BooleanField(default=False)  # every approvals gate has passed
    not_after = models.DateTimeField()
    created_at = models.DateTimeField(auto_now_add=True)
    approved_at = models.DateTimeField(null=True, blank=True)
    live_at = models.DateTimeField(null=True, blank=True)  # anew after a start or a way back
    first_live_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_reason = models.TextField(blank=True)  # why it failed or was rolled back, in words

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "number"], name="governance_release_number"),
            models.UniqueConstraint(
                fields=["endpoint"],
                condition=Q(state=ReleaseState.ROLLING_OUT),
                name="governance_one_rolling_out",
            ),
            models.UniqueConstraint(
                fields=["endpoint"],
                condition=Q(state=ReleaseState.LIVE),
                name="governance_one_live",
            ),
            models.UniqueConstraint(
                fields=["endpoint", "bento"],
                condition=Q(state__in=OPEN_STATES),
                name="governance_one_open",
            ),
        ]
        indexes = [
            models.Index(
                fields=["not_after"],
                condition=Q(state__in=UNFINISHED_STATES),
                name="governance_unfinished",
            ),
            models.Index(
                fields=["created_at"],
                condition=Q(state=ReleaseState.REQUESTED, quorum_met=True),
                name="governance_decided",
            ),
            models.Index(fields=["environment", "bento"], name="governance_soak"),
            models.Index(fields=["state", "id"], name="governance_state"),
        ]

    def __str__(self) -> str:
        return f"release {self.number}"

    @property
    def is_stopped(self) -> bool:
        """Whether it is live behind an endpoint that somebody stopped: it answers nobody."""
        return self.shown_state == EndpointState.STOPPED

    @property
    def shown_state(self) -> str:
        """How it stands, as people are told: its state, or that it is stopped."""
        return shown_state(self.state, self.endpoint.state)

    @property
    def parties(self) -> Parties:
        """Who asked for it and who made its version; others let it serve. Accountable persons."""
        return Parties(self.requester, self.version.author)

    def decider(
        self, person: str, standing: Standing | None = None, *, recalled: bool = False
    ) -> Decider:
        """Return ``person`` before it, under its policy, where they stand if that is known."""
        return Decider(person, self.policy.approvals, self.parties, standing, recalled)

    def environment_scope(self) -> str | None:
        """A release belongs to its environment."""
        return self.environment.name


class Decision(Audited):
    """A person's signed statement on a release. Never edited; ``voided_reason`` ends its effect."""

    id = IdField("dec")
    release = models.ForeignKey(Release, on_delete=models.PROTECT, related_name="decisions")
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    person = models.CharField(max_length=40)
    role = models.CharField(max_length=20)  # of rules.ROLE_OF
    verdict = models.CharField(max_length=20)  # approve, request_changes, reject
    comment_sealed = models.CharField(max_length=71, blank=True)
    statement_digest = models.CharField(max_length=71)  # the request statement that was shown
    envelope = models.TextField()  # DSSE by the decision key
    assertion = models.JSONField(null=True, blank=True)  # over the same, by the person's passkey
    standing = models.JSONField(null=True, blank=True)  # where they stood, signed; if it was asked
    gates = models.JSONField(default=list)  # what the person saw
    voided_reason = models.CharField(max_length=60, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["release", "person"],
                condition=Q(voided_reason=""),
                name="governance_one_decision_each",
            )
        ]

    def environment_scope(self) -> str | None:
        """A decision belongs to its release's environment."""
        return self.release.environment.name


class DecisionRecord(Audited):
    """What the page of the release showed to who decided, beside the gates. Never edited; decisions
    from before it was kept have none."""

    LOG_SEALED = frozenset({"document"})  # metrics and documents are called as reporters like
    LOG_OWNER = "person"

    decision = models.OneToOneField(
        Decision, primary_key=True, on_delete=models.PROTECT, related_name="record"
    )
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    person = models.CharField(max_length=40)  # who decided
    digest = models.CharField(max_length=71)  # of the document, which has a salt
    document = models.TextField()  # canonical JSON, as `queries.records` writes it

    def environment_scope(self) -> str | None:
        """A record belongs to the environment of the release."""
        return self.decision.release.environment.name


class Promotion(Audited):
    """What an environment's setting made of a release that soaked there: a request in the next
    environment, or none and why. Never edited: of one release it is tried once."""

    LOG_SEALED = frozenset({"why"})

    id = IdField("prm")
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    source = models.ForeignKey(Release, on_delete=models.PROTECT, related_name="promotions")
    environment = models.ForeignKey(Environment, on_delete=models.PROTECT, related_name="+")
    release = models.OneToOneField(
        Release, on_delete=models.PROTECT, related_name="promotion", null=True, blank=True
    )
    why = models.TextField(blank=True)  # why nothing was requested, in words
    set_by = models.CharField(max_length=40)  # actor id, of whoever made the setting
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["source", "environment"], name="governance_one_promotion"
            )
        ]

    def environment_scope(self) -> str | None:
        """A promotion belongs to where it was to go."""
        return self.environment.name


class Comment(Audited):
    """A remark on a release; the text itself is sealed."""

    id = IdField("cmt")
    release = models.ForeignKey(Release, on_delete=models.PROTECT, related_name="comments")
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    author = models.CharField(max_length=40)
    text_sealed = models.CharField(max_length=71)
    created_at = models.DateTimeField(auto_now_add=True)

    def environment_scope(self) -> str | None:
        """A comment belongs to its release's environment."""
        return self.release.environment.name
