"""model, version, evidence."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from placet_client import refs
from placet_client.cli.builds import follow
from placet_client.cli.command import Output, Timeout, Wait, connected, first
from placet_client.output import Form, notes, say, show_list, show_one
from placet_client.register import register

model = typer.Typer(help="Registered models", no_args_is_help=True)
version = typer.Typer(help="Versions, as PROJECT/MODEL:NUMBER", no_args_is_help=True)
evidence = typer.Typer(help="Facts about a version", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(model, name="model")
    app.add_typer(version, name="version")
    app.add_typer(evidence, name="evidence")


@model.command("list")
def model_list(project: str, output: Output = Form.TABLE) -> None:
    """List the models of a project."""
    with connected() as client:
        found = first(client, f"/projects/{project}/models")
        show_list(found, ["name", "version_count", "latest_number", "latest_state"], output)


@model.command("show")
def model_show(
    name: Annotated[str, typer.Argument(metavar="PROJECT/MODEL")], output: Output = Form.TABLE
) -> None:
    """Show a model."""
    with connected() as client:
        show_one(client.get(refs.model_path(name)), output)


@model.command("create")
def model_create(
    project: str, name: str, description: str = "", output: Output = Form.TABLE
) -> None:
    """Create an empty model."""
    body = {"name": name, "description": description}
    with connected() as client:
        show_one(client.post(f"/projects/{project}/models", body), output)


@model.command("register")
def model_register(
    project: Annotated[str, typer.Option(help="the project")],
    name: Annotated[str, typer.Option(help="the model; made when it is missing")],
    folder: Annotated[Path, typer.Option("--from", help="files and version.json, or MLmodel")],
    build: Annotated[bool, typer.Option(help="also build it")] = False,
    accelerate: Annotated[bool, typer.Option("--accelerate", help="with --build: as ONNX")] = False,
    wait: Wait = False,
    timeout: Timeout = 900,
    output: Output = Form.TABLE,
) -> None:
    """Register a folder as a new, finalised version; with --build also build it."""

    def progress(file: str, sent: int, size: int) -> None:
        if notes.is_terminal:
            notes.print(f"{file}: {sent * 100 // max(size, 1)} %", end="\r")

    with connected() as client:
        made = register(client, project, name, folder, progress=progress)
        say(f"Registered {project}/{name}:{made['number']}, {made['artifact_digest'][:19]}…")
        if build:
            path = f"/projects/{project}/models/{name}/versions/{made['number']}/builds"
            started = client.post(path, {"accelerate": accelerate})
            say(f"Build {started['id']}")
            if wait:
                follow(client, started["id"], timeout, quiet=output is Form.JSON)
        show_one(made, output)


@model.command("compare")
def model_compare(
    name: Annotated[str, typer.Argument(metavar="PROJECT/MODEL")],
    a: int,
    b: int,
    output: Output = Form.TABLE,
) -> None:
    """Compare two versions."""
    with connected() as client:
        found = client.get(f"{refs.model_path(name)}/versions/{a}/compare/{b}")
    if output is Form.JSON:
        show_one(found, output)
        return
    rows: list[dict[str, Any]] = []
    for part in ("metrics", "parameters", "inputs", "outputs", "requirements", "files"):
        rows += [{"part": part, **c} for c in found[part] if c["state"] != "same"]
    show_list(rows, ["part", "name", "state", "before", "after", "change"], output)


Reference = Annotated[str, typer.Argument(metavar="PROJECT/MODEL:NUMBER")]


@version.command("list")
def version_list(
    name: Annotated[str, typer.Argument(metavar="PROJECT/MODEL")], output: Output = Form.TABLE
) -> None:
    """List the versions of a model."""
    with connected() as client:
        found = first(client, f"{refs.model_path(name)}/versions")
        show_list(found, ["number", "state", "format", "artifact_digest", "created_at"], output)


@version.command("show")
def version_show(reference: Reference, output: Output = Form.TABLE) -> None:
    """Show a version."""
    with connected() as client:
        show_one(client.get(refs.version(reference).path), output)


@version.command("tag")
def version_tag(
    reference: Reference,
    tags: Annotated[list[str], typer.Argument(help="name=value, or name= to remove it")],
    output: Output = Form.TABLE,
) -> None:
    """Set or remove tags."""
    path = refs.version(reference).path + "/tags"
    with connected() as client:
        now = dict(client.get(path)["tags"])
        for tag in tags:
            name, _, value = tag.partition("=")
            now[name] = value
        kept = {name: value for name, value in now.items() if value}
        show_one(client.change("PUT", path, {"tags": kept}), output)


@version.command("alias")
def version_alias(reference: Reference, name: str, output: Output = Form.TABLE) -> None:
    """Point an alias at a version."""
    found = refs.version(reference)
    path = f"/projects/{found.project}/models/{found.model}/aliases/{name}"
    with connected() as client:
        show_one(client.put_new_or_change(path, {"version": found.number}), output)


@version.command("card")
def version_card(reference: Reference, file: Path, output: Output = Form.TABLE) -> None:
    """Replace the model card by a Markdown file."""
    path = refs.version(reference).path + "/card"
    with connected() as client:
        show_one(client.change("PUT", path, {"card": file.read_text("utf-8")}), output)


@version.command("download")
def version_download(reference: Reference, path: str, to: Path) -> None:
    """Download one file of a version."""
    with connected() as client:
        to.write_bytes(
            client.request("GET", f"{refs.version(reference).path}/files/{path}").content
        )


@evidence.command("list")
def evidence_list(reference: Reference, kind: str = "", output: Output = Form.TABLE) -> None:
    """List what is known about a version."""
    with connected() as client:
        found = first(client, f"{refs.version(reference).path}/evidence", kind=kind or None)
        show_list(found, ["id", "kind", "source", "digest", "created_at"], output)


@evidence.command("add")
def evidence_add(
    reference: Reference,
    kind: str,
    data: Annotated[str, typer.Option(help="JSON, or @FILE")],
    output: Output = Form.TABLE,
) -> None:
    """Report a fact: metrics, fairness, data_quality, …"""
    text = Path(data[1:]).read_text("utf-8") if data.startswith("@") else data
    try:
        body = {"kind": kind, "data": json.loads(text)}
    except ValueError as error:
        raise typer.BadParameter(f"--data is not JSON: {error}") from None
    with connected() as client:
        show_one(client.post(f"{refs.version(reference).path}/evidence", body), output)
