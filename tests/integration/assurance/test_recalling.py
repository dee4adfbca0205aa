"""What a recall does on the platform: at once, once, and for good."""

from dataclasses import replace
from typing import Any

import pytest

from apps.assurance.actions import lift, recall
from apps.assurance.errors import AlreadyLifted, KeyInUse, OwnDecisions, OwnRecall
from apps.assurance.models import Recall, RecallEffect, Receipt
from apps.assurance.queries import foresee, preview
from apps.audit.models import Event
from apps.builds.models import Bento
from apps.governance import actions as governance
from apps.governance.errors import GatesFailed, WrongState
from apps.governance.models import Decision, Release
from apps.rollouts.actions import pause, rollback, run_drill
from apps.rollouts.errors import DrillRefused, NothingToRollBackTo
from apps.rollouts.models import Rollout
from apps.serving.errors import NothingLive, Recalled
from apps.serving.models import Endpoint, Revision
from placet.kernel import keystore
from placet.kernel.actor import SYSTEM
from placet.kernel.problems import Forbidden, InvalidInput, NeedsPermission, NotFound
from tests.support import factories
from tests.support.replay import assert_log_rebuilds_every_row
from tests.support.story import Story
from tests.support.world import World, digest_of

pytestmark = pytest.mark.django_db
CANARY = {"strategy": "canary", "steps": [{"set_weight": 5}, {"pause": {}}]}
WARM = {"keep_warm_seconds": 3600}


@pytest.fixture
def twice(story: Story) -> list[Release]:
    """Two releases of two versions in development: the second is live, the first kept warm."""
    return [fresh(release) for release in [served(story) for _ in range(2)]]


def served(story: Story, **more: Any) -> Release:
    release = story.release("development", plan={**WARM, **more})
    story.settle()
    return fresh(release)


def fresh(release: Release) -> Release:
    return Release.objects.get(pk=release.pk)


def taken(world: World, bento: Bento, **more: Any) -> Recall:
    values = {"kind": "bento", "what": bento.pk, "reason": "poisoned", "actor": world.otto}
    return recall(**(values | {"project": world.project} | more))


def states() -> dict[int, tuple[str, int]]:
    rows = Revision.objects.order_by("number")
    return {row.number: (row.state, row.weight) for row in rows}


def rebuilt() -> int:
    """Rebuild all that a recall writes from the log alone."""
    return assert_log_rebuilds_every_row(
        Recall, RecallEffect, Receipt, Release, Revision, Rollout, Endpoint, Decision
    )


def kinds(subject: str) -> list[str]:
    rows = Event.objects.filter(subject=subject).order_by("index")
    return [kind.removesuffix(".v1") for kind in rows.values_list("kind", flat=True)]


def test_a_recalled_bento_stops_and_the_endpoint_falls_back_to_what_was_good(
    story: Story, twice: list[Release]
) -> None:
    old, new = twice
    assert (old.state, new.state) == ("superseded", "live")
    found = taken(story.world, new.bento)
    assert fresh(new).state == "revoked"
    assert states() == {1: ("ready", 10_000), 2: ("failed", 0)}, "the requests move at once"
    effect = RecallEffect.objects.get()
    assert (effect.action, effect.state, effect.release_id) == ("fell_back", "open", new.pk)
    assert effect.fallback == Revision.objects.get(number=1).pk
    story.settle()
    assert (fresh(old).state, states()) == ("live", {1: ("live", 10_000), 2: ("failed", 0)})
    assert RecallEffect.objects.get().state == "open", "the node has signed nothing yet"
    story.node.confirm()
    effect = RecallEffect.objects.get()
    assert (effect.state, bool(effect.confirmed_at)) == ("confirmed", True)
    assert kinds(found.pk) == ["recall.created", "recall.confirmed"]
    assert rebuilt() > 0


def test_an_environment_that_says_so_stops_instead(story: Story, twice: list[Release]) -> None:
    place = story.world.environment("development")
    governance.update_environment(place, on_recall="stop", actor=story.otto)
    taken(story.world, twice[1].bento)
    assert Endpoint.objects.get().state == "stopped"
    assert RecallEffect.objects.get().action == "stopped"
    story.settle()
    assert fresh(twice[0]).state == "superseded"
    assert {r["wanted"] for r in story.node.revisions().values()} == {"stop"}
    rebuilt()


def test_with_nothing_good_to_fall_back_to_it_stops(story: Story) -> None:
    only = served(story)
    taken(story.world, only.bento)
    assert Endpoint.objects.get().state == "stopped"
    assert RecallEffect.objects.get().action == "stopped"


