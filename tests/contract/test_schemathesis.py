"""Schemathesis asks every operation as each role, with requests made from the published document.

Some are drawn, right and wrong ones; the others go one by one through the corners of every
parameter, body and method. Every second request names what is there in its path, so that it gets
past the look-up. Each is made in a savepoint that is undone, so that the world stays as it was for
the next. What is sent depends on the document and on ``--hypothesis-seed`` alone.

In the usual run each role asks a part, another one than the next; in ``make prove`` each asks all.
"""

import functools
import logging
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import hypothesis
import pytest
import schemathesis
import yaml
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection, transaction
from django.middleware.csrf import _get_new_csrf_string
from hypothesis import given
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import FailureGroup
from schemathesis.generation import GenerationMode

from placet.config import config
from tests.contract.operations import SNAPSHOT, send
from tests.permissions.world import ROLES, World, build
from tests.support.factories import token_for

load_all_checks()
EVERY_CHECK = [CHECKS.get_one(name) for name in CHECKS.get_all_names()]
PROVING = hypothesis.settings.default.max_examples > 100
WHO = (*ROLES, "stranger", "anonymous", "token")
MODES = [GenerationMode.POSITIVE, GenerationMode.NEGATIVE]
DRAWN = 40 if PROVING else 3  # for each operation; three of the ten roles ask, in turns
CONFIG: dict[str, Any] = {
    "generation": {"with-security-parameters": False},  # a role brings its own
    "checks": {
        # The document gives the form alone. 400: a cursor is signed, a policy compiles, a name is
        # not taken from another script. 412: one ETag is the current one.
        "positive_data_acceptance": {
            "expected-statuses": ["2xx", "400", "401", "403", "404", "409", "412"]
        },
        # If-Match is looked at before the body is.
        "negative_data_rejection": {
            "expected-statuses": [
                "400",
                "401",
                "403",
                "404",
                "405",
                "409",
                "411",
                "412",
                "413",
                "415",
                "428",
            ]
        },
        "missing_required_header": {"expected-statuses": ["401", "403", "404", "428"]},
    },
    "operations": [
        {
            # Nothing serves behind the world's endpoint, and 502 is how the operation says so.
            "include-name": "POST /api/v1/endpoints/{endpoint}/predict",
            "checks": {
                "not_a_server_error": {"expected-statuses": ["2xx", "4xx", "502"]},
                "positive_data_acceptance": {"expected-statuses": ["2xx", "4xx", "502"]},
            },
        },
        {
            # A chunk without bytes is sent without Content-Length, and that is refused.
            "include-name": "PATCH /api/v1/uploads/{upload}",
            "checks": {"positive_data_acceptance": {"expected-statuses": ["2xx", "4xx"]}},
        },
    ],
}


@schemathesis.serializer("application/offset+octet-stream")
def octets(context: Any, value: Any) -> Any:
    """Send what a resumed upload sends: bytes as they are."""
    return value if isinstance(value, bytes) else str(value).encode()


@pytest.fixture(scope="module")
def requests(pytestconfig: pytest.Config) -> tuple[list[Any], list[Any]]:
    """The requests, made before any transaction begins: that takes longer than one may idle."""
    return drawn(int(pytestconfig.getoption("--hypothesis-seed") or 1)), corners()


@pytest.fixture
def world(requests: Any, db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The permission table's world, on a connection that no request closes, and no log."""
    made = build()
    monkeypatch.setattr(connection, "close_if_unusable_or_obsolete", lambda: None)
    monkeypatch.setattr(config(), "session_requests_per_minute", 0)
    monkeypatch.setattr(config(), "token_requests_per_minute", 0)
    logging.disable()
    yield made
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("role", WHO)
def test_no_operation_breaks_its_document(
    role: str, requests: tuple[list[Any], list[Any]], world: World
) -> None:
    mine, sent = WHO.index(role), credentials(world, role)
    at_random, cornered = requests
    if not PROVING:
        at_random, cornered = at_random[mine :: len(WHO)], cornered[mine :: 8 * len(WHO)]
    wrong = [
        problem
        for number, case in enumerate([*at_random, *cornered])
        if (problem := ask(world, role, sent, case, known=bool(number % 2)))
    ]
    assert not wrong, f"{len(wrong)} wrong answers\n\n" + "\n\n".join(wrong)


@functools.cache
def document() -> Any:
    """Return the published document, asked of the application in this process."""
    config = SchemathesisConfig.from_dict(CONFIG)
    schema = schemathesis.openapi.from_dict(yaml.safe_load(SNAPSHOT.read_text()), config=config)
    schema.app = application
    return schema


def application(environ: Any, start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer as a server does: read to the end, then close."""
    answer = WSGIHandler()(environ, start_response)
    try:
        return [b"".join(answer)]
    finally:
        answer.close()


def drawn(seed: int) -> list[Any]:
    """Return the requests that hypothesis draws for each operation."""
    found: list[Any] = []
    settings = hypothesis.settings(
        database=None,
        max_examples=DRAWN,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    for operation in document().get_all_operations():
        modes = [operation.ok().as_strategy(generation_mode=mode) for mode in MODES]
        keep = given(case=hypothesis.strategies.one_of(modes))(lambda case: found.append(case))
        hypothesis.seed(seed)(settings(keep))()
    return found


def corners() -> list[Any]:
    """Return the requests that go through each part of each operation."""
    return [
        case
        for found in document().get_all_operations()
        for case in document().iter_coverage_cases(
            found.ok(),
            generation_modes=MODES,
            generation_config=document().config.generation_for(operation=found.ok()),
        )
    ]


def credentials(world: World, role: str) -> dict[str, dict[str, str]]:
    """Return what a request of ``role`` carries: a browser's cookies, a token, or nothing."""
    if role == "anonymous":
        return {}
    if role == "token":
        return {"headers": {"Authorization": f"Bearer {token_for(world.people['contributor'])}"}}
    csrf = _get_new_csrf_string()
    session = world.clients[role].cookies["sessionid"].value
    return {"headers": {"Cookie": f"sessionid={session}; csrftoken={csrf}", "X-CSRFToken": csrf}}


def ask(world: World, role: str, sent: dict[str, Any], case: Any, *, known: bool) -> str:
    """Send ``case`` with what ``role`` sends; return what is wrong with the answer."""
    case = case.derive()
    if known:
        aim(world, role, case)
    with transaction.atomic():
        try:
            answer = case.call(**sent)
            case.validate_response(
                answer, checks=EVERY_CHECK, headers=sent.get("headers"), transport_kwargs=sent
            )
        except (Exception, FailureGroup) as problem:
            return f"{case.operation.label}: {problem}"
        finally:
            transaction.set_rollback(True)
    return ""


def aim(world: World, role: str, case: Any) -> None:
    """Have the path of ``case`` name what is there, in the state that ``role`` reads."""
    route = case.operation.path
    ends = [(match[1], match.end()) for match in re.finditer(r"{(\w+)}", route)]
    case.path_parameters = {name: world.path(route[:end]).rsplit("/", 1)[1] for name, end in ends}
    if "If-Match" in case.headers and role in world.clients:
        tag = send(world, role, "GET", world.path(route)).headers.get("ETag")
        case.headers = {**case.headers, **({"If-Match": tag} if tag else {})}
