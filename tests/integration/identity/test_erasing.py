"""A person who was erased: nothing names them any more, and what they did stays provable."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.sessions.models import Session

from apps.audit.actions import erase_texts
from apps.audit.models import Event
from apps.audit.queries import ERASED
from apps.audit.queries.fsck import fsck
from apps.identity import actions
from apps.identity.errors import ErasedPerson, StillActive
from apps.identity.models import ApiToken, ApproverPasskey, SavedView, User
from apps.jobs.actions import enqueue
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now
from placet.kernel.problems import Forbidden
from tests.support import factories
from tests.support.enrolment import Signers
from tests.support.factories import actor_of, browser
from tests.support.page_text import text_of
from tests.support.world import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def ann() -> User:
    return factories.person("Ann", {"admin": None})


def gone(world: World, name: str = "Rex") -> User:
    """Somebody who decided and had a token, and was deactivated."""
    world.decide(world.request("staging"), world.rex, comment="I, Rex, looked")
    factories.token_for(world.people[name])
    return actions.deactivate_person(world.people[name], actor=SYSTEM)


def test_only_who_cannot_come_in_any_more_is_erased(world: World, ann: User) -> None:
    with pytest.raises(StillActive):
        actions.erase_person(world.people["Rex"], actor=actor_of(ann))
    with pytest.raises(Forbidden):
        actions.erase_person(gone(world), actor=world.vera)
    assert User.objects.get(pk=world.people["Rex"].pk).name == "Rex risk"


def test_nothing_names_an_erased_person(world: World, ann: User) -> None:
    rex = gone(world)
    page = browser(ann)
    assert "Erase…" in text_of(page.get(f"/people/{rex.pk}/").content.decode())
    page.post(f"/people/{rex.pk}/erase", {"next": f"/people/{rex.pk}/"})
    row = User.objects.get(pk=rex.pk)
    assert (row.name, row.email) == (ERASED, f"{rex.pk}@erased.invalid")
    assert {token.name for token in ApiToken.objects.filter(person=rex)} == {ERASED}
    release = Event.objects.filter(kind="release.requested.v1").latest("index")
    paths = (f"/people/{rex.pk}/", "/audit/", "/releases/", "/administration/")
    for path in (*paths, f"/releases/{release.subject}/"):
        said = page.get(path).content.decode()
        assert rex.email not in said and "Rex risk" not in said and "I, Rex" not in said, path
    said = text_of(page.get(f"/people/{rex.pk}/").content.decode())
    assert "· erased by Ann on (date)" in said
    assert "Reactivate" not in said and "Erase…" not in said
    assert "Rename" not in said and "Access" not in said.splitlines()


def test_the_log_stays_whole_and_says_that_somebody_was_erased(world: World, ann: User) -> None:
    rex = gone(world)
    before = Event.objects.count()
    actions.erase_person(rex, actor=actor_of(ann))
    kinds = list(Event.objects.filter(index__gte=before).values_list("kind", flat=True))
    assert kinds == ["person.updated.v1", "person.erased.v1"]
    actions.erase_person(rex, actor=actor_of(ann))  # a second click
    assert Event.objects.count() == before + 2
    found = fsck()
    assert found.log.ok
    assert [one for one in found.faults if rex.pk in one.place] == []


def test_nobody_lets_an_erased_person_in_again_but_may_invite_them_anew(
    world: World, ann: User
) -> None:
    rex = gone(world)
    address = rex.email
    actions.erase_person(rex, actor=actor_of(ann))
    for ask in (actions.reactivate_person, actions.setup_link):
        with pytest.raises(ErasedPerson):
            ask(rex, actor=actor_of(ann))
    with pytest.raises(ErasedPerson):
        actions.update_person(rex, name="Rex", actor=actor_of(ann))
    anew = actions.create_person(email=address, name="Rex", actor=actor_of(ann))
    assert anew.pk != rex.pk


def test_who_was_erased_before_names_went_too_is_erased_whole(world: World, ann: User) -> None:
    rex = gone(world)
    erase_texts(rex.pk, actor=SYSTEM)
    page = browser(ann)
    said = text_of(page.get(f"/people/{rex.pk}/").content.decode())
    assert "Erase…" in said and "Reactivate" not in said
    actions.erase_person(rex, actor=actor_of(ann))
    row = User.objects.get(pk=rex.pk)
    assert (row.name, row.email) == (ERASED, f"{rex.pk}@erased.invalid")
    count = Event.objects.count()
    actions.deactivate_person(row, actor=actor_of(ann))
    row.refresh_from_db()
    assert (row.name, Event.objects.count()) == (ERASED, count)


def test_what_they_named_themselves_and_answers_about_them_go_too(world: World, ann: User) -> None:
    made = {"email": "zoe@example.com", "name": "Zoe Q"}
    client = factories.api(ann)
    first = client.post("/people", made, idempotency_key="once")
    zoe = User.objects.get(pk=first.json()["id"])
    SavedView.objects.create(person=zoe, list_name="releases", name="Zoe's")
    program = factories.service_account("ci", zoe)
    factories.token_for(program)
    actions.deactivate_person(zoe, actor=SYSTEM)
    actions.erase_person(zoe, actor=actor_of(ann))
    again = client.post("/people", made, idempotency_key="once")
    assert (again.status_code, again.json()["code"]) == (409, "idempotency_in_progress")
    assert client.post("/people", made, idempotency_key="anew").json()["id"] != zoe.pk
    assert not zoe.saved_views.exists()
    assert {token.name for token in ApiToken.objects.filter(service_account=program)} == {ERASED}


def test_sessions_that_are_over_are_removed(world: World, run_jobs: Callable[..., int]) -> None:
    browser(world.people["Rex"])
    Session.objects.update(expire_date=now() - timedelta(hours=1))
    browser(world.people["Vera"])
    enqueue("identity.forget_expired")
    run_jobs("control")
    assert Session.objects.count() == 1


def test_what_an_erased_person_signed_still_counts(signers: Signers, ann: User) -> None:
    rex: Any = signers.people["Rex"]
    actions.deactivate_person(rex, actor=SYSTEM)
    actions.erase_person(rex, actor=actor_of(ann))
    (passkey,) = ApproverPasskey.objects.filter(person=rex)
    assert passkey.name == ERASED
    assert passkey.envelope and passkey.assertion
