"""What the page of an environment's policies says of a draft before somebody publishes it."""

import pytest

from apps.governance.actions import draft_policy
from apps.governance.models import PolicyRevision
from tests.support.factories import browser
from tests.support.page_text import text_of
from tests.support.world import World

pytestmark = pytest.mark.django_db
PLACE = "/policies/risk/staging/"
NINE = """\
version: 1
gates:
  - {gate: build}
  - {gate: approvals, role: approver, count: 9}
"""


def drafted(world: World, source: str) -> PolicyRevision:
    """Return what Vera drafted for staging."""
    return draft_policy(world.environment("staging"), source=source, actor=world.vera)


def page(world: World, who: str = "Vito") -> str:
    """Return the page of staging's policies as text, as ``who`` reads it."""
    return text_of(browser(world.people[who]).get(PLACE).content.decode())


def test_a_draft_that_asks_for_more_people_than_there_are_says_so(world: World) -> None:
    drafted(world, NINE)
    assert "It asks for 9 approvers, and only 2 people hold that role here (" in page(world)
