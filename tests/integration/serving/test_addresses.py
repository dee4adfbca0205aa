"""Where clients reach an endpoint: as its target says, and never by a guess."""

import pytest

from apps.serving.actions import create_endpoint, create_target, update_target
from apps.serving.models import Endpoint, Target
from apps.serving.queries import endpoint_url
from placet.kernel.actor import SYSTEM
from tests.support.factories import api, browser, person
from tests.support.world import World

pytestmark = pytest.mark.django_db
SAYS = "ward-2 has no address yet: placet target edit ward-2 --url https://…"


@pytest.fixture
def apart(world: World) -> Endpoint:
    """An endpoint on a second target, whose address nobody has said."""
    return create_endpoint(
        world.project, environment="staging", name="probe",
        target=world.another_target("ward-2", "staging"), actor=SYSTEM,
    )  # fmt: skip


def test_the_address_of_another_target_is_never_that_of_the_first(
    world: World, apart: Endpoint
) -> None:
    otto, path = world.people["Otto"], f"/endpoints/{apart.pk}"
    found = api(otto).get(path).json()
    assert (found["url"], found["no_address"]) == ("", SAYS)
    shown = browser(otto).get(f"/endpoints/{apart.pk}/").content.decode()
    assert SAYS in shown
    assert "/risk/staging/probe/predict" not in shown
    refused = api(otto).post(f"{path}/predict", {"a": 1})
    assert (refused.status_code, refused.json()["detail"]) == (502, SAYS)
    update_target(apart.target, url="https://ward-2.example:8443", actor=SYSTEM)
    found = api(otto).get(path).json()
    assert (found["url"], found["no_address"]) == (
        "https://ward-2.example:8443/risk/staging/probe", "",
    )  # fmt: skip


def test_the_target_that_comes_with_placet_and_an_only_one_have_the_usual_address(
    world: World,
) -> None:
    local = create_endpoint(
        world.project, environment="staging", name="probe", target=world.target, actor=SYSTEM
    )
    assert endpoint_url(local) == "http://localhost:8080/risk/staging/probe"
    Target.objects.filter(pk=world.target.pk).update(name="plant-7")
    assert endpoint_url(Endpoint.objects.get()) == "http://localhost:8080/risk/staging/probe"
    create_target(name="plant-8", actor=SYSTEM)
    assert endpoint_url(Endpoint.objects.get()) == ""


def test_who_manages_targets_changes_the_address_on_the_page(world: World, apart: Endpoint) -> None:
    olga = person("Olga", roles={"operator": None})
    page = browser(olga).get("/targets/ward-2/").content.decode()
    assert SAYS in page
    form = {"url": "https://ward-2.example", "revision": "1", "next": "/targets/ward-2/"}
    changed = browser(olga).post("/targets/ward-2/address", form, follow=True)
    assert "https://ward-2.example</dd>" in changed.content.decode()
    assert Target.objects.get(name="ward-2").url == "https://ward-2.example"
    browser(olga).post("/targets/ward-2/address", form | {"url": "https://late.example"})
    assert Target.objects.get(name="ward-2").url == "https://ward-2.example", "it had changed"
    odd = form | {"revision": "2", "url": "ward-2:1"}
    refused = browser(olga).post("/targets/ward-2/address", odd, follow=True)
    assert "Give an http:// or https:// address" in refused.content.decode()
