"""Every list is read page by page, by a cursor that nobody can make up."""

import base64
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.contract.operations import Operation, fault, operations, send
from tests.permissions.table import COLUMNS, rows
from tests.permissions.world import World, build

pytestmark = pytest.mark.django_db
LISTS = [op for op in operations() if op.is_paged]


@pytest.fixture
def world() -> World:
    return build()


def reader(op: Operation) -> str:
    row = next(r for r in rows() if (r.method, r.route) == ("GET", op.route))
    return COLUMNS[row.expected.index("200")]


def get(world: World, op: Operation, query: str = "") -> Any:
    return send(world, reader(op), "GET", world.path(op.route) + query)


def test_every_list_is_known() -> None:
    assert len(LISTS) > 20


def test_a_limit_is_a_number_from_1_to_500(world: World) -> None:
    wrong = []
    for op in LISTS:
        for limit in (
            "0",
            "-1",
            "501",
            "x",
            "",
            "1.5",
            "%D9%A3",
            "9" * 5000,
            "0000019999",
            "000001" + "9" * 5000,
        ):
            if said := fault(get(world, op, f"?limit={limit}"), 400, "invalid_input"):
                wrong.append(f"{op} limit={limit[:9]}: {said}")
        if get(world, op, "?limit=500").status_code != 200:
            wrong.append(f"{op}: 500 refused")
    assert not wrong, "\n".join(wrong)


def test_pages_hold_what_the_whole_list_holds_and_link_to_the_next(world: World) -> None:
    followed = 0
    for op in LISTS:
        whole = get(world, op, "?limit=500").json()["items"][:3]
        answer = get(world, op, "?limit=1")
        for item in whole:
            body = answer.json()
            if op.route == "/api/v1/deployments":  # of the instant at which each page is asked for
                body["items"][0]["at"] = item["at"]
            assert body["items"] == [item], op
            if body["next_cursor"] is None:
                assert "Link" not in answer.headers, op
                break
            path, _, rest = answer["Link"].removeprefix("<").partition(">")
            assert rest == '; rel="next"', op
            answer = send(world, reader(op), "GET", path)
            assert answer.status_code == 200, op
            followed += 1
    assert followed > 10


def test_a_cursor_that_is_forged_changed_or_of_another_list_is_refused(world: World) -> None:
    cursors = {op.route: get(world, op, "?limit=1").json()["next_cursor"] for op in LISTS}
    real = {route: cursor for route, cursor in cursors.items() if cursor}
    assert len(real) >= 8
    forged = base64.urlsafe_b64encode(b"\0" * 12 + b'"x"').decode().rstrip("=")
    wrong = []
    for op in LISTS:
        tries = ["", "x", "%00", "%FF", "a" * 5000, forged, "12345", "é"]
        tries += [cursor for route, cursor in real.items() if route != op.route][:2]
        if mine := real.get(op.route):
            tries += [mine[:-2], mine + "AAAA", ("B" if mine[0] == "A" else "A") + mine[1:]]
        for cursor in tries:
            if said := fault(get(world, op, f"?cursor={cursor}"), 400, "invalid_input"):
                wrong.append(f"{op} cursor={cursor[:40]}: {said}")
    assert not wrong, "\n".join(wrong)


def test_a_cursor_of_another_person_is_refused(world: World) -> None:
    cursor = send(world, "viewer", "GET", "/api/v1/releases?limit=1").json()["next_cursor"]
    answer = send(world, "reviewer", "GET", f"/api/v1/releases?cursor={cursor}")
    assert not fault(answer, 400, "invalid_input")


def test_a_cursor_under_other_filters_is_refused(world: World) -> None:
    cursor = send(world, "viewer", "GET", "/api/v1/releases?limit=1").json()["next_cursor"]
    for query, status in (("limit=2", 200), ("limit=2&state=requested", 400)):
        answer = send(world, "viewer", "GET", f"/api/v1/releases?cursor={cursor}&{query}")
        assert answer.status_code == status


def test_a_list_costs_as_many_queries_for_many_rows_as_for_one(world: World) -> None:
    wrong = []
    for op in LISTS:
        get(world, op)
        counts = {}
        for limit in (1, 500):
            with CaptureQueriesContext(connection) as queries:
                rows_there = len(get(world, op, f"?limit={limit}").json()["items"])
            counts[rows_there] = len(queries)
        if len(set(counts.values())) > 1 or max(counts.values()) > 12:
            wrong.append(f"{op}: queries by rows {counts}")
    assert not wrong, "\n".join(wrong)
