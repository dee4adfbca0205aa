"""What waits for a person: releases to decide on or roll out, paused rollouts, policy drafts."""

from collections.abc import Sequence
from dataclasses import dataclass

from apps.console.queries.home_page import PausedRow
from apps.console.queries.own_releases import OwnRequest, Startable, followed, requests_title
from apps.governance.models import PolicyRevision
from apps.governance.queries.visible_rows import INBOX_LIMIT, Waiting, publishable
from apps.governance.rules import ROLE_OF
from apps.rollouts.queries import awaiting_person
from placet.kernel.actor import Actor


@dataclass(frozen=True, slots=True)
class InboxPage:
    """Everything that waits for its reader."""

    inbox: Waiting
    startable: Sequence[Startable]
    requests: Sequence[OwnRequest]
    paused: list[PausedRow]
    drafts: list[PolicyRevision]
    decides: bool  # whether the reader decides anywhere

    @property
    def cut(self) -> str:
        """What is said where more wait than are looked at."""
        if not self.inbox.is_cut:
            return ""
        return f"These are the oldest {INBOX_LIMIT}. Newer ones come as they are decided."

    @property
    def requests_title(self) -> str:
        """What stands above them."""
        return requests_title(self.requests)

    @property
    def size(self) -> int:
        """How many things there are that the reader can do now."""
        releases = len(self.inbox.needed) + len(self.startable)
        return releases + len(self.paused) + len(self.drafts)


def inbox_page(inbox: Waiting, actor: Actor) -> InboxPage:
    """Return what waits for ``actor`` and what became of their requests, in three queries beside
    ``inbox``, or four."""
    releases = followed(actor)
    return InboxPage(
        inbox=inbox,
        startable=releases.startable,
        requests=releases.own,
        paused=[PausedRow(row) for row in awaiting_person(actor)],
        drafts=publishable(actor),
        decides=any(actor.can_somewhere(permission) for permission in ROLE_OF),
    )
