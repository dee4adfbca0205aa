"""Recalls, what each did to every release that it reached, and what nodes signed; how long the log
keeps bodies of events, and what must stay."""

from django.db import models
from django.db.models import Q

from apps.audit.models import Audited
from apps.governance.models import Release
from apps.identity.models import Project
from apps.serving.models import Endpoint, Node, Target
from placet.kernel.ids import IdField


class RecallKind(models.TextChoices):
    """What can be recalled. The first three within a project, the others everywhere."""

    VERSION = "version", "Version"
    BENTO = "bento", "Bento"
    DATASET = "dataset", "Dataset"
    WHEEL = "wheel", "Wheel"
    KEY = "key", "Key"
    PASSKEY = "passkey", "Passkey"
    PERSON = "person", "A person's decisions"


OF_DECISIONS = (RecallKind.PASSKEY, RecallKind.PERSON)  # what was decided on is not recalled itself


class RecallState(models.TextChoices):
    """``standing → lifted``. The releases that it revoked stay revoked."""

    STANDING = "standing"
    LIFTED = "lifted"


class Recall(Audited):
    """Somebody took something back: nothing of it runs until another person lifts that."""

    id = IdField("rcl")
    project = models.ForeignKey(
        Project, null=True, blank=True, on_delete=models.PROTECT, related_name="recalls"
    )
    kind = models.CharField(max_length=8, choices=RecallKind.choices)
    what = models.CharField(max_length=80)  # an id or a digest
    reason_sealed = models.CharField(max_length=71)
    names = models.JSONField()  # placet_verify.statements.Names
    envelope = models.TextField()  # DSSE by the decision key
    statement_digest = models.CharField(max_length=71)
    state = models.CharField(
        max_length=8, choices=RecallState.choices, default=RecallState.STANDING
    )
    generation = models.IntegerField(default=0)
    recalled_by = models.CharField(max_length=40)  # actor id
    recaller = models.CharField(max_length=40)  # accountable person
    created_at = models.DateTimeField(auto_now_add=True)
    lifted_by = models.CharField(max_length=40, blank=True)
    lift_reason_sealed = models.CharField(max_length=71, blank=True)
    lift_envelope = models.TextField(blank=True)
    lifted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "what", "project"],
                condition=Q(state=RecallState.STANDING),
                nulls_distinct=False,
                name="assurance_one_standing",
            )
        ]
        indexes = [models.Index(fields=["state"], name="assurance_recall_state")]


class EffectAction(models.TextChoices):
    """What was done to a release at its endpoint, at once."""

    FELL_BACK = "fell_back", "Fell back"
    STOPPED = "stopped", "Stopped"
    ENDED = "ended", "Ended"
    REVOKED = "revoked", "Revoked"


class EffectState(models.TextChoices):
    """``open → confirmed → contradicted``, and back by a newer receipt; or ``never_ran``."""

    OPEN = "open", "Open"
    CONFIRMED = "confirmed", "Confirmed"
    CONTRADICTED = "contradicted", "Contradicted"
    NEVER_RAN = "never_ran", "Never ran"


UNCONFIRMED = (EffectState.OPEN, EffectState.CONTRADICTED)


class RecallEffect(Audited):
    """What a recall did to one release, and whether the node of its target has confirmed it.

    ``fell_back`` and ``stopped`` are of what was live; ``ended`` of what went out or was kept
    warm; ``revoked`` of what did not run then.
    """

    id = IdField("rce")
    recall = models.ForeignKey(Recall, on_delete=models.PROTECT, related_name="effects")
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    release = models.ForeignKey(Release, on_delete=models.PROTECT, related_name="recalls")
    endpoint = models.ForeignKey(Endpoint, on_delete=models.PROTECT, related_name="recalls")
    target = models.ForeignKey(Target, on_delete=models.PROTECT, related_name="+")
    revisions = models.JSONField(default=list)  # ids: what of the release ever was on the target
    action = models.CharField(max_length=10, choices=EffectAction.choices)
    fallback = models.CharField(max_length=40, blank=True)  # the revision that serves instead
    state = models.CharField(max_length=12, choices=EffectState.choices, default=EffectState.OPEN)
    generation = models.IntegerField(default=0)
    receipt = models.CharField(max_length=40, blank=True)  # the id of the one that confirms it
    confirmed_at = models.DateTimeField(null=True, blank=True)  # by the node's clock
    contradiction = models.CharField(max_length=20, blank=True)  # rules.CONTRADICTIONS

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["recall", "release"], name="assurance_effect_once")
        ]
        indexes = [models.Index(fields=["target", "state"], name="assurance_effect_target")]

    def environment_scope(self) -> str | None:
        """It belongs to its endpoint's environment."""
        return self.endpoint.environment


class ReceiptKind(models.TextChoices):
    """What a node signs."""

    RAN = "ran"
    STOPPED = "stopped"


class Receipt(Audited):
    """What a node signed, as it came. Never changed: triggers refuse it."""

    id = IdField("rct")
    node = models.ForeignKey(Node, on_delete=models.PROTECT, related_name="receipts")
    target = models.ForeignKey(Target, on_delete=models.PROTECT, related_name="+")
    public_key = models.CharField(max_length=64)  # of the node then: a host may be set up anew
    kind = models.CharField(max_length=8, choices=ReceiptKind.choices)
    digest = models.CharField(max_length=71, unique=True)  # of the statement
    envelope = models.TextField()
    project = models.ForeignKey(
        Project, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    recall = models.CharField(max_length=40, blank=True)
    endpoint = models.CharField(max_length=40, blank=True)
    release = models.CharField(max_length=40, blank=True)
    revision = models.CharField(max_length=40, blank=True)
    bento_digest = models.CharField(max_length=71, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    at = models.DateTimeField()  # it ended, or had stopped; by the node's clock
    received_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [
            models.Index(fields=["endpoint", "-id"], name="assurance_receipt_endpoint"),
            models.Index(fields=["recall"], name="assurance_receipt_recall"),
        ]


class Retention(Audited):
    """The rule of the installation: bodies of events older than ``days`` may be archived."""

    id = models.CharField(primary_key=True, max_length=20, default="retention")
    days = models.PositiveIntegerField()
    set_by = models.CharField(max_length=40)  # actor id
    set_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(id="retention"), name="assurance_one_rule")
        ]


class HoldScope(models.TextChoices):
    """What a legal hold keeps."""

    EVERYTHING = "everything", "Everything"
    PROJECT = "project", "A project"
    PERSON = "person", "A person"
    OBJECT = "object", "An object"


class HoldState(models.TextChoices):
    """``standing → lifted``."""

    STANDING = "standing", "Standing"
    LIFTED = "lifted", "Lifted"


class LegalHold(Audited):
    """No event that mentions ``subject`` (an id; empty: any event) is archived while it stands."""

    id = IdField("lgh")
    name = models.CharField(max_length=60, unique=True)
    scope = models.CharField(max_length=10, choices=HoldScope.choices)
    subject = models.CharField(max_length=60, blank=True)
    reason_sealed = models.CharField(max_length=71)
    state = models.CharField(max_length=8, choices=HoldState.choices, default=HoldState.STANDING)
    generation = models.IntegerField(default=0)
    placed_by = models.CharField(max_length=40)  # actor id
    placer = models.CharField(max_length=40)  # accountable person
    created_at = models.DateTimeField(auto_now_add=True)
    lifted_by = models.CharField(max_length=40, blank=True)
    lift_reason_sealed = models.CharField(max_length=71, blank=True)
    lifted_at = models.DateTimeField(null=True, blank=True)
