"""Where an app above takes part in what governance hands out."""

from typing import Protocol

from apps.governance.models import PolicyRevision
from placet.kernel.actor import Actor
from placet.kernel.hooks import Slot


class DraftReader(Protocol):
    """Who says, as pages do, why a policy draft cannot be published."""

    def __call__(self, draft: PolicyRevision, actor: Actor) -> str:
        """Return why a draft cannot be published as roles are held now, as far as ``actor`` may
        know, and who is to do what; '' where it can, and of what is no draft any more."""


unpublishable = Slot[DraftReader]("why a policy draft cannot be published")
