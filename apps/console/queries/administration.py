"""What stands above each page of the administration."""

from dataclasses import dataclass

from django.urls import reverse

from apps.identity.queries import authorize
from placet.kernel.actor import Actor
from placet.kernel.problems import NotFound


@dataclass(frozen=True, slots=True)
class Tab:
    """One page of the administration in the row of all of them."""

    text: str
    url: str
    active: bool


@dataclass(frozen=True, slots=True)
class AdministrationHead:
    """The pages of the administration that their reader may open, and the one that is shown."""

    actor: Actor
    shown: str  # the name of its route

    @property
    def may_manage(self) -> bool:
        """Whether the reader administers access everywhere."""
        return self.actor.can("access.manage")

    @property
    def tabs(self) -> list[Tab]:
        """Its pages that the reader may open."""
        names = [("People", "administration"), ("Roles", "role-matrix")]
        if self.may_manage:
            names += [("Tokens", "all-tokens"), ("Instance", "instance")]
        return [Tab(text, reverse(name), name == self.shown) for text, name in names]


def administration_head(actor: Actor, shown: str, *, manage: bool = False) -> AdministrationHead:
    """Return the head of the page ``shown``, which who audits access sees as well as who
    administers it, unless one must ``manage`` it. For everybody else there is no such page."""
    if not actor.can("access.view"):
        raise NotFound
    if manage:
        authorize(actor, "access.manage", None)
    return AdministrationHead(actor, shown)
