"""Registers the app under its last word, and declares its event kinds."""

from django.apps import AppConfig


class DiscussionsConfig(AppConfig):
    """Settings of the app."""

    name = "apps.discussions"
    label = "discussions"

    def ready(self) -> None:
        """Declare the event kinds, so that all can be read, and take part in erasing people."""
        from apps.discussions import actions, events
        from apps.identity import hooks as identity

        assert events.DISCUSSION_OPENED
        identity.person_erased.register(actions.forget_files)
