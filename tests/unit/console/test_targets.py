"""What the pages of targets say of those who use one, and of its node."""

from types import SimpleNamespace as Row
from typing import Any

import pytest

from apps.console.queries.targets import (
    TargetForm,
    TargetPage,
    TargetRow,
    UseRow,
    Uses,
)
from apps.serving.queries import NodeStatus


def target(
    node: dict[str, Any] | None, *, others: int = 0, alive: bool = True, unreached: str = ""
) -> TargetRow:
    """Return a target whose node says this of its platform, or that none has joined."""
    found = None
    if node is not None:
        found = NodeStatus("nod_1", alive, None, "", node, (), "", unreached)
    row: Any = Row(name="plant-7", capacity_mb=4096)
    return TargetRow(row, found, [], others, others, 0, "", Uses(others=others), "")


@pytest.mark.parametrize(
    ("shown", "more", "others", "first", "rest"),
    [
        (["risk/dev", "fraud"], 0, 0, "risk/dev, fraud", ""),
        (["risk/dev"], 1200, 0, "risk/dev and 1,200 more", ""),
        (["risk/dev"], 0, 1, "risk/dev", "and 1 entry of projects you do not see"),
        ([], 0, 2, "", "2 entries of projects you do not see"),
        ([], 0, 0, "", "No project yet"),
    ],
)
def test_who_may_use_a_target(
    shown: list[Any], more: int, others: int, first: str, rest: str
) -> None:
    uses = Uses(shown, more, others)
    assert (uses.first, uses.rest) == (first, rest)


@pytest.mark.parametrize(
    ("platform", "network", "says"),
    [
        ({}, "host", "the host's: upgrade the agent"),
        ({"features": None}, "host", "the host's: upgrade the agent"),
        ({"features": ["apart"]}, "host", "the host's: it can give none of its own"),
        (
            {"features": ["apart"], "network": "own"},
            "own",
            "the host's: it can give none of its own",
        ),
    ],
)
def test_why_replicas_get_the_network_of_their_host(
    platform: dict[str, Any], network: str, says: str
) -> None:
    row = target(platform)
    assert (row.network, row.host_network) == (network, says)


def test_a_node_is_alive_or_silent_or_not_there() -> None:
    rows = [target(None), target({}), target({}, alive=False)]
    assert [row.node_state for row in rows] == ["", "alive", "silent"]
    assert [row.unreached for row in rows] == ["", "", ""]


def test_a_node_whose_haproxy_does_not_run_is_heard_of_and_not_reached() -> None:
    row = target({}, unreached="HAProxy does not run")
    assert row.node_state == "unreached"
    assert row.unreached == "Nobody can reach its endpoints: HAProxy does not run"


def test_what_is_not_seen_is_counted() -> None:
    assert [target(None, others=count).hidden for count in (0, 1, 2)] == [
        "",
        "1 revision of projects you do not see",
        "2 revisions of projects you do not see",
    ]


def test_an_entry_says_where_and_by_whom() -> None:
    own = UseRow(Row(environment="", who="Placet"))
    theirs = UseRow(Row(environment="production", who="Otto"))
    assert (own.environment, own.by) == ("All environments", "by Placet")
    assert (theirs.environment, theirs.by) == ("production", "by Otto")


def test_an_empty_page_says_what_it_means() -> None:
    found = [TargetPage(target(None, others=n), [], "", True, []) for n in (0, 1)]
    assert [v.empty_title for v in found] == ["No project yet", "Projects that you do not see"]
    assert all(view.may_join for view in found)
    assert not TargetPage(target({}), [], "", True, []).may_join


def test_a_refused_form_is_filled_in_as_it_was() -> None:
    empty, sent = TargetForm({}), TargetForm({"site": "edge", "capacity_mb": "12"})
    assert "edge" in dict(sent.sites)
    assert (empty.capacity_mb, sent.capacity_mb) == ("4096", "12")
