"""What a new database gets in place of migrations 0001 to 0003: the same in one step.

A database that has applied some of them goes on with the others themselves.
"""

from django.conf import settings
from django.db import migrations, models
from django.db.models import Q

from placet.kernel.ids import IdField, uuid7_hex
from placet.kernel.tables import MakeTables


class Migration(migrations.Migration):
    """See the module."""

    initial = True
    replaces = [
        ("identity", "0001_initial"),
        ("identity", "0002_idempotency_claim"),
        ("identity", "0003_shared_value"),
    ]
    dependencies = [("auth", "0012_alter_user_first_name_max_length")]

    operations = [
        MakeTables(
            migrations.CreateModel(
                name="Project",
                fields=[
                    ("id", IdField(prefix="prj", serialize=False)),
                    ("slug", models.SlugField(max_length=60, unique=True)),
                    ("name", models.CharField(max_length=120)),
                    ("description", models.TextField(blank=True)),
                    ("created_by", models.CharField(max_length=40)),
                    ("created_at", models.DateTimeField(auto_now_add=True)),
                    ("version", models.IntegerField(default=1)),
                ],
            ),
            migrations.CreateModel(
                name="Team",
                fields=[
                    ("id", IdField(prefix="tem", serialize=False)),
                    ("name", models.CharField(max_length=120, unique=True)),
                    ("created_at", models.DateTimeField(auto_now_add=True)),
                ],
            ),
            migrations.CreateModel(
                name="User",
                fields=[
                    ("password", models.CharField(max_length=128, verbose_name="password")),
                    (
                        "last_login",
                        models.DateTimeField(blank=True, null=True, verbose_name="last login"),
                    ),
                    (
                        "is_superuser",
                        models.BooleanField(
                            default=False,
                            help_text="Designates that this user has all permissions without"
                            " explicitly assigning them.",
                            verbose_name="superuser status",
                        ),
                    ),
                    ("id", IdField(prefix="per", serialize=False)),
                    ("email", models.EmailField(max_length=254, unique=True)),
                    ("name", models.CharField(max_length=120)),
                    ("is_active", models.BooleanField(default=True)),
                    ("is_staff", models.BooleanField(default=False)),
                    ("created_at", models.DateTimeField(auto_now_add=True)),
                    (
                        "groups",
                        models.ManyToManyField(
                            blank=True,
                            help_text="The groups this user belongs to. A user will get all"
                            " permissions granted to each of their groups.",
                            related_name="user_set",
                            related_query_name="user",
                            to="auth.group",
                            verbose_name="groups",
                        ),
                    ),
                    (
                        "user_permissions",
                        models.ManyToManyField(
                            blank=True,
                            help_text="Specific permissions for this user.",
                            related_name="user_set",
                            related_query_name="user",
                            to="auth.permission",
                            verbose_name="user permissions",
                        ),
                    ),
                ],
                options={
                    "verbose_name": "person",
                    "verbose_name_plural": "people",
                },
            ),
            migrations.CreateModel(
                name="IdempotencyRecord",
                fields=[
                    (
                        "id",
                        models.BigAutoField(
                            auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                        ),
                    ),
                    ("actor_id", models.CharField(max_length=40)),
                    ("key", models.CharField(max_length=200)),
                    ("request_hash", models.CharField(max_length=64)),
                    ("status", models.IntegerField(null=True)),
                    ("headers", models.JSONField(default=dict)),
                    ("body", models.BinaryField(default=b"")),
                    ("created_at", models.DateTimeField(auto_now_add=True)),
                    ("claim", models.CharField(default=uuid7_hex, max_length=32)),
                ],
                options={
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("actor_id", "key"), name="identity_key_once"
                        )
                    ],
                },
            ),
            migrations.CreateModel(
                name="ServiceAccount",
                fields=[
                    ("id", IdField(prefix="svc", serialize=False)),
                    ("name", models.SlugField(max_length=60, unique=True)),
                    ("is_active", models.BooleanField(default=True)),
                    ("created_at", models.DateTimeField(auto_now_add=True)),
                    (
                        "owner",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="service_accounts",
                            to=settings.AUTH_USER_MODEL,
                        ),
                    ),
                ],
            ),
            migrations.CreateModel(
                name="ApiToken",
                fields=[
                    ("id", IdField(prefix="tok", serialize=False)),
                    ("name", models.CharField(max_length=120)),
                    ("prefix", models.CharField(max_length=16, unique=True)),
                    ("secret_hash", models.CharField(max_length=64)),
                    ("scopes", models.JSONField(default=list)),
                    ("expires_at", models.DateTimeField()),
                    ("revoked_at", models.DateTimeField(blank=True, null=True)),
                    ("last_used_at", models.DateTimeField(blank=True, null=True)),
                    ("created_at", models.DateTimeField(auto_now_add=True)),
                    (
                        "person",
                        models.ForeignKey(
                            blank=True,
                            null=True,
                            on_delete=models.CASCADE,
                            to=settings.AUTH_USER_MODEL,
                        ),
                    ),
                    (
                        "project",
                        models.ForeignKey(
                            blank=True, null=True, on_delete=models.CASCADE, to="identity.project"
                        ),
                    ),
                    (
                        "service_account",
                        models.ForeignKey(
                            blank=True,
                            null=True,
                            on_delete=models.CASCADE,
                            to="identity.serviceaccount",
                        ),
                    ),
                ],
                options={
                    "verbose_name": "API token",
                    "constraints": [
                        models.CheckConstraint(
                            condition=Q(
                                Q(("person__isnull", False), ("service_account__isnull", True)),
                                Q(("person__isnull", True), ("service_account__isnull", False)),
                                _connector="OR",
                            ),
                            name="identity_token_one_subject",
                        )
                    ],
                },
            ),
            migrations.CreateModel(
                name="RoleBinding",
                fields=[
                    ("id", IdField(prefix="rol", serialize=False)),
                    ("role", models.CharField(max_length=20)),
                    ("environment", models.CharField(blank=True, max_length=40)),
                    ("granted_by", models.CharField(max_length=40)),
                    ("created_at", models.DateTimeField(auto_now_add=True)),
                    (
                        "person",
                        models.ForeignKey(
                            blank=True,
                            null=True,
                            on_delete=models.CASCADE,
                            to=settings.AUTH_USER_MODEL,
                        ),
                    ),
                    (
                        "project",
                        models.ForeignKey(
                            blank=True, null=True, on_delete=models.CASCADE, to="identity.project"
                        ),
                    ),
                    (
                        "service_account",
                        models.ForeignKey(
                            blank=True,
                            null=True,
                            on_delete=models.CASCADE,
                            to="identity.serviceaccount",
                        ),
                    ),
                    (
                        "team",
                        models.ForeignKey(
                            blank=True, null=True, on_delete=models.CASCADE, to="identity.team"
                        ),
                    ),
                ],
                options={
                    "verbose_name": "role",
                    "constraints": [
                        models.CheckConstraint(
                            condition=Q(
                                Q(
                                    ("person__isnull", False),
                                    ("service_account__isnull", True),
                                    ("team__isnull", True),
                                ),
                                Q(
                                    ("person__isnull", True),
                                    ("service_account__isnull", True),
                                    ("team__isnull", False),
                                ),
                                Q(
                                    ("person__isnull", True),
                                    ("service_account__isnull", False),
                                    ("team__isnull", True),
                                ),
                                _connector="OR",
                            ),
                            name="identity_binding_one_subject",
                        ),
                        models.CheckConstraint(
                            condition=Q(
                                ("environment", ""), ("project__isnull", False), _connector="OR"
                            ),
                            name="identity_environment_needs_project",
                        ),
                        models.UniqueConstraint(
                            fields=(
                                "role",
                                "person",
                                "team",
                                "service_account",
                                "project",
                                "environment",
                            ),
                            name="identity_binding_once",
                            nulls_distinct=False,
                        ),
                    ],
                },
            ),
            migrations.CreateModel(
                name="TeamMember",
                fields=[
                    ("id", IdField(prefix="tmm", serialize=False)),
                    (
                        "person",
                        models.ForeignKey(
                            on_delete=models.CASCADE,
                            related_name="memberships",
                            to=settings.AUTH_USER_MODEL,
                        ),
                    ),
                    (
                        "team",
                        models.ForeignKey(
                            on_delete=models.CASCADE, related_name="memberships", to="identity.team"
                        ),
                    ),
                ],
                options={
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("team", "person"), name="identity_member_once"
                        )
                    ],
                },
            ),
            migrations.CreateModel(
                name="SharedValue",
                fields=[
                    ("key", models.CharField(max_length=64, primary_key=True, serialize=False)),
                    ("value", models.JSONField()),
                    ("expires_at", models.DateTimeField(db_index=True)),
                ],
            ),
        ),
    ]
