"""Who sees a part of what there is, is told that, and not that there is nothing."""

import pytest

from apps.assurance.actions import recall
from apps.integrations.actions import add_stream, add_webhook
from apps.integrations.rules import StreamTerms, WebhookTerms
from apps.monitoring.actions import open_alert
from apps.monitoring.actions.alerts import AlertFinding
from apps.monitoring.models import AlertKind
from placet.kernel.actor import SYSTEM
from tests.support.factories import api, browser, person
from tests.support.world import World

pytestmark = pytest.mark.django_db
HIDDEN = "Any others are not visible to you."


@pytest.fixture
def world(world: World) -> World:
    """A world with a recall, an alert, a stream and a role that belong to no project."""
    recall(kind="person", what=world.people["Vito"].pk, reason="x", actor=SYSTEM)
    found = AlertFinding(AlertKind.SCHEDULE_FAILING, "backup", "job backup", "It failed.")
    open_alert(found, actor=SYSTEM)
    terms = StreamTerms("jsonl", "https://siem.example/in")
    add_stream(name="siem", terms=terms, actor=SYSTEM)
    add_webhook(name="hook-of-all", terms=WebhookTerms("https://hooks.example"), actor=SYSTEM)
    person("Alma", {"approver": None})
    return world


def shown(path: str, world: World, *, everywhere: bool) -> str:
    """Return what an auditor reads, of everything or of the project."""
    place = None if everywhere else world.project
    client = browser(person("Eve" if everywhere else "Ed", {"auditor": place}))
    return " ".join(client.get(path).content.decode().split())


@pytest.mark.parametrize(
    ("path", "none", "there"),
    [
        ("/recalls/", "No recalls that you may see", "/recalls/rcl_"),
        ("/alerts/", "No alert that you may see is open.", "It failed."),
        ("/streams/", "No log forwarding that you may see", "siem"),
        ("/webhooks/", "No webhooks that you may see", "hook-of-all"),
    ],
)
def test_an_auditor_of_one_project_is_told_that_others_are_not_visible(
    path: str, none: str, there: str, world: World
) -> None:
    page = shown(path, world, everywhere=False)
    assert none in page and HIDDEN in page and there not in page


@pytest.mark.parametrize("path", ["/recalls/", "/alerts/", "/streams/", "/webhooks/"])
def test_who_sees_everything_is_told_of_nothing_that_is_not_visible(
    path: str, world: World
) -> None:
    page = shown(path, world, everywhere=True)
    assert HIDDEN not in page and "you may see" not in page.split("<main")[1]


def test_members_say_that_roles_in_every_project_are_not_visible(world: World) -> None:
    said = "Who has a role in every project is not visible to you."
    part = shown("/projects/risk/members/", world, everywhere=False)
    assert said in part and "Alma" not in part.split('id="deciders"')[0]
    whole = shown("/projects/risk/members/", world, everywhere=True)
    assert said not in whole and "Alma" in whole


def test_roles_are_listed_with_the_names_that_members_have(world: World) -> None:
    eve = person("Eve", {"auditor": world.project})
    rows = api(eve).get("/roles").json()["items"]
    assert {"Eve", "Rex risk"} <= {row["holder"] for row in rows}
