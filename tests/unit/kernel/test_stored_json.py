"""Numbers of stored JSON come back as those whose bytes were hashed."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from placet.kernel.stored_json import HashedJSONField, StoredNumbers
from placet_verify import canonical
from placet_verify.errors import Malformed


def given_back(value: float) -> str:
    """Return a number as PostgreSQL writes one that was stored as JSON: it keeps every digit of a
    decimal number, and knows no exponent."""
    return format(Decimal(json.dumps(value)), "f")


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53) + 1, 2**53 - 1))
def test_a_number_has_the_bytes_that_it_had_before_it_was_stored(number: float) -> None:
    read = json.loads(given_back(number), cls=StoredNumbers)
    assert canonical.dumps({"n": read}) == canonical.dumps({"n": number})


@pytest.mark.parametrize("number", [1e16, -1e16, 123456789012345680.0, 1e21, 1e23, 1.7e308, 2e53])
def test_whole_numbers_that_a_float_writes_are_that_float(number: float) -> None:
    read = json.loads(given_back(number), cls=StoredNumbers)
    assert (read, type(read)) == (number, float)


@pytest.mark.parametrize("text", ["9007199254740993", "1" + "0" * 400, "-9007199254740993"])
def test_what_no_float_writes_stays_what_it_is_and_has_no_canonical_form(text: str) -> None:
    read = json.loads(text, cls=StoredNumbers)
    assert read == int(text)
    with pytest.raises(Malformed):
        canonical.dumps(read)


def test_migrations_know_it_as_any_other_json() -> None:
    _, path, args, options = HashedJSONField(null=True).deconstruct()
    assert (path, args, options) == ("django.db.models.JSONField", [], {"null": True})
