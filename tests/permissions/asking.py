"""Asks one row of the permission table as one role, and says what is wrong with the answer."""

import functools
import itertools
import re
from collections.abc import Callable
from typing import Any

from django.contrib.messages import ERROR, get_messages
from django.db import transaction

from tests.permissions import controls
from tests.permissions.direct import QUESTIONS
from tests.permissions.table import COLUMNS, Row, rows
from tests.permissions.world import World, build

NAMES_ONE_THING = re.compile(r"[a-z]{3}_[0-9a-f]{32}|(sha256:)?[0-9a-f]{64}")
LOG = "/api/v1/audit/"
ENABLING = "/api/v1/webhooks/{webhook}/enable"  # takes the webhook's ETag


class Examiner:
    """Puts the questions of the table, and the direct ones, to a new world."""

    def __init__(self) -> None:
        self.world, self.table = build(), rows()
        self.controls, self.offered = controls.recorded(), dict[str, controls.Offers]()
        self.hidden = {role: hidden(self.world, self.table, role) for role in COLUMNS}

    def questions(self) -> list[Callable[[], str]]:
        """Return every question; asked, it says what is wrong with the answer."""
        asked = itertools.product(self.table, COLUMNS)
        return [
            *(functools.partial(direct.fault, self.world) for direct in QUESTIONS),
            *(functools.partial(self.fault, row, role) for row, role in asked),
        ]

    def fault(self, row: Row, role: str) -> str:
        """Return how the answer differs from the table, or what it tells of a hidden thing."""
        expected = row.expected[COLUMNS.index(role)]
        if row.is_group or expected == "-":
            return ""
        got, text = outcome(self.world, row, role)
        where = f"table.txt:{row.line}: {row.method} {row.route} as {role}"
        if not matches(got, expected):
            return f"{where}: {got}, not {expected}"
        if row.method != "GET" or got != "200":
            return ""
        told = self.told(row, role, text)
        if told:
            return f"{where}: tells of {', '.join(told)}"
        return self.offers(row, role, text) if text.lstrip().lower().startswith("<!doctype") else ""

    def offers(self, row: Row, role: str, text: str) -> str:
        """Return how the controls of a page differ from those that this role is to be offered."""
        now = controls.shown(self.world.path(row.route), text)
        page = self.offered.setdefault(row.route, {})
        for control in now:
            page.setdefault(control, set()).add(role)
        before = self.controls.get(row.route, {})
        wrong = now ^ {control for control, roles in before.items() if role in roles}
        return f"controls.txt: {row.route} as {role}: {', '.join(sorted(wrong))}" if wrong else ""

    def told(self, row: Row, role: str, text: str) -> list[str]:
        """Return what ``text`` tells of the things that are 404 to ``role``."""
        if role == "auditor" and row.route.startswith(LOG):
            return []  # who reads the log reads of everything
        if role == "admin" and row.route == "/administration/tokens/":
            return []  # who administers access looks after every token there, and nowhere else
        path = self.world.path(row.route)
        return sorted(t for t in self.hidden[role] if t in text and t not in path)


def hidden(world: World, table: list[Row], role: str) -> set[str]:
    """Return the paths and ids of all that ``role`` is answered 404 for."""
    column = COLUMNS.index(role)
    paths = {
        world.path(row.route)
        for row in table
        if row.method == "GET" and row.expected[column] == "404" and "{" in row.route
    }
    ends = {path.rstrip("/").rsplit("/", 1)[1] for path in paths}
    told = {p for p in paths if p.count("/") > 2} | set(filter(NAMES_ONE_THING.fullmatch, ends))
    if world.project.slug in ends:
        told |= {world.project.pk, f'"{world.project.slug}"'}
    return told


def matches(got: str, expected: str) -> bool:
    """Tell whether ``got`` is what the table says; ``ok`` is whatever gets past the permission."""
    if expected == "ok":
        return got.isdigit() and int(got) < 500 and got not in {"401", "403", "404", "405"}
    return got == expected


def outcome(world: World, row: Row, role: str) -> tuple[str, str]:
    """Make the request of ``row`` as ``role`` in a transaction that is undone.

    Returns the name of its answer, and its text.
    """
    with transaction.atomic():
        answer, text = read(request(world, row, role))
        transaction.set_rollback(True)
    if answer.status_code == 302 and answer["Location"].startswith("/accounts/login/"):
        return "login", ""
    if answer.status_code in (302, 303) and any(
        m.level == ERROR for m in get_messages(answer.wsgi_request)
    ):
        return "refused", text
    return str(answer.status_code), text


def read(answer: Any) -> tuple[Any, str]:
    """Read a streamed answer to its end, which closes the file that it comes from."""
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return answer, body.decode(errors="replace")


def request(world: World, row: Row, role: str) -> Any:
    """Send the request, with the ETag that this role reads where one is needed."""
    client, path = world.clients[role], world.path(row.route)
    body = world.bodies.get(f"{row.method} {row.route}")
    headers = {}
    if row.method in {"PUT", "PATCH", "DELETE"} or row.route == ENABLING:
        tag = read(client.get(path.removesuffix("/enable")))[0].headers.get("ETag")
        headers = {"if-match": tag} if tag else {}
    if path.startswith(("/api/", "/agent/")):
        data = "" if body is None else client._encode_json(body, "application/json")
        return client.generic(row.method, path, data, "application/json", headers=headers)
    if row.method == "GET":
        return client.get(path, body)
    return client.post(path, body or {}, headers=headers)
