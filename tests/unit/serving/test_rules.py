"""What may follow what, and what fits on a target."""

from typing import Any

import pytest

from apps.serving.rules import (
    REVISION_MOVES,
    Occupant,
    may_move,
    serving_config,
    to_evict,
    wanted,
)
from placet_protocol.state import LEAST_MEMORY_MB
from placet_verify.permit.scaling import Scaling
from placet_verify.permit.serving import MAX_MEMORY_MB, Destination
from placet_verify.units import UnitSource


def test_without_a_maximum_nothing_beyond_the_approved_replicas() -> None:
    assert serving_config({"replicas": 2}).max_replicas == 2
    assert serving_config({"replicas": 2, "max_replicas": 5}).max_replicas == 5


def test_a_node_scales_where_the_configuration_says_to_what_load() -> None:
    members = {"egress": [], "replicas": 2, "max_replicas": 5, "target_inflight": 4}
    assert serving_config(members).scaling == Scaling(2, 5, 4)
    assert serving_config(members | {"min_replicas": 1}).scaling == Scaling(1, 5, 4)
    assert serving_config({"egress": [], "replicas": 2, "max_replicas": 5}).scaling is None


def test_the_split_is_per_request_unless_a_unit_is_named() -> None:
    assert serving_config({}).unit is None
    assert serving_config({"unit": {"cookie": "uid"}}).unit == UnitSource("cookie", "uid")


def test_what_a_replica_reaches_is_read_and_absent_in_what_is_older() -> None:
    assert serving_config({"variables": {"PATH": "/bin"}}).egress is None
    assert serving_config({"egress": []}).egress == ()
    assert serving_config({"egress": ["db:1"]}).egress == (Destination("db", 1),)


@pytest.mark.parametrize("memory_mb", [LEAST_MEMORY_MB, MAX_MEMORY_MB])
def test_the_least_and_the_most_memory_are_those_that_a_node_reads(memory_mb: int) -> None:
    assert serving_config({"memory_mb": memory_mb}).memory_mb == memory_mb


@pytest.mark.parametrize(
    "document",
    [
        {"replicas": 0},
        {"egress": ["db"]},
        {"egress": [], "variables": {"PATH": "/bin"}},
        {"egress": [], "variables": {"MODE\n": "x"}},
        {"replicas": True},
        {"replicas": 3, "max_replicas": 2},
        {"memory_mb": "1024"},
        {"memory_mb": MAX_MEMORY_MB + 1},
        {"memory_mb": LEAST_MEMORY_MB - 1},
        {"variables": {"A": 1}},
        {"command": "sh"},
        {"unit": {"header": "a b"}},
        {"unit": None},
        {"egress": [], "min_replicas": 1},
        {"egress": [], "target_inflight": 0},
    ],
)
def test_what_is_not_a_serving_configuration_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        serving_config(document)


def test_nothing_leads_out_of_failed_and_only_a_rollback_out_of_stopped() -> None:
    assert REVISION_MOVES["failed"] == frozenset()
    assert REVISION_MOVES["stopped"] == {"starting"}
    assert may_move("live", "live")
    assert not may_move("starting", "live")


def test_a_node_is_told_to_stop_what_ended_and_everything_of_a_stopped_endpoint() -> None:
    assert wanted("live", endpoint_active=True) == "run"
    assert wanted("warm", endpoint_active=True) == "run"
    assert wanted("draining", endpoint_active=True) == "drain"
    assert wanted("failed", endpoint_active=True) == "stop"
    assert wanted("live", endpoint_active=False) == "stop"


ROWS = [Occupant("a", "warm", 1000), Occupant("b", "live", 1000), Occupant("c", "warm", 1000)]


def test_warm_revisions_give_way_in_order_and_no_more_than_needed() -> None:
    assert to_evict(ROWS, capacity_mb=4000, needed_mb=1000) == []
    assert to_evict(ROWS, capacity_mb=3000, needed_mb=1000) == ["a"]
    assert to_evict(ROWS, capacity_mb=3000, needed_mb=2000) == ["a", "c"]


def test_what_serves_never_gives_way() -> None:
    assert to_evict(ROWS, capacity_mb=3000, needed_mb=2001) is None
