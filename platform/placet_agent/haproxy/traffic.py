"""Renders which revision a request gets: per request by an accumulator, or by unit by a hash.

Per request the candidate's weight is added to an accumulator of the endpoint (a tag in a stick
table); what goes over 10,000 goes to the candidate: exact with one thread. By unit the point of
salt and unit is compared with the weight, as ``placet_verify.units`` defines it. A tester's header
leads past the split. A copy of a request to stable goes to the mirrored revision by ``mirror.lua``.

Which header, cookie or member is looked at is written into the rules of its endpoint, because
HAProxy takes no name from a variable: it changes with a reload, a weight never does.

A request without a readable unit stays on stable: none, more than one, too long, other than
printable ASCII, or in a body of which HAProxy does not hold every byte.
"""

from collections.abc import Iterator

from placet_agent.haproxy import quoting
from placet_agent.haproxy.entry import EndpointRoute
from placet_agent.haproxy.names import endpoint_name
from placet_agent.haproxy.table import RoutingTable
from placet_protocol import cookies
from placet_verify.units import MAX_UNIT, WHOLE, UnitSource

MARK = "  # rule "
LUA = "mirror.lua"
# So much of a body is waited for before a replica is chosen, as long as a slow client may take
# anyway. A larger one does not fit into HAProxy's buffer of 16 kB with the headers of most
# requests, and is not looked into.
MAX_BODY = 12_288
BODY_SECONDS = 60
# pid, backend, revision, status, milliseconds, how the revision was chosen, by which split, the
# unit's digest when it was drawn, and how it ended. ``mirror.lua`` writes a line of
# ``m2`` for each copy, which does not say how it ended.
LOG = (
    "m3 %pid %b %[var(txn.rev)] %ST %Ta %[var(txn.how)] %[var(txn.salt)]-%[var(txn.w)] "
    "%[var(txn.drawn),bytes(0,8),hex] %ts"
)
ACCUMULATORS = "accumulators"
SINK = "log fd@3 len 1024 format raw local0"
NO_UNIT, BY_HEADER = "no_unit", "overridden"
# Tells a replica that no split decided on a request: it writes that down with what it captures.
COHORT = "X-Placet-Cohort"
# Of one endpoint, of the 4000 connections that HAProxy takes: who calls what answers nobody leaves
# the others theirs. One more is refused, and its connection closed.
MOST_UNDER_WAY = 1000
# What an answer may not say: it holds for all of the address, the endpoints of others too. What
# holds for a document alone (Content-Security-Policy, say) is its own endpoint's matter.
FOR_ALL = (
    "Accept-CH",  # RFC 8942: kept for the origin
    "Alt-Svc",  # RFC 7838: of the origin
    "Cache-Group-Invalidation",  # RFC 9875: of the origin's groups
    "Clear-Site-Data",  # W3C Clear Site Data: the origin's
    "Critical-CH",  # Client Hints Infrastructure: against what is kept for the origin
    "Critical-Origin-Trial",  # Chromium, beside Origin-Trial
    "NEL",  # W3C Network Error Logging: a policy of the origin
    "Origin-Agent-Cluster",  # HTML: the first one counts for the origin's other documents
    "Origin-Trial",  # Chromium, components/origin_trials: a persistent one is kept for the domain
    "Public-Key-Pins",  # RFC 7469: of the host
    "Report-To",  # W3C Reporting API of 2018: of the origin
    "Sec-Session-Registration",  # the earlier name of the next
    "Secure-Session-Registration",  # W3C Device Bound Session Credentials: the origin's requests
    "Service-Worker-Allowed",  # W3C Service Workers: a scope above the script's own path
    "Set-Login",  # W3C FedCM: the origin's status
    "Strict-Transport-Security",  # RFC 6797: of the host
    "Use-As-Dictionary",  # RFC 9842: for any path of the origin
)
# W3C Web Authentication, section 5.9. It holds for the page's own document: a window that it opens
# without an address (about:blank, blob:) has none. So this only makes it harder; what holds is the
# origin that the server demands of an answer.
NO_PASSKEYS = "publickey-credentials-get=(), publickey-credentials-create=()"
_OURS = f"({cookies.HOST})?({cookies.SESSION}|{cookies.CSRF})[[:blank:]]*="
_DOMAIN, _PATH = "[Dd][Oo][Mm][Aa][Ii][Nn]", "[Pp][Aa][Tt][Hh]"
UNIT = rf"^[ -~]{{1,{MAX_UNIT}}}\z"


