"""What a version says of itself stays small enough for a log that gets all of it each time."""

from typing import Any

import pytest

from apps.registry import rules
from apps.registry.rules import size

HONEST: dict[str, Any] = {
    "parameters": {"depth": 3},
    "lineage": {"datasets": [{"name": "d", "digest": "sha256:" + "0" * 64}] * 100},
    "signature": {
        side: [
            {"name": f"feature_number_{n}", "type": "double", "tags": ["personal"]}
            for n in range(2000)
        ]
        for side in ("inputs", "outputs")
    },
    "example": [{f"feature_number_{n}": 0.1234567 for n in range(2000)}] * 10,
    "expected": [[0.25] * 2000] * 10,
}


def test_a_wide_table_with_rows_of_example_is_no_trouble() -> None:
    assert size.size_faults(HONEST) == []
    assert rules.signature_faults(HONEST["signature"]) == []


def test_an_image_in_the_example_is_no_trouble() -> None:
    picture = [[[128, 255, 0]] * 224] * 224
    assert size.size_faults(HONEST | {"example": [{"image": picture}]}) == []
    exact = [[[0.4862745225429535] * 3] * 224] * 224
    frozen = HONEST | {"example": [{"image": exact}], "signature": None, "expected": None}
    assert size.size_faults(frozen, size.MAX_FROZEN_BYTES) == []


@pytest.mark.parametrize(
    ("field", "value", "what"),
    [
        ("parameters", {str(n): "x" * 9000 for n in range(300)}, "2 MiB together as JSON"),
        ("expected", [[5e-324] * 10_000], "2 MiB together as JSON"),
        ("example", [[[]] * 500_000], "32 MiB together of memory, once read"),
        ("expected", ["\ud800" * 3_000_000], "2 MiB together as JSON"),
    ],
)
def test_the_largest_field_is_named_with_what_to_do(field: str, value: Any, what: str) -> None:
    [fault] = size.size_faults(HONEST | {field: value})
    assert fault.pointer == f"/{field}"
    assert what in fault.detail
    assert "say less" in fault.detail


def test_rows_are_counted_before_there_is_a_signature_to_fit() -> None:
    assert rules.rows_faults([[]] * 100, "/example") == []
    assert [f.pointer for f in rules.rows_faults([[]] * 101, "/example")] == ["/example"]
