"""The command ``placet-agent``: join, run, stop, show, unit."""

import json
import logging
import signal
import sys
from dataclasses import asdict
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated

import typer

from placet_agent.client import Rejected, Unreachable
from placet_agent.haproxy.certificate import Certificate, CertificateRefused
from placet_agent.haproxy.process import HaproxyError
from placet_agent.holder import raise_handles
from placet_agent.loop import Agent, Options, stop_everything
from placet_agent.process import limits
from placet_agent.reports.metrics import WINDOW_SECONDS
from placet_agent.state import files
from placet_agent.state.data_dir import Home, NotJoined
from placet_agent.state.joining import JoinFailed, join

app = typer.Typer(
    help="Makes this host a node of Placet.", no_args_is_help=True, add_completion=False
)
DEFAULT_DATA = Path("/var/lib/placet-agent")
EVERYWHERE, HERE = "*", "127.0.0.1"
UNIT = Path(__file__).with_name("placet-agent.service")
logger = logging.getLogger("placet_agent.cli")

Data = Annotated[Path, typer.Option("--data", help="The node's folder.")]
WindowSeconds = Annotated[
    float, typer.Option(min=1, max=60, help="How long requests are counted into one window.")
]
LogLevel = Annotated[str, typer.Option(help="debug, info, warning or error.")]
AllowShared = Annotated[
    bool,
    typer.Option(
        envvar="PLACET_ALLOW_SHARED",
        help="Start replicas on the host's network when the host gives none of their own any more.",
    ),
]
Warm = Annotated[
    bool,
    typer.Option(
        envvar="PLACET_WARM",
        help="Keep a process with its packages imported for each runtime in use.",
    ),
]
Bind = Annotated[
    str,
    typer.Option(
        help="The address that HAProxy listens on: all, or 127.0.0.1 without a certificate."
    ),
]
StopAll = Annotated[bool, typer.Option(help="On exit end the replicas and HAProxy too.")]
TlsCert = Annotated[
    Path | None,
    typer.Option(
        envvar="PLACET_TLS_CERT", help="PEM file of the certificate that clients are shown."
    ),
]
TlsKey = Annotated[
    Path | None, typer.Option(envvar="PLACET_TLS_KEY", help="PEM file of its private key.")
]
Plain = Annotated[
    bool,
    typer.Option(
        "--plain", help="Answer other machines without TLS: in a closed network, behind a proxy."
    ),
]


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as JSON."""
        line = {
            "timestamp": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def log_lines(level: str) -> None:
    """Have everything logged to stderr, a line each."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level.upper(), handlers=[handler])
    logging.getLogger("httpx").setLevel(logging.WARNING)


def fail(error: object) -> typer.Exit:
    """Print a sentence and end with 1."""
    typer.echo(f"placet-agent: {error}", err=True)
    return typer.Exit(1)


def plain_address(home: Home, bind: str, *, plain: bool) -> str:
    """Return what a node without a certificate listens on: this machine alone, unless it is told
    otherwise, or has answered others without one before: nobody's clients are cut off by a newer
    agent."""
    before = plain_before(home)
    address = bind or (EVERYWHERE if plain else before or HERE)
    if plain or local(address):
        return address
    if address != before:
        raise ValueError(
            "without --tls-cert and --tls-key it answers to this machine alone:"
            f" give both, or --bind {HERE}, or --plain where others protect the way"
        )
    logger.warning(
        "answers other machines without TLS, on %s, as before:"
        " give --tls-cert and --tls-key, or --bind %s, or --plain to say that it is meant",
        address,
        HERE,
    )
    return address


def plain_before(home: Home) -> str:
    """Return the address where HAProxy last answered without TLS; '' when it did not."""
    for line in (home.read_text("haproxy/haproxy.cfg") or "").splitlines():
        words = line.split()
        if words[:1] == ["bind"] and len(words) > 1 and "ssl" not in words:
            return words[1].rpartition(":")[0]
    return ""


