"""The set-up list of Home: who is shown it, what it tells whom, and how it goes."""

import re

import pytest

from apps.identity.actions import create_project
from apps.identity.models import Project
from apps.jobs.models import Job
from placet.kernel.actor import SYSTEM
from tests.support.factories import browser, person
from tests.support.world import World

pytestmark = pytest.mark.django_db
RENEWED = {"HTTP_HX_REQUEST": "true"}


def points(text: str) -> dict[str, str]:
    """Return the points of a page by name, and whether each is done."""
    return dict(re.findall(r'id="setup-(\w+)" data-done="(\w+)"', text))


def test_a_fresh_administrator_is_led_and_told_who_does_what_they_do_not() -> None:
    ann = browser(person("Ann", roles={"admin": None}))
    text = ann.get("/").content.decode()
    named = ["people", "policy", "node", "version", "release", "approval", "live"]
    assert list(points(text)) == named
    assert set(points(text).values()) == {"no"}
    assert "Done by: reviewer, product-reviewer, security-reviewer or approver" in text
    assert "Load sample data" in text
    assert "placet login" not in text


def test_a_data_scientist_gets_the_commands_for_this_address_and_their_project() -> None:
    clinic = create_project(slug="clinic", name="Clinic", actor=SYSTEM)
    text = browser(person("Ada", roles={"contributor": clinic})).get("/").content.decode()
    assert points(text)["policy"] == "yes"
    assert "placet login http" in text
    assert "placet model register --project clinic" in text
    assert "Load sample data" not in text


def test_who_can_do_none_of_it_is_not_shown_it() -> None:
    clinic = create_project(slug="clinic", name="Clinic", actor=SYSTEM)
    for role in ("viewer", "auditor"):
        assert not points(browser(person(role, roles={role: clinic})).get("/").content.decode())


def test_ticks_are_of_what_the_reader_may_see_but_for_who_sets_all_of_it_up(world: World) -> None:
    world.live()
    other = create_project(slug="other", name="Other", actor=SYSTEM)
    stranger = browser(person("Sam", roles={"contributor": other}))
    ann = browser(person("Ann", roles={"admin": None}))
    ada = browser(world.people["Ada"])
    seen = {
        who: points(each.get("/setup/", **RENEWED).content.decode())
        for who, each in {"stranger": stranger, "ann": ann, "ada": ada}.items()
    }
    assert [seen["stranger"][name] for name in ("version", "release", "live")] == ["no"] * 3
    for who in ("ann", "ada"):
        assert [seen[who][name] for name in ("version", "release", "live")] == ["yes"] * 3


def test_it_stays_as_it_is_while_nothing_came() -> None:
    ann = browser(person("Ann", roles={"admin": None}))
    state = re.search(r"\?was=(\w+)", ann.get("/").content.decode())
    assert state is not None
    assert ann.get(f"/setup/?was={state[1]}", **RENEWED).status_code == 204
    create_project(slug="clinic", name="Clinic", actor=SYSTEM)
    renewed = ann.get(f"/setup/?was={state[1]}", **RENEWED)
    assert points(renewed.content.decode())["policy"] == "yes"
    assert ann.get("/setup/").headers["Location"] == "/"


def test_whoever_hides_it_sees_it_no_more_and_the_cookie_is_of_this_installation_alone() -> None:
    ann = browser(person("Ann", roles={"admin": None}))
    ann.cookies["setup"] = "another installation's"
    assert points(ann.get("/").content.decode())
    assert ann.post("/setup/hide").headers["Location"] == "/"
    assert not points(ann.get("/").content.decode())


def test_sample_data_is_loaded_from_there_and_the_button_goes() -> None:
    ann = browser(person("Ann", roles={"admin": None}))
    assert ann.post("/setup/load-samples").headers["Location"] == "/projects/samples/members/"
    assert ann.post("/setup/load-samples").headers["Location"] == "/projects/samples/members/"
    assert Project.objects.filter(slug="samples").count() == 1
    text = ann.get("/").content.decode()
    assert "Sample data is being registered" in text
    assert "Load sample data" not in text


def test_who_sets_it_up_keeps_the_list_while_others_are_to_go_on(world: World) -> None:
    bento = world.bento(world.version())
    ann = browser(person("Ann", roles={"admin": None}))
    seen = points(ann.get("/").content.decode())
    assert [seen[name] for name in ("people", "policy", "version")] == ["yes"] * 3
    world.live("development", bento)
    assert not points(ann.get("/").content.decode())


def test_sample_data_that_could_not_be_registered_is_offered_again() -> None:
    ann = browser(person("Ann", roles={"admin": None}))
    ann.post("/setup/load-samples")
    assert Job.objects.filter(kind="builds.load_samples").update(state="failed") == 1
    text = ann.get("/").content.decode()
    assert "Sample data is being registered" not in text
    assert "Load sample data" in text
