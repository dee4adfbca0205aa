"""Projects, people, teams, service accounts, role bindings, API tokens, idempotency records."""

import string
from collections.abc import Callable
from typing import ClassVar

from django.contrib.auth.hashers import check_password
from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models
from django.db.models import Q

from apps.audit.models import Audited
from placet.kernel.ids import IdField, uuid7_hex

SMALL = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


class UserManager(BaseUserManager["User"]):
    """Finds people by e-mail address; making one is ``identity.actions.create_person``."""

    @classmethod
    def normalize_email(cls, email: str | None) -> str:
        """Return an address as it is compared: its ASCII letters small.

        Nothing else is changed: Unicode has letters whose small one is of ASCII (the Kelvin sign's
        is k), and with these the address of one person would be that of another.
        """
        return (email or "").translate(SMALL)

    def with_email(self, email: str) -> models.QuerySet["User"]:
        """Return the person with this address, if there is one, whatever the case it is in."""
        return self.filter(email=self.normalize_email(email))

    def get_by_natural_key(self, username: str | None) -> "User":
        """Return the person with this address, whatever its case."""
        return self.get(email=self.normalize_email(username))


class User(Audited, AbstractBaseUser, PermissionsMixin):
    """A person. ``is_staff`` opens the Django admin; ``is_superuser`` opens nothing else."""

    LOG_SEALED = frozenset({"name", "email"})
    LOG_HIDDEN = frozenset({"password", "last_login"})

    id = IdField("per")
    email = models.EmailField(unique=True)
    name = models.CharField(max_length=120)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    rehasher: ClassVar[Callable[["User", str], None]]  # handed in by the app

    objects = UserManager()
    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS = ["name"]

    class Meta:
        verbose_name, verbose_name_plural = "person", "people"

    def __str__(self) -> str:
        return self.name or self.email

    @classmethod
    def normalize_username(cls, username: str) -> str:
        """Leave an address as it was typed: Django would make the Kelvin sign a K."""
        return username

    def check_password(self, raw_password: str | None) -> bool:
        """Tell whether this is the password; a hash of an outdated kind is replaced, and logged."""
        return check_password(raw_password, self.password, lambda raw: User.rehasher(self, raw))

    def get_full_name(self) -> str:
        """Return the name people know this person by."""
        return self.name

    def get_short_name(self) -> str:
        """Return the first word of the name."""
        return self.name.split(" ")[0] if self.name else self.email


class LineOfDefence(models.TextChoices):
    """Who owns a risk, who challenges and oversees that, and who audits both."""

    UNSET = "", "Not set"
    FIRST = "first", "First line"
    SECOND = "second", "Second line"
    THIRD = "third", "Third line"


class Position(Audited):
    """Where a person stands in the organisation: line of defence, and to whom they report.

    Without a ``manager`` and not at the ``top`` nobody knows to whom they report. What counts
    is what the sealed log says of the row. For nobody it counts what they ``set`` themselves.
    """

    id = IdField("pos")
    person = models.OneToOneField(User, on_delete=models.CASCADE, related_name="position")
    line = models.CharField(
        "line of defence", max_length=6, blank=True, choices=LineOfDefence.choices, default=""
    )
    manager = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.PROTECT, related_name="reports"
    )
    top = models.BooleanField("top of the organisation", default=False)  # reports to nobody
    set_by = models.CharField(max_length=40)  # the accountable person
    set_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="identity_position_not_own_manager",
                condition=Q(manager__isnull=True) | ~Q(manager=models.F("person")),
            ),
            models.CheckConstraint(
                name="identity_position_top_has_no_manager",
                condition=Q(top=False) | Q(manager__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"position of {self.person}"


class CredentialChanges(models.Model):
    """How often a person's row, password, factors, linked identities and addresses were changed.

    Triggers write it; the application's role can only read it (migration 0004).
    """

    person_id = models.CharField(max_length=40, primary_key=True)
    count = models.BigIntegerField()


class Project(Audited):
    """The scope of models and roles."""

    LOG_SEALED = frozenset({"description"})

    id = IdField("prj")
    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=120)
    description = models.TextField(blank=True)
    created_by = models.CharField(max_length=40)
    created_at = models.DateTimeField(auto_now_add=True)
    version = models.IntegerField(default=1)  # goes up with every change; the ETag
    # most bytes that files of versions may take; 0 is no limit
    artifact_quota = models.BigIntegerField(default=0, db_default=0)

    def __str__(self) -> str:
        return self.name

    def project_scope(self) -> str | None:
        """A project belongs to itself."""
        return str(self.pk)


class Team(Audited):
    """People who are given roles together."""

    id = IdField("tem")
    name = models.CharField(max_length=120, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name


class TeamMember(Audited):
    """One person in one team."""

    id = IdField("tmm")
    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="memberships")
    person = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["team", "person"], name="identity_member_once")
        ]

    def __str__(self) -> str:
        return f"{self.person} in {self.team}"


