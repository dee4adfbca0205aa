"""From a state and what is ready to who gets which requests."""

import json

import pytest

from placet_agent.haproxy.table import EndpointRoute, RoutingTable
from placet_agent.routing import RoutedRevision, route
from placet_protocol.fields import ProtocolError
from placet_protocol.report import LocalAbort
from placet_protocol.state import DesiredEndpoint, HeaderRoute, read_endpoint, read_revision
from placet_verify.units import UnitSource

UNIT = UnitSource("header", "X-User")
DIGEST = "sha256:" + "ab" * 32
READY, AWAY = RoutedRevision(True, True, UNIT), RoutedRevision(True, False, UNIT)
OLD = RoutedRevision(True, True)


def revision(number: int, **changes: object) -> dict[str, object]:
    """Return a revision as a state names it."""
    return {
        "id": f"rev_{number}",
        "release": f"rel_{number}",
        "bento_digest": DIGEST,
        "bento_size": 1,
        "runtime": {"digest": DIGEST, "python_version": "3.13"},
        "permit": "",
        "replicas": 1,
        "memory_mb": 64,
        "variables": {},
        "weight": 0,
        "wanted": "run",
        "restart_nonce": 0,
        **changes,
    }


def endpoint(*revisions: dict[str, object], **changes: object) -> DesiredEndpoint:
    """Return an endpoint as it was read."""
    return read_endpoint(
        {
            "id": "end_1",
            "project": "prj_1",
            "project_slug": "risk",
            "environment": "staging",
            "name": "score",
            "path": "/risk/staging/score",
            "api_key_required": False,
            "keys": [],
            "revisions": list(revisions),
            **changes,
        }
    )


def fresh() -> EndpointRoute:
    """Return the entry of a node that remembers nothing, with a place for both revisions."""
    table = RoutingTable()
    entry = table.ensure_endpoint("end_1", "/risk/staging/score")
    for name in ("rev_1", "rev_2"):
        table.ensure_revision(entry, name)
    return entry


def routed(
    wanted: DesiredEndpoint, entry: EndpointRoute | None = None, **standings: RoutedRevision
) -> EndpointRoute:
    """Return what is told to HAProxy."""
    entry = entry or fresh()
    route(entry, wanted, standings)
    return entry


def canary(weight: int) -> DesiredEndpoint:
    """Return an endpoint whose second revision is tried out."""
    old, new = revision(1, weight=10_000 - weight), revision(2, weight=weight, salt="5a17")
    return endpoint(old, new, stable="rev_1")


def test_the_state_says_which_of_two_is_the_candidate_not_the_nodes_memory() -> None:
    forgetful = fresh()
    forgetful.stable = "rev_2"

    entry = routed(canary(7_500), forgetful, rev_1=OLD, rev_2=READY)

    assert (entry.stable, entry.candidate, entry.weight) == ("rev_1", "rev_2", 7_500)
    assert (entry.unit, entry.salt) == (UNIT, "5a17")


def test_a_candidate_that_restarts_changes_no_rule() -> None:
    entry = routed(canary(1_000), rev_1=OLD, rev_2=AWAY)

    assert (entry.stable, entry.candidate, entry.weight) == ("rev_1", "", 0)
    assert (entry.unit, entry.salt) == (UNIT, "5a17")


def test_traffic_goes_where_something_answers_when_stable_dies() -> None:
    entry = routed(canary(1_000), rev_1=RoutedRevision(True, False), rev_2=READY)

    assert (entry.stable, entry.candidate, entry.weight) == ("rev_2", "", 0)
    assert (entry.unit, entry.salt) == (UNIT, "5a17")


def test_without_a_candidate_the_unit_of_what_is_live_counts() -> None:
    wanted = endpoint(revision(1, weight=10_000), revision(2), stable="rev_1")

    assert routed(wanted, rev_1=READY, rev_2=OLD).salt == "rev_1"  # a state without a salt
    assert routed(wanted, rev_1=OLD, rev_2=READY).unit is None


