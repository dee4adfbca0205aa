"""Registers the app under its last word, and listens to sign-ins."""

from django.apps import AppConfig


class IdentityConfig(AppConfig):
    """Settings of the app."""

    name = "apps.identity"
    label = "identity"
    verbose_name = "Access"

    def ready(self) -> None:
        """Connect the sign-in events; import the event kinds, so that all can be read."""
        from apps.identity import events, sign_in

        assert events
        sign_in.connect()
