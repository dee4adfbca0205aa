"""Somebody who writes a program opens the API's description."""

from collections.abc import Callable

import pytest

from tests.browser.conftest import Visitor

pytestmark = pytest.mark.browser


def test_the_description_of_the_api_opens_without_a_foreign_request_or_an_error(
    visit: Callable[..., Visitor],
) -> None:
    visitor = visit("approver")
    page = visitor.go("/api/docs/")
    page.locator(".opblock-summary-path", has_text="/api/v1/alerts").first.wait_for()
    operation = page.locator(".opblock").first
    operation.locator(".opblock-summary-control").click()
    operation.locator(".opblock-body").wait_for()
    assert visitor.errors == []
    assert visitor.foreign == []
