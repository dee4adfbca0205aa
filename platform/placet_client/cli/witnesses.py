"""audit witness, audit witnessed: who is shown the log's checkpoints, and whose are cosigned."""

from enum import StrEnum
from typing import Annotated

import typer

from placet_client.cli.command import LimitOption, OutputOption, connected, go_on
from placet_client.output import Form, show_list, show_one, tell

witness = typer.Typer(help="Who witnesses this log", no_args_is_help=True)
witnessed = typer.Typer(help="Logs of others that this installation cosigns", no_args_is_help=True)


class WitnessKind(StrEnum):
    """How a witness is reached."""

    HTTP = "http"
    FILE = "file"
    S3 = "s3"


def add_to(audit: typer.Typer) -> None:
    """Add these commands."""
    audit.add_typer(witness, name="witness")
    audit.add_typer(witnessed, name="witnessed")


@witness.command("list")
def witness_list(limit: LimitOption = None, output: OutputOption = Form.TABLE) -> None:
    """List the witnesses, what each holds, and what is wrong."""
    with connected() as client:
        columns = ["id", "name", "kind", "size", "seen_at", "fault", "error"]
        show_list(client.audit.witnesses(limit=limit), columns, output)


@witness.command("add")
def witness_add(
    name: str,
    address: Annotated[
        str, typer.Argument(help="https://…/witness, a folder's name, or s3://bucket/prefix")
    ],
    kind: Annotated[WitnessKind, typer.Option(help="http, file or s3")] = WitnessKind.HTTP,
    key: Annotated[str, typer.Option(help="its verifier key, name+id+base64 (http)")] = "",
    retain_days: Annotated[
        int | None, typer.Option(help="for how long a bucket locks each object (s3)")
    ] = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """Add a witness, which is shown every signed checkpoint."""
    with connected() as client:
        new_witness = client.audit.add_witness(
            name=name, kind=kind.value, address=address, key=key, retain_days=retain_days
        )
        show_one(new_witness, output)
        go_on(client, "witnesses")


@witness.command("remove")
def witness_remove(witness_id: str) -> None:
    """Remove a witness: it is shown nothing more; its cosignatures stay."""
    with connected() as client:
        client.audit.remove_witness(witness_id)
        tell(f"Removed the witness {witness_id}.")
        go_on(client, "witnesses")


@witness.command("keys")
def witness_keys(output: OutputOption = Form.TABLE) -> None:
    """Show the keys to hand out: of this log, and of this installation as a witness."""
    with connected() as client:
        show_one(client.audit.witness_keys(), output)


@witnessed.command("list")
def witnessed_list(limit: LimitOption = None, output: OutputOption = Form.TABLE) -> None:
    """List the logs of others that are cosigned here."""
    with connected() as client:
        columns = ["id", "origin", "size", "cosigned_at", "forked"]
        show_list(client.audit.witnessed_logs(limit=limit), columns, output)


@witnessed.command("add")
def witnessed_add(
    key: Annotated[str, typer.Argument(help="the log's verifier key, name+id+base64")],
    output: OutputOption = Form.TABLE,
) -> None:
    """Start to cosign a log of others."""
    with connected() as client:
        show_one(client.audit.witness_log(key), output)
        go_on(client, "witnesses")


@witnessed.command("remove")
def witnessed_remove(log_id: str) -> None:
    """Stop cosigning a log."""
    with connected() as client:
        client.audit.forget_log(log_id)
        tell(f"No longer cosigning {log_id}.")
        go_on(client, "witnesses")
