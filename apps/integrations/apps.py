"""Registers the app under its last word, and declares its event kinds."""

from django.apps import AppConfig


class IntegrationsConfig(AppConfig):
    """Settings of the app."""

    name = "apps.integrations"
    label = "integrations"

    def ready(self) -> None:
        """Declare the event kinds, and hold back what no stream has sent."""
        from apps.audit import hooks
        from apps.integrations import events
        from apps.integrations.queries import following
        from apps.jobs.hooks import held_back

        assert events.STREAM_ADDED and events.WEBHOOK_ADDED
        hooks.followers.register(following)
        held_back.register(_jobs)


def _jobs() -> dict[str, str]:
    kinds = ("integrations.call", "integrations.deliver", "integrations.test")
    return dict.fromkeys(kinds, "stream.view")
