"""audit: read the log, take a copy, and check it without trusting the server."""

import base64
import hashlib
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from placet_client import log as copies
from placet_client import login
from placet_client.cli.command import ERROR, Ended, Output, connected, first
from placet_client.output import Form, console, show_list, show_one
from placet_verify import checkpoint
from placet_verify.errors import Refused
from placet_verify.keys import KeyRing, PublicKey
from placet_verify.log import read_records, verify_log

audit = typer.Typer(help="The append-only log", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(audit, name="audit")


@audit.command("events")
def audit_events(
    kind: str = "", subject: str = "", since: str = "", output: Output = Form.TABLE
) -> None:
    """List events that you may read, newest first."""
    filters = {"kind": kind, "subject": subject, "since": since}
    with connected() as client:
        found = first(client, "/audit/events", **{k: v or None for k, v in filters.items()})
        show_list(found, ["index", "at", "kind", "actor.id", "subject"], output)


@audit.command("show")
def audit_show(index: int, output: Output = Form.TABLE) -> None:
    """Show one event."""
    with connected() as client:
        show_one(client.get(f"/audit/events/{index}"), output)


@audit.command("proof")
def audit_proof(index: int, output: Output = Form.JSON) -> None:
    """Show the proof that an event is in the signed log."""
    with connected() as client:
        show_one(client.get(f"/audit/events/{index}/proof"), output)


@audit.command("export")
def audit_export(folder: Path) -> None:
    """Take a copy of the log for `python -m placet_verify log FOLDER`."""
    with connected() as client:
        size, root = copies.download(client, folder)
    console.print(f"{size} leaves, root {root}")


@audit.command("verify")
def audit_verify(
    kept: Annotated[
        list[Path] | None, typer.Option("--checkpoint", help="a checkpoint you kept yourself")
    ] = None,
) -> None:
    """Download the log and verify it, starting from the newest checkpoint seen before."""
    # One for each server: another server's log is another log.
    server = hashlib.sha256(login.current().url.rstrip("/").encode()).hexdigest()[:16]
    own = login.folder() / f"checkpoint-{server}.txt"
    heads = [*(kept or []), *([own] if own.exists() else [])]
    with connected() as client, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copies.download(client, folder)
        note = check(folder, heads)
    own.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    own.write_text(note, "utf-8")


def check(folder: Path, heads: list[Path]) -> str:
    """Verify a copy against its checkpoint and ``heads``; return the checkpoint's note."""
    try:
        public = PublicKey.load(folder / "root.pub")
        ring = KeyRing.open((folder / "keys.json").read_text(), public)
        keys = checkpoint.log_keys(ring)
        note = (folder / "checkpoint.txt").read_text()
        newest = checkpoint.verify(note, keys)
        known = [checkpoint.verify(path.read_text(), keys) for path in heads]
        console.print(f"root key {public.fingerprint}")
        for path, head in zip(heads, known, strict=True):
            console.print(f"from the checkpoint over {head.size} leaves in {path}")
            if head.size > newest.size:
                raise Ended(ERROR, "FAULT: size: a checkpoint seen before has more leaves")
        with (folder / "events.jsonl").open("rb") as lines:
            report = verify_log(
                read_records(lines),
                heads=[(head.size, head.root) for head in (*known, newest)],
                complete=True,
                canonical_bodies=True,
                ring=ring,
            )
    except Refused as refusal:
        raise Ended(ERROR, f"REFUSED: {refusal.sentence}") from None
    if report.fault is not None:
        raise Ended(ERROR, f"FAULT at {report.fault.place}: {report.fault.sentence}")
    if report.unsealed:
        first = report.unsealed[0].sentence
        raise Ended(ERROR, f"UNSEALED {first} (claims to give access, appended past Placet)")
    root = base64.b64encode(report.root).decode()
    console.print(f"ok: {report.size} leaves, {report.bodies} bodies read, root {root}")
    return note
