"""Nobody gets an unapproved Bento served: not a worker with its keys and credentials, not a
superuser, not somebody who writes the tables by hand. The node's own verification says no."""

import base64
import json
from dataclasses import replace
from typing import Any

import pytest
from django.contrib import admin

from apps.governance.actions import (
    assemble_permit,
    begin_rollout,
    draft_policy,
    mark_live,
    publish_policy,
)
from apps.governance.errors import GatesFailed, NoRole, PermitInvalid, WrongState
from apps.governance.models import Decision, PolicyRevision, Release
from apps.identity.actions import deactivate_person
from apps.rollouts.actions import start_rollout
from apps.serving.actions import add_revision
from apps.serving.errors import NotPermitted
from apps.serving.models import DesiredState, Revision
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now
from placet.kernel.ids import new_id
from placet.kernel.keystore import KeyUnavailable, ring, signer
from placet.kernel.problems import Forbidden, NotFound
from placet_agent.state.trust import StateRefused, Trust
from placet_verify import canonical
from placet_verify.permit.approvers import Signed
from placet_verify.permit.permit import build_permit
from placet_verify.signing import dsse
from placet_verify.statements import DecisionStatement, RequestStatement
from tests.support import factories
from tests.support.database import sql
from tests.support.forgeries import forged_state, signed_now, unapproved, verdicts
from tests.support.story import Story
from tests.support.world import OPEN, World

pytestmark = pytest.mark.django_db
TWO_REVIEWERS = """
version: 1
gates:
  - {gate: approvals, role: reviewer, count: 2}
"""


@pytest.fixture
def live(story: Story) -> Release:
    """A release in staging that a reviewer has approved, and that serves."""
    return story.live("staging")


def test_the_node_runs_what_was_approved(world: World, live: Release, trust: Trust) -> None:
    assert verdicts(trust, signed_now(world)) == {live.bento_id: ""}


# --- a worker's keys ----------------------------------------------------------------------------


def test_the_state_key_alone_puts_nothing_on_a_node(
    world: World, live: Release, trust: Trust
) -> None:
    evil, approved = unapproved(world), Revision.objects.get(release=live.pk)
    for permit in ("", "{}", approved.permit):
        content = canonical.dumps(forged_state(world, live, evil, permit))
        envelope = dsse.sign(dsse.STATE, content, signer("state")).to_json()
        assert verdicts(trust, envelope)[evil.digest] != ""


@pytest.mark.parametrize("purpose", ["state", "log", "build", "access"])
def test_no_key_of_a_worker_can_decide(
    world: World, live: Release, trust: Trust, purpose: Any
) -> None:
    evil, key = unapproved(world), signer(purpose)
    permit = json.loads(Revision.objects.get(release=live.pk).permit)
    request = RequestStatement.parse(dsse.Envelope.from_dict(permit["request"]).payload)
    wanted = replace(request, bento_digest=evil.digest, nonce="a-new-nonce-000001")
    decision = DecisionStatement.on(
        wanted,
        verdict="approve",
        person=world.people["Rex"].pk,
        role="reviewer",
        nonce="another-nonce-00001",
        at=now(),
        comment_commitment="",
    )
    policy = Signed(dsse.Envelope.from_dict(permit["policy"]))
    forged = build_permit(policy, wanted.sign(key), [Signed(decision.sign(key))])
    content = canonical.dumps(forged_state(world, live, evil, forged))
    envelope = dsse.sign(dsse.STATE, content, signer("state")).to_json()
    assert "decision" in verdicts(trust, envelope)[evil.digest]


@pytest.mark.parametrize("purpose", ["decision", "access", "log", "build"])
def test_no_other_key_signs_a_state(
    world: World, live: Release, trust: Trust, purpose: Any
) -> None:
    content = canonical.dumps(forged_state(world, live, unapproved(world), ""))
    with pytest.raises(StateRefused):
        trust.open_state(dsse.sign(dsse.STATE, content, signer(purpose)).to_json())


def test_a_control_worker_has_no_access_to_the_decision_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for process in ("control", "build", "agent"):
        monkeypatch.setenv("PLACET_PROCESS", process)
        with pytest.raises(KeyUnavailable):
            signer("decision")


def test_the_system_itself_cannot_start_what_is_not_approved(world: World, live: Release) -> None:
    waiting = world.request("staging", unapproved(world))
    with pytest.raises(WrongState):
        start_rollout(waiting, actor=SYSTEM)
    with pytest.raises(NotPermitted):
        add_revision(
            waiting.endpoint,
            bento=waiting.bento,
            release=waiting.pk,
            ring=ring(),
            permit=Revision.objects.get(release=live.pk).permit,
            serving=waiting.serving,
            actor=SYSTEM,
        )


# --- a superuser --------------------------------------------------------------------------------


