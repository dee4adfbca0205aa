"""build, bento, runtime."""

from pathlib import Path
from typing import Annotated

import typer

from placet_client import refs
from placet_client.cli.command import (
    ERROR,
    CommandEnded,
    LimitOption,
    OutputOption,
    TimeoutOption,
    VersionArgument,
    WaitOption,
    connected,
    polling,
)
from placet_client.client import Client
from placet_client.output import Form, say, show_list, show_one
from placet_client.records import Build

build = typer.Typer(help="Builds of versions into Bentos", no_args_is_help=True)
bento = typer.Typer(help="Bentos: what is approved and served", no_args_is_help=True)
runtime = typer.Typer(help="Pythons with their locked packages", no_args_is_help=True)
DigestArgument = Annotated[str, typer.Argument(metavar="SHA256:DIGEST")]


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(build, name="build")
    app.add_typer(bento, name="bento")
    app.add_typer(runtime, name="runtime")


@build.command("start")
def build_start(
    reference: VersionArgument,
    accelerate: Annotated[
        bool, typer.Option("--accelerate", help="serve its ONNX form, if its answers are equal")
    ] = False,
    wait: WaitOption = False,
    timeout: TimeoutOption = 900,
    output: OutputOption = Form.TABLE,
) -> None:
    """Build a version; with --wait print its log and return when it has ended."""
    with connected() as client:
        started = client.builds.start(*refs.version(reference), accelerate=accelerate)
        if wait:
            started = follow(client, started.id, timeout, quiet=output is Form.JSON)
        show_one(started, output)


@build.command("list")
def build_list(
    reference: VersionArgument, limit: LimitOption = None, output: OutputOption = Form.TABLE
) -> None:
    """List the builds of a version, newest first."""
    with connected() as client:
        builds = client.builds.list(*refs.version(reference), limit=limit)
        show_list(builds, ["id", "state", "step", "bento_digest", "created_at"], output)


@build.command("show")
def build_show(build_id: str, output: OutputOption = Form.TABLE) -> None:
    """Show a build."""
    with connected() as client:
        show_one(client.builds.get(build_id), output)


@build.command("log")
def build_log(
    build_id: str,
    follow_it: Annotated[bool, typer.Option("--follow", help="until it has ended")] = False,
    timeout: TimeoutOption = 900,
    output: OutputOption = Form.TABLE,
) -> None:
    """Print the log of a build."""
    with connected() as client:
        if follow_it:
            follow(client, build_id, timeout)
            return
        show_list(client.builds.log(build_id).lines, ["at", "step", "text"], output)


@build.command("cancel")
def build_cancel(build_id: str, output: OutputOption = Form.TABLE) -> None:
    """Stop a build."""
    with connected() as client:
        show_one(client.builds.cancel(build_id), output)


@bento.command("show")
def bento_show(digest: DigestArgument, output: OutputOption = Form.TABLE) -> None:
    """Show a Bento."""
    with connected() as client:
        show_one(client.bentos.get(digest), output)


@bento.command("sbom")
def bento_sbom(digest: DigestArgument, to: Path) -> None:
    """Write the SBOM (CycloneDX JSON) to a file."""
    with connected() as client:
        to.write_bytes(client.bentos.sbom(digest))


@bento.command("provenance")
def bento_provenance(digest: DigestArgument, to: Path) -> None:
    """Write the signed provenance (DSSE) to a file."""
    with connected() as client:
        to.write_bytes(client.bentos.provenance(digest))


@bento.command("model-signature")
def bento_model_signature(digest: DigestArgument, to: Path) -> None:
    """Write the OpenSSF signature of the model's files to a file."""
    with connected() as client:
        to.write_bytes(client.bentos.model_signature(digest))


@runtime.command("show")
def runtime_show(digest: DigestArgument, output: OutputOption = Form.TABLE) -> None:
    """Show a runtime and its lock."""
    with connected() as client:
        show_one(client.runtimes.get(digest), output)


def follow(client: Client, build_id: str, timeout: float, *, quiet: bool = False) -> Build:
    """Print a build's lines to standard error until it ends; raise unless it succeeded."""
    after = 0
    for last in polling(timeout):
        log = client.builds.log(build_id, after=after)
        for line in log.lines if not quiet else ():
            say(f"{line.step:<9} {line.text}")
        after = log.after
        if log.ended:
            break
        if last:
            raise TimeoutError(f"Build {build_id} is still {log.state}")
    finished = client.builds.get(build_id)
    if finished.state != "succeeded":
        raise CommandEnded(ERROR, f"The build {finished.state}: {finished.error}".rstrip(": "))
    say(f"Bento {finished.bento_digest}")
    return finished
