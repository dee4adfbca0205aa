"""Renders which revision a request gets: per request by an accumulator, or by unit by a hash.

Per request the candidate's weight is added to an accumulator of the endpoint; what goes over
10,000 goes to the candidate: exact with one thread. By unit the point of salt and unit is compared
with the weight, as ``placet_verify.units`` defines it. A tester's header leads past the split. A
copy of a request to stable goes to the mirrored revision by ``mirror.lua``.

Which header, cookie or member is looked at is written into the rules of its endpoint, because
HAProxy takes no name from a variable: it changes with a reload, a weight never does.

A request without a readable unit stays on stable: none, more than one, too long, other than
printable ASCII, or in a body of which HAProxy does not hold every byte.
"""

from collections.abc import Iterator

from placet_agent.haproxy.table import EndpointEntry, Table, endpoint_name
from placet_agent.protocol import WHOLE
from placet_verify.units import MAX_UNIT, UnitSource

MARK = "  # rule "
LUA = "mirror.lua"
# A body up to this is waited for, as long as a slow client may take anyway; a larger one does not
# fit into HAProxy's buffer of 16 kB with the headers of most requests, and is not looked into.
MAX_BODY = 12_288
BODY_SECONDS = 60
# pid, backend, revision, status, milliseconds, how the revision was chosen, by which split, and the
# unit's digest when it was drawn. ``mirror.lua`` writes such a line for each copy.
LOG = (
    "m2 %pid %b %[var(txn.rev)] %ST %Ta %[var(txn.how)] %[var(txn.salt)]-%[var(txn.w)] "
    "%[var(txn.drawn),bytes(0,8),hex]"
)
BY_UNIT, NO_UNIT, BY_HEADER = "unit", "none", "header"


def choose(table: Table) -> Iterator[str]:
    """Yield the rules that choose ``txn.be`` for a request with ``txn.ep`` and ``txn.route``."""
    yield "  http-request set-var(txn.be) var(txn.route),field(1,:)"
    yield "  http-request set-var(txn.w) var(txn.route),field(3,:)"
    yield "  http-request set-var(txn.salt) var(txn.route),field(5,:)"
    yield from _tested(table)
    yield "  acl split var(txn.w) -m int gt 0"
    yield "  acl per_request var(txn.salt) -m str -- -"
    yield from _units(table)
    for slot in range(table.pool):
        yield from _accumulate(endpoint_name(slot))
    yield "  http-request set-var(txn.be) var(txn.tested) if to_tested"
    yield f"  http-request set-var(txn.how) str({BY_HEADER}) if to_tested"


def _tested(table: Table) -> Iterator[str]:
    """A tester's request counts for no accumulator and no unit: as if there was no split."""
    for entry in table.endpoints.values():
        if entry.header is not None:
            name, value = entry.header.header, entry.header.value
            yield f"{MARK}{endpoint_name(entry.slot)} header {name} {value}"
            yield (
                "  http-request set-var(txn.tested) var(txn.route),field(6,:) "
                f"if {_mine(entry)} {{ req.fhdr({name}) -m str {value} }}"
            )
    yield "  acl to_tested var(txn.tested) -m beg e"
    yield "  http-request set-var(txn.w) int(0) if to_tested"


def _mine(entry: EndpointEntry) -> str:
    return f"{{ var(txn.ep) -m str {endpoint_name(entry.slot)} }}"


def _accumulate(name: str) -> Iterator[str]:
    acc, mine = f"proc.acc_{name}", f"{{ var(txn.ep) -m str {name} }} per_request"
    over = f"{mine} {{ var({acc}) -m int ge {WHOLE} }}"
    yield f"  http-request set-var({acc}) var({acc}),add(txn.w) if split {mine}"
    yield f"  http-request set-var(txn.be) var(txn.route),field(2,:) if split {over}"
    yield f"  http-request set-var({acc}) var({acc}),sub({WHOLE}) if split {over}"


def _units(table: Table) -> Iterator[str]:
    for entry in table.endpoints.values():
        if entry.unit is not None:
            source, name = entry.unit.source, entry.unit.name
            yield f"{MARK}{endpoint_name(entry.slot)} unit {source} {name}"
            yield from _read(entry.unit, _mine(entry))
    yield f"  acl unit_fits var(txn.unit) -m len 1:{MAX_UNIT}"
    yield "  acl unit_odd var(txn.unit) -m reg '[^ -~]'"
    yield f"  http-request set-var(txn.how) str({NO_UNIT}) if !per_request"
    yield f"  http-request set-var(txn.how) str({BY_UNIT}) if !per_request unit_fits !unit_odd"
    yield f"  acl by_unit var(txn.how) -m str {BY_UNIT}"
    yield (
        "  http-request set-var(txn.drawn) "
        "var(txn.salt),concat(:,txn.unit),sha2(256) if split by_unit"
    )
    yield (
        "  http-request set-var(txn.point) "
        f"var(txn.drawn),bytes(0,4),be2dec(:,4),mod({WHOLE}) if split by_unit"
    )
    yield (
        "  http-request set-var(txn.be) var(txn.route),field(2,:) "
        "if split by_unit { var(txn.point),sub(txn.w) -m int lt 0 }"
    )


