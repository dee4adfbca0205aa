"""Every operation refuses what it does not understand, in one form and by name."""

import itertools
from typing import Any

import pytest

from apps.identity.api.devices import SmallJSONParser
from tests.contract.operations import Operation, fault, operations, send
from tests.permissions.table import COLUMNS, rows
from tests.permissions.world import World, build

pytestmark = pytest.mark.django_db

EVERY = list(operations())
BODIES = [op for op in EVERY if op.takes_json]
TABLE = rows()
PLAIN = "application/json"
OTHERS = "/comments/{comment}"  # of the world: nobody's who asks, so that no state of it helps
# What who has no token yet may ask, in few bytes.
OPEN = {"/api/v1/device/code", "/api/v1/device/token"}


@pytest.fixture
def world() -> World:
    return build()


def able(world: World, op: Operation) -> str:
    """Return who may do ``op``: the role that an empty question does not stop."""
    row = next(r for r in TABLE if (r.method, r.route) == (op.method, op.route))
    stopped = {"401", "403", "404", "-"}
    may = [role for role, said in zip(COLUMNS, row.expected, strict=True) if said not in stopped]
    return may[0] if may else "operator"


def tag(world: World, role: str, path: str) -> dict[str, str]:
    found = send(world, role, "GET", path).headers.get("ETag")
    return {"if_match": found} if found else {}


def check(problems: list[str]) -> None:
    wrong = [problem for problem in problems if problem]
    assert not wrong, "\n".join(wrong)


def said(op: Operation, answer: Any, status: int, code: str = "") -> str:
    wrong = fault(answer, status, code)
    return f"{op}: {wrong}" if wrong else ""


def test_nobody_is_answered_401_everywhere(world: World) -> None:
    check(
        [
            said(
                op, send(world, "anonymous", op.method, world.path(op.route)), 401, "not_signed_in"
            )
            for op in EVERY
            if op.route not in OPEN
        ]
    )


def test_what_is_open_to_strangers_is_said_so() -> None:
    assert {op.route for op in EVERY if {} in op.document.get("security", [])} == OPEN


def test_an_unknown_or_repeated_query_parameter_is_refused(world: World) -> None:
    check(
        [
            said(
                op,
                send(world, "admin", op.method, world.path(op.route) + f"?{query}"),
                400,
                "invalid_input",
            )
            for op in EVERY
            for query in ["no_such=1", *(f"{n}=1&{n}=1" for n in sorted(op.names("query"))[:1])]
        ]
    )


NOT_AN_OBJECT: list[tuple[bytes, str, int]] = [
    (b"{", PLAIN, 400),
    (b'{"a": 1, "a": 2}', PLAIN, 400),
    (b'{"a": NaN}', PLAIN, 400),
    (b'{"a": 1e999}', PLAIN, 400),
    (b'{"a": "\xff\xfe"}', PLAIN, 400),
    (b'{"a": "\\u0000"}', PLAIN, 400),
    (b'{"a": "\\ud800"}', PLAIN, 400),
    (b"[" * 40 + b"]" * 40, PLAIN, 400),
    (b"[" * 200_000, PLAIN, 400),
    (b"[]", PLAIN, 400),
    (b'"text"', PLAIN, 400),
    (b"null", PLAIN, 400),
    (b'{"a": ' + b"9" * 5000 + b"}", PLAIN, 400),
    (b"a=1", "application/x-www-form-urlencoded", 415),
    (b"a=1", "text/plain", 415),
    (b"<a/>", "application/xml", 415),
]


def test_a_body_that_is_not_one_json_object_is_refused(world: World) -> None:
    check(
        [
            f"{body[:30]!r}: {wrong}"
            for op in BODIES
            for body, kind, status in NOT_AN_OBJECT
            if (wrong := refused(world, op, body, kind, status))
        ]
    )


def refused(world: World, op: Operation, body: Any, kind: str, status: int) -> str:
    role, path = able(world, op), world.path(op.route)
    extra = tag(world, role, path) if op.method != "POST" else {}
    if op.route in OPEN and kind == PLAIN and len(body) > (SmallJSONParser.most or 0):
        status = 413
    return said(op, send(world, role, op.method, path, body, content_type=kind, **extra), status)


