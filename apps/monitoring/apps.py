"""Registers the app under its last word, and declares its event kinds."""

from django.apps import AppConfig


class MonitoringConfig(AppConfig):
    """Settings of the app."""

    name = "apps.monitoring"
    label = "monitoring"

    def ready(self) -> None:
        """Declare the event kinds and the blobs it needs; show endpoints, nodes and alerts,
        say what is wrong with what serves, and have alerts discussed."""
        from apps.discussions.hooks import subject_kinds
        from apps.monitoring import events
        from apps.monitoring.discussed import discussed
        from apps.monitoring.metrics import register
        from apps.monitoring.queries.alerts import AlertWatcher
        from apps.monitoring.queries.captures import blobs_needed
        from apps.registry import hooks
        from apps.serving.hooks import watcher

        assert events.ALERT_OPENED
        register()
        hooks.blobs_needed.register(blobs_needed)
        watcher.fill(AlertWatcher())
        subject_kinds.register(discussed)
