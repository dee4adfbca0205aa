"""search, export."""

import inspect
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from placet_client.cli.command import OutputOption, connected
from placet_client.output import Form, show_list, tell

TextArgument = Annotated[
    str, typer.Argument(help="a name, model:3, an alias, a release's number, an id or a digest")
]
FilterOption = Annotated[
    list[str] | None, typer.Option("--filter", help="NAME=VALUE, as the list's page has it")
]


class List(StrEnum):
    """What can be taken away whole."""

    MODELS = "models"
    VERSIONS = "versions"
    RELEASES = "releases"
    ENDPOINTS = "endpoints"
    DEPLOYMENTS = "deployments"
    TARGETS = "targets"
    POLICIES = "policies"
    DUTIES = "duties"
    GLASSES = "glasses"
    SIGNERS = "signers"
    PASSKEYS = "passkeys"
    RECALLS = "recalls"
    STREAMS = "streams"
    WEBHOOKS = "webhooks"
    TOKENS = "tokens"
    WITNESSES = "witnesses"
    HOLDS = "holds"
    ARCHIVES = "archives"


class FileForm(StrEnum):
    """How a list is written down."""

    CSV = "csv"
    JSON = "json"


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(search)
    app.command()(export)


def search(text: TextArgument, output: OutputOption = Form.TABLE) -> None:
    """Find models, versions, releases, endpoints, projects, targets and people."""
    with connected() as client:
        show_list(client.everything.search(text), ["kind", "title", "detail", "id"], output)


def export(
    name: Annotated[List, typer.Argument(metavar="LIST", help=", ".join(List))],
    file: Path,
    form: Annotated[FileForm, typer.Option("--format", help="csv or json")] = FileForm.CSV,
    filters: FilterOption = None,
) -> None:
    """Write a whole list to a file."""
    filter_values = dict(_named(text) for text in filters or [])
    with connected() as client:
        write = getattr(client.lists, name.value)
        known = inspect.signature(write).parameters.keys() - {"to", "form"}
        if unknown := sorted(filter_values.keys() - known):
            there = ", ".join(sorted(known)) or "none"
            raise typer.BadParameter(f"{name} has no filter {unknown[0]}; there are: {there}")
        size = write(file, form=form.value, **filter_values)
    tell(f"{file}: {size} bytes")


def _named(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise typer.BadParameter(f"{text!r} is not NAME=VALUE")
    return name, value
