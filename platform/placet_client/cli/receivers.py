"""What the commands of log forwarding and of webhooks share: both have receivers of events."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from placet_client.cli.command import ERROR, TIMED_OUT, CommandEnded, ended, polling
from placet_client.cli.waiting import watching
from placet_client.client import Client
from placet_client.records import Stream, Webhook

T = TypeVar("T")


def id_of(receivers: Iterable[Stream | Webhook], noun: str, reference: str) -> str:
    """Return the id of the one receiver, a ``noun``, with this name.

    A bare name is that of the instance's before those of projects: nobody who adds another one in
    a project changes what it means.
    """
    rows = list(receivers)
    named = [row for row in rows if reference == _full_name(row)]
    named = named or [row for row in rows if reference == row.name]
    if not named:
        raise CommandEnded(ERROR, f"You see no {noun} called {reference}")
    if len(named) > 1:
        names = ", ".join(sorted(map(_full_name, named)))
        raise CommandEnded(ERROR, f"Several {noun}s are called {reference}: name one of {names}")
    return named[0].id


def _full_name(row: Stream | Webhook) -> str:
    return f"{row.project}/{row.name}" if row.project else row.name


def came_of_test(
    client: Client, look: Callable[[], T | None], timeout: float, *page: str, later: str
) -> T:
    """Return what came of a test, as soon as ``look`` finds it; ``page`` is the receiver's, and
    ``later`` the command that shows it to whoever does not wait."""
    with watching(client, later, *page) as watch:
        for _ in polling(timeout):
            if (found := look()) is not None:
                return found
            watch.show("Waiting for a worker to send the test")
    raise ended(client, TIMED_OUT, "No worker has sent it yet", *page)
