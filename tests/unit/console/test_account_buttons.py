"""How the buttons of account pages look, which are allauth's."""

from typing import Any

import pytest

from apps.console.templatetags.components import account_button


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({}, "btn btn-primary"),
        ({"tags": ["danger", "delete"], "href": "/x"}, "btn btn-danger"),
        ({"tags": ["outline", "cancel"]}, "btn btn-link"),
        ({"tags": ["mfa", "tool"]}, "btn"),
        ({"href": "/x"}, "btn"),
        ({"tags": ["primary"]}, "btn btn-primary"),
    ],
)
def test_a_button_of_an_accounts_page_looks_as_its_tags_say(
    attributes: dict[str, Any], said: str
) -> None:
    assert account_button(attributes) == said
