"""Registers the app, and keeps the recalls for the apps below."""

from django.apps import AppConfig


class AssuranceConfig(AppConfig):
    """Settings of the app."""

    name = "apps.assurance"
    label = "assurance"

    def ready(self) -> None:
        """Say what is recalled, hear what nodes answer, keep the files of archives, and declare the
        event kinds."""
        from apps.assurance import events
        from apps.assurance.queries.retention import archive_files
        from apps.assurance.recall_register import RecallKeeper
        from apps.registry import hooks as registry
        from apps.serving import hooks as serving

        assert events.RECALLED
        serving.keeper.fill(RecallKeeper())
        registry.blobs_needed.register(archive_files)
