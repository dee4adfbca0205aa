"""What is typed where a form wants a whole number and is none is refused by the field's name."""

from html import unescape

import pytest

from apps.monitoring.models import Objective
from apps.rollouts.models import DrillSchedule
from apps.serving.models import Target
from tests.support import factories
from tests.support.factories import browser
from tests.support.world import World

pytestmark = pytest.mark.django_db
ODD = ("x", "1e3", "-1", "1.0", "²", "٣", "9999999999")


def said(answer: object) -> str:
    return unescape(answer.content.decode())  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("place", "field", "form"),
    [
        ("scale", "replicas", {}),
        ("delete", "generation", {}),
        ("objective", "generation", {"availability": "99"}),
        ("objective", "generation", {"do": "remove"}),
        ("drill-schedule", "every_days", {"hour": "3"}),
        ("drill-schedule", "hour", {"every_days": "30"}),
        ("drill-schedule", "generation", {"every_days": "30", "hour": "3"}),
        ("drill-schedule", "generation", {"do": "remove"}),
    ],
)
def test_a_form_of_an_endpoint_says_which_field_holds_no_whole_number(
    world: World, place: str, field: str, form: dict[str, str]
) -> None:
    endpoint = world.live("development").endpoint
    client = browser(world.people["Otto"])
    for typed in ODD:
        sent = form | {field: typed, "next": "/targets/"}
        answer = client.post(f"/endpoints/{endpoint.pk}/{place}", sent, follow=True)
        assert f"{field}: Give a whole number" in said(answer), typed
    assert not Objective.objects.exists()
    assert not DrillSchedule.objects.exists()


@pytest.mark.parametrize("typed", ODD)
def test_a_target_whose_memory_is_no_whole_number_is_not_made(typed: str) -> None:
    client = browser(factories.person("Pat", roles={"operator": None}))
    answer = client.post("/targets/new", {"name": "plant-7", "capacity_mb": typed})
    assert "capacity_mb: Give a whole number" in said(answer)
    assert not Target.objects.filter(name="plant-7").exists()


@pytest.mark.parametrize("typed", ODD)
def test_a_token_for_no_whole_number_of_days_says_so_beside_its_form(
    world: World, typed: str
) -> None:
    form = {"name": "pipeline", "scopes": ["model.view"], "days": typed}
    answer = browser(world.people["Ada"]).post("/tokens/new", form)
    assert "days: Give a whole number" in said(answer)


def test_addresses_with_odd_numbers_show_the_newest(world: World) -> None:
    world.version()
    eve = factories.person("Eve", roles={"contributor": world.project, "auditor": None})
    client = browser(eve)
    for typed in ODD:
        assert client.get("/models/risk/churn/", {"before": typed}).status_code == 200
        assert client.get("/audit/", {"before": typed}).status_code == 200
