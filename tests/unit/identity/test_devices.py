"""The codes of a login by the browser, and how often a device may ask."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.identity.rules.devices import (
    LETTERS,
    SLOWEST,
    is_early,
    network_of,
    new_user_code,
    read_user_code,
    shown_code,
    slower,
)

AT = datetime(2026, 1, 2, tzinfo=UTC)


def test_a_code_is_eight_letters_that_make_no_word() -> None:
    code = new_user_code()
    assert len(code) == 8
    assert set(code) <= set(LETTERS)
    assert not set("AEIOUY01") & set(LETTERS)
    assert len({new_user_code() for _ in range(100)}) == 100


def test_a_code_is_read_however_it_was_typed() -> None:
    code = new_user_code()
    for typed in (code, shown_code(code), shown_code(code).lower(), f" {code[:4]} {code[4:]}\n"):
        assert read_user_code(typed) == code


@pytest.mark.parametrize("typed", ["", "BCDF", "BCDF-GHJKL", "ABCD-FGHJ", "BCDF-GHJ0", "B" * 9999])
def test_what_is_no_code_is_none(typed: str) -> None:
    assert read_user_code(typed) is None


@given(st.text(max_size=60))
def test_whatever_is_typed_is_a_code_or_none(typed: str) -> None:
    code = read_user_code(typed)
    assert code is None or (len(code) == 8 and set(code) <= set(LETTERS))


def test_a_device_that_asks_too_soon_waits_longer_but_not_for_ever() -> None:
    assert not is_early(None, AT, 3)
    assert is_early(AT, AT + timedelta(seconds=1), 3)
    assert not is_early(AT, AT + timedelta(seconds=2.9), 3)
    assert not is_early(AT, AT + timedelta(seconds=3), 3)
    assert slower(3) == 8
    assert slower(SLOWEST) == SLOWEST


def test_an_address_is_counted_by_what_one_has_of_it() -> None:
    assert network_of("203.0.113.5") == "203.0.113.5"
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff:2") == "2001:db8::/64"
    assert network_of("x" * 99) == "x" * 45
