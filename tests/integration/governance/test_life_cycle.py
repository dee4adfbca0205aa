"""From a request to live and beyond: what is asked again, what time does, what ends a release."""

from datetime import timedelta

import pytest

from apps.audit.models import Event
from apps.governance import actions, errors
from apps.governance.gates.facts import GateResult
from apps.governance.models import Release
from apps.jobs.models import Job
from apps.registry.actions import add_evidence
from apps.registry.models import Evidence
from apps.serving.actions import delete_endpoint
from apps.serving.models import Endpoint, Prefetch
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now
from placet.kernel.problems import InvalidInput, NotFound
from tests.support.world import World

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_io_in_transaction")]
BETTER = """\
version: 1
gates:
  - gate: expression
    that: "evidence.metrics.auc >= 0.9 && evidence.metrics.auc >= live.metrics.auc - 0.01"
    says: "AUC at least 0.9 and no worse than live"
"""


def state(release: Release) -> str:
    release.refresh_from_db()
    return release.state


def gate(release: Release, name: str) -> GateResult:
    return next(g for g in actions.evaluate(release) if g["gate"] == name)


# asking


def test_a_request_pins_the_newest_evidence_of_each_kind(world: World) -> None:
    version = world.version()
    bento = world.bento(version, metrics={"auc": 0.8})
    add_evidence(version, kind="metrics", data={"auc": 0.95}, actor=world.ada)
    other = world.bento(version, result="failed")
    release = world.request("development", bento)
    pinned = {p["kind"]: p["digest"] for p in release.evidence}
    assert sorted(pinned) == ["metrics", "scan", "smoke_test"]
    newest = Evidence.objects.filter(version=version, kind="metrics").latest("created_at")
    assert pinned["metrics"] == newest.digest and newest.data == {"auc": 0.95}
    assert Evidence.objects.get(digest=pinned["smoke_test"]).bento_digest == bento.digest
    assert other.digest != bento.digest


@pytest.mark.parametrize(
    ("that", "reason"),
    [
        ("evidence.document.title.size() > 3 && evidence.document.title > 'A'", "of 23 characters"),
        ("evidence.document[evidence.document.title] == 1.0", "Key not found"),
    ],
)
def test_what_people_wrote_into_evidence_stands_in_no_event(
    world: World, that: str, reason: str
) -> None:
    """Nor does a gate that compares it tell it: what gates answered is logged as it is."""
    world.policy("staging", f'version: 1\ngates:\n  - {{gate: expression, that: "{that}"}}\n')
    version = world.version()
    data = {"title": "Written by Ada Lovelace", "sha256": "0" * 64}
    add_evidence(version, kind="document", data=data, source="reported", actor=world.ada)
    release = world.request("staging", world.bento(version))
    assert reason in release.gates[0]["reason"]
    assert not Event.objects.filter(body__contains="Ada Lovelace").exists()


def test_later_evidence_does_not_change_what_was_asked(world: World) -> None:
    world.policy("staging", BETTER)
    version = world.version()
    release = world.request("staging", world.bento(version, metrics={"auc": 0.5}))
    add_evidence(version, kind="metrics", data={"auc": 0.99}, actor=world.ada)
    assert gate(release, "expression")["reason"].startswith("not 0.5 ≥ 0.9")


def test_a_reported_scan_is_not_pinned_over_the_measured_one(world: World) -> None:
    version = world.version()
    bento = world.bento(version, verdict="malicious")
    add_evidence(
        version,
        kind="scan",
        data={"verdict": "safe", "findings": [], "scanner": {"name": "mine"}},
        actor=world.ada,
    )
    release = world.request("development", bento)
    assert state(release) == "requested"
    assert gate(release, "scan")["reason"].startswith("The scanner found malicious code")


def test_a_draft_version_and_one_without_a_bento_are_not_released(world: World) -> None:
    environment, ada = world.environment("development"), world.ada
    with pytest.raises(errors.NotBuilt):
        actions.request_release(
            version=world.version(), endpoint="churn", environment=environment, actor=ada
        )
    with pytest.raises(errors.NotFinalised):
        actions.request_release(
            version=world.version(state="draft"),
            endpoint="churn",
            environment=environment,
            actor=ada,
        )


