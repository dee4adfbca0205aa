"""An emergency release ends with its release, or where that goes on without it, and says so."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest

from apps.assurance.actions import recall
from apps.audit.events import declared
from apps.audit.models import Event
from apps.audit.queries.bodies import body_of
from apps.governance import actions
from apps.governance.actions.after_deletion import retire
from apps.governance.models import BreakGlass, Release
from apps.governance.queries.break_glass import break_glass_views
from apps.governance.queries.visible_rows import menu
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now
from tests.support import factories
from tests.support.break_glass import broken, confirmed, fragile, opened
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


def banner(world: World) -> str:
    """Return what every page says above the rest."""
    page = factories.browser(world.people["Ada"]).get("/").content.decode()
    found = re.search('<section aria-label="Emergency releases">(.*?)</section>', page, re.DOTALL)
    assert found
    return " ".join(re.sub("<[^>]+>", " ", found[1]).split())


def approved(world: World) -> tuple[Release, BreakGlass]:
    """A release that its quorum approved while an emergency release of it awaits co-signature."""
    release = world.request("staging", plan={"start": "manual"})
    glass = opened(world, release)
    for who in (world.rex, world.vera):
        world.decide(release, who)
    release.refresh_from_db()
    return release, glass


def told_last(release: Release) -> str:
    """Return what the log says last of an emergency release of ``release``."""
    rows = Event.objects.filter(subject=release.pk, kind__startswith="break_glass.")
    event = rows.order_by("-index")[0]
    return declared(event.kind).line(body_of(event.body)["data"])


def test_one_whose_release_was_approved_without_it_does_not_await_a_co_signature(
    world: World,
) -> None:
    _, glass = approved(world)
    page = shown(world, f"/break-glass/{glass.pk}/")
    assert "– Not needed" in page and "release 1 was approved without it" in page
    told = banner(world)
    assert "is not needed: the release was approved without it, ends" in told
    assert "awaits" not in told
    for wrong in (
        "Awaiting co-signature",
        "awaits co-signature",
        "Once it is co-signed",
        "not yet",
    ):
        assert wrong not in page, wrong
    assert "Waiting for" not in page
    assert "– Not needed" in shown(world, "/break-glass/")


def test_it_ends_in_the_same_transaction_in_which_its_release_starts_without_it(
    world: World,
) -> None:
    release, glass = approved(world)
    actions.begin_rollout(release, actor=SYSTEM)
    glass.refresh_from_db()
    assert (glass.state, glass.used_at, menu(world.ada).glasses) == ("lapsed", None, [])
    why = "its release started without it"
    assert told_last(release).endswith(f"ended before it took effect: {why}")
    actions.mark_live(release, actor=SYSTEM)
    page = shown(world, f"/break-glass/{glass.pk}/")
    assert f"– Ended · {why}" in page and "not by this emergency release" in page
    assert "await" not in page and "Once it is co-signed" not in page
    assert why in shown(world, "/break-glass/")


def test_one_that_was_confirmed_and_not_used_ends_too_and_stays_to_be_reviewed(
    world: World,
) -> None:
    actions.set_freeze(world.environment("staging"), reason="Holidays", actor=world.otto)
    release, glass = approved(world)
    confirmed(world, glass, world.vito)
    freeze = world.environment("staging").freezes.get()
    actions.lift_freeze(freeze, actor=world.otto)
    actions.begin_rollout(release, actor=SYSTEM)
    glass.refresh_from_db()
    assert (glass.state, glass.used_at) == ("ended", None)
    listed = shown(world, "/break-glass/")
    assert "not rolled out by it" in listed and "its release started without it" in listed
    assert "◷ Open" in listed, "its review"


def test_what_an_earlier_version_of_placet_left_open_ends_by_itself(world: World) -> None:
    release, glass = approved(world)
    Release.objects.filter(pk=release.pk).update(state="live", live_at=now())
    assert actions.end_break_glasses_due() == 1
    glass.refresh_from_db()
    assert glass.state == "lapsed"


def reject(world: World, release: Release) -> None:
    world.decide(release, world.rex, verdict="reject")


def expire(world: World, release: Release) -> None:
    Release.objects.filter(pk=release.pk).update(not_after=now() - timedelta(hours=1))
    assert actions.expire_due() == 1


def roll_back(world: World, release: Release) -> None:
    actions.begin_rollout(release, actor=SYSTEM)
    actions.mark_live(release, actor=SYSTEM)
    actions.mark_rolled_back(release, actor=SYSTEM)


def retired(world: World, release: Release) -> None:
    actions.begin_rollout(release, actor=SYSTEM)
    actions.mark_live(release, actor=SYSTEM)
    retire(release.endpoint, SYSTEM)


def revoke(world: World, release: Release) -> None:
    what = {"kind": "bento", "what": release.bento_id, "project": world.project}
    recall(**what, reason="It leaks", actor=SYSTEM)


ENDS: dict[str, tuple[bool, Callable[[World, Release], object]]] = {
    "was withdrawn": (False, lambda world, release: actions.withdraw(release, actor=world.ada)),
    "was rejected": (False, reject),
    "expired": (True, expire),
    "was rolled back": (True, roll_back),
    "was retired": (True, retired),
    "was revoked": (True, revoke),
}


@pytest.mark.parametrize("why", ENDS)
def test_it_ends_in_the_same_transaction_in_which_its_release_does(world: World, why: str) -> None:
    whole, end = ENDS[why]
    release = world.request("staging", plan={"start": "manual"})
    glass = broken(world, release) if whole else opened(world, release)
    end(world, release)
    glass.refresh_from_db()
    assert (glass.state, menu(world.ada).glasses) == ("ended" if whole else "lapsed", [])
    assert told_last(release).endswith(f": its release {why}")
    assert f"its release {why}" in shown(world, f"/break-glass/{glass.pk}/")


def test_one_that_was_used_says_what_is_live_by_it_and_when_its_review_is_due(
    world: World,
) -> None:
    release = world.request("staging")
    glass = broken(world, release)
    assert "The rollout can start until" in shown(world, f"/break-glass/{glass.pk}/")
    actions.begin_rollout(release, actor=SYSTEM)
    actions.mark_live(release, actor=SYSTEM)
    page = shown(world, f"/break-glass/{glass.pk}/")
    assert "▲ Used" in page
    told = banner(world)
    assert told.startswith("▲ Emergency release used:") and "is live by it, review due" in told
    assert f"It was used: the rollout of release {release.number} was started by it" in page
    assert "and is live" in page
    for wrong in ("▲ Active", "can start"):
        assert wrong not in page, wrong
    assert "▲ Used" in shown(world, "/break-glass/")


def test_it_is_running_as_long_as_its_release_is_whatever_its_review_found(world: World) -> None:
    release = world.request("staging")
    glass = broken(world, release)
    actions.begin_rollout(release, actor=SYSTEM)
    actions.mark_live(release, actor=SYSTEM)
    actions.end_break_glass(glass, actor=world.vera)
    assert "Serving with an open review" in shown(world, "/break-glass/")
    said = {"finding": "justified", "findings": "I looked"}
    done = actions.review_break_glass(glass, **said, actor=world.vito)
    assert break_glass_views([done])[0].running
    answer = factories.api(world.people["Ada"]).get(f"/api/v1/break-glass/{glass.pk}")
    assert (answer.json()["running"], answer.json()["review"]) == (True, "closed")
    listed = shown(world, "/break-glass/")
    assert "Serving by it" in listed and "open review" not in listed
    assert "its review is still open" not in shown(world, f"/break-glass/{glass.pk}/")
    actions.mark_rolled_back(release, actor=SYSTEM)
    row = BreakGlass.objects.get(pk=glass.pk)
    assert not break_glass_views([row])[0].running
