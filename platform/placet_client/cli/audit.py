"""audit: read the log, take a copy, and check it without trusting the server."""

import base64
import tempfile
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from placet_client import log as copies
from placet_client import login
from placet_client.cli import retention, timestamps, witnesses
from placet_client.cli.command import ERROR, CommandEnded, LimitOption, OutputOption, connected
from placet_client.output import Form, show_list, show_one, tell
from placet_verify.canonical import is_digest
from placet_verify.errors import Refused
from placet_verify.log import checkpoint
from placet_verify.log.checking import read_records, verify_log
from placet_verify.log.checkpoint import Checkpoint
from placet_verify.signing.keys import KeyRing, PublicKey

audit = typer.Typer(help="The append-only log", no_args_is_help=True)
witnesses.add_to(audit)
timestamps.add_to(audit)
retention.add_to(audit)
KindOption = Annotated[str, typer.Option(help="e.g. release.approved")]
GroupOption = Annotated[
    str,
    typer.Option(
        help="releases, discussions, serving, models, recalls, people, targets, alerts, log or "
        "platform"
    ),
]
TextOption = Annotated[str, typer.Option(help="words of what events say, not of reasons: rollback")]
PersonOption = Annotated[
    str,
    typer.Option(help="who did it or asked for it: a part of the name, the id or e-mail address"),
]
ObjectOption = Annotated[
    str,
    typer.Option(
        "--object",
        help="the name of an endpoint (also project/environment/name), a model, a version (name:3, "
        "project/name:3), an environment, a project, a target, a person, a team or a service "
        "account",
    ),
]
PeopleOption = Annotated[
    bool, typer.Option("--by-people", help="what people did, or asked Placet to do")
]
CauseOption = Annotated[str, typer.Option(help="the id of a recall: all that came of it")]
SubjectOption = Annotated[str, typer.Option(help="the id of what it is about")]
ActorOption = Annotated[str, typer.Option(help="the id of who did it")]
ProjectOption = Annotated[str, typer.Option(help="its slug or id, or project/environment")]
EnvironmentOption = Annotated[str, typer.Option(help="its name, or project/environment")]
SinceOption = Annotated[str, typer.Option(help="RFC 3339, from then on")]
UntilOption = Annotated[str, typer.Option(help="RFC 3339, before then")]


class FileForm(StrEnum):
    """How events are written to a file."""

    JSONL = "jsonl"
    CSV = "csv"


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(audit, name="audit")


@audit.command("events")
def audit_events(
    kind: KindOption = "",
    group: GroupOption = "",
    text: TextOption = "",
    subject: SubjectOption = "",
    object_: ObjectOption = "",
    actor: ActorOption = "",
    person: PersonOption = "",
    by_people: PeopleOption = False,
    cause: CauseOption = "",
    project: ProjectOption = "",
    environment: EnvironmentOption = "",
    since: SinceOption = "",
    until: UntilOption = "",
    limit: LimitOption = 100,
    output: OutputOption = Form.TABLE,
) -> None:
    """List events that you may read, newest first. The log is long: --limit is 100 here."""
    with connected() as client:
        events = client.audit.events(
            kind=kind,
            group=group,
            text=text,
            subject=subject,
            object=object_,
            actor=actor,
            person=person,
            by_people=by_people or None,
            cause=cause,
            project=project,
            environment=environment,
            since=since,
            until=until,
            limit=limit,
        )
        show_list(events, ["index", "at", "kind", "actor.id", "subject"], output)


@audit.command("save")
def audit_save(
    file: Path,
    form: Annotated[FileForm, typer.Option("--format", help="jsonl or csv")] = FileForm.JSONL,
    kind: KindOption = "",
    group: GroupOption = "",
    text: TextOption = "",
    subject: SubjectOption = "",
    object_: ObjectOption = "",
    actor: ActorOption = "",
    person: PersonOption = "",
    by_people: PeopleOption = False,
    cause: CauseOption = "",
    project: ProjectOption = "",
    environment: EnvironmentOption = "",
    since: SinceOption = "",
    until: UntilOption = "",
) -> None:
    """Write all events that you may read to a file."""
    with connected() as client:
        size = client.audit.export(
            file,
            form=form.value,
            kind=kind,
            group=group,
            text=text,
            subject=subject,
            object=object_,
            actor=actor,
            person=person,
            by_people=by_people or None,
            cause=cause,
            project=project,
            environment=environment,
            since=since,
            until=until,
        )
    tell(f"{file}: {size} bytes")


@audit.command("show")
def audit_show(index: int, output: OutputOption = Form.TABLE) -> None:
    """Show one event."""
    with connected() as client:
        show_one(client.audit.get(index), output)


@audit.command("proof")
def audit_proof(
    index: int,
    save: Annotated[
        Path | None, typer.Option(help="write event and proof to this file (C2SP tlog-proof)")
    ] = None,
    output: OutputOption = Form.JSON,
) -> None:
    """Show the proof that an event is in the signed log, or save it with the event."""
    with connected() as client:
        if save is None:
            show_one(client.audit.proof(index), output)
            return
        content = client.audit.tlog_proof(index)
    save.write_bytes(content)
    tell(f"{save}: {len(content)} bytes, for `python -m placet_verify proof`")


