"""Registers the app under its last word, and declares its event kinds."""

from django.apps import AppConfig


class IntegrationsConfig(AppConfig):
    """Settings of the app."""

    name = "apps.integrations"
    label = "integrations"

    def ready(self) -> None:
        """Declare the event kinds."""
        from apps.integrations import events

        assert events.STREAM_ADDED