def test_a_superuser_can_neither_approve_nor_start_nor_edit(world: World, live: Release) -> None:
    root = factories.person("Root")
    root.is_superuser = root.is_staff = True
    root.save()
    actor, waiting = factories.actor_of(root), world.request("staging", unapproved(world))
    with pytest.raises((NotFound, Forbidden)):
        world.decide(waiting, actor)
    with pytest.raises((NotFound, Forbidden)):
        start_rollout(waiting, actor=actor)
    assert factories.api(root).post(f"/releases/{waiting.pk}/rollout").status_code == 404
    governed = ("serving", "governance", "rollouts", "registry", "builds")
    assert not [m for m in admin.site._registry if m._meta.app_label in governed]


# --- the tables ---------------------------------------------------------------------------------


def test_a_bento_exchanged_in_the_revisions_table_is_refused_by_the_node(
    world: World, live: Release, trust: Trust
) -> None:
    evil = unapproved(world)
    sql("UPDATE serving_revision SET bento_id = %s WHERE release = %s", evil.digest, live.pk)
    assert verdicts(trust, signed_now(world)) == {
        evil.digest: "the permit is for another bento_digest"
    }


def test_an_endpoint_moved_to_another_environment_is_refused_by_the_node(
    world: World, live: Release, trust: Trust
) -> None:
    sql("UPDATE serving_endpoint SET environment = 'production' WHERE id = %s", live.endpoint_id)
    assert "another environment" in verdicts(trust, signed_now(world))[live.bento_id]


def test_an_endpoint_renamed_by_hand_is_refused_by_the_node(
    world: World, live: Release, trust: Trust
) -> None:
    """What was approved for one address must not answer at another."""
    assert verdicts(trust, signed_now(world)) == {live.bento_id: ""}
    sql("UPDATE serving_endpoint SET name = 'fraud' WHERE id = %s", live.endpoint_id)
    assert "another address" in verdicts(trust, signed_now(world))[live.bento_id]


def test_other_variables_than_the_approved_ones_are_refused_by_the_node(
    world: World, live: Release, trust: Trust
) -> None:
    sql('UPDATE serving_revision SET variables = \'{"SCALE": "2"}\'')
    assert "variables" in verdicts(trust, signed_now(world))[live.bento_id]


def test_a_release_marked_approved_by_hand_does_not_start(world: World, live: Release) -> None:
    waiting = world.request("staging", unapproved(world))
    sql("UPDATE governance_release SET state = 'approved' WHERE id = %s", waiting.pk)
    with pytest.raises(GatesFailed):
        start_rollout(waiting, actor=SYSTEM)
    assert not Revision.objects.filter(release=waiting.pk).exists()


def test_a_decision_copied_by_hand_does_not_count(
    world: World, live: Release, trust: Trust
) -> None:
    """The envelope of a real decision, put beside another release, passes the gate's count but
    not the permit; and a revision written by hand with that permit is refused by the node."""
    waiting = world.request("staging", unapproved(world))
    real = Decision.objects.get(release=live)
    sql(
        "INSERT INTO governance_decision (id, release_id, project_id, person, role, verdict,"
        " comment_sealed, statement_digest, envelope, gates, voided_reason, created_at)"
        " SELECT %s, %s, project_id, person, role, verdict, comment_sealed, %s, envelope, gates,"
        " '', now() FROM governance_decision WHERE id = %s",
        new_id("dec"),
        waiting.pk,
        waiting.request_digest,
        real.pk,
    )
    sql("UPDATE governance_release SET state = 'approved' WHERE id = %s", waiting.pk)
    waiting.refresh_from_db()
    with pytest.raises(PermitInvalid, match="about another request"):
        start_rollout(waiting, actor=SYSTEM)
    sql(
        "UPDATE serving_revision SET bento_id = %s, permit = %s, release = %s WHERE release = %s",
        waiting.bento_id,
        assemble_permit(waiting),
        waiting.pk,
        live.pk,
    )
    assert "about another request" in verdicts(trust, signed_now(world))[waiting.bento_id]


def test_a_state_written_by_hand_is_refused_by_the_node(
    world: World, live: Release, trust: Trust
) -> None:
    evil, signed = unapproved(world), json.loads(signed_now(world))
    content = canonical.dumps(forged_state(world, live, evil, ""))
    forged = dsse.Envelope.from_dict(signed).to_dict() | {
        "payload": base64.b64encode(content).decode()
    }
    sql("UPDATE serving_desiredstate SET epoch = 9, envelope = %s", json.dumps(forged))
    with pytest.raises(StateRefused, match="signature"):
        trust.open_state(DesiredState.objects.get(target=world.target).envelope)


