"""Values as the log holds them."""

from datetime import UTC, datetime

import pytest

from apps.audit.actions import plain
from apps.audit.events import EventKind, declared


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
    exported, forgotten = declared("audit.exported.v1"), declared("long.forgotten{.v1")
    assert exported.sentence({"count": 7}) == "Exported audit events: 7"
    assert exported.sentence({}) == exported.line({}) == "Exported audit events: …"
    assert forgotten.sentence({}) == forgotten.line({}) == "long.forgotten{.v1"


def test_a_sentence_has_values_as_they_were_logged() -> None:
    every = "{a:id}, {b:word}, {c:file}, {d:time}, {e:bytes}, with {f:weight}"
    said = EventKind("told.v1", every).sentence(
        {"a": "rel_" + "0" * 32, "b": "smoke_test", "c": 1, "d": 600, "e": 5000, "f": 250}
    )
    assert said == f"rel_{'0' * 32}, smoke_test, 1 files, 600 s, 5000 bytes, with weight 250"
