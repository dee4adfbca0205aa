"""Projects, teams, service accounts, the roles that somebody holds, and what roles demand."""

from django.db import models
from django.db.models import Q

from apps.audit.models import Audited
from apps.identity.models.people import User
from placet.kernel.ids import IdField


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


class SecondFactorDemand(Audited):
    """A role that counts for a person only while they have a second factor to sign in with.

    For tokens and pages the row counts, for decisions what the sealed log says of it.
    """

    role = models.CharField(max_length=20, primary_key=True)
    demanded_by = models.CharField(max_length=40)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.role
