"""Refusals of the framework, as problems: a title is a sentence, a detail names the case."""

import pytest
from rest_framework import exceptions as drf

from placet.kernel.api.errors import as_problem


@pytest.mark.parametrize(
    ("error", "title", "detail"),
    [
        (drf.MethodNotAllowed("PUT"), "Method not allowed.", 'Method "PUT" not allowed.'),
        (
            drf.UnsupportedMediaType("text/plain"),
            "Unsupported media type in request.",
            'Unsupported media type "text/plain" in request.',
        ),
    ],
)
def test_a_title_has_no_place_that_nobody_filled_in(
    error: drf.APIException, title: str, detail: str
) -> None:
    problem = as_problem(error)
    assert problem is not None
    assert (problem.title, problem.detail) == (title, detail)