def test_an_endpoint_is_made_by_name_or_found_by_name_or_id(world: World) -> None:
    first = world.request("development")
    assert (first.endpoint.name, first.endpoint.target) == ("churn", world.target)
    again = world.request("development", endpoint=first.endpoint_id, environment=None)
    assert again.endpoint_id == first.endpoint_id
    assert Endpoint.objects.count() == 1


def test_a_new_endpoint_needs_to_know_its_target(world: World) -> None:
    second = world.another_target("edge", "development")
    environment = world.environment("development")
    with pytest.raises(errors.NoEndpoint):
        world.request("development")
    assert world.request("development", target=second).endpoint.target == second
    actions.update_environment(environment, targets=[second], actor=world.otto)
    with pytest.raises(InvalidInput):
        actions.update_environment(environment, targets=[], actor=world.otto)


def test_a_target_outside_of_the_environment_is_refused(world: World) -> None:
    foreign = world.another_target("foreign")
    with pytest.raises(InvalidInput):
        world.request("development", target=foreign)


def test_more_memory_than_the_target_has_is_refused(world: World) -> None:
    with pytest.raises(errors.DoesNotFit):
        world.request("development", serving={"replicas": 3, "memory_mb": 4096})
    with pytest.raises(InvalidInput):
        world.request("development", serving={"replicas": 0})


def test_nobody_asks_for_another_projects_version_or_endpoint(world: World) -> None:
    other = World("other")
    foreign = other.bento(other.version())
    endpoint = other.request("development", foreign).endpoint
    with pytest.raises(NotFound):
        world.request("development", foreign)
    with pytest.raises(NotFound):
        world.request("development", endpoint=endpoint, environment=None)
    with pytest.raises(NotFound):
        actions.request_release(
            version=foreign.version,
            endpoint="churn",
            environment=other.environment("development"),
            actor=world.ada,
        )


def test_the_bento_is_fetched_ahead_until_the_release_ends(world: World) -> None:
    release = world.request("staging")
    assert Prefetch.objects.get().holder == release.pk
    actions.withdraw(release, actor=world.ada)
    assert not Prefetch.objects.exists()


# gates over time


def test_live_metrics_are_those_that_are_live_at_the_moment(world: World) -> None:
    world.policy("development", "version: 1\ngates: [{gate: build}]\n")
    world.live("development", world.bento(world.version(), metrics={"auc": 0.92}))
    world.policy("development", BETTER)
    better = world.request("development", world.bento(world.version(), metrics={"auc": 0.95}))
    worse = world.request("development", world.bento(world.version(), metrics={"auc": 0.905}))
    assert (state(better), state(worse)) == ("approved", "requested")
    assert gate(worse, "expression")["reason"] == "0.905 ≥ 0.9, not 0.905 ≥ 0.91"


def test_with_nothing_live_the_comparison_does_not_pass(world: World) -> None:
    world.policy("development", BETTER)
    release = world.request("development", world.bento(world.version(), metrics={"auc": 0.95}))
    assert state(release) == "requested"
    assert "nothing is live" in gate(release, "expression")["reason"]


def test_evidence_edited_in_the_database_no_longer_counts(world: World) -> None:
    world.policy("staging", "version: 1\ngates: [{gate: evidence, kind: metrics}]\n")
    release = world.request("staging", world.bento(world.version(), metrics={"auc": 0.5}))
    assert gate(release, "evidence")["passed"]
    Evidence.objects.filter(kind="metrics").update(data={"auc": 0.99})
    assert not gate(release, "evidence")["passed"]


def test_a_freeze_keeps_a_decided_release_waiting_until_it_is_lifted(world: World) -> None:
    freeze = actions.set_freeze(
        world.environment("staging"), reason="Year end, says Quentin", actor=world.vera
    )
    release = world.request("staging")
    world.decide(release, world.rex)
    assert (state(release), release.quorum_met) == ("requested", True)
    assert actions.advance_waiting() == 0
    actions.lift_freeze(freeze, actor=world.otto)
    assert actions.advance_waiting() == 1
    assert state(release) == "approved"
    assert Job.objects.filter(kind="rollouts.start", key=release.pk).exists()
    assert "Quentin" not in "".join(Event.objects.values_list("body", flat=True))
    with pytest.raises(errors.WrongState):
        actions.lift_freeze(freeze, actor=world.otto)


