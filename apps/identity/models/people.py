"""People, where they stand, and how often what lets them in was changed."""

import string
from collections.abc import Callable, Iterable
from typing import ClassVar

from django.contrib.auth.hashers import check_password
from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower

from apps.audit.models import Audited
from placet.kernel.ids import IdField

NAMELESS = "somebody without a name"  # an e-mail address is not for everybody who reads of them
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
    LOG_HIDDEN = frozenset({"password", "last_login", "session_round", "reactivated_at"})

    id = IdField("per")
    email = models.EmailField(unique=True)
    name = models.CharField(max_length=120)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    reactivated_at = models.DateTimeField(null=True, blank=True)  # the last time, if ever
    session_round = models.IntegerField(default=0, db_default=0)  # sessions of earlier ones ended

    rehasher: ClassVar[Callable[["User", str], None]]  # handed in by the app

    objects = UserManager()
    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS = ["name"]

    class Meta:
        verbose_name, verbose_name_plural = "person", "people"
        indexes = [models.Index(Lower("name"), "id", name="identity_user_called")]

    def __str__(self) -> str:
        return self.name or self.email

    @property
    def public_name(self) -> str:
        """What those read who see what somebody did, and perhaps not their address."""
        return self.name or NAMELESS

    @classmethod
    def normalize_username(cls, username: str) -> str:
        """Leave an address as it was typed: Django would make the Kelvin sign a K."""
        return username

    def check_password(self, raw_password: str | None) -> bool:
        """Tell whether this is the password; a hash of an outdated kind is replaced, and logged."""
        return check_password(raw_password, self.password, lambda raw: User.rehasher(self, raw))

    def get_session_auth_hash(self) -> str:
        """Return what each session of now holds: it ends with the password, and with the round."""
        return self._of_this_round(super().get_session_auth_hash())

    def get_session_auth_fallback_hash(self) -> Iterable[str]:
        """Return the same under former keys, one by one."""
        return map(self._of_this_round, super().get_session_auth_fallback_hash())

    def _of_this_round(self, fingerprint: str) -> str:
        return f"{fingerprint}.{self.session_round}" if self.session_round else fingerprint

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
