"""Who gets which requests of an endpoint: from the state and what is ready to HAProxy's table."""

from collections.abc import Mapping
from dataclasses import dataclass

from placet_agent import rules
from placet_agent.haproxy.entry import EndpointRoute
from placet_protocol.report import LocalAbort
from placet_protocol.state import DesiredEndpoint, DesiredRevision
from placet_verify.permit.limits import Limits
from placet_verify.units import UnitSource


@dataclass(frozen=True)
class RoutedRevision:
    """One revision, as routing needs it."""

    may_serve: bool  # permitted, not recalled, wanted to run
    ready: bool  # at least one replica takes requests
    unit: UnitSource | None = None  # as its permit says
    limits: Limits | None = None  # as its permit says


def route(
    entry: EndpointRoute,
    endpoint: DesiredEndpoint,
    standings: Mapping[str, RoutedRevision],
    abort: LocalAbort | None = None,
) -> None:
    """Set what ``entry`` says about requests; after an ``abort`` stable gets all of them."""
    shares = [
        rules.Share(r.id, r.weight, standings[r.id].ready, standings[r.id].may_serve)
        for r in endpoint.revisions
    ]
    if abort is not None:
        shares = rules.give_back(shares, abort["stable"])
    weights = rules.choose_weights(shares, entry.weights())
    stable = endpoint.stable or entry.stable
    entry.stable, entry.candidate, entry.weight = rules.arrange(weights, stable)
    able = [r for r in endpoint.revisions if standings[r.id].may_serve]
    _draw(entry, able, stable or entry.stable, standings)
    tested = next((r for r in able if r.header_route), None)
    entry.header = tested.header_route if tested else None
    answering = {r.id for r in able if standings[r.id].ready}
    answering -= {abort["revision"]} if abort is not None else set()
    entry.tested = tested.id if tested and tested.id in answering else ""
    entry.limits = {r.id: said for r in endpoint.revisions if (said := standings[r.id].limits)}
    shadow = next((r for r in able if r.mirror), None)
    entry.copies = shadow.mirror if shadow else 0
    entry.mirrored = shadow.id if shadow and shadow.id in answering else ""


def _draw(
    entry: EndpointRoute,
    able: list[DesiredRevision],
    stable: str,
    standings: Mapping[str, RoutedRevision],
) -> None:
    """Draw units as the permit of the candidate says, else of stable.

    Who that is follows from the state, not from who is ready: a candidate that restarts makes
    HAProxy reload no rules.
    """
    candidates = [r for r in able if r.weight and r.id != stable]
    drawn = [*candidates, *(r for r in able if r.id == stable)][:1]
    entry.unit = standings[drawn[0].id].unit if drawn else None
    entry.salt = (drawn[0].salt or drawn[0].id) if drawn and entry.unit else ""