def test_testers_and_copies_come_to_a_ready_revision_only() -> None:
    route_of = {"header": "X-Try", "value": "v2"}
    wanted = endpoint(
        revision(1, weight=10_000),
        revision(2, header_route=route_of, mirror=1_000),
        stable="rev_1",
    )

    ready = routed(wanted, rev_1=OLD, rev_2=OLD)
    assert (ready.tested, ready.mirrored, ready.copies) == ("rev_2", "rev_2", 1_000)
    assert ready.header == HeaderRoute("X-Try", "v2")
    away = routed(wanted, rev_1=OLD, rev_2=RoutedRevision(True, False))
    assert (away.header, away.tested) == (ready.header, "")  # no rule changes
    assert (away.mirrored, away.copies) == ("", 1_000)
    refused = routed(wanted, rev_1=OLD, rev_2=RoutedRevision(False, True))
    assert (refused.header, refused.tested, refused.mirrored, refused.copies) == (None, "", "", 0)


ABORT = LocalAbort(
    endpoint="end_1",
    revision="rev_2",
    stable="rev_1",
    rule="error_rate",
    detail="",
    at="",
    state={"epoch": 1, "number": 1},
)


@pytest.mark.parametrize("weight", [500, 5_000, 10_000])
def test_after_an_abort_stable_gets_everything_whatever_the_state_says(weight: int) -> None:
    entry = routed(canary(weight), rev_1=READY, rev_2=READY)
    before = (entry.unit, entry.salt)
    route(entry, canary(weight), {"rev_1": READY, "rev_2": READY}, ABORT)
    assert (entry.stable, entry.candidate, entry.weight) == ("rev_1", "", 0)
    assert (entry.unit, entry.salt) == before  # no rule of HAProxy changes


def test_an_abort_holds_where_the_aborted_revision_has_gone_live_meanwhile() -> None:
    entry, live = fresh(), endpoint(revision(1), revision(2, weight=10_000), stable="rev_2")
    route(entry, live, {"rev_1": OLD, "rev_2": OLD}, ABORT)
    assert (entry.stable, entry.candidate) == ("rev_1", "")


def test_after_an_abort_the_new_revision_answers_where_nothing_else_would() -> None:
    entry = fresh()
    for old, served in ((OLD, "rev_1"), (AWAY, "rev_2"), (OLD, "rev_1")):
        route(entry, canary(500), {"rev_1": old, "rev_2": OLD}, ABORT)
        assert entry.weights() == {served: 10_000}


def test_after_an_abort_there_are_no_testers_and_no_copies() -> None:
    tried = revision(2, header_route={"header": "X-Try", "value": "v2"}, mirror=1_000)
    wanted = endpoint(revision(1, weight=10_000), tried, stable="rev_1")
    entry = routed(wanted, rev_1=OLD, rev_2=OLD)
    rules = (entry.header, entry.copies)
    route(entry, wanted, {"rev_1": OLD, "rev_2": OLD}, ABORT)
    assert (entry.tested, entry.mirrored) == ("", "")
    assert (entry.header, entry.copies) == rules


def test_a_state_without_the_new_members_is_read_as_before() -> None:
    wanted = endpoint(revision(1, weight=10_000))

    assert wanted.stable == ""
    read = wanted.revisions[0]
    assert (read.salt, read.header_route, read.mirror) == ("", None, 0)


@pytest.mark.parametrize(
    "changes",
    [
        {"salt": "a:b"},
        {"salt": "a b"},
        {"salt": 7},
        {"mirror": 10_001},
        {"mirror": -1},
        {"header_route": {"header": "X Try", "value": "v"}},
        {"header_route": "X-Try"},
        {"header_route": {"header": "X-Try", "value": "a' b"}},
        {"header_route": {"header": "X-Try"}},
    ],
)
def test_what_would_break_a_configuration_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ProtocolError):
        read_revision(json.loads(json.dumps(revision(1, **changes))))
