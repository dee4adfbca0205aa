"""Renders the limits of a revision into its backend: what is over one is answered here.

They stand in the configuration, so that they come and go by a reload. What a limit refuses is
logged as ``limited``, beside the split: it is no error of the revision.

A caller is the key that was found valid, or the address where the endpoint needs none, of IPv6 the
network of 64 bits that one host has for itself. Requests that are refused do not count for the
rate, so that who goes over it gets what it allows. The table starts anew with a reload.

A revision that may sleep has its first server for the socket at which requests wait: one of them
goes there and wakes it, the others queue here, where a client that gives up leaves the queue.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from placet_agent.haproxy import traffic
from placet_agent.haproxy.problems import problem, refuse
from placet_agent.haproxy.table import RoutingTable
from placet_verify.permit.limits import Limits

BUSY_FILE = "error-busy.http"
RETRY_SECONDS = 1
RATES = "rates"
ASLEEP = "asleep.map"  # the backends whose revision has no replica that answers, and a socket
LIMITED = "limited"  # how the log calls what a limit refused
_MOST_CALLERS = 100_000  # what is used the longest ago goes first: no flood of others frees one

QUEUE_FULL = problem(
    503, "queue_full", "Service Unavailable", "As many requests wait as may wait: try again later."
)
OVER_RATE = problem(
    429, "over_rate", "Too Many Requests", "You ask more often in a second than this allows."
)


@dataclass(frozen=True)
class Bounds:
    """What a backend says of its revision; of one without limits there are none in ``limits``."""

    limits: Limits
    sleeps: bool  # whether it may

    @property
    def at_once(self) -> int | None:
        """How many requests a replica has at once; ``None``: as many as come.

        HAProxy hands what waits for a backend to none that takes as many as come.
        """
        unbounded = traffic.MOST_UNDER_WAY if self.sleeps else None
        return self.limits.in_flight or unbounded


def tables(table: RoutingTable) -> Iterator[str]:
    """Yield the section that counts what callers ask, where a revision limits that."""
    if any(limits.rate for entry in table.endpoints.values() for limits in entry.limits.values()):
        yield f"backend {RATES}"
        yield (
            f"  stick-table type string len 96 size {_MOST_CALLERS} expire 10s "
            "store gpc0,gpc0_rate(1s)"
        )
        yield ""


def rules(backend: str, bounds: Bounds) -> Iterator[str]:
    """Yield what a backend says of the limits of its revision, but for its servers."""
    limits = bounds.limits
    if said := " ".join(f"{name}={value}" for name, value in limits.document.items()):
        yield f"{traffic.MARK}{backend} limits {said}"
    if bounds.sleeps:
        yield f"{traffic.MARK}{backend} sleeps"
    if limits.queue_seconds is not None:
        yield f"  timeout queue {limits.queue_seconds}s"
    if limits.in_flight is not None or bounds.sleeps:
        yield "  option abortonclose"  # who waits and leaves gives up the place
        # what waited too long; the log tells it from what found no replica by its last field
        yield f"  errorfile 503 {BUSY_FILE}"
    if limits.rate is not None:
        yield from _rate(limits.rate)
    if limits.queue is not None:
        full = f"{{ queue({backend}) ge {limits.queue} }} {{ be_conn_free({backend}) eq 0 }}"
        yield from _refuse(503, QUEUE_FULL, full)


def not_taken() -> Iterator[str]:
    """Yield the rules for a request whose socket nobody took: its time there was over, or the
    replica that was to take it did not come to be. It is refused, and is no error."""
    asleep = f"{{ var(txn.be),map({ASLEEP}) -m found }}"
    yield f"  tcp-response content set-var(txn.how) str({LIMITED}) if {asleep}"
    yield f"  tcp-response content lua.broken busy if {asleep}"


def _rate(most: int) -> Iterator[str]:
    hashed = "{ var(txn.hash) -m found }"
    yield f"  http-request set-var(txn.caller) var(txn.ep),concat(:,txn.hash) if {hashed}"
    yield f"  http-request set-var(txn.net) src,ipmask(32,64) if !{hashed}"
    yield f"  http-request set-var(txn.caller) var(txn.ep),concat(:,txn.net) if !{hashed}"
    yield f"  http-request track-sc1 var(txn.caller) table {RATES}"
    yield from _refuse(429, OVER_RATE, f"{{ sc1_gpc0_rate({RATES}) ge {most} }}")
    yield "  http-request sc-inc-gpc0(1)"


def _refuse(status: int, body: str, condition: str) -> Iterator[str]:
    yield f"  http-request set-var(txn.how) str({LIMITED}) if {condition}"
    again = f"hdr Retry-After {RETRY_SECONDS}"
    yield "  " + refuse(status, body, f"{{ var(txn.how) -m str {LIMITED} }}", also=again)
