"""Schemathesis asks every operation as each role, with requests made from the published document.

Some are drawn, right and wrong ones; the others go one by one through the corners of every
parameter, body and method. Every second request names what is there in its path, so that it gets
past the look-up. Each is made in a savepoint that is undone, so that the world stays as it was for
the next. What is sent depends on the document and on ``--hypothesis-seed`` alone.

In the usual run each role asks a part, another one than the next; in ``make prove`` each asks all.
"""

import functools
from typing import Any

import pytest
import schemathesis
import yaml
from hypothesis import strategies as st
from schemathesis.checks import CHECKS
from schemathesis.generation import GenerationMode

from tests.contract.asking import EVERY_CHECK, PROVING, WHO, Asking, asking, collected, loaded
from tests.contract.operations import SNAPSHOT

__all__ = ["asking"]  # a fixture
MODES = [GenerationMode.POSITIVE, GenerationMode.NEGATIVE]
DRAWN = 40 if PROVING else 3  # for each operation; three of the roles ask, in turns
# It asks each again without credentials: one session and one token are enough for that.
WITHOUT, PROBED = CHECKS.get_one("ignored_auth"), ("viewer", "token", "anonymous")
CONFIG: dict[str, Any] = {
    "generation": {"with-security-parameters": False},  # a role brings its own
    "checks": {
        # The document gives the form alone. 400: a cursor is signed, a name is not taken from
        # another script. 412: one ETag is the current one. 422: what a policy says is read later.
        "positive_data_acceptance": {
            "expected-statuses": ["2xx", "400", "401", "403", "404", "409", "412", "422"]
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
    """The requests, drawn and one by one."""
    return drawn(int(pytestconfig.getoption("--hypothesis-seed") or 1)), corners()


@pytest.mark.parametrize("role", WHO)
def test_no_operation_breaks_its_document(
    role: str, requests: tuple[list[Any], list[Any]], asking: Asking
) -> None:
    mine, sent = WHO.index(role), asking.credentials(role)
    at_random, cornered = requests
    if not PROVING:
        at_random, cornered = at_random[mine :: len(WHO)], cornered[mine :: 8 * len(WHO)]
    wrong = [
        problem
        for number, case in enumerate([*at_random, *cornered])
        if (problem := ask(asking, role, sent, case, known=bool(number % 2)))
    ]
    assert not wrong, f"{len(wrong)} wrong answers\n\n" + "\n\n".join(wrong)


@functools.cache
def document() -> Any:
    """Return the published document."""
    return loaded(yaml.safe_load(SNAPSHOT.read_text()), CONFIG)


def drawn(seed: int) -> list[Any]:
    """Return the requests that hypothesis draws for each operation."""
    return [
        case
        for found in document().get_all_operations()
        for case in collected(either(found.ok()), seed, DRAWN)
    ]


def either(operation: Any) -> Any:
    """Return the strategy of right and wrong requests."""
    return st.one_of([operation.as_strategy(generation_mode=mode) for mode in MODES])


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


def ask(asking: Asking, role: str, sent: dict[str, Any], case: Any, *, known: bool) -> str:
    """Send ``case`` with what ``role`` sends; return what is wrong with the answer."""
    case = case.derive()
    if known:
        asking.aim(role, case)
    checks = [one for one in EVERY_CHECK if role in PROBED or one is not WITHOUT]
    return asking.ask(case, checks, **sent)[1]
