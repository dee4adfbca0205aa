"""Environments, policies, releases, decisions, comments and freezes."""

from functools import cached_property

from django.db import models
from django.db.models import Q
from django.db.models.functions import Coalesce

from apps.audit.models import Audited
from apps.builds.models import Bento
from apps.governance.approvals import ApprovalPolicy, Decider, Parties
from apps.governance.passing_over import passing_over
from apps.governance.rules import (
    GLASS_OPEN,
    BreakGlassState,
    PolicyState,
    ReleaseState,
    shown_state,
)
from apps.identity.models import Project
from apps.registry.models import ModelVersion
from apps.serving.models import Endpoint, Target
from apps.serving.rules import EndpointState
from placet.kernel.ids import IdField
from placet.kernel.states import choices_of
from placet_verify.permit.break_glass import BreakGlassRule, break_glass_rule
from placet_verify.permit.standing import Standing


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
    role = models.CharField(max_length=20)  # reviewer, approver
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

    def environment_scope(self) -> str | None:
        """A freeze belongs to its environment."""
        return self.environment.name
