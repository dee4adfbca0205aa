"""Targets and their nodes, endpoints, revisions, and the signed state that nodes pull."""

from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Q
from django.db.models.functions import Coalesce

from apps.audit.models import Audited
from apps.builds.models import Bento
from apps.identity.models import Project
from apps.serving.rules import SERVERS, EndpointState, RevisionState
from placet.kernel.ids import IdField
from placet.kernel.states import choices_of
from placet_verify.permit.serving import is_slim


class Site(models.TextChoices):
    """Where a target stands."""

    ON_PREMISE = "on-premise"
    CLOUD = "cloud"
    EDGE = "edge"


class Target(Audited):
    """Where Bentos run. ``driver`` names a folder of ``serving/drivers``."""

    id = IdField("tgt")
    name = models.SlugField(max_length=60, unique=True)
    driver = models.CharField(max_length=20)
    site = models.CharField(max_length=10, choices=Site.choices, default=Site.ON_PREMISE)
    labels = models.JSONField(default=dict)
    capacity_mb = models.IntegerField(default=4096)
    url = models.CharField(max_length=200, blank=True)  # where clients reach its endpoints
    on_expired = models.CharField(max_length=5, default="serve")  # past valid_until: serve, stop
    # the person who answers for it, by id; '' while nobody was named
    owner = models.CharField(max_length=40, blank=True, default="", db_default="")
    created_at = models.DateTimeField(auto_now_add=True)
    revision = models.IntegerField(default=1)

    def __str__(self) -> str:
        return self.name


class TargetUse(Audited):
    """A project that may use a target, as a whole or one environment of it by its name."""

    id = IdField("use")
    target = models.ForeignKey(Target, on_delete=models.PROTECT, related_name="uses")
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    environment = models.CharField(max_length=40, blank=True)  # '' for every one of the project
    created_by = models.CharField(max_length=40)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["target", "project", "environment"], name="serving_target_use_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.project.slug}/{self.environment}" if self.environment else self.project.slug

    def environment_scope(self) -> str | None:
        """It belongs to the environment that it names, else to the project."""
        return self.environment or None


class JoinToken(models.Model):
    """Lets one node join one target, once."""

    secret_hash = models.CharField(max_length=64, primary_key=True)
    target = models.ForeignKey(Target, on_delete=models.CASCADE)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)
    used_by = models.CharField(max_length=64, blank=True)  # the public key that joined with it


HEARD_AT = Coalesce("last_report_at", "last_seen_at")  # ``Node.heard_at``, for queries


class Node(Audited):
    """The agent that joined a target, and what it last reported."""

    LOG_HIDDEN = frozenset(
        {
            "last_seen_at",
            "last_report_at",
            "report",
            "report_number",
            "errors_since",
            "noted",
            "left_out",
        }
    )

    id = IdField("nod")
    target = models.OneToOneField(Target, on_delete=models.PROTECT, related_name="node")
    public_key = models.CharField(max_length=64)  # Ed25519, base64
    agent_version = models.CharField(max_length=20, blank=True)
    platform = models.JSONField(default=dict)  # python versions, isolation, memory
    last_seen_at = models.DateTimeField(null=True, blank=True)  # it asked for a state, or reported
    last_report_at = models.DateTimeField(null=True, blank=True)  # None in what older code wrote
    report = models.JSONField(default=dict)  # the last verified report
    report_number = models.BigIntegerField(default=0)  # goes up; an older report is refused
    # since when each error of the last report has been in every one, by its code
    errors_since = models.JSONField(default=dict, db_default={})
    fault = models.CharField(max_length=40, blank=True)  # what the platform found wrong with it
    noted = models.JSONField(default=dict, db_default={})  # what was last logged of it, and when
    # of what its target should serve: what cannot be put into a state, and why
    left_out = models.JSONField(default=list, db_default=[])
    created_at = models.DateTimeField(auto_now_add=True)

    @property
    def heard_at(self) -> datetime | None:
        """When it last told how it is. One that only asks for states is seen, and not heard."""
        return self.last_report_at or self.last_seen_at


