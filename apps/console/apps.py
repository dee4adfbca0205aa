"""Registers the app under its last word."""

from django.apps import AppConfig


class ConsoleConfig(AppConfig):
    """Settings of the app."""

    name = "apps.console"
    label = "console"

    def ready(self) -> None:
        """Tell events as pages do wherever they are handed out."""
        from apps.audit import hooks
        from apps.console.queries.events import told

        hooks.teller.fill(told)
