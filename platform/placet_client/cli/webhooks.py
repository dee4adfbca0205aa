"""webhook."""

import sys
from typing import Annotated, Any

import typer

from placet_client.cli.command import (
    ERROR,
    OutputOption,
    TimeoutOption,
    connected,
    ended,
    go_on,
)
from placet_client.cli.logging_in import is_piped
from placet_client.cli.receivers import came_of_test, id_of
from placet_client.client import Client
from placet_client.output import Form, say, show_list, show_one, tell
from placet_client.records import Webhook, WebhookDelivery

webhook = typer.Typer(
    help="Webhooks: programs and chat channels that are told of events", no_args_is_help=True
)
COLUMNS = [
    "name",
    "project",
    "service",
    "origin",
    "groups",
    "state",
    "reason",
    "waiting",
    "failing_since",
]
STANDARD = "standard"  # a program
STDIN = "-"
NOT_HERE = (
    "the address of a chat is a secret, and other users of this machine can read arguments:"
    " leave it to the prompt, or pipe it in and give -"
)
LAST_FORMER = ("former_public_key", "former_until")  # among all former keys
QUOTES = '"'  # of an ETag, which a shell takes away
BRIEF = ["id", "name", "project", "service", "origin", "groups", "state", "reason", "public_key"]
SENT = ["id", "event", "kind", "state", "attempts", "status", "error", "next_at"]
WebhookArgument = Annotated[
    str, typer.Argument(metavar="WEBHOOK", help="its name, PROJECT/NAME, or its id")
]
GroupOption = Annotated[
    list[str] | None,
    typer.Option("--group", help="releases, serving, models, …; again for another; none is all"),
]

ServiceOption = Annotated[
    str,
    typer.Option(
        help="a chat: slack, teams, mattermost, rocketchat, discord or google_chat; none: a program"
    ),
]


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(webhook, name="webhook")


def _id(client: Client, reference: str) -> str:
    """Return the id of the one webhook with this name; an id is taken as it is."""
    is_id = reference.startswith("whk_")
    return reference if is_id else id_of(client.webhooks.list(), "webhook", reference)


def _read_address() -> str:
    """Return an address that is piped in or pasted, which is not shown."""
    if is_piped():
        text = sys.stdin.readline().strip()
    elif sys.stdin is not None and sys.stdin.isatty():
        text = str(typer.prompt("Address", hide_input=True, err=True)).strip()
    else:
        raise typer.BadParameter("give the address, or pipe it in and give -", param_hint="URL")
    if not text:
        raise typer.BadParameter("nothing came from standard input", param_hint="URL")
    return text


def _show(client: Client, row: Webhook, output: Form, *more: str) -> None:
    """Print a webhook that was made or changed, and where to go on."""
    show_one(_worded(row.raw, output), output, [*BRIEF, *more])
    if row.to_enable:
        seen = row.etag.strip(QUOTES)
        say(
            f"It is told of nothing. {row.to_enable}:"
            f" `placet webhook enable {row.id} --seen {seen}`"
        )
    go_on(client, "webhook", row.id)


def _worded(row: dict[str, Any], output: Form) -> dict[str, Any]:
    """Return a webhook as people read it in a table: its state in words, and each former key that
    is still good with its end."""
    if output is Form.JSON:
        return row
    state = row["state"].replace("_", " ")
    keys = [f"{key['public_key']} until {key['until']}" for key in row["former_keys"]]
    told = {name: value for name, value in row.items() if name not in LAST_FORMER}
    return told | {"state": state, "former_keys": "\n".join(keys)}


def _sent(row: dict[str, Any], output: Form) -> dict[str, Any]:
    """Return a delivery as people read it in a table."""
    if output is Form.JSON or row["status"]:
        return row
    return row | {"status": "no answer" if row["attempts"] else ""}


@webhook.command("list")
def webhook_list(output: OutputOption = Form.TABLE) -> None:
    """List the webhooks that you see, newest first."""
    with connected() as client:
        rows = [_worded(row.raw, output) for row in client.webhooks.list()]
        show_list(rows, COLUMNS, output)


@webhook.command("show")
def webhook_show(reference: WebhookArgument, output: OutputOption = Form.TABLE) -> None:
    """Show a webhook, without its address and secret, and the ETag that enables it as it is."""
    with connected() as client:
        row = client.webhooks.get(_id(client, reference))
        show_one({**_worded(row.raw, output), "etag": row.etag.strip(QUOTES)}, output)


