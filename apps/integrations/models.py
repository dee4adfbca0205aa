"""Streams of the audit log and webhooks, and what became of what they sent."""

from django.db import models

from apps.audit.models import Audited
from apps.identity.models import Project
from placet.kernel.ids import IdField
from placet.kernel.outbound import OutboundFault


class StreamKind(models.TextChoices):
    """How events are written, and over what they go."""

    JSONL = "jsonl", "JSON lines"
    CLOUDEVENTS = "cloudevents", "CloudEvents"
    SYSLOG = "syslog", "Syslog"


class StreamState(models.TextChoices):
    """``paused ⇄ running ⇄ failing``, and from both of these to ``blocked``.

    A failing stream tries again by itself; a paused or blocked one waits for a person.
    """

    PAUSED = "paused"
    RUNNING = "running"
    FAILING = "failing"
    BLOCKED = "blocked"


SENDING = (StreamState.RUNNING, StreamState.FAILING)
WAITING = (StreamState.PAUSED, StreamState.BLOCKED)


class Stream(Audited):
    """Where the log is sent, of the whole instance or of one project, and how far that has come.

    ``cursor`` is the index of the next event, moved by compare-and-set; ``checkpoint`` the size of
    the last tree head that was sent. They and what follows them change with each batch, which
    leaves no event. Secrets are files, which the row knows by name alone.
    """

    LOG_HIDDEN = frozenset(
        {"cursor", "checkpoint", "batch_limit", "failures", "retry_at", "error", "delivered_at"}
    )

    id = IdField("stm")
    name = models.SlugField(max_length=60)
    kind = models.CharField(max_length=12, choices=StreamKind.choices)
    url = models.CharField(max_length=500)
    token_file = models.CharField(max_length=100, blank=True)
    ca_file = models.CharField(max_length=100, blank=True)
    cert_file = models.CharField(max_length=100, blank=True)
    alert_after_seconds = models.IntegerField()
    project = models.ForeignKey(
        Project, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    state = models.CharField(max_length=8, choices=StreamState.choices, default=StreamState.PAUSED)
    generation = models.IntegerField(default=0)
    created_by = models.CharField(max_length=40)
    started_by = models.CharField(max_length=40, blank=True)  # '': nobody let it begin yet
    created_at = models.DateTimeField(auto_now_add=True)

    cursor = models.BigIntegerField(default=0)
    checkpoint = models.BigIntegerField(default=0)
    batch_limit = models.IntegerField(default=0)  # events; 0 is no other limit than ours
    failures = models.IntegerField(default=0)  # in a row
    retry_at = models.DateTimeField(null=True, blank=True)
    error = models.TextField(blank=True)  # the last one in words; '' since it is over
    delivered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(  # those of the instance are of one project too: of none
                fields=["project", "name"], nulls_distinct=False, name="integrations_stream_name"
            )
        ]

    def __str__(self) -> str:
        return self.name


class Delivery(models.Model):
    """One attempt to send a batch, or a test event. Measurements: the log does not repeat them."""

    stream = models.ForeignKey(Stream, on_delete=models.CASCADE, related_name="deliveries")
    at = models.DateTimeField()
    test = models.BooleanField(default=False)
    first = models.BigIntegerField()  # index of the first event
    events = models.IntegerField()
    bytes = models.BigIntegerField()
    seconds = models.FloatField()
    accepted = models.BooleanField()
    detail = models.TextField(blank=True)

    class Meta:
        indexes = [models.Index(fields=["stream", "-id"], name="integrations_delivery_of")]


class WebhookService(models.TextChoices):
    """What is told: a program, or a channel of a chat (``apps.integrations.chats``)."""

    STANDARD = "standard", "A program (Standard Webhooks)"
    SLACK = "slack", "Slack"
    TEAMS = "teams", "Microsoft Teams"
    MATTERMOST = "mattermost", "Mattermost"
    ROCKETCHAT = "rocketchat", "Rocket.Chat"
    DISCORD = "discord", "Discord"
    GOOGLE_CHAT = "google_chat", "Google Chat"


class WebhookState(models.TextChoices):
    """``disabled ⇄ enabled``: people enable, and people or failures disable."""

    DISABLED = "disabled"
    ENABLED = "enabled"


class WebhookReason(models.TextChoices):
    """Why a webhook is disabled."""

    NEW = "", "Nobody enabled it yet"
    ASKED = "asked", "Somebody disabled it"
    CHANGED = "changed", "It was changed, and has to be enabled again"
    GONE = "gone", "The receiver answered 410 Gone"
    FAILING = "failing", "Nothing was delivered for days"
    REVOKED = "revoked", "Who enabled it may no longer export the log"


BY_ITSELF = (WebhookReason.GONE, WebhookReason.FAILING, WebhookReason.REVOKED)


class WebhookFault(models.TextChoices):
    """What went wrong with an attempt, and how people are told of it in short. What there is more
    is its ``detail``; of an answer it is the status."""

    ANSWERED = "answered", "It was not taken"
    NO_CONNECTION = OutboundFault.NO_CONNECTION, "No connection"
    NO_HOST = OutboundFault.NO_HOST, "No host has such a name"
    SILENT = OutboundFault.SILENT, "No answer in time"
    LATE = OutboundFault.LATE, "The answer did not come to its end in time"
    NO_TRUST = OutboundFault.NO_TRUST, "PLACET_CA_FILE cannot be used"
    OTHER = OutboundFault.OTHER, "The call failed"
    UNREADABLE = "unreadable", "Its address or secret cannot be read"
    NO_CHAT = "no_chat", "Its address is none of its chat any more: give it another"
    FORMER = "former", "Written down in one sentence"  # which is the detail