def test_the_preview_says_of_a_rollout_that_is_paused_that_it_is(story: Story) -> None:
    served(story)
    going = served(story, **CANARY)
    pause(story.rollout(going), reason="lunch", actor=story.otto)
    said = {"kind": "bento", "what": going.bento_id, "project": story.world.project}
    (foreseen,) = preview(foresee(story.vera, **said, ring=keystore.ring()))
    assert (foreseen.release.state, foreseen.stands) == ("rolling_out", "paused")


def test_a_version_takes_every_bento_of_it_and_the_revision_kept_warm(
    story: Story, twice: list[Release]
) -> None:
    old = twice[0]
    said = {"kind": "version", "what": old.version_id, "reason": "x"}
    recall(**said, project=story.world.project, actor=story.vera)
    assert states() == {1: ("failed", 0), 2: ("live", 10_000)}
    assert RecallEffect.objects.get().action == "ended"
    with pytest.raises((NothingToRollBackTo, NothingLive)):
        rollback(Endpoint.objects.get(), reason="worse", actor=story.otto)
    with pytest.raises(DrillRefused, match="no earlier revision"):
        run_drill(Endpoint.objects.get(), actor=SYSTEM)


def test_the_canary_of_a_recalled_bento_ends_and_what_is_live_has_all_requests(
    story: Story,
) -> None:
    good = served(story)
    going = served(story, **CANARY)
    assert states() == {1: ("live", 9_500), 2: ("ready", 500)}
    taken(story.world, going.bento)
    assert states() == {1: ("live", 10_000), 2: ("failed", 0)}
    assert story.rollout(going).state == "aborted"
    assert (fresh(going).state, fresh(good).state) == ("revoked", "live")
    story.settle()
    assert served(story).state == "live", "the endpoint is free for the next"
    rebuilt()


def test_what_was_going_out_in_place_of_it_ends_too_and_may_start_again(
    story: Story, twice: list[Release]
) -> None:
    going = served(story, **CANARY)
    taken(story.world, twice[1].bento)
    assert states() == {1: ("ready", 10_000), 2: ("failed", 0), 3: ("failed", 0)}
    assert fresh(going).state == "aborted"
    story.settle()
    assert fresh(twice[0]).state == "live"
    assert governance.reopen(fresh(going), actor=SYSTEM).state == "approved"


def test_a_rollback_that_is_on_its_way_to_a_good_revision_goes_on(
    story: Story, twice: list[Release]
) -> None:
    rollback(Endpoint.objects.get(), reason="worse", actor=story.otto)
    taken(story.world, twice[1].bento)
    assert RecallEffect.objects.get().action == "fell_back"
    story.settle()
    assert (fresh(twice[0]).state, states()[1]) == ("live", ("live", 10_000))


def test_a_rollback_that_somebody_held_goes_on_at_once(story: Story, twice: list[Release]) -> None:
    Revision.objects.filter(number=1).update(state="stopped")
    back = rollback(Endpoint.objects.get(), reason="worse", actor=story.otto)
    pause(back, reason="lunch", actor=story.otto)
    taken(story.world, twice[1].bento)
    back.refresh_from_db()
    assert not back.paused_by
    story.settle()
    assert (fresh(twice[0]).state, states()[1]) == ("live", ("live", 10_000))
    rebuilt()


def test_a_drill_becomes_the_rollback(story: Story, twice: list[Release]) -> None:
    drill = run_drill(Endpoint.objects.get(), actor=SYSTEM)
    assert drill.state == "running"
    taken(story.world, twice[1].bento)
    story.settle()
    assert (fresh(twice[0]).state, states()[1]) == ("live", ("live", 10_000))


def test_nobody_asks_for_it_starts_it_or_reopens_it_any_more(world: World) -> None:
    bento = world.bento(world.version())
    approved = world.request("development", bento, plan={"start": "manual"})
    waiting = world.request("staging", bento)
    taken(world, bento)
    assert (fresh(approved).state, fresh(waiting).state) == ("revoked", "revoked")
    assert {e.state for e in RecallEffect.objects.all()} == {"never_ran"}
    with pytest.raises(Recalled, match="was recalled"):
        world.request("development", bento)
    with pytest.raises(WrongState):
        governance.begin_rollout(approved, actor=SYSTEM)
    with pytest.raises(WrongState):
        world.decide(waiting, world.rex)


