"""Registers the app, keeps the recalls for the apps below and knows what ids are called."""

from django.apps import AppConfig


class AssuranceConfig(AppConfig):
    """Settings of the app."""

    name = "apps.assurance"
    label = "assurance"

    def ready(self) -> None:
        """Say what is recalled and what ids are called, hear what nodes answer, keep the files of
        archives, and declare the event kinds."""
        from apps.assurance import events
        from apps.assurance.queries.called import NameFinder
        from apps.assurance.queries.retention import archive_files
        from apps.assurance.recall_register import RecallKeeper
        from apps.audit import hooks as audit
        from apps.registry import hooks as registry
        from apps.serving import hooks as serving

        assert events.RECALLED
        serving.keeper.fill(RecallKeeper())
        registry.version_keeper.fill(RecallKeeper())
        audit.finder.fill(NameFinder())
        registry.blobs_needed.register(archive_files)
