"""How schemathesis asks the application in this process, as whoever there is."""

import functools
import logging
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import urlencode

import hypothesis
import pytest
import schemathesis
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection, transaction
from django.middleware.csrf import _get_new_csrf_string
from django.test import Client
from hypothesis import given
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import FailureGroup

from apps.identity.rules import ROLES
from apps.serving.actions import create_target
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now
from placet.kernel.config import config
from placet_protocol.cookies import CSRF, SESSION
from placet_protocol.signing import sign_request
from tests.contract.operations import send
from tests.permissions.world import build
from tests.support.factories import person, service_account, sign_in, token_for
from tests.support.nodes import SimulatedNode

load_all_checks()
EVERY_CHECK = [CHECKS.get_one(name) for name in CHECKS.get_all_names()]
PROVING = hypothesis.settings.default.max_examples > 100
# Every built-in role in its session; "token" is a contributor's own, "ci" a service account's.
PEOPLE = (*ROLES, "stranger")
WHO = (*PEOPLE, "anonymous", "token", "ci")


class Asking:
    """The permission table's world, and all who ask there.

    Each request is made in a savepoint that is undone: the world stays as it was for the next.
    """

    def __init__(self) -> None:
        self.world = build()
        people, clients = self.world.people, self.world.clients
        for role in ROLES.keys() - people.keys():
            people[role] = person(role.capitalize(), {role: self.world.project})
            clients[role] = Client(raise_request_exception=False)
            sign_in(clients[role], people[role])
        robot = service_account(
            "pipeline", owner=people["admin"], roles={"contributor": self.world.project}
        )
        self.tokens = {"token": token_for(people["contributor"]), "ci": token_for(robot)}
        self.node = SimulatedNode.joined(create_target(name="asking", actor=SYSTEM))
        self.tags: dict[tuple[str, str], str] = {}

    def credentials(self, role: str) -> dict[str, dict[str, str]]:
        """Return what a request of ``role`` carries: a session's cookies, a token, or nothing.

        Cookies as such: werkzeug's client throws a header ``Cookie`` away.
        """
        if role in self.tokens:
            return {"headers": {"Authorization": f"Bearer {self.tokens[role]}"}}
        if role not in PEOPLE:
            return {"headers": {}}
        csrf = _get_new_csrf_string()
        session = self.world.clients[role].cookies[SESSION].value
        cookies = {SESSION: session, CSRF: csrf}
        return {"headers": {"X-CSRFToken": csrf}, "cookies": cookies}

    def signed(self, case: Any, raw: bytes) -> dict[str, str]:
        """Return the headers by which our node signs a request."""
        path = case.formatted_path + (f"?{urlencode(case.query)}" if case.query else "")
        return sign_request(self.node.key, case.method, path, raw, node=self.node.id, at=now())

    def aim(self, role: str, case: Any) -> None:
        """Have the path of ``case`` name what is there, in the state that ``role`` reads."""
        route = case.operation.path
        ends = [(match[1], match.end()) for match in re.finditer(r"{(\w+)}", route)]
        path = self.world.path
        case.path_parameters = {name: path(route[:end]).rsplit("/", 1)[1] for name, end in ends}
        changed = path(route.removesuffix("/enable"))  # of which a webhook's enabling is a part
        if "If-Match" in case.headers and (tag := self.tag(role, changed)):
            case.headers = {**case.headers, "If-Match": tag}

    def tag(self, role: str, path: str) -> str:
        """Return the ETag that ``role`` reads: the same each time, since all is undone."""
        role = "contributor" if role in self.tokens else role  # whose tokens they are, or as good
        if role not in self.world.clients:
            return ""
        if (role, path) not in self.tags:
            answer = send(self.world, role, "GET", path)
            self.tags[role, path] = answer.headers.get("ETag", "")
        return self.tags[role, path]

    def ask(self, case: Any, checks: list[Any], **sent: Any) -> tuple[int, str]:
        """Send ``case``; return the status, and what is wrong with the answer."""
        cookies = "; ".join(f"{name}={value}" for name, value in sent.get("cookies", {}).items())
        mine = sent["headers"] | ({"Cookie": cookies} if cookies else {})
        with transaction.atomic():
            try:
                answer = case.call(**sent)
                case.validate_response(answer, checks=checks, headers=mine, transport_kwargs=sent)
            except (Exception, FailureGroup) as problem:
                return 0, f"{case.operation.label}: {problem}"
            finally:
                transaction.set_rollback(True)
        return answer.status_code, ""


@pytest.fixture
def asking(db: None, monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[Asking]:
    """All who ask, on a connection that no request closes, without quotas and without a log."""
    settings.ACCOUNT_RATE_LIMITS = settings.MFA_RATE_LIMITS = False
    monkeypatch.setattr(connection, "close_if_unusable_or_obsolete", lambda: None)
    monkeypatch.setattr(config(), "session_requests_per_minute", 0)
    monkeypatch.setattr(config(), "token_requests_per_minute", 0)
    with connection.cursor() as cursor:  # schemathesis may think for longer than we let one idle
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
    made = Asking()
    for client in made.world.clients.values():
        client.raise_request_exception = False
    logging.disable()
    yield made
    logging.disable(logging.NOTSET)


def loaded(raw: Any, settings: dict[str, Any] | None = None) -> Any:
    """Return a document as schemathesis asks it of the application in this process."""
    schema = schemathesis.openapi.from_dict(
        raw, config=SchemathesisConfig.from_dict(settings or {})
    )
    schema.app = application
    return schema


@functools.cache
def handler() -> WSGIHandler:
    """Return the application, with its middleware, once."""
    return WSGIHandler()


def application(environ: Any, start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer as a server does: read to the end, then close."""
    answer = handler()(environ, start_response)
    try:
        return [b"".join(answer)]
    finally:
        answer.close()


def collected(strategy: Any, seed: int, examples: int) -> list[Any]:
    """Return what hypothesis draws of a strategy."""
    found: list[Any] = []
    settings = hypothesis.settings(
        database=None,
        max_examples=examples,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    keep = given(one=strategy)(lambda one: found.append(one))
    hypothesis.seed(seed)(settings(keep))()
    return found


def counts(told: Counter[tuple[str, ...]]) -> dict[str, dict[str, int]]:
    """Return counts by their first part, then by the rest."""
    found: dict[str, dict[str, int]] = {}
    for (first, *rest), count in sorted(told.items()):
        found.setdefault(first, {})[" ".join(rest)] = count
    return found
