"""build."""

import time
from typing import Annotated, Any

import typer

from placet_client import refs
from placet_client.cli.command import ERROR, Ended, Output, Timeout, Wait, connected, first
from placet_client.client import Client
from placet_client.output import Form, notes, say, show_list, show_one

build = typer.Typer(help="Builds of versions into Bentos", no_args_is_help=True)
Reference = Annotated[str, typer.Argument(metavar="PROJECT/MODEL:NUMBER")]


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(build, name="build")


@build.command("start")
def build_start(
    reference: Reference,
    accelerate: Annotated[
        bool, typer.Option("--accelerate", help="serve its ONNX form, if its answers are equal")
    ] = False,
    wait: Wait = False,
    timeout: Timeout = 900,
    output: Output = Form.TABLE,
) -> None:
    """Build a version."""
    with connected() as client:
        started = client.post(f"{refs.version(reference).path}/builds", {"accelerate": accelerate})
        if wait:
            started = follow(client, started["id"], timeout, quiet=output is Form.JSON)
        show_one(started, output)


@build.command("list")
def build_list(reference: Reference, output: Output = Form.TABLE) -> None:
    """List the builds of a version."""
    with connected() as client:
        found = first(client, f"{refs.version(reference).path}/builds")
        show_list(found, ["id", "state", "step", "bento_digest", "created_at"], output)


@build.command("show")
def build_show(build_id: str, output: Output = Form.TABLE) -> None:
    """Show a build."""
    with connected() as client:
        show_one(client.get(f"/builds/{build_id}"), output)


@build.command("log")
def build_log(
    build_id: str,
    follow_it: Annotated[bool, typer.Option("--follow", help="until it has ended")] = False,
    timeout: Timeout = 900,
    output: Output = Form.TABLE,
) -> None:
    """Print the log of a build."""
    with connected() as client:
        if follow_it:
            follow(client, build_id, timeout)
            return
        lines = client.get(f"/builds/{build_id}/log")["lines"]
        show_list(lines, ["at", "step", "text"], output)


@build.command("cancel")
def build_cancel(build_id: str, output: Output = Form.TABLE) -> None:
    """Stop a build."""
    with connected() as client:
        show_one(client.post(f"/builds/{build_id}/cancel"), output)


def follow(client: Client, build_id: str, timeout: float, *, quiet: bool = False) -> dict[str, Any]:
    """Print a build's lines to standard error until it ends; raise unless it succeeded."""
    end, after = time.monotonic() + timeout, 0
    while True:
        log = client.get(f"/builds/{build_id}/log", after=after)
        for line in log["lines"]:
            if not quiet:
                notes.print(f"{line['step']:<9} {line['text']}", markup=False)
        after = log["after"]
        if log["ended"]:
            break
        if time.monotonic() > end:
            raise TimeoutError(f"build {build_id} is still {log['state']}")
        time.sleep(0.5)
    found = client.get(f"/builds/{build_id}")
    if found["state"] != "succeeded":
        raise Ended(ERROR, f"The build {found['state']}: {found['error']}")
    say(f"Bento {found['bento_digest']}")
    return found