@webhook.command("add")
def webhook_add(
    name: Annotated[str, typer.Argument(help="small letters, digits and hyphens")],
    url: Annotated[
        str | None,
        typer.Argument(help="https://…; without it you are asked for it; -: standard input"),
    ] = None,
    group: GroupOption = None,
    project: Annotated[str, typer.Option(help="only what happens in it")] = "",
    service: ServiceOption = "",
    output: OutputOption = Form.TABLE,
) -> None:
    """Add a webhook and show its secret, this once; who may export the log enables it."""
    if service not in ("", STANDARD) and url not in (None, STDIN):
        raise typer.BadParameter(NOT_HERE, param_hint="URL")
    address = _read_address() if url is None or url == STDIN else url
    with connected() as client:
        made = client.webhooks.add(
            name, address, groups=group or (), project=project, service=service
        )
        _show(client, made, output, *(["secret"] if made.secret else []))


@webhook.command("edit")
def webhook_edit(
    reference: WebhookArgument,
    url: Annotated[
        str | None, typer.Option(help="another address; -: asked for, or standard input")
    ] = None,
    group: GroupOption = None,
    all_groups: Annotated[bool, typer.Option("--all", help="every kind of event")] = False,
    output: OutputOption = Form.TABLE,
) -> None:
    """Give a webhook another address or other kinds of events."""
    with connected() as client:
        groups = [] if all_groups else group or None
        hook = _id(client, reference)
        if url not in (None, STDIN) and client.webhooks.get(hook).service != STANDARD:
            raise typer.BadParameter(NOT_HERE, param_hint="--url")
        address = _read_address() if url == STDIN else url
        changed = client.webhooks.change(hook, url=address, groups=groups)
        _show(client, changed, output)


@webhook.command("enable")
def webhook_enable(
    reference: WebhookArgument,
    seen: Annotated[str, typer.Option(metavar="ETAG", help="as `webhook show` printed it")],
    output: OutputOption = Form.TABLE,
) -> None:
    """Enable a webhook as you saw it: it is told of what happens from now on."""
    with connected() as client:
        enabled = client.webhooks.enable(_id(client, reference), if_match=f'"{seen.strip(QUOTES)}"')
        _show(client, enabled, output)


@webhook.command("disable")
def webhook_disable(reference: WebhookArgument, output: OutputOption = Form.TABLE) -> None:
    """Disable a webhook: it is told of nothing more."""
    with connected() as client:
        _show(client, client.webhooks.disable(_id(client, reference)), output)


@webhook.command("rotate")
def webhook_rotate(reference: WebhookArgument, output: OutputOption = Form.TABLE) -> None:
    """Make another secret and show it, this once; the former one is good for a day."""
    with connected() as client:
        _show(client, client.webhooks.rotate(_id(client, reference)), output, "secret")


@webhook.command("deliveries")
def webhook_deliveries(
    reference: WebhookArgument,
    state: Annotated[
        str, typer.Option(help="waiting, retrying, sending, delivered or failed")
    ] = "",
    output: OutputOption = Form.TABLE,
) -> None:
    """List what a webhook was sent, newest first."""
    with connected() as client:
        found = client.webhooks.deliveries(_id(client, reference), state=state)
        show_list([_sent(row.raw, output) for row in found], SENT, output)


@webhook.command("delivery")
def webhook_delivery(
    reference: WebhookArgument, delivery: str, output: OutputOption = Form.TABLE
) -> None:
    """Show a delivery with its last attempts."""
    with connected() as client:
        found = client.webhooks.delivery(_id(client, reference), delivery)
        show_one(_sent(found.raw, output), output)


@webhook.command("redeliver")
def webhook_redeliver(
    reference: WebhookArgument, delivery: str, output: OutputOption = Form.TABLE
) -> None:
    """Send something once more, under the webhook-id that it has."""
    with connected() as client:
        hook = _id(client, reference)
        show_one(_sent(client.webhooks.redeliver(hook, delivery).raw, output), output, SENT)
        go_on(client, "webhook", hook)


@webhook.command("test")
def webhook_test(
    reference: WebhookArgument, timeout: TimeoutOption = 60.0, output: OutputOption = Form.TABLE
) -> None:
    """Send a test and wait for its result; exit code 1 when it does not get through."""
    with connected() as client:
        hook = _id(client, reference)
        test = client.webhooks.test(hook).id

        def settled() -> WebhookDelivery | None:
            found = client.webhooks.delivery(hook, test)
            return found if found.state in ("delivered", "failed") else None

        later = f"placet webhook deliveries {hook}"
        tried = came_of_test(client, settled, timeout, "webhook", hook, later=later)
        show_one(_sent(tried.raw, output), output, SENT)
        if tried.state != "delivered":
            raise ended(client, ERROR, tried.error, "webhook", hook)
        go_on(client, "webhook", hook)


@webhook.command("remove")
def webhook_remove(reference: WebhookArgument) -> None:
    """Remove a webhook: it is told of nothing more, for good."""
    with connected() as client:
        client.webhooks.remove(_id(client, reference))
        tell(f"Removed the webhook {reference}.")
        go_on(client, "webhooks")
