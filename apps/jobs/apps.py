"""Registers the app under its last word."""

from django.apps import AppConfig


class JobsConfig(AppConfig):
    """Settings of the app."""

    name = "apps.jobs"
    label = "jobs"

    def ready(self) -> None:
        """Show open jobs at ``/metrics``."""
        from apps.jobs.metrics import register

        register()
