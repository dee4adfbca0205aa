"""The long poll: a request that waits until the state of its target is another one.

It waits without a thread (``placet.kernel.waiting``). :class:`Listener` hears for all that wait in
a process.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from django.http import HttpRequest

from apps.serving.agent_api.listening import listener
from apps.serving.errors import CannotWait
from apps.serving.models import DesiredState, Node
from placet.kernel.clock import now
from placet.kernel.waiting import ASKED, POSSIBLE, Wait

MAX_WAIT = 25.0
Generation = tuple[int, int]  # epoch, number


@dataclass(eq=False, kw_only=True)
class Poll(Wait):
    """A node that knows one state and waits for another."""

    node: str
    target: str
    known: Generation
    came: datetime = field(default_factory=now)
    newer: bool = False  # another poll of the node came, which waits in place of this one
    news: Callable[[], None] = field(init=False)

    @classmethod
    def of(cls, node: Node, known: Generation, seconds: float) -> "Poll":
        """Return the poll of a node, ``MAX_WAIT`` seconds long at most."""
        return cls(node=node.pk, target=node.target_id, known=known, seconds=min(seconds, MAX_WAIT))

    def begin(self, news: Callable[[], None]) -> None:
        """Have the process's listener hear for it too."""
        self.news = news
        listener.add(self)

    def end(self) -> None:
        """Have nobody hear for it any more."""
        listener.remove(self)

    def give_way(self) -> None:
        """End, for a newer poll of the node."""
        self.newer = True
        self.news()


def wait_for_news(request: HttpRequest, poll: Poll) -> None:
    """Have ``request`` wait once it has been answered that there is nothing new.

    Raises :class:`CannotWait` where the server keeps no request, or no more of them: nobody holds
    a thread meanwhile, and a node that was told so asks again later and later.
    """
    if not request.META.get(POSSIBLE) or request.body:
        raise CannotWait
    request.META[ASKED] = poll


def other_state(target_id: str, known: Generation) -> str | None:
    """Return the signed state unless it is the ``known`` one."""
    row = (
        DesiredState.objects.filter(target=target_id)
        .exclude(envelope="")
        .values_list("epoch", "number", "envelope")
        .first()
    )
    return None if row is None or row[:2] == known else row[2]
