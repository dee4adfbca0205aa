"""Who lacks a permission is told in words what it is, and how one comes by it."""

import pytest

from apps.identity.actions import deactivate_person, demand_second_factor, grant_role
from apps.identity.errors import OwnAccess
from apps.identity.models import Project, User
from apps.identity.queries import authorize, holders, people_with
from apps.identity.refusals import whom_to_ask
from placet.kernel.actor import SYSTEM, Scope
from placet.kernel.problems import Forbidden
from tests.support.factories import (
    actor_by_token,
    actor_of,
    api,
    browser,
    grant,
    person,
    project,
    service_account,
    team,
    token_for,
)

pytestmark = pytest.mark.django_db
NEW = "/projects/risk/models"


@pytest.fixture
def risk() -> Project:
    """The project asked about."""
    return project("risk")


@pytest.fixture
def ada(risk: Project) -> User:
    """Its data scientist."""
    return person("Ada", {"contributor": risk})


def told(token: str, path: str = NEW, **body: str) -> tuple[int, str]:
    answer = api(token).post(path, body or {"name": "churn"})
    return answer.status_code, answer.json()["detail"]


def test_a_token_that_is_too_narrow_is_told_which_to_make(ada: User) -> None:
    narrow = token_for(ada, scopes=["project.view", "model.view"])
    status, detail = told(narrow)
    assert status == 403
    assert detail == (
        'Your token "test" does not include "Register models" (you may).'
        " Make one that does: http://localhost:8000/tokens/?preset=ci"
    )


def test_who_may_not_either_is_told_who_can_give_it(risk: Project) -> None:
    vera = person("Vera", {"viewer": risk})
    status, detail = told(token_for(vera))
    assert status == 403
    assert detail == (
        'This needs "Register models", and you may not do it either (role contributor):'
        " an access administrator can give it to you"
    )


def test_a_person_in_the_browser_is_told_the_same(risk: Project) -> None:
    vera = person("Vera", {"viewer": risk})
    answer = api(vera).post("/projects", {"slug": "x", "name": "X"})
    assert answer.json()["detail"] == (
        'This needs "Create projects" (role admin): an access administrator can give it to you'
    )
    page = browser(vera).get("/audit/").content.decode()
    assert "This needs &quot;View audit log&quot;" in page


def test_what_one_may_elsewhere_is_not_what_one_may_here(risk: Project) -> None:
    vera = person("Vera", {"viewer": risk, "contributor": project("other")})
    status, detail = told(token_for(vera, scopes=["project.view", "model.view"]))
    assert status == 403
    assert "you may not do it either" in detail


def test_who_holds_the_role_in_one_environment_is_told_that_the_whole_project_is_needed(
    risk: Project, ada: User
) -> None:
    lou = person("Lou", {"contributor": (risk, "staging")})
    weak = service_account("weak", owner=ada, roles={"contributor": (risk, "staging")})
    for who, holds in ((lou, "you hold"), (weak, "weak holds")):
        place = f"(role contributor in the whole project; {holds} it in risk/staging)"
        assert place in told(token_for(who, scopes=["project.view", "model.view"]))[1]


def test_of_many_places_in_which_one_holds_the_role_a_few_are_named() -> None:
    lou = person("Lou")
    for slug, environment in (("a", "staging"), ("b", ""), ("c", ""), ("d", ""), ("e", "")):
        grant(lou, {"auditor": (project(slug), environment)})
    with pytest.raises(Forbidden) as refused:
        authorize(actor_of(lou), "audit.export", None)
    where = "in the whole instance; you hold it in a/staging, b, c and 2 more"
    assert f"(role auditor {where}): an access administrator" in refused.value.detail


def test_what_a_token_may_not_see_stays_hidden(ada: User) -> None:
    blind = token_for(ada, scopes=["model.create"])
    assert told(blind, "/projects/risk/models")[0] == 404
    stranger = person("Sue", {"contributor": project("other")})
    assert told(token_for(stranger))[0] == 404


def test_a_token_of_one_project_is_told_that_it_reaches_no_further(risk: Project) -> None:
    admin = person("Ada", {"admin": None})
    token = token_for(admin, scopes=["project.create", "project.view"], project=risk)
    status, detail = told(token, "/projects", slug="new", name="New")
    assert status == 403
    assert "reaches one project alone" in detail
    assert '"Create projects"' in detail


def test_what_no_token_carries_is_done_in_the_browser() -> None:
    admin = actor_by_token(person("Ada", {"admin": None}))
    with pytest.raises(Forbidden) as refused:
        authorize(admin, "access.manage", None)
    assert refused.value.detail == (
        'This needs "Manage access", which no token carries: do it at http://localhost:8000'
    )


