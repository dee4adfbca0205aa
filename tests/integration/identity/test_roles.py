"""What roles let people see and do."""

import pytest

from apps.identity import actions
from apps.identity.errors import OwnAccess
from apps.identity.models import Project, RoleBinding
from apps.identity.queries import authorize, fresh_grants, visible
from placet.kernel.actor import Scope
from placet.kernel.problems import Forbidden, NotFound
from tests.support.factories import actor_of, person, project, service_account, team

pytestmark = pytest.mark.django_db


def test_a_contributor_sees_their_project_and_not_another() -> None:
    risk, fraud = project("risk"), project("fraud")
    ada = actor_of(person("Ada", roles={"contributor": risk}))
    assert list(visible(Project.objects.all(), ada, project="pk")) == [risk]
    authorize(ada, "model.create", risk)
    with pytest.raises(NotFound):
        authorize(ada, "model.create", fraud)
    with pytest.raises(Forbidden):
        authorize(ada, "release.approve", risk)


def test_a_reviewer_of_staging_sees_the_project_but_reviews_only_staging() -> None:
    risk = project("risk")
    rex = actor_of(person("Rex", roles={"reviewer": (risk, "staging")}))
    assert rex.can("project.view", Scope(risk.pk))
    assert rex.can("release.review", Scope(risk.pk, "staging"))
    assert not rex.can("release.review", Scope(risk.pk, "production"))
    assert not rex.can("release.review", Scope(risk.pk))


def test_a_team_gives_its_roles_to_its_members_while_they_are_in_it() -> None:
    risk, ada = project("risk"), person("Ada")
    model_team = team("Models", ada, roles={"contributor": risk})
    assert actor_of(ada).can("model.create", Scope(risk.pk))
    from placet.kernel.actor import SYSTEM

    actions.remove_member(model_team, person=ada, actor=SYSTEM)
    assert not actor_of(ada).can("project.view", Scope(risk.pk))


def test_an_access_admin_cannot_widen_their_own_access_in_any_way() -> None:
    ann = person("Ann", roles={"admin": None})
    admin = actor_of(ann)
    own_team, other_team = team("Ours", ann), team("Theirs")
    bot = service_account("bot", owner=ann)
    with pytest.raises(OwnAccess):
        actions.grant_role(role="approver", person=ann, actor=admin)
    with pytest.raises(OwnAccess):
        actions.grant_role(role="approver", team=own_team, actor=admin)
    with pytest.raises(OwnAccess):
        actions.grant_role(role="operator", service_account=bot, actor=admin)
    with pytest.raises(OwnAccess):
        actions.add_member(other_team, person=ann, actor=admin)
    assert RoleBinding.objects.exclude(role="admin").count() == 0


def test_fresh_grants_forget_a_role_that_was_revoked_and_a_person_deactivated() -> None:
    from placet.kernel.actor import SYSTEM

    risk = project("risk")
    rex = person("Rex", roles={"reviewer": risk})
    assert any(g.role == "reviewer" for g in fresh_grants(rex.pk))
    actions.revoke_role(RoleBinding.objects.get(person=rex), actor=SYSTEM)
    assert fresh_grants(rex.pk) == frozenset()
    eve = person("Eve", roles={"reviewer": risk})
    actions.deactivate_person(eve, actor=SYSTEM)
    assert fresh_grants(eve.pk) == frozenset()
