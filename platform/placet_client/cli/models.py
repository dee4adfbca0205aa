"""model, alias, evidence, declaration, signing-key."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from shlex import quote
from typing import Annotated, Any

import typer

from placet_client import refs
from placet_client.cli.builds import follow, say_smoke, smoke_words
from placet_client.cli.command import (
    LimitOption,
    ListedProject,
    ListedProjectOption,
    ModelArgument,
    OutputOption,
    TimeoutOption,
    VersionArgument,
    WaitOption,
    connected,
    go_on,
    json_or_file,
    listed_project,
)
from placet_client.client import Client
from placet_client.output import Form, cell, progress, say, show_list, show_one
from placet_client.records import Build, Version
from placet_client.register import Registered, register

HAD = ("queued", "running", "succeeded")  # builds that need no other
model = typer.Typer(help="Registered models", no_args_is_help=True)
alias = typer.Typer(help="Names that point at versions, like champion", no_args_is_help=True)
evidence = typer.Typer(help="Facts about a version", no_args_is_help=True)
declaration = typer.Typer(help="Who owns the data and who wrote the code", no_args_is_help=True)
signing_key = typer.Typer(help="Keys whose model.sig a project trusts", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(model, name="model")
    app.add_typer(alias, name="alias")
    app.add_typer(evidence, name="evidence")
    app.add_typer(declaration, name="declaration")
    app.add_typer(signing_key, name="signing-key")


@model.command("list")
def model_list(
    within: ListedProject = "",
    project: ListedProjectOption = "",
    limit: LimitOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """List the models of a project."""
    project = listed_project(within, project, needed=True)
    with connected() as client:
        models = client.models.list(project, limit=limit)
        show_list(models, ["name", "version_count", "latest_number", "latest_state"], output)


@model.command("show")
def model_show(name: ModelArgument, output: OutputOption = Form.TABLE) -> None:
    """Show a model."""
    with connected() as client:
        show_one(client.models.get(*refs.model(name)), output)


@model.command("create")
def model_create(
    project: str, name: str, description: str = "", output: OutputOption = Form.TABLE
) -> None:
    """Create an empty model."""
    with connected() as client:
        show_one(client.models.create(project, name, description=description), output)
        go_on(client, "model", project, name)


@model.command("edit")
def model_edit(name: ModelArgument, description: str, output: OutputOption = Form.TABLE) -> None:
    """Change what people read of a model."""
    with connected() as client:
        show_one(client.models.update(*refs.model(name), description=description), output)
        go_on(client, "model", *refs.model(name))


def more(rest: Sequence[str]) -> str:
    """Return how many more there are, to stand behind a list that was cut."""
    return f" and {len(rest)} more" if rest else ""


@model.command("register")
def model_register(
    project: Annotated[str, typer.Option(help="the project")],
    name: Annotated[str, typer.Option(help="the model; made when it is missing")],
    folder: Annotated[Path, typer.Option("--from", help="files and version.json, or MLmodel")],
    again: Annotated[
        bool, typer.Option("--again", help="a new version, though one holds the same already")
    ] = False,
    build: Annotated[bool, typer.Option("--build", help="also build it")] = False,
    accelerate: Annotated[bool, typer.Option("--accelerate", help="with --build: as ONNX")] = False,
    wait: WaitOption = False,
    timeout: TimeoutOption = 900,
    output: OutputOption = Form.TABLE,
) -> None:
    """Register a folder as a finalised version; with --build also build it.

    Run again after it was interrupted it goes on where it stopped. Run again with the same content
    it makes no second version, unless --again is given, and builds none that is built.
    """
    with connected() as client:
        with progress() as update:
            registration = register(client, project, name, folder, again=again, progress=update)
        version = registration.version
        verb = "Registered" if registration.new else "Registered before:"
        say(f"{verb} {project}/{name}:{version.number}")
        if left_out := registration.left_out:
            say(f"Not sent: {', '.join(left_out[:5])}{more(left_out[5:])}")
        for line in _not_stored(registration):
            say(line)
        if build:
            started = _build(client, version, accelerate=accelerate)
            if wait:
                follow(client, started.id, timeout, quiet=output is Form.JSON)
        last = client.builds.list(project, name, version.number).first()
        show_one(version if output is Form.JSON else _summary(registration, last), output)
        if last and smoke_words(last):
            say_smoke(last)
            go_on(client, "build", last.id)
        go_on(client, "version", project, name, version.number)


def _not_stored(registration: Registered) -> Iterator[str]:
    """Yield which facts of the folder the server holds otherwise, and what stores each."""
    if not registration.differing:
        return
    version = registration.version
    reference = f"{version.project}/{version.model}:{version.number}"
    yield (
        f"version.json says otherwise than {reference}, and was not stored: "
        f"{', '.join(registration.differing)}"
    )
    for name, value in registration.differing.items():
        yield f"  {name}: {_storing(name, value, reference)}"
    yield "  or register it as a new version: --again"


def _storing(name: str, value: Any, reference: str) -> str:
    """Return the command that stores a fact of a finalised version."""
    if name == "metrics":
        return f"placet evidence add {reference} metrics --data {quote(json.dumps(value))}"
    if name == "tags":
        tags = " ".join(quote(f"{tag}={text}") for tag, text in value.items())
        return f"placet version tag {reference} {tags}"
    return f"placet version card {reference} FILE"


def _build(client: Client, version: Version, *, accelerate: bool) -> Build:
    """Return the build that the version has or is having, and else start one."""
    version_ref = (version.project, version.model, version.number)
    last = client.builds.list(*version_ref).first()
    if last and last.state in HAD and last.accelerate == accelerate:
        say(f"Build {last.id} before; `placet build start` builds again")
        return last
    started = client.builds.start(*version_ref, accelerate=accelerate)
    say(f"Build {started.id}")
    return started


def _summary(registration: Registered, last: Build | None) -> dict[str, Any]:
    """Return what to know of a version that was registered; `version show` has all of it."""
    version = registration.version
    numbers = [f"{name} {_number(value)}" for name, value in registration.metrics.items()]
    return {
        "version": f"{version.project}/{version.model}:{version.number}",
        "digest": version.artifact_digest,
        "metrics": ", ".join(numbers[:5]) + more(numbers[5:]) or "none",
        "build": _build_stands(last, version),
    }


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, int | float) else str(value)


def _build_stands(last: Build | None, version: Version) -> str:
    if last is None:
        return f"none yet (placet build start {version.project}/{version.model}:{version.number})"
    if last.state == "succeeded":
        return ", ".join(filter(None, [f"Bento {cell(last.bento_digest)}", smoke_words(last)]))
    return f"{last.id} is {last.state}{last.step and ': '}{last.step}"


@model.command("compare")
def model_compare(name: ModelArgument, a: int, b: int, output: OutputOption = Form.TABLE) -> None:
    """Compare two versions; the table shows only what differs."""
    with connected() as client:
        comparison = client.versions.compare(*refs.model(name), a, b)
    if output is Form.JSON:
        show_one(comparison, output)
        return
    rows: list[dict[str, Any]] = []
    for part in ("metrics", "parameters", "inputs", "outputs", "requirements", "files"):
        rows += [{"part": part, **c} for c in comparison.raw[part] if c["state"] != "same"]
    show_list(rows, ["part", "name", "state", "before", "after", "change"], output)


@alias.command("list")
def alias_list(
    name: ModelArgument, limit: LimitOption = None, output: OutputOption = Form.TABLE
) -> None:
    """List the aliases of a model."""
    with connected() as client:
        aliases = client.aliases.list(*refs.model(name), limit=limit)
        show_list(aliases, ["name", "version", "managed_by"], output)


@alias.command("set")
def alias_set(reference: VersionArgument, name: str, output: OutputOption = Form.TABLE) -> None:
    """Point an alias at a version."""
    project, model, number = refs.version(reference)
    with connected() as client:
        show_one(client.aliases.set(project, model, name, number), output)
        go_on(client, "version", project, model, number)


@alias.command("remove")
def alias_remove(model: ModelArgument, name: str) -> None:
    """Remove an alias."""
    with connected() as client:
        client.aliases.delete(*refs.model(model), name)
        go_on(client, "model", *refs.model(model))


@evidence.command("list")
def evidence_list(
    reference: VersionArgument,
    kind: Annotated[str, typer.Option(help="metrics, scan, smoke_test, …")] = "",
    source: Annotated[str, typer.Option(help="reported or measured")] = "",
    limit: LimitOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """List what is known about a version."""
    with connected() as client:
        facts = client.evidence.list(
            *refs.version(reference), kind=kind, source=source, limit=limit
        )
        show_list(facts, ["id", "kind", "source", "digest", "created_at"], output)


@evidence.command("show")
def evidence_show(
    reference: VersionArgument, evidence_id: str, output: OutputOption = Form.TABLE
) -> None:
    """Show one fact."""
    with connected() as client:
        show_one(client.evidence.get(*refs.version(reference), evidence_id), output)


@evidence.command("add")
def evidence_add(
    reference: VersionArgument,
    kind: str,
    data: Annotated[str, typer.Option(help="JSON, or @FILE")],
    output: OutputOption = Form.TABLE,
) -> None:
    """Report a fact: metrics, fairness, data_quality, …"""
    body = json_or_file(data, "--data")
    with connected() as client:
        show_one(client.evidence.add(*refs.version(reference), kind, body), output)
        go_on(client, "version", *refs.version(reference))


@declaration.command("list")
def declaration_list(
    within: ListedProject = "",
    project: ListedProjectOption = "",
    about: Annotated[str, typer.Option(help="a data set's digest, or a version's id")] = "",
    limit: LimitOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """List who was declared to own data or to have written code, and by whom."""
    project = listed_project(within, project, needed=True)
    with connected() as client:
        declarations = client.declarations.list(project, about=about, limit=limit)
        show_list(declarations, ["fact", "about", "person", "declared_by", "created_at"], output)


@declaration.command("add")
def declaration_add(
    project: str,
    fact: Annotated[str, typer.Argument(help="data_owner or code_author")],
    about: Annotated[str, typer.Argument(help="the data set's digest, or the version's id")],
    person: Annotated[str, typer.Argument(help="whom it names: id or e-mail address")],
    output: OutputOption = Form.TABLE,
) -> None:
    """Declare who owns a data set, or who wrote the code that trained a version. It stays."""
    with connected() as client:
        show_one(client.declarations.declare(project, fact, about, person), output)
        go_on(client, "models", project)


@signing_key.command("list")
def signing_key_list(
    within: ListedProject = "",
    project: ListedProjectOption = "",
    limit: LimitOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """List the keys whose signatures over models a project trusts."""
    project = listed_project(within, project, needed=True)
    with connected() as client:
        keys = client.signing_keys.list(project, limit=limit)
        show_list(keys, ["id", "label", "fingerprint", "valid_until", "revoked_at"], output)


@signing_key.command("trust")
def signing_key_trust(
    project: str,
    label: str,
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="the public key, PEM")],
    valid_until: Annotated[str, typer.Option(help="RFC 3339; without it until revoked")] = "",
    output: OutputOption = Form.TABLE,
) -> None:
    """Trust a public key (P-256, P-384 or P-521)."""
    pem = file.read_text("utf-8")
    with connected() as client:
        key = client.signing_keys.trust(project, label, pem, valid_until=valid_until)
        show_one(key, output)
        go_on(client, "signing-keys", project)


@signing_key.command("revoke")
def signing_key_revoke(project: str, key_id: str, output: OutputOption = Form.TABLE) -> None:
    """Revoke a key: nothing that it signed passes a gate any more."""
    with connected() as client:
        show_one(client.signing_keys.revoke(project, key_id), output)
        go_on(client, "signing-keys", project)
