"""Renders which revision a request gets: per request by an accumulator, or by unit by a hash.

Per request the candidate's weight is added to an accumulator of the endpoint; what goes over
10,000 goes to the candidate: exact with one thread. By unit the point of salt and unit is compared
with the weight, as ``placet_verify.units`` defines it. Where the unit stands is written into the
rules of its endpoint, because HAProxy takes no name from a variable: it changes with a reload, a
weight never does.

A request without a readable unit stays on stable: none, more than one, too long, other than
printable ASCII, or in a body of which HAProxy does not hold every byte.
"""

from collections.abc import Iterator

from placet_agent.haproxy.table import Table, endpoint_name
from placet_agent.protocol import WHOLE
from placet_verify.units import MAX_UNIT, UnitSource

MARK = "  # unit "
# A body up to this is waited for; a larger one does not fit into HAProxy's buffer of 16 kB with the
# headers of most requests, and a unit in it is not looked for.
MAX_UNIT_BODY = 12_288
BODY_SECONDS = 15
# pid, backend, revision, status, milliseconds, how the revision was chosen, the salt, the unit's
# digest when it was drawn
LOG = (
    "m2 %pid %b %[var(txn.rev)] %ST %Ta %[var(txn.how)] %[var(txn.salt)] "
    "%[var(txn.drawn),bytes(0,8),hex]"
)
BY_UNIT, NO_UNIT = "unit", "none"


def rules(table: Table) -> Iterator[str]:
    """Yield the rules that choose ``txn.be`` for a request with ``txn.ep`` and ``txn.route``."""
    yield "  http-request set-var(txn.w) var(txn.route),field(3,:)"
    yield "  http-request set-var(txn.salt) var(txn.route),field(5,:)"
    yield "  acl split var(txn.w) -m int gt 0"
    yield "  acl per_request var(txn.salt) -m str -"
    yield from _units(table)
    for slot in range(table.pool):
        yield from _accumulate(endpoint_name(slot))


def _accumulate(name: str) -> Iterator[str]:
    acc, mine = f"proc.acc_{name}", f"{{ var(txn.ep) -m str {name} }} per_request"
    over = f"{mine} {{ var({acc}) -m int ge {WHOLE} }}"
    yield f"  http-request set-var({acc}) var({acc}),add(txn.w) if split {mine}"
    yield f"  http-request set-var(txn.be) var(txn.route),field(2,:) if split {over}"
    yield f"  http-request set-var({acc}) var({acc}),sub({WHOLE}) if split {over}"


def _units(table: Table) -> Iterator[str]:
    for entry in table.endpoints.values():
        if entry.unit is not None:
            name = endpoint_name(entry.slot)
            yield f"{MARK}{name} {entry.unit.source} {entry.unit.name}"
            yield from _read(entry.unit, f"{{ var(txn.ep) -m str {name} }}")
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
        small = f"{mine} {{ req.body_size 1:{MAX_UNIT_BODY} }}"
        whole = f"{small} {{ req.body_len,sub(txn.size) -m int eq 0 }}"
        yield f"  http-request set-var(txn.size) req.body_size if {small}"
        yield (
            f"  http-request wait-for-body time {BODY_SECONDS}s at-least {MAX_UNIT_BODY} if {small}"
        )
        yield (
            "  http-request set-var(txn.unit) "
            f"req.body,json_query('{json_path(unit.name)}') if {whole}"
        )


def json_path(pointer: str) -> str:
    """Return a JSON pointer as HAProxy writes it: ``/rows/0/id`` is ``$.rows[0].id``."""
    steps = pointer.removeprefix("/").split("/")
    return "$" + "".join(f"[{s}]" if s.isdecimal() else f".{s}" for s in steps)
