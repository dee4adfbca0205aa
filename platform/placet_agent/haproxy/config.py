"""Renders haproxy.cfg and the map files from the table, in full, every time.

The file always holds the present truth: HAProxy's run-time state dies with it, and a fresh start
from these files, and the links of ``sockets``, serves exactly what the old process served.

Backends and servers are made in advance, so that a new endpoint, revision, replica or weight is a
few commands on the admin socket and no reload. A route is one map value, ``stable:candidate:weight:
key:salt``, so that a change of weight is one atomic step. ``traffic`` renders what is done with it.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from placet_agent.haproxy import limiting, quoting, traffic
from placet_agent.haproxy.entry import DOOR, BackendServer, EndpointRoute
from placet_agent.haproxy.names import backend_name, endpoint_name, link_name
from placet_agent.haproxy.problems import problem, refuse
from placet_agent.haproxy.sockets import LINKS
from placet_agent.haproxy.table import REVISIONS, RoutingTable
from placet_verify.permit.limits import Limits

# In the order they are told.
MAPS = (
    "once.map",
    limiting.ASLEEP,
    "revisions.map",
    "keys.map",
    "mirror.map",
    "route.map",
    "paths.map",
)
ONCE, PATHS = MAPS[0], MAPS[-1]
CONNECTIONS = 4_000  # of clients at once
MOST_OF_ONE = 3_000  # of them from one address: of IPv6 the network that one host has for itself
ADDRESSES = "addresses"
NOBODY = "nobody"
CERTIFICATE = "tls.pem"
BROKEN = "broken.lua"
# Raised when a running HAProxy of an older agent must take up rules that it does not have.
LAYOUT = 12
_OLDER = "  # older "
_FIXED = ("  # layout ", "  # certificate ", "  bind ", traffic.MARK, _OLDER)


@dataclass(frozen=True)
class Settings:
    """What every configuration says whatever the table is: where HAProxy listens, what it takes at
    most, and as whom it runs."""

    port: int
    bind: str = "*"  # the address that it listens on
    max_body_bytes: int = 16 * 1024 * 1024  # of a request
    server_timeout_seconds: int = 120  # how long a replica may take to answer
    uid: int | None = None  # HAProxy drops to it when started by root
    certificate: str = ""  # SHA-256 of tls.pem; empty: plain HTTP


UNKNOWN = problem(404, "not_found", "Not Found", "No endpoint has this path.")
NOT_LIVE = problem(503, "nothing_live", "Service Unavailable", "Nothing is live here now.")
NO_KEY = problem(401, "unauthorized", "Unauthorized", "This endpoint needs a valid API key.")
TOO_LARGE = problem(413, "too_large", "Content Too Large", "The body is over the limit.")
NO_LENGTH = problem(411, "length_required", "Length Required", "Send a Content-Length.")
NO_UPGRADE = problem(
    501, "no_upgrade", "Not Implemented", "There are no WebSockets here: send ordinary requests."
)
SWITCHED = problem(
    502, "bad_gateway", "Bad Gateway", "The replica wanted to go on with another protocol."
)

# What HAProxy itself answers when a request or a replica fails.
ERRORS = {
    400: ("Bad Request", "bad_request", "The request is not valid HTTP."),
    403: ("Forbidden", "forbidden", "The request was refused."),
    408: ("Request Timeout", "timeout", "The request did not arrive in time."),
    500: ("Internal Server Error", "internal", "The proxy failed."),
    502: ("Bad Gateway", "bad_gateway", "The replica closed without an answer."),
    503: ("Service Unavailable", "unavailable", "No replica can take the request now."),
    504: ("Gateway Timeout", "gateway_timeout", "The replica did not answer in time."),
}


# What it answers in the backend of a revision that has limits, or may sleep.
BUSY = ("Service Unavailable", "busy", "No replica took the request in time: try again later.")
OVER_TIME = (
    "Gateway Timeout",
    "over_time",
    "The replica did not answer within the time that its release allows.",
)


def _error_body(status: int, words: tuple[str, str, str]) -> str:
    title, code, detail = words
    problem = {"type": "about:blank", "title": title, "status": status}
    return json.dumps({**problem, "code": code, "detail": detail})


def error_files() -> dict[str, bytes]:
    """Return the raw answers that HAProxy gives by itself, as problem details."""
    again = f"Retry-After: {limiting.RETRY_SECONDS}\r\n"
    return {
        **{f"error-{status}.http": _answer(status, words) for status, words in ERRORS.items()},
        limiting.BUSY_FILE: _answer(503, BUSY, again),
    }


def _answer(status: int, words: tuple[str, str, str], also: str = "") -> bytes:
    body = _error_body(status, words).encode()
    head = (
        f"HTTP/1.1 {status} {words[0]}\r\nContent-Type: application/problem+json\r\n{also}"
        f"Cache-Control: no-store\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body


def render(table: RoutingTable, settings: Settings) -> str:
    """Return the whole configuration file."""
    lines = [*_head(table, settings), "", *_frontend(table, settings), ""]
    lines += [*_addresses(), *traffic.accumulators(), "", *limiting.tables(table)]
    taken, limits, sleepers = table.backends(), table.limits(), table.sleepers()
    for group in range(table.groups):
        for index in range(REVISIONS):
            name = backend_name(group, index)
            servers = taken.get(name, {})
            bounds = limiting.Bounds(limits.get(name, Limits()), sleeps=name in sleepers)
            rules = _backend(name, servers, table.servers_per_backend, settings, bounds)
            lines += [*rules, ""]
    return "\n".join(lines)


def judged(text: str) -> str:
    """Return the part of a configuration file that HAProxy's judgement hangs on.

    Whether a server takes requests is none of it, nor is what stands in a map: ``words`` wrote it.
    """
    return text.replace(" disabled\n", "\n")


def try_writing(entry: EndpointRoute) -> None:
    """Raise ``ValueError`` when an endpoint holds what cannot be written for HAProxy."""
    alone = RoutingTable(groups=0, endpoints={"": entry})
    for entries in maps(alone).values():
        map_text(entries)
    for _ in (*traffic.choose(alone), *traffic.copy(alone)):
        pass


def fixed(text: str) -> list[str]:
    """Return the lines of a configuration file that only a reload can change."""
    return [line for line in text.splitlines() if line.startswith(_FIXED)]


def _head(table: RoutingTable, settings: Settings) -> Iterator[str]:
    yield "# Written by the node agent. Changes here are lost."
    yield "global"
    yield "  nbthread 1"
    yield f"  maxconn {CONNECTIONS}"
    yield "  stats socket unix@admin.sock mode 600 level admin expose-fd listeners"
    yield "  stats timeout 10s"
    # after a reload the old process lives as long as a request may take
    yield f"  hard-stop-after {settings.server_timeout_seconds + 60}s"
    yield f"  {traffic.SINK} notice"  # of copies; what is below, HAProxy's client says of them
    if settings.uid is not None:
        yield f"  uid {settings.uid}"
        yield f"  gid {settings.uid}"
    yield f"  lua-load {BROKEN} " + " ".join(
        quoting.word(_error_body(status, words))
        for status, words in (
            (502, ERRORS[502]),
            (504, ERRORS[504]),
            (504, OVER_TIME),
            (503, BUSY),
        )
    )
    yield from traffic.prepare(table)
    yield ""
    yield "http-errors problems"
    for status in ERRORS:
        yield f"  errorfile {status} error-{status}.http"
    yield ""
    yield "defaults"
    yield "  mode http"
    yield "  timeout connect 2s"
    yield "  timeout client 60s"
    yield "  timeout http-request 15s"
    yield "  timeout http-keep-alive 65s"
    yield "  timeout queue 30s"
    yield f"  timeout server {settings.server_timeout_seconds}s"
    yield "  errorfiles problems"


def _frontend(table: RoutingTable, settings: Settings) -> Iterator[str]:
    yield "frontend clients"
    yield f"  # layout {LAYOUT}"
    yield from _bind(settings)
    yield f"  tcp-request connection track-sc2 src,ipmask(32,64) table {ADDRESSES}"
    yield f"  tcp-request connection reject if {{ sc2_conn_cur({ADDRESSES}) gt {MOST_OF_ONE} }}"
    yield f"  {traffic.SINK} info"
    yield "  option idle-close-on-response"
    yield "  option forwardfor"
    yield "  http-request set-var(txn.began) date(0,ms)"
    yield "  unique-id-format %[uuid()]"
    yield "  unique-id-header X-Request-Id"
    yield f'  log-format "{traffic.LOG}"'
    yield "  http-request return status 200 content-type application/json " + (
        'string \'{"status":"ok"}\' if { path /healthz }'
    )
    yield "  http-request set-var(txn.at) path,field(1,/,4)"
    yield "  http-request set-var(txn.ep) var(txn.at),map(paths.map)"
    yield "  " + refuse(404, UNKNOWN, "!{ var(txn.ep) -m found }")
    yield "  http-request set-var(txn.route) var(txn.ep),map(route.map)"
    yield "  " + refuse(503, NOT_LIVE, "!{ var(txn.route) -m found }")
    yield from _keys()
    yield from traffic.private()
    yield from _no_tunnels()
    yield from _body(settings.max_body_bytes)
    yield from traffic.bound()
    yield from traffic.choose(table)
    yield "  " + refuse(503, NOT_LIVE, f"{{ var(txn.be) -m str {NOBODY} }}")
    yield "  http-request set-var(txn.rev) var(txn.be),map(revisions.map)"
    yield r"  http-request replace-path ^/[^/]+/[^/]+/[^/]+/?(.*)$ /\1"
    yield from traffic.copy(table)
    yield from traffic.tell()
    yield from traffic.answers()
    yield f"  http-request set-header Connection close if {{ var(txn.be),map({ONCE}) -m found }}"
    yield "  use_backend %[var(txn.be)]"


def _bind(settings: Settings) -> Iterator[str]:
    # Not HTTP/2, which a client may begin unasked: over a connection of it a HAProxy that was
    # replaced is asked again and again, by its old keys and routes.
    bind = f"  bind {settings.bind}:{settings.port} proto h1"
    if settings.certificate:
        yield f"  # certificate {settings.certificate}"
        yield f"{bind} ssl crt {CERTIFICATE} ssl-min-ver TLSv1.2 alpn http/1.1"
    else:
        yield bind


def _addresses() -> Iterator[str]:
    """Yield the section that counts the connections of each address."""
    yield f"backend {ADDRESSES}"
    yield "  stick-table type ipv6 size 100k expire 10s store conn_cur"
    yield ""


def _keys() -> Iterator[str]:
    """Compare SHA-256 of the key that was sent; a clear key is never kept, nor passed on."""
    yield "  acl locked var(txn.route),field(4,:) -m str key"
    yield "  http-request set-var(txn.key) http_auth_bearer if locked"
    yield (
        "  http-request set-var(txn.key) req.fhdr(X-API-Key) "
        "if locked !{ http_auth_bearer -m len gt 0 }"
    )
    yield (
        "  http-request set-var(txn.hash) var(txn.key),sha2(256),hex,lower "
        "if locked { var(txn.key) -m len gt 0 }"
    )
    yield "  http-request unset-var(txn.key)"
    yield "  acl key_known var(txn.ep),concat(:,txn.hash),map(keys.map) -m found"
    yield "  " + refuse(401, NO_KEY, "locked !{ var(txn.hash) -m found }")
    yield "  " + refuse(401, NO_KEY, "locked !key_known")
    yield "  http-request del-header Authorization if locked"
    yield "  http-request del-header X-API-Key if locked"


def _no_tunnels() -> Iterator[str]:
    """Refuse WebSockets, and have every other request answered as it stands (RFC 9110, 7.8).

    A tunnel would go on after its key was revoked, and nobody counts, splits or captures what is
    said in it. That no replica is asked for one is not enough: HAProxy would still take its 101.
    """
    asked = "{ req.fhdr(Upgrade) -m found }"
    yield "  " + refuse(501, NO_UPGRADE, "{ req.hdr(Upgrade) -i -m beg websocket }")
    yield f"  http-request del-header Connection if {asked}"
    yield f"  http-request del-header Upgrade if {asked}"
    yield "  " + refuse(502, SWITCHED, "{ status 101 }", "http-response")


def _body(most: int) -> Iterator[str]:
    """Refuse a body of no length or too great a one, and wait for any other.

    Who sends slowly takes no place of a replica meanwhile. It is HAProxy too that asks for the
    body, where one waits to be asked: so no replica has a reason for an interim answer.
    """
    yield "  acl has_length req.fhdr(content-length) -m found"
    yield "  " + refuse(411, NO_LENGTH, "{ req.fhdr(transfer-encoding) -m found } !has_length")
    yield "  " + refuse(413, TOO_LARGE, f"{{ req.body_size gt {most} }}")
    yield f"  {traffic.wait_for_body()} if {{ req.body_size gt 0 }}"
    yield "  http-request del-header Expect"


def _backend(
    name: str,
    servers: Mapping[int, BackendServer],
    count: int,
    settings: Settings,
    bounds: limiting.Bounds,
) -> Iterator[str]:
    yield f"backend {name}"
    yield "  balance leastconn"
    yield "  option redispatch 1"
    yield "  retries 3"
    yield "  retry-on conn-failure"
    # A connection to a replica is kept for the requests of whoever comes. Which of them would close
    # one just as a request is written to it stands in ``ONCE``.
    yield "  http-reuse always"
    yield from limiting.rules(name, bounds)
    yield from _broken(settings.server_timeout_seconds, bounds)
    for number in range(count):
        server = servers.get(number)
        at_once = 1 if bounds.sleeps and number == DOOR else bounds.at_once
        most = f" maxconn {at_once}" if at_once else ""
        off = " disabled" if server is None or server.drained else ""
        if server is not None and server.port is not None:
            # its address is no link, and changes with a reload only
            yield f"{_OLDER}{name} s{number} {server.port}"
            yield f"  server s{number} 127.0.0.1:{server.port}{most}{off}"
        else:
            yield f"  server s{number} unix@{LINKS}/{link_name(name, number)}{most}{off}"


def _broken(longest: int, bounds: limiting.Bounds) -> Iterator[str]:
    """Have a request answered and logged whose replica gave no answer, or an interim one.

    After an interim answer HAProxy would take a close as it takes one of a connection at rest. A
    101 is refused later. The clock begins with the request's head, and cannot tell a replica that
    closed after a slow upload, or a wait for it, from one that had no answer in time: 504 is said
    of both, with a release's own words where it gives a replica fewer seconds.
    """
    allowed = bounds.limits.request_seconds
    timeout, answer = longest, "504"
    if allowed is not None and allowed <= longest:
        timeout, answer = allowed, "over_time"
        yield f"  timeout server {timeout}s"
    yield "  tcp-response inspect-delay 1d"
    yield "  tcp-response content lua.broken 502 if { status lt 200 } !{ status 101 }"
    yield "  tcp-response content accept if { status ge 100 }"
    yield from limiting.not_taken() if bounds.sleeps else ()
    in_time = f"{{ date(0,ms),sub(txn.began) -m int lt {timeout * 1000 - 100} }}"
    yield f"  tcp-response content lua.broken 502 if {in_time}"
    yield f"  tcp-response content lua.broken {answer}"


def maps(table: RoutingTable) -> dict[str, dict[str, str]]:
    """Return the content of every map file."""
    once, asleep, revisions, keys, mirror, route, paths = {}, {}, {}, {}, {}, {}, {}
    for endpoint in table.endpoints.values():
        name = endpoint_name(endpoint.number)
        paths[endpoint.path] = name
        route[name] = endpoint.route()
        keys.update({f"{name}:{key}": "1" for key in endpoint.keys})
        for index, revision in endpoint.backends.items():
            revisions[endpoint.backend(index)] = revision
            if not all(server.keeps for server in endpoint.servers[index].values()):
                once[endpoint.backend(index)] = "1"
            if endpoint.has_open_door(index):
                asleep[endpoint.backend(index)] = "1"
        copied = endpoint.backend_index(endpoint.mirrored)
        if copied is not None and (targets := endpoint.copies_to(copied)):
            mirror[endpoint.backend(copied)] = ",".join(targets)
    contents = (once, asleep, revisions, keys, mirror, route, paths)
    return dict(zip(MAPS, contents, strict=True))


def map_text(entries: dict[str, str]) -> str:
    """Return a map file."""
    return "".join(quoting.map_line(key, value) for key, value in sorted(entries.items()))


def write_files(folder: Path) -> None:
    """Write what never changes: HAProxy's own answers, and its programs."""
    for name in (traffic.LUA, BROKEN):
        (folder / name).write_bytes(Path(__file__).with_name(name).read_bytes())
    for name, content in error_files().items():
        (folder / name).write_bytes(content)