class ServiceAccount(Audited):
    """A program that acts through the API. ``owner`` answers for it and counts as it."""

    id = IdField("svc")
    name = models.SlugField(max_length=60, unique=True)
    owner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="service_accounts")
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name


class RoleBinding(Audited):
    """A role given to one subject at one scope: the instance, a project, or one environment of it.

    What a role may do is fixed in ``identity.rules.ROLES``.
    """

    id = IdField("rol")
    role = models.CharField(max_length=20)
    person = models.ForeignKey(User, null=True, blank=True, on_delete=models.CASCADE)
    team = models.ForeignKey(Team, null=True, blank=True, on_delete=models.CASCADE)
    service_account = models.ForeignKey(
        ServiceAccount, null=True, blank=True, on_delete=models.CASCADE
    )
    project = models.ForeignKey(Project, null=True, blank=True, on_delete=models.CASCADE)
    environment = models.CharField(max_length=40, blank=True)
    granted_by = models.CharField(max_length=40)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = "role"
        constraints = [
            models.CheckConstraint(
                name="identity_binding_one_subject",
                condition=(
                    Q(person__isnull=False, team__isnull=True, service_account__isnull=True)
                    | Q(person__isnull=True, team__isnull=False, service_account__isnull=True)
                    | Q(person__isnull=True, team__isnull=True, service_account__isnull=False)
                ),
            ),
            models.CheckConstraint(
                name="identity_environment_needs_project",
                condition=Q(environment="") | Q(project__isnull=False),
            ),
            models.UniqueConstraint(
                fields=["role", "person", "team", "service_account", "project", "environment"],
                name="identity_binding_once",
                nulls_distinct=False,
            ),
        ]

    def environment_scope(self) -> str | None:
        """A role belongs to the environment it is bound to, if any."""
        return self.environment or None

    def __str__(self) -> str:
        where = f"{self.project}" if self.project_id else "everywhere"
        return f"{self.role} · {where}{' / ' + self.environment if self.environment else ''}"


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


class SharedValue(models.Model):
    """One value of :mod:`apps.identity.sign_in.shared_cache`, under the hash of its key."""

    key = models.CharField(max_length=64, primary_key=True)
    value = models.JSONField()
    expires_at = models.DateTimeField(db_index=True)


class IdempotencyRecord(models.Model):
    """What a POST with an ``Idempotency-Key`` was answered, so that a repeat gets the same.

    ``body`` is encrypted: answers may hold a secret that is shown once.
    """

    actor_id = models.CharField(max_length=40)
    key = models.CharField(max_length=200)
    request_hash = models.CharField(max_length=64)
    claim = models.CharField(max_length=32, default=uuid7_hex)  # tells who came first
    status = models.IntegerField(null=True)
    headers = models.JSONField(default=dict)
    body = models.BinaryField(default=b"")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["actor_id", "key"], name="identity_key_once")
        ]
