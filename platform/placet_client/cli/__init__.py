"""The command ``placet``: noun verb."""

import os
import sys
from typing import Annotated

import typer

from placet_client import __version__
from placet_client.cli import (
    absences,
    access,
    alerts,
    audit,
    break_glass,
    builds,
    deployments,
    drills,
    governance,
    lists,
    models,
    notices,
    outcomes,
    predictions,
    recalls,
    releases,
    rollouts,
    secrets,
    serving,
    streams,
    targets,
    threads,
    versions,
    webhooks,
)
from placet_client.cli.command import ERROR, OK, TIMED_OUT, CommandEnded, exit_code
from placet_client.cli.logging_in import login_again
from placet_client.errors import NotSignedIn, PlacetError
from placet_client.output import say, tell

app = typer.Typer(
    help="Placet decides which models may run. Decisions are made by people in the browser: "
    "a token never approves, so there is no command for it.",
    epilog="Exit codes: 0 done, 1 error, 2 wrong usage, 3 denied by policy, 4 people have not "
    "decided, 5 timed out, 6 conflict, 130 Ctrl-C.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
for module in (
    absences,
    access,
    models,
    versions,
    builds,
    governance,
    releases,
    rollouts,
    serving,
    targets,
    deployments,
    outcomes,
    predictions,
    drills,
    break_glass,
    recalls,
    alerts,
    threads,
    notices,
    audit,
    secrets,
    streams,
    webhooks,
    lists,
):
    module.add_to(app)


def _version(wanted: bool) -> None:
    if wanted:
        tell(f"placet {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="show the version")
    ] = False,
) -> None:
    """Take the options before the noun."""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return its exit code (0 ok, 1 error, 2 usage, 3 denied by policy,
    4 waiting for approval, 5 timed out, 6 conflict)."""
    try:
        app(args=arguments, prog_name="placet")
    except SystemExit as stop:  # typer ends by itself: help, usage errors, and the normal end
        return stop.code if isinstance(stop.code, int) else OK
    except CommandEnded as end:
        say(str(end))
        return end.code
    except NotSignedIn as error:
        say("\n".join([str(error), *login_again()]))
        return exit_code(error)
    except PlacetError as error:
        say(str(error))
        return exit_code(error)
    except TimeoutError as error:
        say(str(error))
        return TIMED_OUT
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except OSError as error:
        say(f"{error.filename or ''} {error.strerror}".strip())
        return ERROR
    except UnicodeDecodeError as error:
        say(f"A file is not UTF-8 text: {error.reason} at byte {error.start}")
        return ERROR
    return OK