def test_a_huge_body_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from placet.kernel.config import config

    monkeypatch.setattr(config(), "max_body_bytes", 2000)
    body = b'{"name": "' + b"x" * 3000 + b'"}'
    check([refused(world, op, body, PLAIN, 413) for op in BODIES])


def test_a_body_that_comes_without_its_length_is_refused_and_never_dropped(world: World) -> None:
    wrong = []
    for op in BODIES:
        role, path = able(world, op), world.path(op.route)
        extra = tag(world, role, path) if op.method != "POST" else {}
        body = world.bodies.get(f"{op.method} {op.route}") or {}
        answer = send(world, role, op.method, path, body, transfer_encoding="chunked", **extra)
        wrong.append(said(op, answer, 411, "length_required"))
    check(wrong)


def test_a_field_that_is_not_ones_to_set_is_refused_by_name(world: World) -> None:
    fields = ("id", "state", "author", "created_by", "created_at", "is_superuser")
    wrong = []
    for op, field in itertools.product(BODIES, fields):
        role, path = able(world, op), world.path(op.route)
        body = {**(world.bodies.get(f"{op.method} {op.route}") or {}), field: "x"}
        extra = tag(world, role, path) if op.method != "POST" else {}
        answer = send(world, role, op.method, path, body, **extra)
        wrong.append(said(op, answer, 400, "invalid_input"))
        if answer.status_code == 400 and f"/{field}" not in [
            e["pointer"] for e in answer.json()["errors"]
        ]:
            wrong.append(f"{op}: does not name {field}: {answer.json()['errors']}")
    check(wrong)


def test_a_change_in_place_needs_the_state_that_was_read(world: World) -> None:
    wrong, seen = [], 0
    for op in EVERY:
        if "If-Match" not in op.names("header"):
            continue
        role, path = able(world, op), world.path(op.route)
        body = world.bodies.get(f"{op.method} {op.route}")
        missing = send(world, role, op.method, path, body)
        stale = send(world, role, op.method, path, body, if_match='"0"')
        if OTHERS in op.route:
            wrong += [said(op, one, 403, "others_comment") for one in (missing, stale)]
        else:
            wrong += [said(op, missing, 428), said(op, stale, 412, "stale")]
        seen += 1
    check(wrong)
    in_place = [op for op in EVERY if op.method in {"PUT", "PATCH", "DELETE"}]
    assert seen == len(in_place) - 1 + 1, "but the bytes of an upload, and a webhook is enabled"


def test_a_method_that_is_not_there_is_refused_and_the_others_are_named(world: World) -> None:
    wrong = []
    for route in {op.route for op in EVERY}:
        there = {op.method for op in EVERY if op.route == route}
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - there:
            answer = send(world, "admin", method, world.path(route))
            wrong.append(said(Operation(method, route, {}), answer, 405, "method_not_allowed"))
            named = {name.strip() for name in answer.headers.get("Allow", "").split(",")}
            if not there <= named or method in named:
                wrong.append(f"{method} {route}: Allow names {named}, there are {there}")
    check(wrong)


def test_head_is_get_without_the_body(world: World) -> None:
    wrong = []
    for op in EVERY:
        if op.method != "GET":
            continue
        path, role = world.path(op.route), able(world, op)
        get, head = (send(world, role, method, path) for method in ("GET", "HEAD"))
        if get.status_code != head.status_code or get.headers.get("ETag") != head.headers.get(
            "ETag"
        ):
            wrong.append(f"{op}: {get.status_code} but HEAD {head.status_code}")
        if not head.streaming and head.content:
            wrong.append(f"{op}: HEAD has a body")
    check(wrong)


def test_options_tells_the_methods_and_nothing_of_the_object(world: World) -> None:
    wrong = []
    for op in EVERY:
        answer = send(world, "admin", "OPTIONS", world.path(op.route))
        if answer.status_code != 200 or op.method not in answer.headers.get("Allow", ""):
            wrong.append(f"{op}: OPTIONS {answer.status_code} {answer.headers.get('Allow')}")
    check(wrong)
