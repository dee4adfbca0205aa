"""Registers the app, and hands the application's database role its rights after migrations."""

from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.db import connections
from django.db.models.signals import post_migrate

APPEND_ONLY = ("audit_event", "audit_tile", "audit_checkpoint", "audit_timestamp")
OWNERS = ("audit_archive", "audit_archivedleaf")  # what the application only reads


class AuditConfig(AppConfig):
    """Settings of the app."""

    name = "apps.audit"
    label = "audit"

    def ready(self) -> None:
        """Grant rights whenever the schema may have changed, and show the log's size."""
        from apps.audit.metrics import register

        post_migrate.connect(grant_rights, sender=self)
        register()


def grant_rights(using: str = "default", **kwargs: Any) -> None:
    """Give the application's role rows to read and write, and of the log only to read and add.

    Runs as the owner. The role owns nothing, so it can neither drop a trigger nor grant itself
    more. Where the role does not exist (a foreign database before its set-up) nothing is granted.
    """
    role = settings.DATABASE_APP_ROLE
    connection = connections[using]
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role])
        if cursor.fetchone() is None:
            return
        q = connection.ops.quote_name(role)
        cursor.execute(f"GRANT USAGE ON SCHEMA public TO {q}")
        for kind, rights in (
            ("TABLES", "SELECT, INSERT, UPDATE, DELETE"),
            ("SEQUENCES", "USAGE, SELECT"),
        ):
            cursor.execute(f"GRANT {rights} ON ALL {kind} IN SCHEMA public TO {q}")
            cursor.execute(
                f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT {rights} ON {kind} TO {q}"
            )
        existing = set(connection.introspection.table_names(cursor))
        for table in (*APPEND_ONLY, *OWNERS, "django_migrations"):
            if table in existing:
                cursor.execute(f"REVOKE UPDATE, DELETE, TRUNCATE ON {table} FROM {q}")
        for table in existing.intersection(OWNERS):
            cursor.execute(f"REVOKE INSERT ON {table} FROM {q}")