class WebhookDrop(models.TextChoices):
    """Why a delivery was given up that somebody could still have taken."""

    DISABLED = "disabled", "The webhook was disabled before it was delivered"
    ARCHIVED = "archived", "The event was archived"


class Attempted(models.Model):
    """What came of the last attempt to call somebody: ``fault`` is empty where nothing went wrong,
    ``status`` HTTP's, 0 without an answer. ``apps.integrations.standing`` has words for it."""

    fault = models.CharField(
        max_length=13, choices=WebhookFault.choices, blank=True, default="", db_default=""
    )
    status = models.IntegerField(default=0, db_default=0)
    detail = models.TextField(blank=True, default="", db_default="")

    class Meta:
        abstract = True


class Webhook(Attempted, Audited):
    """Who is told of events of the whole instance, or of one project: a program, or a channel of a
    chat, to which nothing is signed.

    ``address``, ``signing`` and ``former_signing``, which signs beside it until ``former_until``,
    are encrypted (``placet_protocol.secret_box``) and in no event; of the address ``origin`` is
    shown. ``older_formers`` are what signed before that one, the last first: each its ``signing``,
    ``public_key`` and ``until``. ``cursor`` is the index of the next event. ``failing_since`` is
    when the first delivery failed since one got through; the last attempt may be a test's.
    """

    LOG_HIDDEN = frozenset(
        {
            "address",
            "signing",
            "former_signing",
            "older_formers",
            "cursor",
            "failing_since",
            "fault",
            "status",
            "detail",
        }
    )

    id = IdField("whk")
    name = models.SlugField(max_length=60)
    service = models.CharField(
        max_length=12,
        choices=WebhookService.choices,
        default=WebhookService.STANDARD,
        db_default=WebhookService.STANDARD,
    )
    origin = models.CharField(max_length=300)
    address = models.TextField()
    groups = models.JSONField(default=list)  # of kinds of events; none is all
    project = models.ForeignKey(
        Project, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    state = models.CharField(
        max_length=8, choices=WebhookState.choices, default=WebhookState.DISABLED
    )
    reason = models.CharField(max_length=8, choices=WebhookReason.choices, blank=True)
    generation = models.IntegerField(default=0)
    public_key = models.CharField(max_length=80)  # '': a chat's
    former_public_key = models.CharField(max_length=80, blank=True)
    former_until = models.DateTimeField(null=True, blank=True)
    created_by = models.CharField(max_length=40)
    enabled_by = models.CharField(max_length=40, blank=True)  # '': nobody enabled it yet
    # '': nobody did, or it is not known
    disabled_by = models.CharField(max_length=40, blank=True, default="", db_default="")
    disabled_at = models.DateTimeField(null=True, blank=True)  # null where that is not known either
    created_at = models.DateTimeField(auto_now_add=True)

    signing = models.TextField()  # '': a chat's
    former_signing = models.TextField(blank=True)
    older_formers = models.JSONField(default=list, db_default=[])
    cursor = models.BigIntegerField(default=0)
    failing_since = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project", "name"], nulls_distinct=False, name="integrations_webhook_name"
            )
        ]
        indexes = [models.Index(fields=["state", "cursor"], name="integrations_webhook_behind")]

    def __str__(self) -> str:
        return self.name

    @property
    def is_chat(self) -> bool:
        """Whether it is a channel of a chat."""
        return self.service != WebhookService.STANDARD


class WebhookDeliveryState(models.TextChoices):
    """``waiting → sending → delivered | failed``, and from ``sending`` back to ``waiting``."""

    WAITING = "waiting"
    SENDING = "sending"
    DELIVERED = "delivered"
    FAILED = "failed"


OPEN_DELIVERIES = (WebhookDeliveryState.WAITING, WebhookDeliveryState.SENDING)


class WebhookDelivery(Attempted):
    """One event on its way to one webhook, or a test, which has no event. The id goes out as
    ``webhook-id``, the same at each attempt. Measurements: the log does not repeat them.

    Who sends it has it until ``lease_until``, and writes down what came of it by ``generation``.
    """

    id = IdField("whd")
    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="deliveries")
    index = models.BigIntegerField(null=True, blank=True)
    kind = models.CharField(max_length=80)
    state = models.CharField(
        max_length=9,
        choices=WebhookDeliveryState.choices,
        default=WebhookDeliveryState.WAITING,
    )
    generation = models.IntegerField(default=0)
    created_at = models.DateTimeField()
    asked_at = models.DateTimeField()  # from when on it is tried for a day
    next_at = models.DateTimeField()
    lease_until = models.DateTimeField(null=True, blank=True)
    attempts = models.IntegerField(default=0)
    tries = models.IntegerField(default=0)  # attempts since it was asked for
    dropped = models.CharField(  # '': it was not
        max_length=8, choices=WebhookDrop.choices, blank=True, default="", db_default=""
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["webhook", "index"], name="integrations_webhook_event_once"
            )
        ]
        indexes = [
            models.Index(fields=["webhook", "-id"], name="integrations_webhook_last"),
            models.Index(
                fields=["webhook", "next_at"],
                name="integrations_webhook_due",
                condition=models.Q(state__in=["waiting", "sending"]),
            ),
        ]


class WebhookAttempt(Attempted):
    """One attempt at a delivery: what was sent beside the body, and what the receiver said."""

    delivery = models.ForeignKey(WebhookDelivery, on_delete=models.CASCADE, related_name="tried")
    number = models.IntegerField()
    at = models.DateTimeField()
    seconds = models.FloatField()
    headers = models.JSONField(default=dict)  # of the request, without signatures
    answer = models.TextField(blank=True)  # the first of its characters

    class Meta:
        indexes = [models.Index(fields=["delivery", "-id"], name="integrations_attempt_of")]