def test_a_freeze_set_after_the_approval_stops_the_start(world: World) -> None:
    release = world.request("staging", plan={"start": "manual"})
    world.decide(release, world.rex)
    actions.set_freeze(world.environment("staging"), reason="Incident", actor=world.vera)
    with pytest.raises(errors.GatesFailed) as refusal:
        actions.begin_rollout(release, actor=SYSTEM)
    assert [e.pointer for e in refusal.value.errors] == ["freeze"]
    assert state(release) == "approved"


def test_a_release_becomes_approved_by_itself_when_it_has_soaked(world: World) -> None:
    bento = world.bento(world.version())
    world.soaked(bento, seconds=3000)
    release = world.request("production", bento)
    world.decide(release, world.rex)
    world.decide(release, world.vera)
    assert state(release) == "requested"
    assert gate(release, "soaked")["state"] == "waiting"
    assert actions.advance_waiting() == 0
    Release.objects.filter(environment__name="staging").update(
        live_at=now() - timedelta(seconds=3601)
    )
    assert actions.advance_waiting() == 1
    assert state(release) == "approved"


def test_what_was_live_until_its_endpoint_was_deleted_has_soaked(world: World) -> None:
    bento = world.bento(world.version())
    world.soaked(bento)
    endpoint = Release.objects.get(environment__name="staging").endpoint
    delete_endpoint(endpoint, if_generation=endpoint.generation, actor=world.otto)
    assert Release.objects.get(environment__name="staging").state == "retired"
    assert gate(world.request("production", bento), "soaked")["passed"]


def test_another_bento_or_one_that_was_rolled_back_has_not_soaked(world: World) -> None:
    bento = world.bento(world.version())
    world.soaked(bento)
    other = world.request("production", world.bento(bento.version))
    assert gate(other, "soaked")["reason"] == "This Bento has not been live in staging"
    release = world.request("production", bento)
    assert gate(release, "soaked")["passed"]
    actions.mark_rolled_back(
        Release.objects.get(environment__name="staging"), reason="slow", actor=SYSTEM
    )
    assert not gate(release, "soaked")["passed"]


# expiry


def test_a_release_that_nobody_started_expires_after_the_days_of_its_policy(world: World) -> None:
    release = world.request("staging")
    approved = world.request("development", plan={"start": "manual"})
    assert timedelta(days=13.9) < release.not_after - now() <= timedelta(days=14)
    assert actions.expire_due() == 0
    assert actions.expire_due(now() + timedelta(days=15)) == 2
    assert (state(release), state(approved)) == ("expired", "expired")


def test_past_its_time_a_release_is_neither_decided_nor_started(world: World) -> None:
    waiting = world.request("staging")
    approved = world.request("development", plan={"start": "manual"})
    Release.objects.update(not_after=now() - timedelta(seconds=1))
    with pytest.raises(errors.Expired):
        world.decide(waiting, world.rex)
    with pytest.raises(errors.Expired):
        actions.begin_rollout(approved, actor=SYSTEM)


# rolling out


def test_a_started_release_goes_live_and_supersedes_the_one_before(world: World) -> None:
    first = world.live("development")
    second = world.live("development")
    assert (state(first), state(second)) == ("superseded", "live")
    assert first.ended_at is not None and second.live_at is not None
    kinds = set(Event.objects.values_list("kind", flat=True))
    assert {"release.rolling_out.v1", "release.live.v1", "release.superseded.v1"} <= kinds


def test_a_rollback_brings_the_one_before_back_without_a_new_approval(world: World) -> None:
    first = world.live("development")
    second = world.live("development")
    Release.objects.update(not_after=now() - timedelta(days=1))
    actions.mark_rolled_back(second, restored=first, actor=SYSTEM)
    assert (state(first), state(second)) == ("live", "rolled_back")
    assert first.ended_at is None


