"""audit timestamp: when checkpoints of the log existed, by the word of others."""

import base64
from pathlib import Path

import typer

from placet_client.cli.command import LimitOption, OutputOption, connected
from placet_client.output import Form, show_list, tell

timestamp = typer.Typer(
    help="When checkpoints existed, by the word of others", no_args_is_help=True
)


def add_to(audit: typer.Typer) -> None:
    """Add these commands."""
    audit.add_typer(timestamp, name="timestamp")


@timestamp.command("list")
def timestamp_list(limit: LimitOption = 100, output: OutputOption = Form.TABLE) -> None:
    """List the time stamps, the newest first. There are many: --limit is 100 here."""
    with connected() as client:
        show_list(client.audit.timestamps(limit=limit), ["size", "authority", "at"], output)


@timestamp.command("save")
def timestamp_save(size: int, authority: str, folder: Path) -> None:
    """Write a time stamp and the checkpoint that it is over into FOLDER."""
    with connected() as client:
        stamp = client.audit.timestamp(size, authority)
    folder.mkdir(parents=True, exist_ok=True)
    note, reply = folder / f"{size}.txt", folder / f"{size}-{authority}.tsr"
    note.write_bytes(stamp.note.encode("utf-8"))
    reply.write_bytes(base64.b64decode(stamp.reply))
    tell(f"{reply} over {note}, for `python -m placet_verify timestamp` or `openssl ts -verify`")
