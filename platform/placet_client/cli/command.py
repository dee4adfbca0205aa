"""What every command shares: the client, the form of the answer, and exit codes."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from placet_client import login
from placet_client.client import Client, PlacetError
from placet_client.output import Form

Output = Annotated[Form, typer.Option("--output", "-o", help="table or json")]
Wait = Annotated[bool, typer.Option("--wait", help="return when it has ended")]
Timeout = Annotated[float, typer.Option(help="seconds to wait at most")]

OK, ERROR, USAGE, DENIED, WAITING, TIMED_OUT, CONFLICT = range(7)
LIMIT = 100


class Ended(Exception):
    """Ends the command with ``code`` after a sentence."""

    def __init__(self, code: int, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


@contextmanager
def connected() -> Iterator[Client]:
    """Open the server that the person logged in to."""
    known = login.current()
    with Client(known.url, known.token) as client:
        yield client


def first(client: Client, path: str, **params: Any) -> list[dict[str, Any]]:
    """Return the newest items of a list, at most 100."""
    items: list[dict[str, Any]] = client.get(path, limit=LIMIT, **params)["items"]
    return items


def exit_code(error: PlacetError) -> int:
    """Return the exit code of a refusal."""
    if error.status == 403:
        return DENIED
    return CONFLICT if error.status in (409, 412) else ERROR
