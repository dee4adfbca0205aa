"""What every command shares: the client, the form of the answer, and exit codes."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from placet_client import login
from placet_client.client import Client
from placet_client.errors import Conflict, Denied, PlacetError
from placet_client.output import Form

OutputOption = Annotated[Form, typer.Option("--output", "-o", help="table, or the API's JSON")]
WaitOption = Annotated[bool, typer.Option("--wait", help="return when it has ended")]
TimeoutOption = Annotated[float, typer.Option(min=0, help="seconds to wait at most")]
LimitOption = Annotated[int | None, typer.Option(min=1, help="at most so many; otherwise all")]
ModelArgument = Annotated[str, typer.Argument(metavar="PROJECT/MODEL")]
VersionArgument = Annotated[str, typer.Argument(metavar="PROJECT/MODEL:NUMBER")]
EnvironmentArgument = Annotated[str, typer.Argument(metavar="PROJECT/ENVIRONMENT")]
EndpointArgument = Annotated[str, typer.Argument(metavar="PROJECT/ENVIRONMENT/ENDPOINT")]

OK, ERROR, USAGE, DENIED, WAITING, TIMED_OUT, CONFLICT = range(7)


class CommandEnded(Exception):
    """Ends the command with ``code`` after a sentence."""

    def __init__(self, code: int, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


@contextmanager
def connected() -> Iterator[Client]:
    """Open the server that the person logged in to."""
    known = login.current()
    with Client(known.url, known.token, ca=known.ca) as client:
        yield client


def polling(seconds: float) -> Iterator[bool]:
    """Yield again and again, more and more slowly; ``True`` once ``seconds`` are over."""
    end, pause = time.monotonic() + seconds, 0.25
    while time.monotonic() < end:
        yield False
        time.sleep(max(0.0, min(pause, end - time.monotonic())))
        pause = min(pause * 1.3, 5.0)
    yield True


def exit_code(error: PlacetError) -> int:
    """Return the exit code of a refusal."""
    if isinstance(error, Denied):
        return DENIED
    return CONFLICT if isinstance(error, Conflict) else ERROR


def json_or_file(text: str, option: str) -> Any:
    """Read what an option holds: JSON, or ``@FILE`` with JSON in it."""
    try:
        source = Path(text[1:]).read_text("utf-8") if text.startswith("@") else text
        return json.loads(source, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise typer.BadParameter(f"{option} is not JSON: {error}") from None


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def pairs(items: list[str], option: str) -> dict[str, str]:
    """Read ``NAME=VALUE`` items."""
    values: dict[str, str] = {}
    for item in items:
        if "=" not in item.lstrip("="):
            raise typer.BadParameter(f"{option} {item!r} is not of the form NAME=VALUE")
        name, _, value = item.partition("=")
        if name in values:
            raise typer.BadParameter(f"{option} {name!r} is given twice")
        values[name] = value
    return values
