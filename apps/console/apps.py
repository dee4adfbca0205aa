"""Registers the app under its last word."""

from django.apps import AppConfig


class ConsoleConfig(AppConfig):
    """Settings of the app."""

    name = "apps.console"
    label = "console"

    def ready(self) -> None:
        """Tell events and policy drafts as pages do wherever they are handed out."""
        from apps.audit import hooks
        from apps.console.queries.draft_tasks import unpublishable
        from apps.console.queries.events import told
        from apps.governance import hooks as governance

        hooks.teller.fill(told)
        governance.unpublishable.fill(unpublishable)
