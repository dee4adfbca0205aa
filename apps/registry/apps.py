"""Registers the app under its last word, and takes part in discussions below it."""

from django.apps import AppConfig


class RegistryConfig(AppConfig):
    """Settings of the app."""

    name = "apps.registry"
    label = "registry"

    def ready(self) -> None:
        """Have versions discussed."""
        from apps.discussions import hooks as discussions
        from apps.registry.discussed import discussed

        discussions.subject_kinds.register(discussed)
