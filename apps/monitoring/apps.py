"""Registers the app under its last word, and declares its event kinds."""

from django.apps import AppConfig


class MonitoringConfig(AppConfig):
    """Settings of the app."""

    name = "apps.monitoring"
    label = "monitoring"

    def ready(self) -> None:
        """Declare the event kinds and the blobs it needs; show endpoints, nodes and alerts."""
        from apps.monitoring import events
        from apps.monitoring.metrics import register
        from apps.monitoring.queries.captures import blobs_needed
        from apps.registry import hooks

        assert events.ALERT_OPENED
        register()
        hooks.blobs_needed.register(blobs_needed)
