"""Registers the app under its last word, and its drivers."""

from django.apps import AppConfig


class ServingConfig(AppConfig):
    """Settings of the app."""

    name = "apps.serving"
    label = "serving"

    def ready(self) -> None:
        """Install the drivers and declare the event kinds."""
        from apps.builds import hooks
        from apps.serving import drivers, events
        from apps.serving.drivers.node import NodeDriver
        from apps.serving.queries import bentos_needed

        assert events.TARGET_CREATED
        drivers.register("node", NodeDriver())
        hooks.bentos_needed.register(bentos_needed)
