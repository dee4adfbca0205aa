"""Who or what ended an emergency release is said wherever it stands, for ever."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest

from apps.assurance.actions import recall
from apps.audit.events import declared
from apps.audit.models import Event
from apps.audit.queries.bodies import body_of
from apps.governance import actions
from apps.governance.models import BreakGlass, Release
from apps.identity.actions import deactivate_person
from apps.identity.models import User
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now
from tests.support import factories
from tests.support.break_glass import POLICY, SAID, broken, fragile, opened
from tests.support.page_text import text_of
from tests.support.world import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(world: World) -> World:
    """The project, whose staging lets two people break the glass."""
    return fragile(world)


def shown(world: World, path: str) -> str:
    answer = factories.browser(world.people["Ada"]).get(path)
    assert answer.status_code == 200
    return text_of(answer.content.decode())


def by_hand(world: World, glass: BreakGlass) -> None:
    actions.end_break_glass(glass, actor=world.vera)


def by_policy(world: World, glass: BreakGlass) -> None:
    world.policy("staging", POLICY + SAID + "expires_after_days: 9\n")


def by_time(world: World, glass: BreakGlass) -> None:
    BreakGlass.objects.filter(pk=glass.pk).update(until=now() - timedelta(minutes=1))
    assert actions.end_break_glasses_due() == 1


def by_withdrawal(world: World, glass: BreakGlass) -> None:
    actions.withdraw(glass.release, actor=world.ada)


ENDS: dict[str, Callable[[World, BreakGlass], object]] = {
    "ended by Vera risk": by_hand,
    "ended by policy r": by_policy,
    "its release was withdrawn": by_withdrawal,
}


@pytest.mark.parametrize("signed", [opened, broken])
@pytest.mark.parametrize("why", ENDS)
def test_it_says_on_its_page_in_the_list_and_the_api_who_or_what_ended_it(
    world: World, why: str, signed: Callable[[World, Release], BreakGlass]
) -> None:
    glass = signed(world, world.request("staging", plan={"start": "manual"}))
    ENDS[why](world, glass)
    for path in ("/break-glass/", f"/break-glass/{glass.pk}/"):
        page = shown(world, path)
        assert re.search(rf"– Ended[\s\S]*{why}", page), path
        assert "Lapsed" not in page
    told = factories.api(world.people["Ada"]).get(f"/api/v1/break-glass/{glass.pk}").json()
    assert (told["standing"], told["how_ended"].startswith(why)) == ("ended", True)


@pytest.mark.parametrize(
    ("signed", "standing", "how"),
    [
        (opened, "lapsed", "nobody else signed it in time"),
        (broken, "ended", "it lapsed unused"),
    ],
)
def test_one_whose_time_ran_out_says_so_and_lapsed_where_nobody_co_signed_it(
    world: World, signed: Callable[[World, Release], BreakGlass], standing: str, how: str
) -> None:
    glass = signed(world, world.request("staging", plan={"start": "manual"}))
    by_time(world, glass)
    told = factories.api(world.people["Ada"]).get(f"/api/v1/break-glass/{glass.pk}").json()
    assert (told["standing"], told["how_ended"]) == (standing, how)
    assert how in shown(world, f"/break-glass/{glass.pk}/")


def test_that_a_recall_ended_it_stays_said_once_it_is_reviewed(world: World) -> None:
    glass = broken(world, world.request("staging", plan={"start": "manual"}))
    vera = world.people["Vera"]
    recall(kind="person", what=vera.pk, project=None, reason="Gone", actor=SYSTEM)
    said = {"finding": "justified", "findings": "I looked"}
    glass.refresh_from_db()
    actions.review_break_glass(glass, **said, actor=world.vito)
    for path in ("/break-glass/", f"/break-glass/{glass.pk}/"):
        page = shown(world, path)
        assert "✕ Ended by a recall" in page and "✓ Justified" in page, path
        assert "ended by the recall of what Vera risk signed" in page, path
    told = factories.api(world.people["Ada"]).get(f"/api/v1/break-glass/{glass.pk}").json()
    assert (told["state"], told["standing"]) == ("reviewed", "ended_by_recall")


def test_one_that_waits_ends_with_the_access_of_who_started_it_and_says_so(world: World) -> None:
    release = world.request("staging")
    glass = opened(world, release)
    deactivate_person(world.people["Rob"], actor=SYSTEM)
    glass.refresh_from_db()
    assert glass.state == "lapsed"
    why = "Rob risk, who started it, was deactivated"
    for path in ("/break-glass/", f"/break-glass/{glass.pk}/"):
        assert why in shown(world, path), path
    event = Event.objects.get(kind="break_glass.lapsed.v1", subject=release.pk)
    said = declared(event.kind).line(body_of(event.body)["data"])
    assert said.endswith("ended before it took effect: who started it was deactivated")


def test_one_that_was_started_while_its_starter_was_deactivated_ends_by_itself(
    world: World,
) -> None:
    glass = opened(world, world.request("staging"))
    assert actions.end_break_glasses_due() == 0
    User.objects.filter(pk=world.people["Rob"].pk).update(is_active=False)
    assert actions.end_break_glasses_due() == 1
    told = factories.api(world.people["Ada"]).get(f"/api/v1/break-glass/{glass.pk}").json()
    assert told["how_ended"] == "Rob risk, who started it, was deactivated"


def test_one_that_is_active_goes_on_without_who_started_it(world: World) -> None:
    glass = broken(world, world.request("staging", plan={"start": "manual"}))
    deactivate_person(world.people["Rob"], actor=SYSTEM)
    assert actions.end_break_glasses_due() == 0
    glass.refresh_from_db()
    assert glass.state == "confirmed"
