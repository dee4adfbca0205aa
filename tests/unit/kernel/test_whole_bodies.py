"""What is wrong with a whole body is said once, and points at no member."""

import pytest
from django.core.exceptions import ValidationError as DjangoValidationError
from rest_framework import exceptions as drf

from placet.kernel.api.errors import as_problem
from placet.kernel.api.parsers import strict_loads
from placet.kernel.problems import FieldError, InvalidInput


@pytest.mark.parametrize("body", [b"{bad", b"\xff", b'{"a": NaN}', b'{"a": "\\u0000"}', b"[" * 99])
def test_a_body_that_is_no_json_is_refused_in_one_sentence(body: bytes) -> None:
    with pytest.raises(InvalidInput) as refused:
        strict_loads(body)
    assert refused.value.detail.startswith("The body ")
    assert refused.value.errors == []


def test_what_the_framework_says_of_a_whole_body_is_the_sentence() -> None:
    whole = as_problem(drf.ValidationError({"non_field_errors": ["Expected an object"]}))
    assert whole is not None
    assert (whole.detail, whole.errors) == ("Expected an object", [])
    both = as_problem(drf.ValidationError({"non_field_errors": ["No"], "a": ["Wrong"]}))
    assert both is not None
    assert (both.detail, both.errors) == ("No", [FieldError("/a", "Wrong")])
    row = as_problem(DjangoValidationError(["One", "Two"]))
    assert row is not None
    assert (row.detail, row.errors) == ("One Two", [])