def _read(unit: UnitSource, mine: str) -> Iterator[str]:
    """Set ``txn.unit`` where the request holds the unit once."""
    if unit.source == "header":
        once = f"{{ req.fhdr_cnt({unit.name}) eq 1 }}"
        yield f"  http-request set-var(txn.unit) req.fhdr({unit.name}) if {mine} {once}"
    elif unit.source == "cookie":
        once = f"{{ req.cook_cnt({unit.name}) eq 1 }}"
        yield f"  http-request set-var(txn.unit) req.cook({unit.name}) if {mine} {once}"
    else:
        small = f"{mine} {{ req.body_size 1:{MAX_BODY} }}"
        yield from _wait_for_body(small)
        yield (
            "  http-request set-var(txn.unit) "
            f"req.body,json_query('{json_path(unit.name)}') if {small} {WHOLE_BODY}"
        )


WHOLE_BODY = "{ req.body_len,sub(txn.size) -m int eq 0 }"


def _wait_for_body(condition: str) -> Iterator[str]:
    """Have HAProxy hold the body and know its size, before ``WHOLE_BODY`` is asked."""
    yield f"  http-request set-var(txn.size) req.body_size if {condition}"
    yield f"  http-request wait-for-body time {BODY_SECONDS}s at-least {MAX_BODY} if {condition}"


def json_path(pointer: str) -> str:
    """Return a JSON pointer as HAProxy writes it: ``/rows/0/id`` is ``$.rows[0].id``."""
    steps = pointer.removeprefix("/").split("/")
    return "$" + "".join(f"[{s}]" if s.isdecimal() else f".{s}" for s in steps)


def mirrors(table: Table) -> bool:
    """Tell whether any endpoint has its requests copied."""
    return any(entry.copies for entry in table.endpoints.values())


def prepare(table: Table) -> Iterator[str]:
    """Yield what the rules need in the global section."""
    for slot in range(table.pool):
        yield f"  set-var proc.acc_{endpoint_name(slot)} int(0)"
    if mirrors(table):
        for entry in table.endpoints.values():
            if entry.copies:
                yield f"  set-var proc.mir_{endpoint_name(entry.slot)} int(0)"
        yield f"  lua-load {LUA}"
        yield "  tune.lua.maxmem 64"
        yield "  httpclient.resolvers.disabled on"
        yield "  httpclient.retries 0"
        yield "  httpclient.timeout.connect 1s"


def copy(table: Table) -> Iterator[str]:
    """Yield the rules that have a share of the requests to stable copied, after all others."""
    for entry in table.endpoints.values():
        if entry.copies:
            name, mine = endpoint_name(entry.slot), _mine(entry)
            acc = f"proc.mir_{name}"
            to_stable = f"{mine} {{ var(txn.route),field(1,:),strcmp(txn.be) eq 0 }} !to_tested"
            over = f"{to_stable} {{ var({acc}) -m int ge {WHOLE} }}"
            yield f"{MARK}{name} mirror"
            yield f"  http-request set-var(txn.share) var(txn.route),field(8,:) if {mine}"
            yield f"  http-request set-var({acc}) var({acc}),add(txn.share) if {to_stable}"
            yield f"  http-request set-var(txn.mirrored) var(txn.route),field(7,:) if {over}"
            yield f"  http-request set-var({acc}) var({acc}),sub({WHOLE}) if {over}"
    yield "  http-request set-var(txn.ports) var(txn.mirrored),map(mirror.map)"
    if mirrors(table):
        yield "  http-request set-var(txn.copied) var(txn.mirrored),map(revisions.map)"
        copied = "{ var(txn.ports) -m found }"
        yield from _wait_for_body(f"{copied} {{ req.body_size 1:{MAX_BODY} }}")
        yield f"  http-request lua.mirror if {copied} {{ req.body_size eq 0 }}"
        yield (
            f"  http-request lua.mirror if {copied} {{ req.body_size 1:{MAX_BODY} }} {WHOLE_BODY}"
        )