def test_a_program_is_told_of_itself(ada: User, risk: Project) -> None:
    bot = service_account("bot", owner=ada, roles={"contributor": risk})
    detail = told(token_for(bot, scopes=["project.view", "model.view"]))[1]
    assert "(bot may)" in detail
    weak = service_account("weak", owner=ada, roles={"viewer": risk})
    detail = told(token_for(weak))[1]
    assert "weak may not do it either" in detail


def test_who_may_know_them_is_told_who_holds_the_role_and_could_do_it(risk: Project) -> None:
    aude = person("Aude", {"auditor": risk})
    managing = "/projects/risk/environments", {"name": "canary"}
    refused = '"Manage environments", and you may not do it either (role operator): an access'
    alone = f"This needs {refused} administrator can give it to you"
    token = token_for(aude)
    assert told(token, managing[0], **managing[1])[1] == alone, "nobody holds it"
    person("Otto", {"operator": risk})
    person("Otis", {"operator": (risk, "staging")})
    person("Ella", {"operator": project("other")})
    person("Odo", {"operator": None})  # whom Aude, who sees the access of Risk alone, may not know
    assert told(token, managing[0], **managing[1])[1] == f"{alone}; Otto holds it"
    for name in ("Olga", "Omar"):
        person(name, {"operator": risk})
    team("Desk", person("Tom"), person("Uwe"), roles={"operator": risk})
    named = f"{alone}; Olga, Omar, Otto and 2 others hold it"
    assert told(token, managing[0], **managing[1])[1] == named
    demand_second_factor("operator", actor=SYSTEM)
    assert told(token, managing[0], **managing[1])[1] == alone


def test_who_sees_no_access_is_told_by_name_who_decides_alone(risk: Project) -> None:
    vera = person("Vera", {"viewer": risk})
    person("Otto", {"operator": risk})
    person("Alma", {"approver": risk})
    with pytest.raises(Forbidden) as refused:
        authorize(actor_of(vera), "environment.manage", risk)
    assert refused.value.detail.endswith("can give it to you")
    with pytest.raises(Forbidden) as refused:
        authorize(actor_of(vera), "freeze.set", risk)
    assert refused.value.detail.endswith(
        "(roles approver or operator): an access administrator can give it to you; "
        "Alma holds approver"
    )


def test_who_alone_gives_roles_in_a_place_is_told_that_nobody_else_does(risk: Project) -> None:
    ann = actor_of(person("Ann", {"admin": None}))
    none = "There is no other access administrator who could give that role: make one on"
    ask = "Ask another access administrator for that role."
    assert whom_to_ask(ann, None).startswith(none)
    person("Otis", {"admin": project("other")})
    assert whom_to_ask(ann, None) == ask
    assert whom_to_ask(ann, Scope(risk.pk)).startswith(none), "Otis gives roles elsewhere"
    ola = person("Ola", {"admin": None})
    assert whom_to_ask(ann, Scope(risk.pk)) == ask
    deactivate_person(ola, actor=SYSTEM)
    assert whom_to_ask(ann, Scope(risk.pk)).startswith(none)


def test_who_reaches_for_more_access_alone_is_told_how_another_administrator_is_made() -> None:
    ann = person("Ann", {"admin": None})
    with pytest.raises(OwnAccess, match="there is no other access administrator: make one on"):
        grant_role(role="auditor", person=ann, actor=actor_of(ann))
    person("Ola", {"admin": None})
    with pytest.raises(OwnAccess, match="ask another access admin"):
        grant_role(role="auditor", person=ann, actor=actor_of(ann))


def test_who_holds_a_role_is_one_question_that_can_leave_out_who_waits_for_a_factor(
    risk: Project, ada: User
) -> None:
    cem = person("Cem", {"contributor": None})
    team("crew", cem, person("Dag"), roles={"contributor": risk})
    people = [*User.objects.order_by("pk")]
    here, elsewhere = Scope(risk.pk), Scope(project("other").pk)
    asked = {"contributor"}
    assert people_with("release.request", here) == people_with("release.request", None) == people
    assert people_with("release.request", elsewhere) == [cem]
    assert set(holders(asked, (), here, ready=True)) == set(people), "each once"
    assert set(holders((), asked, here)) == {cem}, "of those in all projects alone"
    demand_second_factor("contributor", actor=SYSTEM)
    assert people_with("release.request", here) == people
    assert not holders(asked, asked, here, ready=True)
