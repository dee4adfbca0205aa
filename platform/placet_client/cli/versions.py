"""version."""

from pathlib import Path
from typing import Annotated, Any

import typer

from placet_client import records, refs
from placet_client.cli.command import (
    LimitOption,
    ModelArgument,
    OutputOption,
    VersionArgument,
    connected,
    go_on,
    pairs,
)
from placet_client.output import Form, progress, show_list, show_one, tell

version = typer.Typer(help="Versions, as PROJECT/MODEL:NUMBER", no_args_is_help=True)
BRIEF = ["id", "model", "number", "state", "format", "artifact_digest", "tags"]


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(version, name="version")


@version.command("list")
def version_list(
    name: ModelArgument,
    state: Annotated[str, typer.Option(help="draft or finalised")] = "",
    limit: LimitOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """List the versions of a model, newest first."""
    with connected() as client:
        versions = client.versions.list(*refs.model(name), state=state, limit=limit)
        shown = versions if output is Form.JSON else map(_in_words, versions)
        show_list(shown, ["number", "state", "format", "artifact_digest", "created_at"], output)


@version.command("show")
def version_show(reference: VersionArgument, output: OutputOption = Form.TABLE) -> None:
    """Show a version."""
    with connected() as client:
        found = client.versions.get(*refs.version(reference))
    lines = len(found.card.splitlines())
    card = f"{lines} lines (placet version card {reference})" if lines else ""
    show_one(found if output is Form.JSON else {**_in_words(found), "card": card}, output)


def _in_words(found: records.Version | records.VersionSummary) -> dict[str, Any]:
    """Return a version with the state that pages give it: that it is recalled before all else."""
    body = {name: value for name, value in found.raw.items() if name != "recalled"}
    if found.recalled:
        return body | {"state": "recalled"}
    return {name: value for name, value in body.items() if name != "recalled_because"}


@version.command("files")
def version_files(reference: VersionArgument, output: OutputOption = Form.TABLE) -> None:
    """List the files of a version."""
    with connected() as client:
        files = client.versions.get(*refs.version(reference)).files
        show_list(files, ["path", "size", "sha256"], output)


@version.command("download")
def version_download(reference: VersionArgument, path: str, to: Path) -> None:
    """Download one file of a version."""
    with connected() as client, progress() as update:
        client.versions.download(
            *refs.version(reference), path, to, progress=lambda n, size: update(path, n, size)
        )


@version.command("upload")
def version_upload(
    reference: VersionArgument,
    file: Path,
    path: Annotated[str, typer.Option("--as", help="its path there; default: its name")] = "",
    archive: Annotated[bool, typer.Option("--archive", help="unpack it there")] = False,
    output: OutputOption = Form.TABLE,
) -> None:
    """Upload a file into a draft; an interrupted upload goes on where it stopped."""
    inside = path or file.name
    with connected() as client, progress() as update:
        files = client.uploads.send(
            *refs.version(reference),
            file,
            inside,
            archive=archive,
            progress=lambda n, size: update(inside, n, size),
        )
    show_list(files, ["path", "size", "sha256"], output)
    go_on(client, "version", *refs.version(reference))


@version.command("remove-file")
def version_remove_file(reference: VersionArgument, path: str) -> None:
    """Take a file out of a draft."""
    with connected() as client:
        client.versions.delete_file(*refs.version(reference), path)
        go_on(client, "version", *refs.version(reference))


@version.command("discard")
def version_discard(reference: VersionArgument) -> None:
    """Discard a draft with its files, for good."""
    project, model, number = refs.version(reference)
    with connected() as client:
        client.versions.discard(project, model, number)
        go_on(client, "model", project, model)


@version.command("missing")
def version_missing(reference: VersionArgument, output: OutputOption = Form.TABLE) -> None:
    """Tell what a draft lacks before it can be finalised."""
    with connected() as client:
        missing = client.versions.missing(*refs.version(reference)).missing
        show_list(missing, ["pointer", "detail"], output)


@version.command("finalise")
def version_finalise(reference: VersionArgument, output: OutputOption = Form.TABLE) -> None:
    """Freeze a draft for good."""
    with connected() as client:
        show_one(client.versions.finalise(*refs.version(reference)), output, BRIEF)
        go_on(client, "version", *refs.version(reference))


@version.command("mlbom")
def version_mlbom(reference: VersionArgument, to: Path) -> None:
    """Write the ML bill of materials (CycloneDX 1.7 with a model card) to a file."""
    with connected() as client:
        to.write_bytes(client.versions.ml_bom(*refs.version(reference)))


@version.command("tag")
def version_tag(
    reference: VersionArgument,
    tags: Annotated[list[str], typer.Argument(help="name=value, or name= to remove it")],
    output: OutputOption = Form.TABLE,
) -> None:
    """Set or remove tags."""
    changes, version_ref = pairs(tags, "the tag"), refs.version(reference)
    with connected() as client:
        now = client.versions.tags(*version_ref)
        kept = {name: value for name, value in (now.tags | changes).items() if value}
        show_one(client.versions.set_tags(*version_ref, kept, if_match=now.etag), output)
        go_on(client, "version", *version_ref)


@version.command("card")
def version_card(
    reference: VersionArgument,
    file: Annotated[Path | None, typer.Argument(help="Markdown that replaces it")] = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """Print the model card, or replace it by a Markdown file."""
    with connected() as client:
        if file is not None:
            text = file.read_text("utf-8")
            show_one(client.versions.set_card(*refs.version(reference), text), output, BRIEF)
            go_on(client, "version", *refs.version(reference))
            return
        card = client.versions.card(*refs.version(reference))
    if output is Form.JSON:
        show_one(card, output)
    else:
        tell(card.card)
