"""Values as the log holds them."""

from datetime import UTC, datetime

import pytest

from apps.audit.actions import plain
from apps.audit.queries import sentence


@pytest.mark.parametrize(
    ("value", "logged"),
    [
        (datetime(2026, 11, 25, 9, 58, tzinfo=UTC), "2026-11-25T09:58:00.000000Z"),
        (b"\x00\xff", "AP8="),
        (memoryview(b"x"), "eA=="),
        (2**53 - 1, 2**53 - 1),
        (2**53, "9007199254740992"),
        (-(2**60), "-1152921504606846976"),
        (True, True),
        (None, None),
        ({"n": [2**53, 1.5, None]}, {"n": ["9007199254740992", 1.5, None]}),
        ("text", "text"),
    ],
)
def test_every_value_has_one_form_that_json_holds_exactly(value: object, logged: object) -> None:
    assert plain(value) == logged


def test_a_sentence_is_made_from_the_data_and_forgives_what_is_missing() -> None:
    assert sentence("audit.exported.v1", {"count": 7}) == "Exported 7 audit events"
    assert sentence("audit.exported.v1", {}) == "Exported … audit events"
    assert sentence("long.forgotten.v1", {}) == "long.forgotten.v1"
