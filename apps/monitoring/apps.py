"""Registers the app under its last word, and declares its event kinds."""

from django.apps import AppConfig


class MonitoringConfig(AppConfig):
    """Settings of the app."""

    name = "apps.monitoring"
    label = "monitoring"

    def ready(self) -> None:
        """Declare the event kinds; show endpoints, nodes and alerts at ``/metrics``."""
        from apps.monitoring import events
        from apps.monitoring.metrics import register

        assert events.ALERT_OPENED
        register()