def test_a_failed_rollout_says_why_and_leaves_what_is_live(world: World) -> None:
    first = world.live("development")
    second = world.request("development")
    actions.begin_rollout(second, actor=SYSTEM)
    actions.mark_failed(second, reason="Not ready in 300 s", actor=SYSTEM)
    assert (state(first), state(second)) == ("live", "failed")
    assert second.ended_reason == "Not ready in 300 s"
    with pytest.raises(errors.WrongState):
        actions.mark_live(second, actor=SYSTEM)


def test_one_release_at_a_time_goes_out_behind_an_endpoint(world: World) -> None:
    one = world.request("development", plan={"start": "manual"})
    two = world.request("development", plan={"start": "manual"})
    actions.begin_rollout(one, actor=SYSTEM)
    with pytest.raises(errors.WrongState):
        actions.begin_rollout(two, actor=SYSTEM)
    with pytest.raises(errors.WrongState):
        actions.begin_rollout(one, actor=SYSTEM)


def test_nothing_that_was_not_approved_starts(world: World) -> None:
    release = world.request("staging")
    with pytest.raises(errors.WrongState):
        actions.begin_rollout(release, actor=SYSTEM)
    Release.objects.filter(pk=release.pk).update(state="approved", quorum_met=True)
    with pytest.raises(errors.GatesFailed):
        actions.begin_rollout(release, actor=SYSTEM)


def test_an_approval_forged_in_the_database_does_not_start_anything(world: World) -> None:
    from apps.governance.models import Decision

    release = world.request("staging")
    Decision.objects.create(
        release=release,
        project=world.project,
        person=world.people["Rex"].pk,
        role="reviewer",
        verdict="approve",
        statement_digest=release.request_digest,
        envelope=release.request_envelope,
    )
    Release.objects.filter(pk=release.pk).update(state="approved")
    with pytest.raises(errors.PermitInvalid):
        actions.begin_rollout(release, actor=SYSTEM)


def test_a_draft_that_is_published_by_hand_starts_nothing(world: World) -> None:
    from apps.governance.models import PolicyRevision

    release = world.request("development")
    PolicyRevision.objects.filter(pk=release.policy_id).update(envelope="")
    row = Release.objects.get(pk=release.pk)
    with pytest.raises(errors.PermitInvalid, match="not JSON"):
        actions.begin_rollout(row, actor=SYSTEM)
    with pytest.raises(errors.PermitInvalid):
        actions.permit_to_hand_out(row)


@pytest.mark.parametrize("who", ["ada", "rex", "vera"])
def test_only_an_operator_or_the_system_starts_a_rollout(world: World, who: str) -> None:
    from placet.kernel.problems import Forbidden

    release = world.request("development", plan={"start": "manual"})
    with pytest.raises(Forbidden):
        actions.begin_rollout(release, actor=getattr(world, who))
    assert actions.begin_rollout(release, actor=world.otto).state == "rolling_out"


def test_the_log_alone_rebuilds_every_row_of_governance(world: World) -> None:
    from django.apps import apps as django_apps

    from apps.audit.actions import plain_state, row_key
    from apps.audit.models import Audited
    from apps.audit.queries import replay, unseal

    first = world.live("development")
    second = world.live("development")
    actions.mark_rolled_back(second, restored=first, reason="Slow", actor=SYSTEM)
    waiting = world.request("staging", reason="Better")
    world.decide(waiting, world.rex, comment="Yes")
    world.policy("staging", BETTER)
    actions.comment(waiting, text="Hm", actor=world.ada)
    freeze = actions.set_freeze(world.environment("staging"), reason="x", actor=world.vera)
    actions.lift_freeze(freeze, actor=world.vera)
    actions.expire_due(now() + timedelta(days=20))
    states, rows = replay(), 0
    for model in django_apps.get_app_config("governance").get_models():
        for row in model._default_manager.all() if issubclass(model, Audited) else ():
            logged = states[row_key(row)]
            assert logged is not None
            for name, value in plain_state(row).items():
                found = unseal(logged[name]) if name in row.LOG_SEALED else logged[name]
                assert (row_key(row), name, found) == (row_key(row), name, value)
            rows += 1
    assert rows == 14