def test_a_row_moved_back_by_hand_does_not_start_it_either(world: World) -> None:
    """The gate asks again, whatever the release's row says."""
    bento = world.bento(world.version())
    approved = world.request("development", bento, plan={"start": "manual"})
    taken(world, bento)
    Release.objects.filter(pk=approved.pk).update(state="approved")
    with pytest.raises(GatesFailed) as refused:
        governance.begin_rollout(fresh(approved), actor=SYSTEM)
    assert "Not recalled" in refused.value.errors[0].detail


def test_a_bento_built_after_the_recall_is_refused_as_well(world: World) -> None:
    data = digest_of("rows")
    lineage = {"datasets": [{"name": "rows", "digest": data}]}
    bento = world.bento(world.version(lineage=lineage))
    recall(kind="dataset", what=data, reason="stolen", project=world.project, actor=world.vera)
    later = world.bento(world.version(lineage=lineage))
    for one in (bento, later):
        with pytest.raises(Recalled, match="training data"):
            world.request("development", one)
    assert world.request("development", world.bento(world.version())).state == "approved"


def test_a_wheel_takes_what_was_built_with_it_in_every_project(world: World) -> None:
    wheel = digest_of("numpy.whl").removeprefix("sha256:")
    bento = world.bento(world.version())
    bento.runtime.wheels = [{"name": "numpy-2.3.5-py3-none-any.whl", "sha256": wheel, "size": 1}]
    bento.runtime.save()
    release = world.request("development", bento)
    admin = factories.actor_of(factories.person("Oda", {"operator": None}))
    recall(kind="wheel", what=wheel, reason="CVE", actor=admin)
    assert fresh(release).state == "revoked"
    with pytest.raises(Recalled, match="wheel"):
        world.request("staging", bento)


def everywhere(name: str, role: str = "operator") -> Any:
    return factories.actor_of(factories.person(name, {role: None}))


def test_a_persons_decisions_end_the_releases_that_needed_them_and_no_other(story: Story) -> None:
    by_rex = story.release("staging")
    story.approve(by_rex)
    story.settle()
    spare = story.release("staging", endpoint="spare")
    policy = (
        "version: 1\ngates:\n  - {gate: build}\n  - {gate: approvals, role: reviewer, count: 1}\n"
    )
    story.world.policy("production", policy)
    waiting = story.release("production", endpoint="later", plan={"start": "manual"})
    story.approve(waiting)
    assert (fresh(by_rex).state, fresh(waiting).state) == ("live", "approved")
    recall(kind="person", what=story.rex.id, reason="coerced", actor=everywhere("Oda"))
    assert fresh(by_rex).state == "revoked"
    assert fresh(waiting).state == "requested", "it may still be approved, by others"
    assert waiting.decisions.get().voided_reason == "recalled"
    with pytest.raises(Recalled, match="Your decisions"):
        story.approve(spare)
    story.approve(waiting, by="Rita")
    assert fresh(waiting).state == "approved"
    assert fresh(spare).state == "requested"
    rebuilt()


def test_a_release_that_others_approved_as_well_goes_on(story: Story) -> None:
    two = "version: 1\ngates:\n  - {gate: approvals, role: reviewer, count: 1}\n  - {gate: build}\n"
    story.world.policy("staging", two + "  - {gate: freeze}\n")
    frozen = governance.set_freeze(story.world.environment("staging"), reason="x", actor=story.vera)
    release = story.release("staging")
    story.approve(release)
    story.approve(release, by="Rita")
    governance.lift_freeze(frozen, actor=story.vera)
    story.run_jobs()
    story.settle()
    governance.advance_waiting()
    story.settle()
    assert fresh(release).state == "live"
    recall(kind="person", what=story.rex.id, reason="coerced", actor=everywhere("Oda"))
    assert fresh(release).state == "live", "Rita's approval is enough"
    recall(kind="person", what=story.rita.id, reason="coerced too", actor=everywhere("Olga"))
    assert fresh(release).state == "revoked", "Rex's counts no more than before"
    assert RecallEffect.objects.get().release == release


def test_a_key_that_still_signs_is_rotated_first(world: World) -> None:
    key = keystore.signer("decision").id
    oda = everywhere("Oda")
    with pytest.raises(KeyInUse):
        recall(kind="key", what=key, reason="leaked", actor=oda)
    with pytest.raises(InvalidInput):
        recall(kind="key", what=keystore.signer("state").id, reason="leaked", actor=oda)
    with pytest.raises(NotFound):
        recall(kind="key", what="0" * 16, reason="leaked", actor=oda)


