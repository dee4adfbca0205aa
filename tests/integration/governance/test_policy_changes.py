"""Policies are written by one person and put into force by another; what is open moves along."""

import pytest

from apps.audit.models import Event
from apps.governance import actions, errors
from apps.governance.models import Decision, PolicyRevision, Release
from apps.governance.queries import dry_run, release_view
from apps.identity.actions import grant_role
from apps.identity.errors import NeedsSession
from apps.jobs.models import Job
from placet.kernel.actor import SYSTEM
from placet.kernel.keystore import ring
from placet.kernel.problems import Forbidden, NotFound
from placet_verify.signing.dsse import Envelope
from placet_verify.statements import PolicyStatement
from tests.support import factories
from tests.support.world import OPEN, World

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_io_in_transaction")]
STRICT = "version: 1\ngates:\n  - {gate: approvals, role: reviewer, count: 2}\n"


def test_a_new_project_has_three_environments_with_signed_policies(world: World) -> None:
    policies = PolicyRevision.objects.filter(project=world.project).order_by(
        "environment__position"
    )
    assert [p.environment.name for p in policies] == ["development", "staging", "production"]
    for policy in policies:
        payload = ring().verify(Envelope.from_json(policy.envelope), "decision")
        statement = PolicyStatement.parse(payload)
        assert (statement.document, statement.document_digest) == (policy.document, policy.digest)
        assert (statement.drafted_by, policy.state) == ("system", "published")
    assert [t.name for t in world.environment("production").targets.all()] == ["local"]


def test_the_drafter_does_not_publish_and_another_approver_does(world: World) -> None:
    draft = actions.draft_policy(world.environment("staging"), source=STRICT, actor=world.vera)
    assert (draft.number, draft.state) == (2, "draft")
    with pytest.raises(errors.OwnDraft):
        actions.publish_policy(draft, actor=world.vera)
    published = actions.publish_policy(draft, actor=world.vito).policy
    assert (published.state, published.published_by) == ("published", world.people["Vito"].pk)
    with pytest.raises(errors.NotDraft):
        actions.publish_policy(draft, actor=world.vito)


def test_an_operator_may_draft_but_nobody_but_an_approver_publishes(world: World) -> None:
    draft = actions.draft_policy(world.environment("staging"), source=STRICT, actor=world.otto)
    for who in (world.otto, world.rex, world.ada):
        with pytest.raises((Forbidden, errors.OwnDraft)):
            actions.publish_policy(draft, actor=who)
    admin = factories.person("Root", roles={"admin": None})
    with pytest.raises((Forbidden, NotFound)):
        actions.publish_policy(draft, actor=factories.actor_of(admin))


def test_a_token_does_not_publish(world: World) -> None:
    draft = actions.draft_policy(world.environment("staging"), source=STRICT, actor=world.vera)
    with pytest.raises(NeedsSession):
        actions.publish_policy(draft, actor=factories.actor_by_token(world.people["Vito"]))


def test_the_owner_of_the_service_account_that_drafted_does_not_publish(world: World) -> None:
    account = factories.service_account(
        "bot", world.people["Vito"], roles={"operator": world.project}
    )
    draft = actions.draft_policy(
        world.environment("staging"), source=STRICT, actor=factories.actor_of(account)
    )
    with pytest.raises(errors.OwnDraft):
        actions.publish_policy(draft, actor=world.vito)


def test_an_older_draft_is_not_published_over_a_newer_revision(world: World) -> None:
    old = actions.draft_policy(world.environment("staging"), source=OPEN, actor=world.vera)
    world.policy("staging", STRICT)
    with pytest.raises(errors.OldDraft):
        actions.publish_policy(old, actor=world.vito)
    assert actions.withdraw_policy(old, actor=world.vera).state == "withdrawn"


@pytest.mark.parametrize("environment", ["nowhere", "staging", "production"])
def test_soaking_names_an_earlier_environment(world: World, environment: str) -> None:
    source = f"version: 1\ngates: [{{gate: soaked, environment: {environment}, for: 60s}}]\n"
    with pytest.raises(errors.InvalidPolicy):
        actions.draft_policy(world.environment("staging"), source=source, actor=world.vera)


def test_a_new_policy_moves_open_releases_and_voids_their_decisions(world: World) -> None:
    world.policy("staging", STRICT)
    release = world.request("staging")
    world.decide(release, world.rex)
    before = release.request_digest
    world.policy("staging", STRICT.replace("2", "1"))
    release.refresh_from_db()
    assert (release.state, release.policy.number) == ("requested", 3)
    assert release.request_digest != before
    assert Decision.objects.get().voided_reason == "policy_changed"
    moved = Event.objects.filter(kind="release.policy_changed.v1").get()
    assert '"voided":1' in moved.body and '"voided_reason":"policy_changed"' in moved.body
    world.decide(release, world.rex)
    release.refresh_from_db()
    assert release.state == "approved"
    assert [d.voided_reason for d in release_view(release.pk, world.rex).decisions] == [
        "policy_changed",
        "",
    ]


def test_an_approved_release_that_has_not_started_goes_back_to_waiting(world: World) -> None:
    release = world.request("staging", plan={"start": "manual"})
    world.decide(release, world.rex)
    world.policy("staging", STRICT)
    release.refresh_from_db()
    assert (release.state, release.approved_at, release.quorum_met) == ("requested", None, False)
    with pytest.raises(errors.WrongState):
        actions.begin_rollout(release, actor=SYSTEM)


def test_a_policy_that_opens_up_approves_what_was_waiting(world: World) -> None:
    release = world.request("staging")
    world.policy("staging", OPEN)
    release.refresh_from_db()
    assert release.state == "approved"
    assert Job.objects.filter(kind="rollouts.start", key=release.pk).exists()
    actions.begin_rollout(release, actor=SYSTEM)


def test_what_is_live_stays_live_under_the_policy_it_was_approved_by(world: World) -> None:
    release = world.live("development")
    world.policy("development", STRICT)
    release.refresh_from_db()
    assert (release.state, release.policy.number) == ("live", 1)


def test_a_dry_run_tells_what_a_draft_would_say_and_changes_nothing(world: World) -> None:
    live = world.live("development")
    waiting = world.request("development", plan={"start": "manual"})
    draft = actions.draft_policy(world.environment("development"), source=STRICT, actor=world.vera)
    events = Event.objects.count()
    rows = dry_run(draft.environment, draft.document)
    assert [(r.release.pk, r.passes_now, r.passes_then) for r in rows] == [
        (waiting.pk, True, False),
        (live.pk, True, False),
    ]
    assert Event.objects.count() == events
    assert set(Release.objects.values_list("policy__number", flat=True)) == {1}


def test_the_remarks_in_a_source_stay_out_of_the_log(world: World) -> None:
    actions.draft_policy(
        world.environment("staging"), source="# asked for by Quentin\n" + OPEN, actor=world.vera
    )
    assert "Quentin" not in "".join(Event.objects.values_list("body", flat=True))


def test_without_a_policy_nothing_is_released(world: World) -> None:
    grant_role(role="operator", person=world.people["Otto"], actor=SYSTEM)
    actions.create_environment(
        world.project, name="canary", targets=[world.target], actor=world.otto
    )
    with pytest.raises(errors.NoPolicy):
        world.request("canary")
