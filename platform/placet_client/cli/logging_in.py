"""login: a token that is given, or one that a person confirms in the browser."""

import os
import socket
import stat
import sys
from pathlib import Path
from typing import Annotated

import typer

from placet_client import __version__, device
from placet_client import login as logins
from placet_client.cli.command import DENIED, CommandEnded
from placet_client.client import Client
from placet_client.errors import InvalidRequest, NotFound, PlacetError
from placet_client.output import counted, say
from placet_client.records import Whoami


def login(
    url: Annotated[str, typer.Argument(help="the server, e.g. http://localhost:8000")],
    token_stdin: Annotated[
        bool, typer.Option("--token-stdin", help="read a token from standard input")
    ] = False,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="open the page to confirm, or print it")
    ] = True,
    ca: Annotated[
        Path | None,
        typer.Option(envvar="PLACET_CA", help="PEM file of who vouches for the server"),
    ] = None,
) -> None:
    """Log in: confirm in the browser, and the server and a token of yours are remembered.

    A pipeline gives a token instead: PLACET_TOKEN, or through a pipe.
    """
    trusted = str(ca.resolve()) if ca else ""
    text = given_token(url, token_stdin) or confirmed_token(url, trusted, browser=browser)
    with Client(url, text, ca=trusted) as client:
        me = client.whoami()
        holds_roles = bool(me.grants) or any(client.roles.list(limit=1))
    path = logins.remember(logins.Login(client.url, text, trusted))
    say(f"Logged in as {me.name or me.id}; remembered in {path}")
    for line in next_steps(me, holds_roles=holds_roles):
        say(line)


def login_again() -> list[str]:
    """Return what helps who has a token that opens nothing any more, a line for each step."""
    try:
        url = logins.current().url.rstrip("/")
    except PlacetError:
        return []
    if os.environ.get("PLACET_TOKEN"):
        return [f"It is the one in PLACET_TOKEN: create another one at {url}/tokens/"]
    return [f"Log in again: placet login {url}"]


def given_token(url: str, from_stdin: bool) -> str:
    """Return the token that came along, '' when none did.

    One in the environment belongs to the server that stands beside it. What is piped in is a token;
    an empty pipe, and what is no pipe, such as ``/dev/null``, is none.
    """
    known, its = (os.environ.get(name, "").strip() for name in ("PLACET_TOKEN", "PLACET_URL"))
    if not from_stdin and known and its.rstrip("/") in ("", url.rstrip("/")):
        return known
    if not from_stdin and not is_piped():
        return ""
    text = sys.stdin.readline().strip()
    if from_stdin and not text:
        raise typer.BadParameter("--token-stdin: nothing came from standard input")
    return text


def is_piped() -> bool:
    """Tell whether standard input is a pipe or a file."""
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
    except (AttributeError, OSError, ValueError):  # closed, or replaced by what has no descriptor
        return sys.stdin is not None and not sys.stdin.closed and not sys.stdin.isatty()
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode)


def confirmed_token(url: str, ca: str, *, browser: bool) -> str:
    """Have a person confirm in the browser that this machine gets a token of theirs."""
    with Client(url, "", ca=ca) as client:
        try:
            code = client.devices.begin(f"placet {__version__} on {machine()}")
        except NotFound:
            told = (
                "This server doesn't support browser login: create a token on its page API tokens"
            )
            raise CommandEnded(1, f"{told}, and use --token-stdin") from None
        minutes = code.expires_in // 60
        say(f"Open {code.verification_uri_complete}")
        say(f"and confirm the code {code.user_code} there, within {counted(minutes, 'minute')}.")
        if browser:
            device.open_page(code.verification_uri_complete)
        try:
            return device.wait_for_token(client, code).access_token
        except InvalidRequest as refusal:
            if refusal.code != "access_denied":
                raise
            raise CommandEnded(DENIED, "The login was denied in the browser") from None


def machine() -> str:
    """Return what this machine is called, in characters that any server takes."""
    name = "".join(c for c in socket.gethostname() if c.isprintable()).strip()
    return name[:60] or "a machine"


def next_steps(me: Whoami, *, holds_roles: bool) -> list[str]:
    """Return what somebody is likely to do first, and why they see nothing, where they do not."""
    may = {grant.permission for grant in me.grants}
    if "model.create" in may:
        return ["Next: `placet model register --help` says how a model gets in"]
    if may:
        return ["Next: `placet inbox` shows what waits for you, `placet --help` all there is"]
    who, hold, see = ("You", "hold", "see")
    if me.kind != "person":
        who, hold, see = ("This account", "holds", "sees")
    if held := me.withheld_roles:
        wait = f"role {held[0]} waits" if len(held) == 1 else f"roles {' and '.join(held)} wait"
        return [
            f"{who} {see} nothing yet: your {wait} for a second factor of yours",
            "Next: add one under “Passkeys and second factor” in the browser",
        ]
    if holds_roles:
        return [
            f"{who} {see} nothing with this token: it covers nothing that your roles allow",
            "Next: make one that does under “API tokens” in the browser",
        ]
    return [
        f"{who} {hold} no role yet and {see} nothing: an access administrator gives roles",
        f"Next: ask one for a role in your project, for {me.name or me.id}",
    ]
