"""The command ``placet``: noun verb."""

import os
import sys

import typer

from placet_client.cli import (
    access,
    audit,
    builds,
    governance,
    models,
    releases,
    search,
    serving,
)
from placet_client.cli.command import ERROR, OK, TIMED_OUT, Ended, exit_code
from placet_client.client import PlacetError
from placet_client.output import say

app = typer.Typer(
    help="Placet decides which models may run. Decisions are made by people in the browser: "
    "a token never approves, so there is no command for it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for module in (access, models, builds, governance, releases, serving, audit, search):
    module.add_to(app)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return its exit code (0 ok, 1 error, 2 usage, 3 denied by policy,
    4 waiting for approval, 5 timed out, 6 conflict)."""
    try:
        app(args=arguments)
    except SystemExit as stop:  # typer ends by itself: help, usage errors, and the normal end
        return stop.code if isinstance(stop.code, int) else OK
    except Ended as end:
        say(str(end))
        return end.code
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
    return OK