def test_an_older_and_laxer_policy_brought_back_by_hand_is_refused_by_the_node(
    world: World, live: Release, trust: Trust
) -> None:
    """Policy 2 asks for two reviewers. With its row gone and a release under policy 1 approved by
    one, the platform itself is deceived; a node that saw policy 2 is not."""
    strict = world.policy("staging", TWO_REVIEWERS)
    old = PolicyRevision.objects.get(environment=strict.environment, number=1)
    second = world.request("staging")
    world.decide(second, world.rex)
    world.decide(second, world.rita)
    begin_rollout(second, actor=SYSTEM)
    sql(
        "UPDATE serving_revision SET bento_id = %s, permit = %s, release = %s WHERE release = %s",
        second.bento_id,
        assemble_permit(second),
        second.pk,
        live.pk,
    )
    assert verdicts(trust, signed_now(world)) == {second.bento_id: ""}
    trust.home.remember(epoch=1, number=1)
    mark_live(second)
    sql("UPDATE governance_policyrevision SET state = 'withdrawn' WHERE id = %s", strict.pk)
    third = world.request("staging", unapproved(world))
    assert third.policy == old
    world.decide(third, world.rex)
    sql(
        "UPDATE serving_revision SET bento_id = %s, permit = %s, release = %s WHERE release = %s",
        third.bento_id,
        assemble_permit(third),
        third.pk,
        second.pk,
    )
    assert "policy 1 was replaced" in verdicts(trust, signed_now(world))[third.bento_id]


def test_a_policy_published_by_hand_makes_no_permit(world: World, live: Release) -> None:
    strict = PolicyRevision.objects.get(environment=world.environment("staging"))
    sql(
        "INSERT INTO governance_policyrevision (id, environment_id, project_id, number, state,"
        " generation, source, document, digest, envelope, drafted_by, published_by, published_at,"
        " created_at) SELECT %s, environment_id, project_id, 2, state, generation, source,"
        " jsonb_set(document, '{gates}', document->'gates' #- '{-1}'), digest, envelope,"
        " drafted_by, published_by,"
        " now(), now() FROM governance_policyrevision WHERE id = %s",
        new_id("pol"),
        strict.pk,
    )
    waiting = world.request("staging", unapproved(world))
    assert (waiting.policy.number, waiting.state) == (2, "approved")
    with pytest.raises(PermitInvalid):
        start_rollout(waiting, actor=SYSTEM)


def give_role_by_hand(person: str, project: str) -> None:
    """Write a role as somebody does who has the application's database role."""
    sql(
        "INSERT INTO identity_rolebinding (id, role, person_id, project_id, environment,"
        " granted_by, created_at) VALUES (%s, 'reviewer', %s, %s, '', 'system', now())",
        new_id("rol"),
        person,
        project,
    )


def test_a_role_given_by_hand_decides_nothing(world: World) -> None:
    mallory = factories.person("Mallory", roles={"viewer": world.project})
    waiting = world.request("staging", unapproved(world))
    give_role_by_hand(mallory.pk, world.project.pk)
    with pytest.raises(NoRole):
        world.decide(waiting, factories.actor_of(mallory))
    sql("DELETE FROM identity_rolebinding WHERE person_id = %s AND role = 'reviewer'", mallory.pk)
    sql("UPDATE identity_rolebinding SET role = 'reviewer' WHERE person_id = %s", mallory.pk)
    with pytest.raises(NoRole):
        world.decide(waiting, factories.actor_of(mallory))


def test_a_team_joined_by_hand_decides_nothing(world: World) -> None:
    team = factories.team("Validation", roles={"reviewer": world.project})
    mallory = factories.person("Mallory", roles={"viewer": world.project})
    waiting = world.request("staging", unapproved(world))
    sql(
        "INSERT INTO identity_teammember (id, team_id, person_id) VALUES (%s, %s, %s)",
        new_id("tmm"),
        team.pk,
        mallory.pk,
    )
    with pytest.raises(NoRole):
        world.decide(waiting, factories.actor_of(mallory))


def test_a_person_woken_by_hand_decides_nothing(world: World) -> None:
    rita, waiting = world.people["Rita"], world.request("staging", unapproved(world))
    deactivate_person(rita, actor=SYSTEM)
    sql("UPDATE identity_user SET is_active = true WHERE id = %s", rita.pk)
    with pytest.raises(NoRole):
        world.decide(waiting, world.rita)


def test_an_approver_made_by_hand_publishes_no_policy(world: World) -> None:
    mallory = factories.person("Mallory", roles={"viewer": world.project})
    draft = draft_policy(world.environment("production"), source=OPEN, actor=world.vera)
    sql("UPDATE identity_rolebinding SET role = 'approver' WHERE person_id = %s", mallory.pk)
    with pytest.raises(Forbidden):
        publish_policy(draft, actor=factories.actor_of(mallory))
