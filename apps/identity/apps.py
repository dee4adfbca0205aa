"""Registers the app under its last word, and listens to sign-ins."""

from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.db import connections
from django.db.models.signals import post_migrate


class IdentityConfig(AppConfig):
    """Settings of the app."""

    name = "apps.identity"
    label = "identity"
    verbose_name = "Access"

    def ready(self) -> None:
        """Connect the sign-in events; import the event kinds, so that all can be read."""
        from apps.identity import events
        from apps.identity.actions.credentials import rehash_password
        from apps.identity.models import User
        from apps.identity.refusals import say_what_is_lacking
        from apps.identity.sign_in import signals
        from placet.kernel.problems import wording

        assert events
        User.rehasher = staticmethod(rehash_password)
        wording.fill(say_what_is_lacking)
        signals.connect()
        post_migrate.connect(keep_the_count, sender=self)


def keep_the_count(using: str = "default", **kwargs: Any) -> None:
    """Leave the application's role nothing but reading of the count that triggers keep.

    Runs after the rights on all tables were given.
    """
    connection = connections[using]
    role = connection.ops.quote_name(settings.DATABASE_APP_ROLE)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM pg_roles"
            " WHERE rolname = %s AND to_regclass('identity_credentialchanges') IS NOT NULL",
            [settings.DATABASE_APP_ROLE],
        )
        if cursor.fetchone() is not None:
            cursor.execute(
                f"REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON identity_credentialchanges FROM {role}"
            )