def test_asked_twice_it_is_done_once(world: World, twice: list[Release]) -> None:
    first = taken(world, twice[1].bento)
    again = taken(world, twice[1].bento, actor=world.vera, reason="other words")
    assert again.pk == first.pk
    assert Event.objects.filter(kind="recall.created.v1").count() == 1


def test_who_may_not_recall_is_told_so_or_sees_nothing(world: World) -> None:
    bento = world.bento(world.version())
    with pytest.raises(Forbidden):
        taken(world, bento, actor=world.ada)
    stranger = factories.actor_of(factories.person("Sam", {"operator": factories.project("other")}))
    with pytest.raises(NotFound):
        taken(world, bento, actor=stranger)
    with pytest.raises(Forbidden):  # Otto operates one project
        recall(kind="wheel", what="0" * 64, reason="x", actor=world.otto)
    with pytest.raises(InvalidInput):
        taken(world, bento, reason="  ")
    with pytest.raises(InvalidInput):
        taken(world, bento, what="sha256:xyz")
    other = factories.project("third")
    with pytest.raises(NotFound):
        taken(world, bento, project=other, actor=SYSTEM)


def test_another_person_lifts_it_and_the_releases_stay_revoked(world: World) -> None:
    bento = world.bento(world.version())
    gone = world.request("development", bento)
    found = taken(world, bento, actor=world.vera)
    with pytest.raises(OwnRecall):
        lift(found, reason="never mind", actor=world.vera)
    with pytest.raises(Forbidden):
        lift(found, reason="never mind", actor=world.otto)
    with pytest.raises(Forbidden):  # what a person took back a person gives back, in a session
        lift(found, reason="by a pipeline", actor=replace(world.vito, token="tok_1"))
    lifted = lift(found, reason="a false alarm", actor=world.vito)
    assert (lifted.state, fresh(gone).state) == ("lifted", "revoked")
    with pytest.raises(AlreadyLifted):
        lift(found, reason="again", actor=world.vito)
    assert world.request("development", bento).state == "approved"
    assert taken(world, bento, actor=world.vera).pk != found.pk, "it can be recalled again"
    rebuilt()


def test_who_recalled_it_is_told_who_else_withdraws_it_with_the_role_and_without(
    world: World,
) -> None:
    found = taken(world, world.bento(world.version()), actor=world.otto)
    approver = replace(world.otto, grants=world.otto.grants | world.vito.grants)
    for recaller in (world.otto, approver):
        with pytest.raises(OwnRecall) as refused:
            lift(found, reason="never mind", actor=recaller)
        can = "Who has the role approver in all of Risk can withdraw the recall, but not you"
        assert refused.value.detail.startswith(f"{can}; Vera")
        assert "Otto" not in refused.value.detail
    page = factories.browser(world.people["Otto"]).get(f"/recalls/{found.pk}/").content.decode()
    assert "but not the person who recalled it; Vera" in page


def test_who_lacks_the_role_is_told_none_of_the_parties_of_the_recall(world: World) -> None:
    taken_by_vera = taken(world, world.bento(world.version()), actor=world.vera)
    with pytest.raises(NeedsPermission) as refused:
        lift(taken_by_vera, reason="never mind", actor=world.otto)
    assert "Vito" in refused.value.detail
    assert "Vera" not in refused.value.detail, "who made it withdraws it in no case"


def test_nobody_gives_their_own_decisions_back(world: World) -> None:
    own = factories.person("Vic", {"approver": None})
    found = recall(kind="person", what=own.pk, reason="x", actor=everywhere("Oda"))
    with pytest.raises(OwnDecisions):
        lift(found, reason="I am fine", actor=factories.actor_of(own))


def test_why_is_kept_sealed(world: World) -> None:
    found = taken(world, world.bento(world.version()), reason="Bob told us about the leak")
    bodies = "".join(Event.objects.values_list("body", flat=True))
    assert "Bob told" not in bodies and "Bob told" not in found.envelope
    assert found.reason_sealed in bodies


def test_starting_again_what_failed_is_refused_after_a_recall(story: Story) -> None:
    release = story.release("development")
    story.run_jobs("control")
    rollout = story.rollout(release)
    story.node.pull()
    story.node.phase[rollout.to_revision_id] = ("failed", "out of memory")
    story.node.report()
    story.run_jobs("control")
    assert fresh(release).state == "failed"
    taken(story.world, release.bento)
    assert fresh(release).state == "revoked"
    with pytest.raises(WrongState):
        governance.reopen(fresh(release), actor=SYSTEM)