class EndpointQuerySet(models.QuerySet["Endpoint"]):
    """Endpoints as rows."""

    def kept(self) -> Self:
        """Leave out those that were deleted: their rows stay for what the log tells of them."""
        return self.exclude(state=EndpointState.DELETED)


class Endpoint(Audited):
    """The stable name and URL that clients call, in one environment of one project.

    One that was deleted keeps its row: releases, recalls and the log go on naming it. Its name is
    free for another.
    """

    LOG_SEALED = frozenset({"reason"})

    id = IdField("end")
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="endpoints")
    environment = models.CharField(max_length=40)
    name = models.SlugField(max_length=60)
    target = models.ForeignKey(Target, on_delete=models.PROTECT, related_name="endpoints")
    state = models.CharField(max_length=10, default=EndpointState.ACTIVE)
    api_key_required = models.BooleanField(default=False)
    created_by = models.CharField(max_length=40)
    created_at = models.DateTimeField(auto_now_add=True)
    stopped_at = models.DateTimeField(null=True, blank=True)  # since when, until it is started
    # who stopped it, by id; '' while it is active, or where nobody said it
    stopped_by = models.CharField(max_length=40, blank=True, default="", db_default="")
    # why it was stopped, or started again; '' where nobody said it
    reason = models.TextField(blank=True, default="", db_default="")
    generation = models.IntegerField(default=0)

    objects = EndpointQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project", "environment", "name"],
                condition=~Q(state=EndpointState.DELETED),
                name="serving_endpoint_kept_name",
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_stopped(self) -> bool:
        """Whether somebody stopped it: it answers nobody until it is started."""
        return self.state == EndpointState.STOPPED

    def environment_scope(self) -> str | None:
        """An endpoint belongs to its environment."""
        return self.environment


class EndpointKey(Audited):
    """An API key that clients of one endpoint send; HAProxy knows its SHA-256 alone."""

    LOG_SEALED = frozenset({"name"})
    LOG_HIDDEN = frozenset({"secret_hash"})

    id = IdField("epk")
    endpoint = models.ForeignKey(Endpoint, on_delete=models.CASCADE, related_name="keys")
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=120)
    secret_hash = models.CharField(max_length=64)
    created_by = models.CharField(max_length=40)
    created_at = models.DateTimeField(auto_now_add=True)
    revoked_at = models.DateTimeField(null=True, blank=True)


class Revision(Audited):
    """One Bento behind one endpoint, with the permit that lets it run."""

    id = IdField("rev")
    endpoint = models.ForeignKey(Endpoint, on_delete=models.PROTECT, related_name="revisions")
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    bento = models.ForeignKey(Bento, on_delete=models.PROTECT, related_name="revisions")
    number = models.IntegerField()
    release = models.CharField(max_length=40)  # id; governance stands above this app
    permit = models.TextField()  # the permit document, checked by agent and driver
    serving = models.JSONField(default=dict)  # the serving configuration that was approved
    replicas = models.IntegerField(default=1)
    memory_mb = models.IntegerField(default=1024)
    variables = models.JSONField(default=dict)
    weight = models.IntegerField(default=0)  # out of 10,000
    # draws which units this revision gets while it is tried out; '' in what older code made
    salt = models.CharField(max_length=32, blank=True, default="", db_default="")
    # beside its weight, while it is tried out: {"header": …, "value": …}, and copies out of 10,000
    header_route = models.JSONField(null=True, blank=True)
    mirror = models.IntegerField(default=0, db_default=0)
    guard = models.JSONField(null=True, blank=True)  # a GuardEntry, while it is tried out
    state = models.CharField(
        max_length=10, choices=choices_of(RevisionState), default=RevisionState.STARTING
    )
    generation = models.IntegerField(default=0)
    restart_nonce = models.IntegerField(default=0)  # raising it restarts the replicas
    created_at = models.DateTimeField(auto_now_add=True)
    live_at = models.DateTimeField(null=True, blank=True)
    # when it first had requests, when it had the last (None: it has some), the largest weight of it
    first_served_at = models.DateTimeField(null=True, blank=True)
    last_served_at = models.DateTimeField(null=True, blank=True)
    peak_weight = models.IntegerField(default=0, db_default=0)
    warm_until = models.DateTimeField(null=True, blank=True)  # then a warm revision is drained
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["endpoint", "number"], name="serving_revision_number"),
            models.UniqueConstraint(
                fields=["endpoint"], condition=Q(state=RevisionState.LIVE), name="serving_one_live"
            ),
            models.CheckConstraint(
                name="serving_weight_range", condition=Q(weight__gte=0, weight__lte=10000)
            ),
        ]

    @property
    def server(self) -> str:
        """What answers its requests, one of ``rules.SERVERS``."""
        return "slim" if is_slim(self.serving) else "bentoml"

    @property
    def served_by(self) -> str:
        """The same as people read it."""
        return SERVERS[self.server]

    def environment_scope(self) -> str | None:
        """A revision belongs to its endpoint's environment."""
        return self.endpoint.environment


