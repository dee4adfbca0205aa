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
from placet_client.output import Form, say
from placet_client.pages import path_of

OutputOption = Annotated[Form, typer.Option("--output", "-o", help="table, or the API's JSON")]
WaitOption = Annotated[
    bool, typer.Option("--wait", help="wait until it has ended, and show for what")
]
TimeoutOption = Annotated[float, typer.Option(min=0, help="seconds to wait at most")]
LimitOption = Annotated[int | None, typer.Option(min=1, help="show so many at most; default: all")]
ModelArgument = Annotated[str, typer.Argument(metavar="PROJECT/MODEL")]
VersionArgument = Annotated[str, typer.Argument(metavar="PROJECT/MODEL:NUMBER")]
EnvironmentArgument = Annotated[str, typer.Argument(metavar="PROJECT/ENVIRONMENT")]
EndpointArgument = Annotated[str, typer.Argument(metavar="PROJECT/ENVIRONMENT/ENDPOINT")]
# a list of a project takes it in either way, so that nobody has to know which list has which
ListedProject = Annotated[str, typer.Argument(metavar="[PROJECT]", help="the same as --project")]
ListedProjectOption = Annotated[str, typer.Option("--project", help="the same as PROJECT")]

OK, ERROR, USAGE, DENIED, WAITING, TIMED_OUT, CONFLICT = range(7)


INTERRUPTED = 130  # by Ctrl-C, as shells say it


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


def go_on(client: Client, page: str, *parts: object) -> None:
    """Say where to go on in the browser, as a command's last line.

    It goes to standard error: what a program reads of the command stays as it is.
    """
    say(address(client, page, *parts))


def address(client: Client, page: str, *parts: object) -> str:
    """Return the line that says where to go on."""
    return f"→ {client.url}{path_of(page, *parts)}"


def ended(client: Client, code: int, sentence: str, page: str, *parts: object) -> CommandEnded:
    """Return the end of a command that says, behind its sentence, where to go on."""
    return CommandEnded(code, f"{sentence}\n{address(client, page, *parts)}")


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


def listed_project(argument: str, option: str, *, needed: bool = False) -> str:
    """Return the project of a list, which is given in either way, or in both alike."""
    if argument and option and argument != option:
        raise typer.BadParameter(f"PROJECT is {argument}, and --project {option}: give one of them")
    if needed and not (argument or option):
        raise typer.BadParameter("Say of which project: PROJECT, or --project PROJECT")
    return argument or option


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