def local(address: str) -> bool:
    """Tell whether only this machine reaches ``address``."""
    try:
        return address == "localhost" or ip_address(address.strip("[]")).is_loopback
    except ValueError:
        return False


@app.command("join")
def join_command(
    url: Annotated[str, typer.Argument(help="The platform, https:// (http:// only to loopback).")],
    token: Annotated[str, typer.Option(help="The join token, <secret>.<fingerprint>.")] = "",
    token_file: Annotated[
        Path | None, typer.Option(help="The file that holds the join token.")
    ] = None,
    data: Data = DEFAULT_DATA,
    ca: Annotated[
        Path | None,
        typer.Option(
            envvar="PLACET_CA", help="PEM file of who vouches for the platform's certificate."
        ),
    ] = None,
    root: Annotated[str, typer.Option(help="SHA-256 of the root key, if not in the token.")] = "",
    listen: Annotated[int, typer.Option(help="The port that clients call.")] = 8080,
    runtime_python: Annotated[
        list[Path] | None, typer.Option(help="An interpreter for runtimes; may be repeated.")
    ] = None,
) -> None:
    """Join a target with a token that was made for it."""
    try:
        if bool(token) == bool(token_file):
            raise JoinFailed("give either --token or --token-file")
        member = join(
            Home(data.resolve()),
            url,
            token or (token_file.read_text() if token_file else ""),
            root=root,
            port=listen,
            pythons=runtime_python or [],
            ca=str(ca.resolve()) if ca else "",
        )
    except (JoinFailed, Unreachable, Rejected, HaproxyError, ValueError, OSError) as error:
        raise fail(error) from error
    typer.echo(f"Joined {member.target_name or member.target} as {member.node}.")


@app.command()
def run(
    data: Data = DEFAULT_DATA,
    bind: Bind = "",
    plain: Plain = False,
    stop_all: StopAll = False,
    log_level: LogLevel = "info",
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    window_seconds: WindowSeconds = WINDOW_SECONDS,
    allow_shared: AllowShared = False,
    warm: Warm = True,
) -> None:
    """Serve what the platform's signed state says, until SIGTERM."""
    log_lines(log_level)
    if few := limits.too_few_files():  # recalls are heeded all the same
        logger.error("%s", few)
    raise_handles()
    home = Home(data.resolve())
    if bool(tls_cert) != bool(tls_key):
        raise fail("give both --tls-cert and --tls-key")
    certificate = Certificate(tls_cert, tls_key) if tls_cert and tls_key else None
    try:
        home.membership()
        with files.locked(home.folder):
            address = bind or EVERYWHERE if certificate else plain_address(home, bind, plain=plain)
            options = Options(
                bind=address,
                certificate=certificate,
                window_seconds=window_seconds,
                allow_shared=allow_shared,
                warm=warm,
            )
            agent = Agent(home, options)
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: agent.stop())
            agent.run()
            if stop_all:
                stop_everything(home)
    except (NotJoined, files.Busy, HaproxyError, CertificateRefused, ValueError) as error:
        raise fail(error) from error


@app.command()
def stop(data: Data = DEFAULT_DATA) -> None:
    """End the replicas and HAProxy that a stopped agent left serving."""
    home = Home(data.resolve())
    try:
        home.membership()
        with files.locked(home.folder):
            stop_everything(home)
    except (NotJoined, files.Busy, files.Unreadable, HaproxyError) as error:
        raise fail(error) from error


@app.command()
def show(data: Data = DEFAULT_DATA) -> None:
    """Print where this node joined and what it remembers."""
    home = Home(data.resolve())
    try:
        member, memory = home.membership(), home.remembered()
    except (NotJoined, files.Unreadable) as error:
        raise fail(error) from error
    typer.echo(json.dumps({**asdict(member), "memory": asdict(memory)}, indent=2))


@app.command()
def unit() -> None:
    """Print a systemd unit for this node."""
    typer.echo(UNIT.read_text(), nl=False)