class Secret(Audited):
    """A secret of one environment: its name. Values come and go (``SecretVersion``)."""

    id = IdField("sec")
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    environment = models.CharField(max_length=40)
    name = models.SlugField(max_length=60)
    created_by = models.CharField(max_length=40)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project", "environment", "name"], name="serving_secret_name"
            )
        ]

    def __str__(self) -> str:
        return self.name

    def environment_scope(self) -> str | None:
        """A secret belongs to its environment."""
        return self.environment


class SecretVersion(Audited):
    """One value of a secret, encrypted (``apps.serving.secret_values``). Only the newest is kept:
    ``sealed`` is '' once another was set, or it was revoked."""

    LOG_HIDDEN = frozenset({"sealed"})

    id = IdField("sev")
    secret = models.ForeignKey(Secret, on_delete=models.PROTECT, related_name="versions")
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    number = models.IntegerField()
    sealed = models.TextField(blank=True)
    created_by = models.CharField(max_length=40)
    created_at = models.DateTimeField(auto_now_add=True)
    revoked_by = models.CharField(max_length=40, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["secret", "number"], name="serving_secret_number")
        ]

    def environment_scope(self) -> str | None:
        """A value belongs to its secret's environment."""
        return self.secret.environment


class SealedSecret(models.Model):
    """A value sealed for the key of one node, by the control worker; '' once it is given no more.
    That it was given is an event."""

    node = models.ForeignKey(Node, on_delete=models.CASCADE, related_name="+")
    version = models.ForeignKey(SecretVersion, on_delete=models.CASCADE, related_name="copies")
    public_key = models.CharField(max_length=64)  # of the node, base64
    sealed = models.TextField(blank=True)
    given_at = models.DateTimeField(null=True, blank=True)  # when it first said so

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["node", "version"], name="serving_sealed_once")
        ]


class Prefetch(Audited):
    """A Bento that a target fetches ahead, because a release that may bring it there is open."""

    id = IdField("pre")
    target = models.ForeignKey(Target, on_delete=models.CASCADE, related_name="prefetches")
    bento = models.ForeignKey(Bento, on_delete=models.PROTECT, related_name="+")
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    holder = models.CharField(max_length=40)  # the release that asked for it
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["target", "bento", "holder"], name="serving_prefetch_once"
            )
        ]


class DesiredState(models.Model):
    """The newest state of a target, signed by the ``state`` key of the control worker."""

    target = models.OneToOneField(Target, on_delete=models.CASCADE, related_name="desired")
    epoch = models.IntegerField(default=1)
    number = models.BigIntegerField(default=0)
    content_digest = models.CharField(max_length=71, blank=True)  # of the unsigned content
    envelope = models.TextField(blank=True)  # DSSE
    signed_at = models.DateTimeField(null=True, blank=True)
