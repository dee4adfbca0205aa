"""What the page of alerts says, and what a reader can do about one."""

from types import SimpleNamespace
from typing import Any

import pytest

from apps.console.queries.alerts import AlertListPage, AlertRow
from apps.console.queries.sorting import ALERTS


def alert(state: str, *, may: bool = True, resolves_itself: bool = False) -> AlertRow:
    """Return an alert as somebody sees it who may handle it, or may not."""
    found: Any = SimpleNamespace(
        pk="alr_1",
        state=state,
        resolves_itself=resolves_itself,
        project_scope=lambda: "prj_1",
        environment_scope=lambda: None,
    )
    actor: Any = SimpleNamespace(can=lambda permission, scope: may)
    return AlertRow(found, actor)


@pytest.mark.parametrize(
    ("row", "buttons"),
    [
        (alert("open"), ["Acknowledge", "Resolve"]),
        (alert("acknowledged"), ["Resolve"]),
        (alert("open", resolves_itself=True), ["Acknowledge"]),
        (alert("resolved"), []),
        (alert("open", may=False), []),
    ],
)
def test_a_reader_is_offered_what_they_can_do(row: AlertRow, buttons: list[str]) -> None:
    assert [button.text for button in row.buttons] == buttons


def test_how_much_is_wrong_is_counted() -> None:
    one = alert("open")
    said = [AlertListPage(rows, [], "", ALERTS).summary for rows in ([], [one], [one, one])]
    assert said == ["no open alerts", "1 open alert", "2 open alerts"]
    assert AlertListPage([], [one], "", ALERTS).over == "the last 1"
