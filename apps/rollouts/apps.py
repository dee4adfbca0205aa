"""Registers the app, and takes part in what serving does below it."""

from django.apps import AppConfig


class RolloutsConfig(AppConfig):
    """Settings of the app."""

    name = "apps.rollouts"
    label = "rollouts"

    def ready(self) -> None:
        """Declare the event kinds, and take part in what serving reads and deletes."""
        from apps.rollouts import events
        from apps.rollouts.actions.after_deletion import let_go, needed_by_rollout
        from apps.rollouts.move_register import RolloutMover
        from apps.serving import hooks

        assert events.ENTERED
        hooks.endpoint_needed.register(needed_by_rollout)
        hooks.endpoint_deleted.register(let_go)
        hooks.mover.fill(RolloutMover())
