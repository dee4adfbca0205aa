"""Registers the app under its last word, and what it needs of the store."""

from django.apps import AppConfig


class BuildsConfig(AppConfig):
    """Settings of the app."""

    name = "apps.builds"
    label = "builds"

    def ready(self) -> None:
        """Tell the store which blobs Bentos and runtimes need."""
        from apps.builds.queries import blobs_needed
        from apps.registry import hooks

        hooks.blobs_needed.register(blobs_needed)