def choose(table: RoutingTable) -> Iterator[str]:
    """Yield the rules that choose ``txn.be`` for a request with ``txn.ep`` and ``txn.route``.

    Every rule costs every request, so there are none for what no endpoint has.
    """
    yield "  http-request set-var(txn.be) var(txn.route),field(1,:)"
    yield "  http-request set-var(txn.w) var(txn.route),field(3,:),add(0)"
    headers = any(entry.header for entry in table.endpoints.values())
    units = any(entry.unit for entry in table.endpoints.values())
    if headers:
        yield from _tested(table)
    yield "  acl split var(txn.w) -m int gt 0"
    if units:
        yield from _units(table)
    yield from _accumulate("split per_request" if units else "split")
    if headers:
        yield "  http-request set-var(txn.be) var(txn.tested) if to_tested"
        yield f"  http-request set-var(txn.how) str({BY_HEADER}) if to_tested"


def _tested(table: RoutingTable) -> Iterator[str]:
    """A tester's request counts for no accumulator and no unit: as if there was no split."""
    for entry in table.endpoints.values():
        if entry.header is not None:
            name, value, acl = entry.header.header, entry.header.value, f"tester_{_name(entry)}"
            yield f"{MARK}{_name(entry)} header {quoting.word(name)} {quoting.word(value)}"
            yield f"  acl {acl} {quoting.sample('req.fhdr', name)} -m str {quoting.patterns(value)}"
            yield (
                "  http-request set-var(txn.tested) var(txn.route),field(6,:) "
                f"if {_mine(entry)} {acl}"
            )
    yield "  acl to_tested var(txn.tested) -m beg e"
    yield "  http-request set-var(txn.w) int(0) if to_tested"


def _name(entry: EndpointRoute) -> str:
    return endpoint_name(entry.number)


def _mine(entry: EndpointRoute) -> str:
    return f"{{ var(txn.ep) -m str {_name(entry)} }}"


def _accumulate(condition: str) -> Iterator[str]:
    """Add the weight to the endpoint's accumulator, modulo 10,000: it went over if it is below the
    weight now."""
    yield (f"  http-request sc-set-gpt0(0) sc_get_gpt0(0),add(txn.w),mod({WHOLE}) if {condition}")
    yield (
        "  http-request set-var(txn.be) var(txn.route),field(2,:) "
        f"if {condition} {{ sc_get_gpt0(0),sub(txn.w) -m int lt 0 }}"
    )


def tell() -> Iterator[str]:
    """Yield the rules that tell a replica how it came to a request; a client cannot."""
    yield f"  http-request del-header {COHORT}"
    yield f"  http-request set-header {COHORT} %[var(txn.how)] if {{ var(txn.how) -m found }}"


def bound() -> Iterator[str]:
    """Yield the rules that keep one endpoint from taking every connection."""
    yield f"  http-request track-sc0 var(txn.ep) table {ACCUMULATORS}"
    yield f"  http-request deny deny_status 503 if {{ sc0_conn_cur gt {MOST_UNDER_WAY} }}"


def answers() -> Iterator[str]:
    """Yield the rules that keep an answer to its own endpoint: all of them share one address.

    A cookie is sent back to the endpoint that set it, for the last ``Path`` counts. Of several
    domains one is taken out; who names more of them loses all that is said of the cookie. Of one
    that has the name of the platform's own an empty line is left, which no browser takes.
    """
    yield f"  http-response set-header Permissions-Policy {quoting.word(NO_PASSKEYS)}"
    for name in FOR_ALL:
        yield f"  http-response del-header {name}"
    cookie, blank = "  http-response replace-header Set-Cookie", "[[:blank:]]*"
    for name in (_DOMAIN, _PATH):
        yield rf"{cookie} '^(.*);{blank}{name}{blank}(=[^;]*)?(;.*)?$' '\1\3'"
    yield rf"{cookie} '^([^;]*);(.*;)?{blank}{_DOMAIN}{blank}([=;].*)?$' '\1'"
    yield rf"{cookie} '^(.*)$' '\1; Path=%[var(txn.at)]'"
    yield f"{cookie} '^[[:blank:]]*{_OURS}.*$' %[str()]"


def private() -> Iterator[str]:
    """Yield the rules that keep the platform's cookies from replicas; all others are passed on."""
    ours = f"{{ req.fhdr(Cookie) -m reg '(^|[;[:blank:]]){_OURS}' }}"
    rest = f"regsub('(^|;)[[:blank:]]*{_OURS}[^;]*','',g),regsub('^;[[:blank:]]*','')"
    yield f'  http-request set-header Cookie "%[req.fhdr(Cookie),{rest}]" if {ours}'
    yield "  http-request del-header Cookie if { req.fhdr(Cookie) -m len 0 }"


def accumulators() -> Iterator[str]:
    """Yield the section that holds the accumulators."""
    yield f"backend {ACCUMULATORS}"
    yield "  stick-table type string len 8 size 10k store gpt0,conn_cur"


