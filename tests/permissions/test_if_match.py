"""Who may not change a thing is told so before which state of it they have to name."""

import pytest
from django.db import transaction

from placet.kernel.config import config
from tests.permissions.asking import read
from tests.permissions.table import COLUMNS, Row, rows
from tests.permissions.world import World, build

pytestmark = pytest.mark.django_db
CHANGES = {"PUT", "PATCH", "DELETE"}
REFUSALS = {"403", "404"}


def test_who_may_not_change_it_is_refused_first_without_if_match_and_with_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(config(), "session_requests_per_minute", 0)
    world, asked = build(), [row for row in rows() if is_asked(row)]
    assert len(asked) > 20
    wrong = [
        f"{row.method} {row.route} as {role}: {got}, not {expected}"
        for row in asked
        for role, expected in zip(COLUMNS, row.expected, strict=True)
        if expected in REFUSALS
        for headers in ({}, {"If-Match": '"other"'})
        if (got := answered(world, row, role, headers)) != expected
    ]
    assert not wrong, "\n".join(wrong)


def is_asked(row: Row) -> bool:
    """Tell whether a row is of a change in place over the API."""
    return not row.is_group and row.method in CHANGES and row.route.startswith("/api/v1/")


def answered(world: World, row: Row, role: str, headers: dict[str, str]) -> str:
    """Return the status of what a role is answered, in a transaction that is undone."""
    client, body = world.clients[role], world.bodies.get(f"{row.method} {row.route}")
    data = "" if body is None else client._encode_json(body, "application/json")
    with transaction.atomic():
        answer, _ = read(
            client.generic(
                row.method, world.path(row.route), data, "application/json", headers=headers
            )
        )
        transaction.set_rollback(True)
    return str(answer.status_code)
