"""Registers the app under its last word, and declares its event kinds."""

from django.apps import AppConfig


class RolloutsConfig(AppConfig):
    """Settings of the app."""

    name = "apps.rollouts"
    label = "rollouts"

    def ready(self) -> None:
        """Declare the event kinds."""
        from apps.rollouts import events

        assert events.ENTERED
