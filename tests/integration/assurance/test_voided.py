"""A recall says which decisions it voided, to whom may see them, and is listed where it did."""

import json
from typing import Any

import pytest

from apps.assurance.actions import lift, recall
from apps.assurance.models import Recall
from apps.assurance.queries import recalls_matching, voided_along
from apps.governance.models import Release
from apps.identity.models import ApproverPasskey, User
from placet.kernel.actor import SYSTEM
from tests.support import factories
from tests.support.break_glass import fragile, opened, responder
from tests.support.enrolment import SIGNED, Signers
from tests.support.page_text import text_of
from tests.support.world import World

pytestmark = pytest.mark.django_db
APPROVERS = "version: 1\ngates:\n  - {gate: approvals, role: approver, count: 2}\n"


@pytest.fixture
def oda() -> User:
    """An operator of every project, who recalls."""
    return factories.person("Oda", {"operator": None})


@pytest.fixture
def waiting(world: World) -> Release:
    """A release on which Vito decided, and another approver has still to."""
    world.policy("staging", APPROVERS)
    release = world.request("staging")
    world.decide(release, world.vito)
    return release


def taken_back(person: str, by: User) -> Recall:
    return recall(kind="person", what=person, reason="coerced", actor=factories.actor_of(by))


def shown(person: User, path: str) -> str:
    answer = factories.browser(person).get(path)
    assert answer.status_code == 200
    return text_of(answer.content.decode())


def test_its_page_says_which_decisions_it_voided(world: World, waiting: Release, oda: User) -> None:
    other = world.request("staging", endpoint="other")
    path = f"/recalls/new/?kind=person&what={world.vito.id}"
    foreseen = shown(oda, path)
    assert "No releases ended. This person's decisions don't count" in foreseen
    row = taken_back(world.vito.id, oda)
    page = shown(oda, f"/recalls/{row.pk}/")
    assert "Of 1 release that waited this voided what was decided:" in page
    said = f"{waiting.version} to staging , Risk release {waiting.number}: decision void"
    assert said in page and "if too few are left" not in page
    assert f"release {other.number}" not in page, "on which Vito decided nothing"
    assert "No releases ended. This person's" in page and "No releases affected" not in page


def test_who_may_know_e_mail_addresses_names_a_person_by_theirs(world: World, oda: User) -> None:
    path = f"/recalls/preview?kind=person&what={world.people['Vito'].email.upper()}"
    client = factories.api(oda)
    assert client.get(path).status_code == 400
    factories.grant(oda, {"auditor": None})
    assert client.get(path).json()["what"] == world.vito.id
    assert client.get("/recalls/preview?kind=person&what=no@such.example").status_code == 404


def test_it_says_which_emergency_release_it_ended(world: World, oda: User) -> None:
    fragile(world)
    glass = opened(world, world.request("staging"), responder(world))
    row = taken_back(world.people["Rob"].pk, oda)
    page = shown(oda, f"/recalls/{row.pk}/")
    assert f"Risk release {glass.release.number}: emergency release ended" in page


def test_what_an_earlier_recall_voided_no_later_one_did(
    world: World, waiting: Release, oda: User
) -> None:
    first = taken_back(world.vito.id, oda)
    lift(first, reason="A mistake", actor=SYSTEM)
    second = taken_back(world.vito.id, oda)
    assert list(voided_along(first)) == [waiting]
    assert not voided_along(second)
    assert "No releases affected." in shown(oda, f"/recalls/{second.pk}/")
    assert "No releases ended." in shown(oda, f"/recalls/{first.pk}/")


def test_what_others_may_not_see_is_said_to_be_not_visible(
    world: World, waiting: Release, oda: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = taken_back(world.vito.id, oda)
    elsewhere = World("elsewhere").project
    hidden = "Of releases that are not visible to you this voided what was decided."
    for projects, said in (({world.project.pk}, "Of 1 release that"), ({elsewhere.pk}, hidden)):
        monkeypatch.setattr(
            "placet.kernel.actor.Actor.projects_with",
            lambda self, view, seen=projects: seen if view == "release.view" else None,
        )
        page = shown(oda, f"/recalls/{row.pk}/")
        assert said in page
        assert (f"release {waiting.number}:" in page) is (said != hidden)


def test_the_recalls_of_a_project_are_also_those_that_voided_something_there(
    world: World, waiting: Release, oda: User
) -> None:
    row = taken_back(world.vito.id, oda)
    place, other = world.project.slug, World("elsewhere").project.slug
    actor = factories.actor_of(oda)
    assert list(recalls_matching(actor, project=place)) == [row]
    assert not recalls_matching(actor, project=other)
    client = factories.api(oda)
    for project, listed in ((place, [row.pk]), (other, [])):
        assert ("Vito risk" in shown(oda, f"/recalls/?project={project}")) is bool(listed)
        told = client.get(f"/recalls?project={project}").json()["items"]
        assert [one["id"] for one in told] == listed
        answer: Any = client.get(f"/exports/recalls?format=json&project={project}")
        rows = json.loads(b"".join(answer.streaming_content))
        assert [one["recall"] for one in rows] == listed


def test_the_recall_of_a_passkey_says_what_was_signed_with_it(oda: User) -> None:
    signers = Signers("signed")
    signers.publish("staging", f"{SIGNED}  - {{gate: approvals, role: approver, count: 1}}\n")
    release = signers.request("staging")
    signers.sign(release, signers.rex)
    own = ApproverPasskey.objects.get(person=signers.people["Rex"])
    row = recall(kind="passkey", what=own.pk, reason="stolen", actor=factories.actor_of(oda))
    assert [(one.pk, one.voids, one.ends) for one in voided_along(row)] == [
        (release.pk, True, False)
    ]
    assert list(recalls_matching(factories.actor_of(oda), project=signers.project.slug)) == [row]
