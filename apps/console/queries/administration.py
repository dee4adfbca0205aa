"""What stands above each page of the administration."""

from dataclasses import dataclass

from apps.identity.queries import authorize
from placet.kernel.actor import Actor
from placet.kernel.problems import NotFound


@dataclass(frozen=True, slots=True)
class AdministrationHead:
    """What stands above each page of the administration."""

    actor: Actor

    @property
    def may_manage(self) -> bool:
        """Whether the reader administers access everywhere."""
        return self.actor.can("access.manage")


def administration_head(actor: Actor, *, manage: bool = False) -> AdministrationHead:
    """Return the head of a page that who audits access sees as well as who
    administers it, unless one must ``manage`` it. For everybody else there is no such page."""
    if not actor.can("access.view"):
        raise NotFound
    if manage:
        authorize(actor, "access.manage", None)
    return AdministrationHead(actor)
