"""build, bento, runtime."""

from pathlib import Path
from typing import Annotated

import typer

from placet_client import refs
from placet_client.cli.command import (
    ERROR,
    TIMED_OUT,
    LimitOption,
    OutputOption,
    TimeoutOption,
    VersionArgument,
    WaitOption,
    connected,
    ended,
    go_on,
    polling,
)
from placet_client.cli.waiting import watching
from placet_client.client import Client
from placet_client.output import Form, say, show_list, show_one
from placet_client.records import Build

build = typer.Typer(help="Builds of versions into Bentos", no_args_is_help=True)
bento = typer.Typer(help="Bentos: what is approved and served", no_args_is_help=True)
runtime = typer.Typer(help="Runtimes: a Python with its locked packages", no_args_is_help=True)
BRIEF = ["id", "name", "state", "step", "error", "bento_digest", "accelerate"]
SMOKE_WORDS = {"different": "smoke test differs", "failed": "smoke test failed"}
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
        show_one(started, output, BRIEF)
        say_smoke(started)
        go_on(client, "build", started.id)


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
            finished = follow(client, build_id, timeout)
            say(f"Bento {finished.bento_digest}")
            say_smoke(finished)
            go_on(client, "build", build_id)
            return
        show_list(client.builds.log(build_id).lines, ["at", "step", "text"], output)


@build.command("cancel")
def build_cancel(build_id: str, output: OutputOption = Form.TABLE) -> None:
    """Cancel a build."""
    with connected() as client:
        show_one(client.builds.cancel(build_id), output, BRIEF)
        go_on(client, "build", build_id)


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


def smoke_words(build: Build) -> str:
    """Return what pages say beside the state of a build that made what predicts otherwise than its
    version expects; '' where it does not."""
    return SMOKE_WORDS.get(build.smoke_test.result, "") if build.smoke_test else ""


def say_smoke(build: Build) -> None:
    """Say what differs where a build made what predicts otherwise than its version expects."""
    if build.smoke_test and (words := smoke_words(build)):
        found = build.smoke_test
        outputs = f"{found.equal} of {found.rows} outputs as expected. {found.detail}".rstrip()
        say(f"Build {build.id} {build.state}, {words}: {outputs}")


def follow(client: Client, build_id: str, timeout: float, *, quiet: bool = False) -> Build:
    """Print a build's lines to standard error until it ends; raise unless it succeeded.

    ``quiet`` tells its step alone.
    """
    after = 0
    later = f"placet build log {build_id} --follow"
    with watching(client, later, "build", build_id) as watch:
        for last in polling(timeout):
            log = client.builds.log(build_id, after=after)
            after, step = log.after, f", {log.step}" if log.step else ""
            text = f"Build {build_id}: {log.state}{step}"
            lines = [] if quiet else [f"{line.step:<9} {line.text}" for line in log.lines]
            watch.show(text, key=text if quiet else log.state, log=lines)
            if log.ended:
                break
            if last:
                still = f"Build {build_id} is still {log.state}{step}"
                raise ended(client, TIMED_OUT, still, "build", build_id)
    finished = client.builds.get(build_id)
    if finished.state != "succeeded":
        sentence = f"The build {finished.state}: {finished.error}".rstrip(": ")
        raise ended(client, ERROR, sentence, "build", build_id)
    return finished
