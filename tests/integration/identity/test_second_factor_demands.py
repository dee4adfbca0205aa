"""Roles that demand a second factor: what they withhold from whom, and who may say so."""

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client

from apps.audit.models import Event
from apps.identity import actions
from apps.identity.models import Project, SecondFactorDemand, User
from apps.identity.queries import authorize, fresh_grants
from placet.kernel.actor import SYSTEM
from placet.kernel.problems import NeedsPermission, NotFound
from tests.support.authenticator import Authenticator as Passkey
from tests.support.database import owning_tables
from tests.support.enrolment import authenticator, signs_in_with
from tests.support.factories import (
    actor_by_token,
    actor_of,
    api,
    browser,
    person,
    project,
    service_account,
    sign_in,
    team,
    token_for,
)

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery staple"


@pytest.fixture
def ada() -> User:
    """An approver of risk by a team, and a viewer by their own role."""
    ada = person("Ada", {"viewer": risk()}, password=PASSWORD)
    team("Approvers", ada, roles={"approver": risk()})
    return ada


def risk() -> Project:
    """The project."""
    return Project.objects.filter(slug="risk").first() or project("risk")


def demand(role: str = "approver") -> None:
    actions.demand_second_factor(role, actor=SYSTEM)


def may_approve(ada: User) -> bool:
    return actor_of(ada).can_somewhere("release.approve")


def test_a_role_gives_nothing_to_who_has_no_second_factor(ada: User) -> None:
    assert may_approve(ada)
    demand()
    assert not may_approve(ada)
    assert not any(grant.role == "approver" for grant in fresh_grants(ada.pk, lock=False))
    assert actor_of(ada).withheld == {"approver"}
    assert actor_of(ada).can_somewhere("model.view"), "the other role stays"


def test_it_counts_again_with_a_second_factor_and_when_nothing_is_demanded(ada: User) -> None:
    demand()
    signs_in_with(ada, authenticator())
    assert may_approve(ada)
    assert any(grant.role == "approver" for grant in fresh_grants(ada.pk, lock=False))
    Authenticator.objects.all().delete()
    assert not may_approve(ada)
    actions.waive_second_factor("approver", actor=SYSTEM)
    assert may_approve(ada)


def test_recovery_codes_alone_are_no_second_factor(ada: User) -> None:
    demand()
    Authenticator.objects.create(
        user=ada, type=Authenticator.Type.RECOVERY_CODES, data={"seed": "x"}
    )
    assert not may_approve(ada)


def test_tokens_of_a_person_lose_it_too_and_those_of_programs_do_not(ada: User) -> None:
    actions.grant_role(role="contributor", person=ada, project=risk(), actor=SYSTEM)
    bot = service_account("bot", owner=ada, roles={"contributor": risk()})
    demand("contributor")
    assert not actor_by_token(ada).can_somewhere("model.create")
    assert actor_by_token(bot).can_somewhere("model.create")
    signs_in_with(ada, authenticator())
    assert actor_by_token(ada).can_somewhere("model.create")


def test_a_row_taken_out_of_the_table_lets_nobody_decide(ada: User) -> None:
    demand()
    with owning_tables():
        SecondFactorDemand.objects.all().delete()
    assert not any(grant.role == "approver" for grant in fresh_grants(ada.pk, lock=False))


def test_who_lacks_one_is_told_so_and_led_to_set_it_up(ada: User) -> None:
    demand()
    client = Client()
    said = {"login": ada.email, "password": PASSWORD}
    assert client.post("/accounts/login/", said)["Location"] == "/accounts/2fa/"
    shown = client.get("/").content.decode()
    assert "Without a second factor you cannot use the role <b>approver</b>" in shown
    assert 'href="/accounts/2fa/">Set one up now' in shown
    there = client.get("/accounts/2fa/").content.decode()
    assert "Set one up here." in there and "Set one up now" not in there, "it is this page"
    assert api(ada).get("/whoami").json()["withheld_roles"] == ["approver"]
    with pytest.raises(NeedsPermission, match="Your role approver waits for a second factor"):
        authorize(actor_of(ada), "policy.publish", risk())


def test_a_token_is_told_that_its_person_lacks_one(ada: User) -> None:
    actions.grant_role(role="contributor", person=ada, project=risk(), actor=SYSTEM)
    demand("contributor")
    answer = api(token_for(ada)).post("/projects/risk/models", {"name": "churn"})
    assert answer.status_code == 403
    assert "Your role contributor waits for a second factor" in answer.json()["detail"]
    assert api(token_for(ada)).get("/whoami").json()["withheld_roles"] == ["contributor"]


def test_who_signs_in_with_what_is_demanded_goes_where_they_wanted(ada: User) -> None:
    said = {"login": ada.email, "password": PASSWORD}
    assert Client().post("/accounts/login/", said)["Location"] == "/"


def test_it_is_said_by_an_access_admin_once_and_logged() -> None:
    ann = api(person("Ann", {"admin": None}))
    for _ in range(2):
        assert ann.post("/second-factor-demands", {"role": "approver"}).status_code == 201
    kinds = [event.kind for event in Event.objects.order_by("index")]
    assert kinds.count("role.second_factor_demanded.v1") == 1
    listed = ann.get("/second-factor-demands").json()["items"]
    assert [row["role"] for row in listed] == ["approver"]
    assert ann.post("/second-factor-demands/approver/waive").status_code == 204
    assert ann.post("/second-factor-demands/approver/waive").status_code == 404
    assert ann.post("/second-factor-demands", {"role": "king"}).status_code == 400


def test_an_admin_who_demands_it_of_admins_needs_one_to_take_it_back() -> None:
    ann = person("Ann", {"admin": None})
    actions.demand_second_factor("admin", actor=actor_of(ann))
    with pytest.raises(NeedsPermission):
        actions.waive_second_factor("admin", actor=actor_of(ann))
    signs_in_with(ann, Passkey(rp_id="localhost", origin="http://localhost:8000"))
    actions.waive_second_factor("admin", actor=actor_of(ann))


def test_making_somebody_an_admin_again_does_not_take_a_waiting_role_away() -> None:
    from apps.identity.management.commands.create_admin import admin

    ann = person("Ann", {"admin": None})
    demand("admin")
    before = Event.objects.count()
    admin(ann.email, "")
    assert Event.objects.count() == before


def test_signing_out_everywhere_ends_every_session_and_leaves_tokens(ada: User) -> None:
    here, there = browser(ada), Client()
    sign_in(there, ada)
    text = token_for(ada)
    actions.end_sessions(ada, actor=actor_of(person("Ann", {"admin": None})))
    for client in (here, there):
        assert client.get("/tokens/")["Location"].startswith("/accounts/login/")
    assert api(text).get("/whoami").status_code == 200
    again = browser(User.objects.get(pk=ada.pk))
    assert again.get("/tokens/").status_code == 200
    assert fresh_grants(ada.pk, lock=False), "the log vouches for them still"


def test_one_signs_oneself_out_everywhere_but_nobody_else(ada: User) -> None:
    actions.end_sessions(ada, actor=actor_of(ada))
    with pytest.raises(NeedsPermission):
        actions.end_sessions(person("Bob"), actor=actor_of(ada))


def test_an_invitation_whose_role_is_refused_adds_nobody() -> None:
    pia = actor_of(person("Pia", {"admin": risk()}))
    with pytest.raises((NeedsPermission, NotFound)):
        actions.invite_person(email="new@example.com", name="New", role="admin", actor=pia)
    assert not User.objects.filter(email="new@example.com").exists()