def _units(table: RoutingTable) -> Iterator[str]:
    yield "  http-request set-var(txn.salt) var(txn.route),field(5,:)"
    yield "  acl per_request var(txn.salt) -m str -- -"
    for entry in table.endpoints.values():
        if entry.unit is not None:
            source, name = entry.unit.source, entry.unit.name
            yield f"{MARK}{_name(entry)} unit {source} {quoting.word(name)}"
            yield from _read(entry.unit, _mine(entry))
    yield rf"  http-request unset-var(txn.unit) if !{{ var(txn.unit) -m reg '{UNIT}' }}"
    yield "  acl by_unit var(txn.unit) -m found"
    yield f"  http-request set-var(txn.how) str({NO_UNIT}) if !per_request !by_unit"
    yield (
        "  http-request set-var(txn.drawn) "
        "var(txn.salt),concat(:,txn.unit),sha2(256) if by_unit split"
    )
    point = f"var(txn.drawn),bytes(0,4),be2dec(:,4),mod({WHOLE})"
    yield (
        "  http-request set-var(txn.be) var(txn.route),field(2,:) "
        f"if by_unit split {{ {point},sub(txn.w) -m int lt 0 }}"
    )


def _read(unit: UnitSource, mine: str) -> Iterator[str]:
    """Set ``txn.unit`` where the request holds the unit once."""
    if unit.source == "header":
        once = f"{{ {quoting.sample('req.fhdr_cnt', unit.name)} eq 1 }}"
        yield (
            f"  http-request set-var(txn.unit) {quoting.sample('req.fhdr', unit.name)} "
            f"if {mine} {once}"
        )
    elif unit.source == "cookie":
        once = f"{{ {quoting.sample('req.cook_cnt', unit.name)} eq 1 }}"
        yield (
            f"  http-request set-var(txn.unit) {quoting.sample('req.cook', unit.name)} "
            f"if {mine} {once}"
        )
    else:
        yield f"  http-request set-var(txn.size) req.body_size if {mine}"
        yield (
            "  http-request set-var(txn.unit) "
            f"{quoting.sample('req.body,json_query', json_path(unit.name))} "
            f"if {mine} {SMALL_BODY} {WHOLE_BODY}"
        )


# Of a body whose size is in ``txn.size``: whether it is looked into, and whether all of it is here.
SMALL_BODY = f"{{ var(txn.size) -m int 1:{MAX_BODY} }}"
WHOLE_BODY = "{ req.body_len,sub(txn.size) -m int eq 0 }"


def wait_for_body() -> str:
    """Return the rule that has a request wait for its body; who does not send it is told 408."""
    return f"http-request wait-for-body time {BODY_SECONDS}s at-least {MAX_BODY}"


def json_path(pointer: str) -> str:
    """Return a JSON pointer as HAProxy writes it: ``/rows/0/id`` is ``$.rows[0].id``."""
    steps = pointer.removeprefix("/").split("/")
    return "$" + "".join(f"[{s}]" if s.isdecimal() else f".{s}" for s in steps)


def mirrors(table: RoutingTable) -> bool:
    """Tell whether any endpoint has its requests copied."""
    return any(entry.copies for entry in table.endpoints.values())


def prepare(table: RoutingTable) -> Iterator[str]:
    """Yield what the rules need in the global section."""
    if mirrors(table):
        copied = [entry for entry in table.endpoints.values() if entry.copies]
        for entry in copied:
            yield f"  set-var proc.mir_{_name(entry)} int(0)"
        yield f"  lua-load {LUA} {len(copied)}"
        yield "  tune.lua.maxmem 64"
        yield "  httpclient.resolvers.disabled on"
        yield "  httpclient.retries 0"
        yield "  httpclient.timeout.connect 1s"


def copy(table: RoutingTable) -> Iterator[str]:
    """Yield the rules that have a share of the requests to stable copied, after all others."""
    led = " !to_tested" if any(entry.header for entry in table.endpoints.values()) else ""
    for entry in table.endpoints.values():
        if entry.copies:
            name, mine = _name(entry), _mine(entry)
            acc = f"proc.mir_{name}"
            to_stable = f"{mine} {{ var(txn.route),field(1,:),strcmp(txn.be) eq 0 }}{led}"
            over = f"{to_stable} {{ var({acc}) -m int ge {WHOLE} }}"
            yield f"{MARK}{name} mirror"
            yield f"  http-request set-var(txn.share) var(txn.route),field(8,:) if {mine}"
            yield f"  http-request set-var({acc}) var({acc}),add(txn.share) if {to_stable}"
            yield f"  http-request set-var(txn.mirrored) var(txn.route),field(7,:) if {over}"
            yield f"  http-request set-var({acc}) var({acc}),sub({WHOLE}) if {over}"
    if mirrors(table):
        yield "  http-request set-var(txn.targets) var(txn.mirrored),map(mirror.map)"
        yield "  http-request set-var(txn.copied) var(txn.mirrored),map(revisions.map)"
        copied = "{ var(txn.targets) -m found }"
        yield f"  http-request set-var(txn.size) req.body_size if {copied}"
        yield f"  http-request lua.mirror if {copied} {{ var(txn.size) -m int eq 0 }}"
        yield f"  http-request lua.mirror if {copied} {SMALL_BODY} {WHOLE_BODY}"
