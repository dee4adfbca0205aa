"""stream."""

from typing import Annotated

import typer

from placet_client.cli.command import (
    ERROR,
    OutputOption,
    TimeoutOption,
    connected,
    ended,
    go_on,
)
from placet_client.cli.receivers import came_of_test, id_of
from placet_client.client import Client
from placet_client.output import Form, show_list, show_one, tell
from placet_client.records import Delivery, Stream

stream = typer.Typer(help="Log forwarding: where the audit log is sent", no_args_is_help=True)
COLUMNS = ["name", "kind", "url", "state", "cursor", "lag_events", "lag_seconds", "error"]
BRIEF = ["id", "name", "project", "kind", "url", "state", "cursor", "lag_events", "error"]
StreamArgument = Annotated[
    str, typer.Argument(metavar="STREAM", help="its name, PROJECT/NAME, or its id")
]


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(stream, name="stream")


def _id(client: Client, reference: str) -> str:
    """Return the id of the one stream with this name; an id is taken as it is."""
    is_id = reference.startswith("stm_")
    return reference if is_id else id_of(client.streams.list(), "stream", reference)


def _show_changed(client: Client, row: Stream, output: Form) -> None:
    """Print a stream that was made or changed, and where to go on."""
    show_one(row, output, BRIEF)
    go_on(client, "stream", row.id)


@stream.command("list")
def stream_list(output: OutputOption = Form.TABLE) -> None:
    """List the streams that you see, newest first."""
    with connected() as client:
        show_list(client.streams.list(), COLUMNS, output)


@stream.command("show")
def stream_show(reference: StreamArgument, output: OutputOption = Form.TABLE) -> None:
    """Show a stream, how far it is, and what came of its last batches."""
    with connected() as client:
        show_one(client.streams.get(_id(client, reference)), output)


@stream.command("add")
def stream_add(
    name: Annotated[str, typer.Argument(help="small letters, digits and hyphens")],
    url: Annotated[str, typer.Argument(help="https://… or tls://host:port")],
    kind: Annotated[str, typer.Option(help="jsonl, cloudevents or syslog")] = "jsonl",
    token_file: Annotated[str, typer.Option(help="a file on the server: its token")] = "",
    ca_file: Annotated[str, typer.Option(help="a file on the server: who vouches")] = "",
    cert_file: Annotated[str, typer.Option(help="a file on the server: our certificate")] = "",
    project: Annotated[str, typer.Option(help="only what happens in it, whole")] = "",
    start: Annotated[int | None, typer.Option(help="first event; the next by default")] = None,
    alert_after: Annotated[int, typer.Option(help="seconds behind until an alert")] = 900,
    output: OutputOption = Form.TABLE,
) -> None:
    """Add a stream; somebody who may export the log starts it with `resume`."""
    with connected() as client:
        new_stream = client.streams.add(
            name,
            url,
            kind=kind,
            token_file=token_file,
            ca_file=ca_file,
            cert_file=cert_file,
            project=project,
            start=start,
            alert_after_seconds=alert_after,
        )
        _show_changed(client, new_stream, output)


@stream.command("pause")
def stream_pause(reference: StreamArgument, output: OutputOption = Form.TABLE) -> None:
    """Pause a stream: nothing more is sent until somebody resumes it."""
    with connected() as client:
        _show_changed(client, client.streams.pause(_id(client, reference)), output)


@stream.command("resume")
def stream_resume(reference: StreamArgument, output: OutputOption = Form.TABLE) -> None:
    """Start or resume a stream, or retry now."""
    with connected() as client:
        _show_changed(client, client.streams.resume(_id(client, reference)), output)


@stream.command("rewind")
def stream_rewind(reference: StreamArgument, index: int, output: OutputOption = Form.TABLE) -> None:
    """Send everything from an event on once more."""
    with connected() as client:
        _show_changed(client, client.streams.rewind(_id(client, reference), index=index), output)


@stream.command("test")
def stream_test(
    reference: StreamArgument, timeout: TimeoutOption = 60.0, output: OutputOption = Form.TABLE
) -> None:
    """Send a test and wait for its result; exit code 1 when it does not get through."""
    with connected() as client:
        row = client.streams.get(_id(client, reference))
        before = max((delivery.id for delivery in row.deliveries), default=0)
        client.streams.test(row.id)

        def first_since() -> Delivery | None:
            sent = reversed(client.streams.get(row.id).deliveries)
            return next((one for one in sent if one.test and one.id > before), None)

        later = f"placet stream show {row.id}"
        tried = came_of_test(client, first_since, timeout, "stream", row.id, later=later)
        show_one(tried, output)
        if not tried.accepted:
            raise ended(client, ERROR, tried.detail, "stream", row.id)
        go_on(client, "stream", row.id)


@stream.command("remove")
def stream_remove(reference: StreamArgument) -> None:
    """Remove a stream: nothing more is sent, for good."""
    with connected() as client:
        client.streams.remove(_id(client, reference))
        tell(f"Removed the stream {reference}.")
        go_on(client, "streams")
