"""The members of a project say of each role since when it is held."""

from datetime import timedelta

import pytest

from apps.identity.actions import grant_role
from apps.identity.models import RoleBinding
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now
from tests.support.factories import browser
from tests.support.page_text import text_of
from tests.support.world import World

pytestmark = pytest.mark.django_db


def test_a_new_role_is_not_said_to_be_as_old_as_the_first_one(world: World) -> None:
    RoleBinding.objects.update(created_at=now() - timedelta(days=40))
    grant_role(role="viewer", person=world.people["Vito"], project=world.project, actor=SYSTEM)
    page = text_of(browser(world.people["Vito"]).get("/projects/risk/members/").content.decode())
    held = " ".join(page.split())
    assert "approver (ago) viewer (ago)" in held, held
