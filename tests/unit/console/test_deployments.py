"""What the page of deployments on a date says of one revision, and on paper of itself."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.assurance.periods import Moment, Period, Service, Share
from apps.assurance.queries.approved import Approved
from apps.assurance.queries.as_of import ServedRevision
from apps.console.queries.deployments import DeploymentListPage, ServedRow
from placet.kernel.actor import Actor, Scope

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Reader:
    """Somebody who may do these things everywhere."""

    def __init__(self, *may: str) -> None:
        self.may = self.grants = may
        self.withheld = ()

    def can(self, permission: str, scope: Scope) -> bool:
        return permission in self.may


def moment(minutes: int) -> Moment:
    return Moment(minutes, NOON + timedelta(minutes=minutes))


def row(share: tuple[int, int | None], served: tuple[int, int | None], *may: str) -> ServedRow:
    """Return a revision that had 1% between these minutes, and served between those."""
    ends = [moment(end) if end is not None else None for _, end in (share, served)]
    period = Period(moment(share[0]), ends[0], Share(100))
    service = Service(period, moment(served[0]), ends[1])
    approved = Approved(policy=3, policy_digest="sha256:0")
    found = ServedRevision("rev_1", 1, "sha256:1", service, approved, ())
    reader: Any = Reader(*may)
    return ServedRow(found, Scope("prj_1", "staging"), "risk", reader, "its node is silent")


@pytest.mark.parametrize(
    ("share", "served", "around"),
    [
        ((0, None), (0, None), []),
        ((0, 9), (0, 9), []),
        ((2, 5), (0, None), ["other shares since 2026-03-01 12:00:00", "serves still"]),
        ((2, 5), (2, 9), ["other shares until 2026-03-01 12:09:00"]),
    ],
)
def test_a_share_has_its_own_time_and_the_whole_stands_below(
    share: tuple[int, int | None], served: tuple[int, int | None], around: list[str]
) -> None:
    found = row(share, served).around
    assert len(found) == len(around)
    assert all(said.endswith(end) for said, end in zip(found, around, strict=True))


def test_a_share_says_since_when_until_when_and_whether_anything_answers() -> None:
    over, going_on = row((2, 5), (0, 9)), row((2, None), (0, None))
    assert (over.begins, over.ends) == ("since 2026-03-01 12:02:00", "until 2026-03-01 12:05:00")
    assert going_on.ends == "its node is silent"


@pytest.mark.parametrize(
    ("share", "served", "texts"),
    [
        ((0, 9), (0, 9), ["event 0: it began", "event 9: it ended"]),
        ((0, None), (0, None), ["event 0: it began"]),
        (
            (2, 5),
            (0, 9),
            [
                "event 2: this share began",
                "event 0: other shares began",
                "event 5: this share ended",
                "event 9: other shares ended",
            ],
        ),
        ((2, 5), (2, None), ["event 2: it began", "event 5: this share ended"]),
    ],
)
def test_the_events_that_are_linked_are_those_of_the_times_that_are_shown(
    share: tuple[int, int | None], served: tuple[int, int | None], texts: list[str]
) -> None:
    assert [link.text for link in row(share, served, "audit.view").links] == texts


def test_the_policy_is_a_link_for_who_may_read_it() -> None:
    assert row((0, None), (0, None)).policy_url == ""
    shown = row((0, None), (0, None), "policy.view")
    assert shown.policy_url == "/policies/risk/staging/3/"


def test_a_print_says_what_it_was_narrowed_to() -> None:
    reader: Any = Reader()
    actor: Actor = reader
    assert DeploymentListPage([], NOON, "", "", actor).narrowed == "none"
    page = DeploymentListPage([], NOON, "", "", actor, "risk", "staging")
    assert page.narrowed == "project risk, environment staging"
    then = DeploymentListPage([], NOON, "2026-01-02", "", actor, "risk")
    assert then.narrowed == f"at {NOON:%Y-%m-%d %H:%M:%S} UTC, project risk"


@pytest.mark.parametrize(
    ("typed", "project", "said", "other"),
    [
        ("", "", "No endpoint that you may see exists now", "Choose an earlier time"),
        ("", "risk", "No endpoint that you may see exists there now", "Choose an earlier time"),
        ("2020-01-01", "", "No endpoint that you may see existed then", "Choose another time"),
    ],
)
def test_where_there_was_no_endpoint_another_time_is_named_that_may_say_more(
    typed: str, project: str, said: str, other: str
) -> None:
    reader: Any = Reader()
    found = DeploymentListPage([], NOON, typed, "", reader, project)
    assert (found.nothing, found.other) == (said, other)
    assert found.why == "You have no project role yet: ask an access administrator for one."
    seeing: Any = Reader("endpoint.view")
    assert DeploymentListPage([], NOON, typed, "", seeing, project).why == ""
