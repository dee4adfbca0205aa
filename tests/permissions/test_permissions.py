"""Every route × method × role, against the table that was written by hand."""

from typing import Any

import pytest
from django.contrib.messages import ERROR, get_messages
from django.db import transaction

from tests.permissions.table import COLUMNS, Row, routes, rows
from tests.permissions.world import World, build


def test_every_route_and_method_has_a_row() -> None:
    table = rows()
    missing = [
        f"{method} {route}"
        for method, route in sorted(routes(), key=lambda r: (r[1], r[0]))
        if not any(row.covers(method, route) for row in table)
    ]
    assert not missing, "no row in table.txt for:\n" + "\n".join(missing)


def test_every_row_has_a_route_and_stands_once() -> None:
    there, seen = routes(), set()
    for row in rows():
        assert (row.method, row.route) not in seen, f"table.txt:{row.line} stands twice"
        seen.add((row.method, row.route))
        covered = any(row.covers(method, route) for method, route in there)
        assert covered, f"table.txt:{row.line}: there is no {row.method} {row.route}"


@pytest.mark.django_db
def test_each_role_is_answered_as_the_table_says() -> None:
    world = build()
    wrong = [
        f"table.txt:{row.line}: {row.method} {row.route} as {role}: {got}, not {expected}"
        for row in rows()
        if not row.is_group
        for role, expected in zip(COLUMNS, row.expected, strict=True)
        if expected != "-" and not matches(got := outcome(world, row, role), expected)
    ]
    assert not wrong, "\n".join(wrong)


def matches(got: str, expected: str) -> bool:
    """Tell whether ``got`` is what the table says; ``ok`` is whatever gets past the permission."""
    if expected == "ok":
        return got.isdigit() and int(got) < 500 and got not in {"401", "403", "404", "405"}
    return got == expected


def outcome(world: World, row: Row, role: str) -> str:
    """Make the request of ``row`` as ``role`` in a transaction that is undone; name its answer."""
    with transaction.atomic():
        answer = read(request(world, row, role))
        transaction.set_rollback(True)
    if answer.status_code == 302 and answer["Location"].startswith("/accounts/login/"):
        return "login"
    if answer.status_code in (302, 303) and any(
        m.level == ERROR for m in get_messages(answer.wsgi_request)
    ):
        return "refused"
    return str(answer.status_code)


def read(answer: Any) -> Any:
    """Read a streamed answer to its end, which closes the file that it comes from."""
    if answer.streaming:
        b"".join(answer.streaming_content)
    return answer


def request(world: World, row: Row, role: str) -> Any:
    """Send the request, with the ETag that this role reads where one is needed."""
    client, path = world.clients[role], world.path(row.route)
    client.cookies.pop("messages", None)  # what an earlier form was told
    body = world.bodies.get(f"{row.method} {row.route}")
    headers = {}
    if row.method in {"PUT", "PATCH", "DELETE"}:
        tag = read(client.get(path)).headers.get("ETag")
        headers = {"if-match": tag} if tag else {}
    if path.startswith(("/api/", "/agent/")):
        data = "" if body is None else client._encode_json(body, "application/json")
        return client.generic(row.method, path, data, "application/json", headers=headers)
    if row.method == "GET":
        return client.get(path, body)
    return client.post(path, body or {}, headers=headers)
