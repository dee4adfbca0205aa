"""What people and programs act by: tokens, logins of devices, approvers' passkeys."""

from django.db import models
from django.db.models import Q

from apps.audit.models import Audited
from apps.identity.models.access import Project, ServiceAccount
from apps.identity.models.people import User
from placet.kernel.ids import IdField


class ApiToken(Audited):
    """A bearer token: ``plc_<id>_<secret><checksum>``, shown once and stored as a keyed hash.

    It acts as its person or service account, cut down to ``scopes`` (permission names) and
    ``project``, and never approves.
    """

    LOG_SEALED = frozenset({"name"})
    LOG_HIDDEN = frozenset({"secret_hash", "last_used_at"})
    LOG_OWNER = "person_id"

    id = IdField("tok")
    name = models.CharField(max_length=120)
    prefix = models.CharField(max_length=16, unique=True)
    secret_hash = models.CharField(max_length=64)
    person = models.ForeignKey(User, null=True, blank=True, on_delete=models.CASCADE)
    service_account = models.ForeignKey(
        ServiceAccount, null=True, blank=True, on_delete=models.CASCADE
    )
    scopes = models.JSONField(default=list)
    project = models.ForeignKey(Project, null=True, blank=True, on_delete=models.CASCADE)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = "API token"
        indexes = [
            models.Index(fields=["name", "id"], name="identity_token_name"),
            models.Index(fields=["expires_at", "id"], name="identity_token_expires"),
        ]
        constraints = [
            models.CheckConstraint(
                name="identity_token_one_subject",
                condition=Q(person__isnull=False, service_account__isnull=True)
                | Q(person__isnull=True, service_account__isnull=False),
            )
        ]

    def __str__(self) -> str:
        return self.name


class DeviceLoginState(models.TextChoices):
    """``pending → confirmed → collected``; ``denied`` from ``pending`` and ``confirmed``."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    DENIED = "denied"
    COLLECTED = "collected"


class DeviceLogin(models.Model):
    """A command line that asks for a token, and the person who lets it have one (RFC 8628).

    No secret stands here: both codes are keyed hashes, and the token is made when the device comes
    for it, so that nothing but its hash is ever stored. ``client`` is what the device says of
    itself. The row is removed when it has expired; what stays is the log and the token.
    """

    id = IdField("dev")
    device_hash = models.CharField(max_length=64)
    user_hash = models.CharField(max_length=64, unique=True)
    client = models.CharField(max_length=120)
    address = models.CharField(max_length=45)  # which it came from
    state = models.CharField(
        max_length=10, choices=DeviceLoginState.choices, default=DeviceLoginState.PENDING
    )
    interval = models.PositiveSmallIntegerField()  # seconds between two questions
    polled_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)
    # who answered, and what the token may do that was let be made
    person = models.ForeignKey(User, null=True, on_delete=models.CASCADE)
    answered_at = models.DateTimeField(null=True)
    token_name = models.CharField(max_length=120, blank=True)
    scopes = models.JSONField(default=list)
    project = models.ForeignKey(Project, null=True, on_delete=models.CASCADE)
    token_expires_at = models.DateTimeField(null=True)


class PasskeyState(models.TextChoices):
    """``offered → enrolled → withdrawn``, or ``offered → withdrawn``."""

    OFFERED = "offered"
    ENROLLED = "enrolled"
    WITHDRAWN = "withdrawn"


NOT_WITHDRAWN = (PasskeyState.OFFERED, PasskeyState.ENROLLED)


class ApproverPasskey(Audited):
    """A passkey that its person signs decisions with: ``offered → enrolled → withdrawn``.

    It counts because of ``envelope`` and ``assertion``, in which another approver's passkey (or the
    root key) vouches for it, and not because this row says so. ``vouched_by`` is that passkey.
    """

    LOG_SEALED = frozenset({"name"})
    LOG_OWNER = "person_id"

    id = IdField("pky")
    person = models.ForeignKey(User, on_delete=models.PROTECT, related_name="passkeys")
    name = models.CharField(max_length=120)
    credential = models.CharField(max_length=1400, unique=True)  # base64url, up to 1,023 bytes
    public_key = models.TextField()  # SubjectPublicKeyInfo, base64 of the DER
    rp_id = models.CharField(max_length=253)
    state = models.CharField(
        max_length=10,
        choices=PasskeyState.choices,
        default=PasskeyState.OFFERED,
    )
    envelope = models.TextField(blank=True)  # DSSE by the decision key, or the root
    assertion = models.JSONField(null=True, blank=True)
    vouched_by = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT)
    created_at = models.DateTimeField(auto_now_add=True)
    enrolled_at = models.DateTimeField(null=True, blank=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "passkey"

    def __str__(self) -> str:
        return self.name
