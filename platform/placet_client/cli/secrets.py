"""secret."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from placet_client.cli.command import OutputOption, connected, go_on
from placet_client.cli.logging_in import is_piped
from placet_client.client import Client
from placet_client.output import Form, show_list, show_one
from placet_client.records import Secret

secret = typer.Typer(
    help="Secrets of environments: set, and never shown again", no_args_is_help=True
)
COLUMNS = ["name", "environment", "version", "created_at", "id"]
PlaceArgument = Annotated[str, typer.Argument(metavar="PROJECT/ENVIRONMENT")]
SecretArgument = Annotated[
    str, typer.Argument(metavar="SECRET", help="PROJECT/ENVIRONMENT/NAME, or its id")
]
FileOption = Annotated[
    Path | None,
    typer.Option("--file", help="the file that holds the value; else it is piped in, or asked for"),
]
MOST = 256 * 1024  # bytes that are read of a value; the platform takes fewer


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(secret, name="secret")


@secret.command("list")
def secret_list(place: PlaceArgument, output: OutputOption = Form.TABLE) -> None:
    """List the secrets of an environment by name."""
    project, environment = _parts(place, 2)
    with connected() as client:
        show_list(client.secrets.list(project, environment), COLUMNS, output)


@secret.command("set")
def secret_set(
    named: SecretArgument, file: FileOption = None, output: OutputOption = Form.TABLE
) -> None:
    """Set the value of a secret: its first, or its next version.

    A line break at its end is left out."""
    project, environment, name = _parts(named, 3)
    value = _value(file)
    with connected() as client:
        _show(client, client.secrets.set(project, environment, name, value), output)


@secret.command("rotate")
def secret_rotate(
    named: SecretArgument, file: FileOption = None, output: OutputOption = Form.TABLE
) -> None:
    """Set the next version of a secret that is there: replicas are started anew with it."""
    with connected() as client:
        row = _found(client, named)
        _show(client, client.secrets.rotate(row.id, _value(file)), output)


@secret.command("revoke")
def secret_revoke(named: SecretArgument, output: OutputOption = Form.TABLE) -> None:
    """Revoke a secret that nothing uses: its value is forgotten, its name stays."""
    with connected() as client:
        _show(client, client.secrets.revoke(_found(client, named).id), output)


def _show(client: Client, row: Secret, output: Form) -> None:
    show_one(row, output, COLUMNS)
    go_on(client, "secrets", row.project, row.environment)


def _found(client: Client, named: str) -> Secret:
    if named.startswith("sec_"):
        return client.secrets.get(named)
    project, environment, name = _parts(named, 3)
    for row in client.secrets.list(project, environment):
        if row.name == name:
            return row
    raise typer.BadParameter(f"{environment} of {project} has no secret {name}")


def _parts(text: str, count: int) -> list[str]:
    parts = text.split("/")
    if len(parts) != count or not all(parts):
        form = "/".join(["PROJECT", "ENVIRONMENT", "NAME"][:count])
        raise typer.BadParameter(f"write it as {form}")
    return parts


def _value(file: Path | None) -> str:
    """Return a value that is in a file, piped in, or typed without being shown. It is no argument:
    other users of this machine can read those."""
    if file is not None:
        with file.open("rb") as stream:
            return _text(stream.read(MOST))
    if is_piped():
        return _text(sys.stdin.buffer.read(MOST))
    if sys.stdin is not None and sys.stdin.isatty():
        return str(typer.prompt("Value", hide_input=True, err=True))
    raise typer.BadParameter("pipe the value in, or name its file by --file")


def _text(raw: bytes) -> str:
    text = raw.decode()
    return text.removesuffix("\n").removesuffix("\r")
