"""Pages say where a request opens by itself, when, what became of it, and for whom."""

import html
from typing import Any

import pytest
from django.utils.html import strip_tags

from apps.governance import actions
from apps.governance.models import Environment, Release
from apps.identity.actions import revoke_role
from apps.identity.models import RoleBinding
from apps.serving.actions import stop_endpoint
from placet.kernel.actor import SYSTEM, Actor
from tests.integration.governance.test_promotion import (
    GATES,
    ONE,
    SETTING,
    SOAK,
    live_since,
    operator_of,
)
from tests.support.factories import browser
from tests.support.world import World

pytestmark = pytest.mark.django_db
NONE = "No request opens by itself when a release has soaked here."
STAGING = "/projects/risk/environments/staging/"


@pytest.fixture
def staging(world: World) -> Environment:
    """Staging, from where what soaked an hour is asked for in production."""
    world.policy("production", GATES + SOAK + ONE)
    place = world.environment("staging")
    return actions.update_environment(place, promote=SETTING, actor=world.otto)


def text_of(answer: Any) -> str:
    """Return what a page says, in one line."""
    return " ".join(html.unescape(strip_tags(answer.content.decode())).split())


def said(release: Release, who: Actor) -> str:
    """Return what the page of a release says."""
    return text_of(browser(who).get(f"/releases/{release.pk}/"))


def of_staging(who: Actor) -> str:
    """Return what the page of staging says."""
    return text_of(browser(who).get(STAGING))


def save(world: World, who: Actor, **typed: str) -> str:
    """Send the form on the page of staging; return what the page says then."""
    revision = world.environment("staging").revision
    sent = {"version": str(revision), "next": STAGING} | typed
    return text_of(browser(who).post(f"{STAGING}promote", sent, follow=True))


def test_who_manages_environments_sets_it_in_a_form(world: World) -> None:
    world.policy("production", GATES + SOAK + ONE)
    assert NONE in of_staging(world.otto)
    text = save(world, world.otto, to="production", plan="canary")
    assert "a request in production with the plan canary opens by itself, on behalf of" in text
    assert "Set by Otto risk." in text
    assert NONE in save(world, world.otto, to="", plan="canary")


def test_a_refusal_says_what_to_do(world: World) -> None:
    world.policy("production", GATES + ONE)
    text = save(world, world.otto, to="production")
    assert "The policy of production asks for no soaking in staging: publish a revision" in text
    assert NONE in text


def test_an_old_form_undoes_nothing(staging: Environment, world: World) -> None:
    save(world, world.otto, to="", version="1")
    assert world.environment("staging").promote_to is not None


def test_others_read_it_and_have_no_form(staging: Environment, world: World) -> None:
    text = of_staging(world.rex)
    assert "a request in production opens by itself, on behalf of whoever requested it here" in text
    assert "Save promotion" not in text
    assert "Save promotion" in of_staging(world.otto)


def test_who_manages_staging_alone_is_refused(world: World) -> None:
    world.policy("production", GATES + SOAK + ONE)
    text = save(world, operator_of(world, "staging"), to="production")
    assert NONE in text


def test_a_policy_that_changed_meanwhile_is_said_on_both_pages(
    staging: Environment, world: World
) -> None:
    source = live_since(world, 600)
    world.policy("production", GATES + ONE)
    says = "The policy of production asks for no soaking in staging"
    assert f"Nothing is requested: {says}" in of_staging(world.rex)
    assert f"Not requested in production by itself: {says}" in said(source, world.rex)


def test_what_soaks_says_when_its_request_opens(staging: Environment, world: World) -> None:
    source = live_since(world, 1800)
    text = said(source, world.rex)
    assert "Opens a request in production once it has soaked 1 h: in " in text
    stop_endpoint(source.endpoint, actor=world.otto)
    assert "once it has soaked 1 h: not while its endpoint is stopped" in said(source, world.rex)


def test_what_has_soaked_says_that_it_opens_soon(staging: Environment, world: World) -> None:
    source = live_since(world, 7200)
    text = said(source, world.rex)
    assert "Opens a request in production once it has soaked 1 h: within half a minute" in text


def test_both_releases_say_how_one_came_of_the_other(staging: Environment, world: World) -> None:
    source = live_since(world, 7200)
    actions.open_promoted()
    opened = Release.objects.get(environment__name="production")
    assert f"Opened release {opened.number} in production" in said(source, world.rex)
    text = said(opened, world.rex)
    assert f"Requested by itself after release {source.number} soaked in staging, for Ada" in text
    own = said(opened, world.ada)
    assert "opened by itself for Ada risk (Otto risk set that)" in text
    assert "opened by itself for you (Otto risk set that)" in own
    assert "This release opened by itself for you: others have to decide" in own
    assert "Opened by itself for you (Otto risk set that)" in own, "above its reason"
    assert not any("equested by Placet" in one for one in (text, own))
    for path in ("/releases/", f"/releases/{opened.pk}/evidence/", "/inbox/"):
        listed = text_of(browser(world.vera).get(path))
        assert "opened by itself for Ada risk (Otto risk set that)" in listed, path


def test_what_could_not_be_opened_says_why(staging: Environment, world: World) -> None:
    source = live_since(world, 7200)
    for role in RoleBinding.objects.filter(person=world.people["Ada"]):
        revoke_role(role, actor=SYSTEM)
    actions.open_promoted()
    why = f"Whoever requested release {source.number} may not request releases in production"
    assert f"Not requested in production by itself: {why}" in said(source, world.rex)


def test_what_people_requested_there_already_is_said(staging: Environment, world: World) -> None:
    source = live_since(world, 600)
    asked = world.request("production", source.bento)
    text = said(source, world.rex)
    assert f"it was requested there by release {asked.number}" in text


def test_without_a_setting_nothing_is_said(world: World) -> None:
    text = said(live_since(world, 600), world.rex)
    assert "by itself" not in text
    assert "Opens a request" not in text
