"""What serving asks of rollouts, answered from their rows."""

from django.db.models import Exists, OuterRef

from apps.rollouts.models import Rollout
from apps.rollouts.states import RolloutKind, RolloutState


class RolloutMover:
    """See :class:`apps.serving.hooks.Mover`."""

    def aborted(self) -> Exists:
        """Tell of a revision whether people or a recall ended its rollout."""
        rows = Rollout.objects.filter(to_revision=OuterRef("pk"), kind=RolloutKind.RELEASE)
        return Exists(rows.filter(state=RolloutState.ABORTED))
