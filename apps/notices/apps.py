"""Registers the app under its last word, and what it still has to read of the log."""

from django.apps import AppConfig


class NoticesConfig(AppConfig):
    """Settings of the app."""

    name = "apps.notices"
    label = "notices"

    def ready(self) -> None:
        """Hold back what nobody was told of yet."""
        from apps.audit import hooks
        from apps.notices.queries import following

        hooks.followers.register(following)