@audit.command("verifier")
def audit_verifier(
    to: Annotated[Path | None, typer.Argument(show_default="placet-verify.pyz or .html")] = None,
    page: Annotated[
        bool, typer.Option("--page", help="the one for browsers: an HTML file that needs nothing")
    ] = False,
) -> None:
    """Write the offline verifier: one file that needs Python and `cryptography` alone."""
    with connected() as client:
        content = client.audit.verifier_page() if page else client.audit.verifier()
    to = to or Path("placet-verify.html" if page else "placet-verify.pyz")
    to.write_bytes(content)
    tell(f"{to}: {len(content)} bytes; {'open it in a browser' if page else 'run it with python3'}")


@audit.command("checkpoint")
def audit_checkpoint(output: OutputOption = Form.TABLE) -> None:
    """Show the newest signed tree head."""
    with connected() as client:
        show_one(client.audit.checkpoint(), output)


@audit.command("export")
def audit_export(folder: Path) -> None:
    """Take a copy of the whole log for `python -m placet_verify log FOLDER`."""
    with connected() as client:
        size, root = copies.download(client, folder)
    tell(f"{size} leaves, root {root}")


@audit.command("verify")
def audit_verify(
    root: Annotated[
        str, typer.Option(metavar="FINGERPRINT|FILE", help="the root key that you trust")
    ] = "",
    kept: Annotated[
        list[Path] | None, typer.Option("--checkpoint", help="a checkpoint that you kept yourself")
    ] = None,
) -> None:
    """Download the log and verify it against a root key and a checkpoint kept outside the server.

    Without --root the root key of the first run is trusted and remembered beside the login, and
    another one is refused from then on. The checkpoint that was verified last is remembered too:
    the log must continue it.
    """
    memory = login.Memory(login.current().url)
    heads = [*(kept or []), *([memory.checkpoint] if memory.checkpoint.exists() else [])]
    with connected() as client, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copies.download(client, folder)
        try:
            trusted = trust(PublicKey.load(folder / "root.pub"), root, memory)
            newest = check(folder, trusted, heads)
        except Refused as refusal:
            raise CommandEnded(ERROR, f"REFUSED: {refusal.sentence}") from None
        note = (folder / "checkpoint.txt").read_text("utf-8")
    memory.keep(root=trusted.to_pem(), checkpoint=note)
    tell(f"remembered the checkpoint over {newest.size} leaves in {memory.checkpoint}")


def trust(root_key: PublicKey, root_option: str, memory: login.Memory) -> PublicKey:
    """Return the root that the server shows, if it is the one to trust; say why it is."""
    known = PublicKey.load(memory.root) if memory.root.exists() else None
    wanted = _fingerprint(root_option) if root_option else known and known.fingerprint
    if wanted and root_key.fingerprint != wanted:
        where = "--root" if root_option else f"{memory.root}, remembered from an earlier run"
        raise CommandEnded(
            ERROR,
            f"REFUSED: the server's root key is {root_key.fingerprint}, not {wanted} ({where}).\n"
            "If it was replaced on purpose, give the new one with --root; otherwise this is not "
            "the log that you know",
        )
    if root_option:
        how = "as given by --root"
    elif known:
        how = "as remembered from the first run"
    else:
        how = "trusted on first use: compare it with what your operator gave you"
    tell(f"root key {root_key.fingerprint}, {how}")
    return root_key


def _fingerprint(root_option: str) -> str:
    if is_digest(root_option):
        return root_option
    if not Path(root_option).is_file():
        raise typer.BadParameter("--root is sha256:… of the raw key, or a file with it in PEM form")
    return PublicKey.load(root_option).fingerprint


def check(folder: Path, root: PublicKey, heads: list[Path]) -> Checkpoint:
    """Verify a copy against its checkpoint and ``heads``; return the checkpoint."""
    ring = KeyRing.open((folder / "keys.json").read_text("utf-8"), root)
    keys = checkpoint.log_keys(ring)
    newest = checkpoint.verify((folder / "checkpoint.txt").read_text("utf-8"), keys)
    known = [checkpoint.verify(p.read_text("utf-8"), keys, newest.origin) for p in heads]
    for path, head in zip(heads, known, strict=True):
        tell(f"from the checkpoint over {head.size} leaves in {path}")
        if head.size > newest.size:
            raise CommandEnded(ERROR, "FAULT: size: a checkpoint seen before has more leaves")
    if not heads:
        tell("from no earlier checkpoint: this is the first")
    with (folder / "events.jsonl").open("rb") as lines:
        report = verify_log(
            read_records(lines),
            heads=[(head.size, head.root) for head in (*known, newest)],
            complete=True,
            canonical_bodies=True,
            ring=ring,
        )
    if report.fault is not None:
        raise CommandEnded(ERROR, f"FAULT at {report.fault.place}: {report.fault.sentence}")
    if report.unsealed:
        first = report.unsealed[0].sentence
        raise CommandEnded(ERROR, f"UNSEALED {first} (claims to give access, appended past Placet)")
    if hashes := report.size - report.bodies:
        tell(
            f"{hashes} leaves came as hashes alone, which shows that they are unchanged: what they "
            "say is archived, or this token may not read it (audit.view)"
        )
    head_hash = base64.b64encode(report.root).decode()
    tell(f"ok: {report.size} leaves, {report.bodies} bodies read, root {head_hash}")
    return newest
