"""Registers the app under its last word, and declares its event kinds."""

from django.apps import AppConfig


class ServingConfig(AppConfig):
    """Settings of the app."""

    name = "apps.serving"
    label = "serving"

    def ready(self) -> None:
        """Declare the event kinds, and say which Bentos are needed."""
        from apps.builds import hooks
        from apps.serving import events
        from apps.serving.queries import bentos_needed

        assert events.TARGET_CREATED
        hooks.bentos_needed.register(bentos_needed)
