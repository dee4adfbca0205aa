"""Registers the app under its last word, and declares its event kinds."""

from django.apps import AppConfig


class DiscussionsConfig(AppConfig):
    """Settings of the app."""

    name = "apps.discussions"
    label = "discussions"

    def ready(self) -> None:
        """Declare the event kinds, so that all can be read."""
        from apps.discussions import events

        assert events.DISCUSSION_OPENED
