"""Rollback drills: a rollback that is rehearsed, measured and given back."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine

from apps.audit.actions import plain_state, row_key
from apps.audit.models import Audited, Event
from apps.audit.queries import replay
from apps.governance.actions import set_freeze
from apps.governance.models import Release
from apps.jobs.actions import enqueue
from apps.monitoring.actions import open_alert, set_objective
from apps.monitoring.actions.alerts import AlertFinding
from apps.monitoring.models import Alert, AlertKind, MetricWindow
from apps.monitoring.rules import ObjectiveTerms
from apps.rollouts import actions, queries
from apps.rollouts.errors import DrillRefused, PastSteps, RolloutOpen
from apps.rollouts.models import Drill, DrillSchedule, Rollout
from apps.serving.actions import delete_endpoint, stop_endpoint
from apps.serving.models import Endpoint, Revision
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now
from placet.kernel.problems import Forbidden, InvalidInput, NotFound, Stale
from tests.support import factories
from tests.support.nodes import SimulatedNode
from tests.support.story import Story
from tests.support.world import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def endpoint(story: Story) -> Endpoint:
    """An endpoint whose second release is live and whose first is kept warm."""
    story.lived()
    return story.lived().endpoint


def sweep() -> None:
    """What the worker does every five seconds."""
    for drill in queries.drills_under_way():
        actions.finish_drill(drill)
        actions.tell_if_stuck(drill)
    for schedule in queries.drills_due():
        actions.run_planned(schedule)


def later(seconds: float) -> Any:
    """Return a clock that goes on so many seconds from now."""
    return time_machine.travel(now() + timedelta(seconds=seconds), tick=True)


def finished(drill: Drill) -> Drill:
    """Return the drill after its counts are in."""
    with later(21):
        sweep()
    drill.refresh_from_db()
    return drill


def window(node: SimulatedNode, revision: str, good: int, bad: int = 0, error: str = "") -> None:
    """Store what the node counted while the drill moved requests, however long ago that is."""
    drill = Rollout.objects.filter(kind="drill").latest("created_at")
    MetricWindow.objects.create(
        node=node.id,
        revision=revision,
        started_at=drill.phase_times["shifting"],
        seconds=10,
        status_2xx=good,
        status_5xx=bad,
        error=error,
    )


def assert_the_log_has(*rows: Audited) -> None:
    """Compare rows with the state that the log alone gives."""
    states = replay()
    for row in rows:
        row.refresh_from_db()
        plain = {k: v for k, v in plain_state(row).items() if k not in row.LOG_SEALED}
        assert plain == {k: states[row_key(row)][k] for k in plain}


def kinds(subject: str) -> list[str]:
    """Return the events about one thing, in order."""
    rows = Event.objects.filter(subject=subject).order_by("index")
    return [kind.removesuffix(".v1") for kind in rows.values_list("kind", flat=True)]


def test_a_drill_sends_everything_back_and_returns(story: Story, endpoint: Endpoint) -> None:
    before, warm = story.states(), Revision.objects.get(endpoint=endpoint, number=1).warm_until
    releases = list(Release.objects.order_by("pk").values_list("state", flat=True))
    drill = actions.run_drill(endpoint, actor=story.otto)
    story.run_jobs("control")
    assert story.states() == [(1, "ready", 10_000), (2, "live", 0)]
    story.node.step()
    story.run_jobs("control")
    assert story.states() == [(1, "ready", 0), (2, "live", 10_000)]
    story.settle(rounds=2)
    assert story.states() == before == [(1, "warm", 0), (2, "live", 10_000)]
    assert Revision.objects.get(endpoint=endpoint, number=1).warm_until == warm is not None
    assert list(Release.objects.order_by("pk").values_list("state", flat=True)) == releases
    assert drill.rollout is not None
    assert kinds(drill.rollout.pk) == [
        "rollout.shifting",
        "rollout.returning",
        "rollout.done",
    ]


def test_what_came_of_it_is_written_when_the_counts_are_in(
    story: Story, endpoint: Endpoint
) -> None:
    drill = actions.run_drill(endpoint, actor=story.otto)
    story.settle(rounds=4)
    first, second = Revision.objects.filter(endpoint=endpoint).order_by("number")
    window(story.node, first.pk, good=40)
    window(story.node, second.pk, good=60, bad=2)
    sweep()
    assert story.state(drill) == "running"
    done = finished(drill)
    assert (done.state, done.reason) == ("passed", "")
    assert (done.answers, done.failed_requests) == (40, 2)
    assert done.seconds is not None
    assert done.return_seconds is not None
    assert 0 < done.seconds < 30
    assert 0 < done.return_seconds < 30
    assert done.started_by == story.otto.id
    assert kinds(drill.pk) == ["drill.started", "drill.finished"]
    assert not Alert.objects.exists()
    assert_the_log_has(done)


def test_gaps_in_the_counts_are_not_taken_for_no_failure(story: Story, endpoint: Endpoint) -> None:
    drill = actions.run_drill(endpoint, actor=story.otto)
    story.settle(rounds=4)
    window(
        story.node,
        Revision.objects.get(endpoint=endpoint, number=2).pk,
        good=9,
        error="3 are missing",
    )
    assert finished(drill).failed_requests is None


def test_a_former_revision_that_answers_with_errors_fails_the_drill_and_alerts(
    story: Story, endpoint: Endpoint
) -> None:
    drill = actions.run_drill(endpoint, actor=story.otto)
    story.settle(rounds=4)
    window(story.node, Revision.objects.get(endpoint=endpoint, number=1).pk, good=7, bad=3)
    done = finished(drill)
    why = "3 of 10 answers of the former revision were server errors"
    assert (done.state, done.reason) == ("failed", why)
    alert = Alert.objects.get()
    assert (alert.kind, alert.subject, alert.state) == ("drill_failed", endpoint.pk, "open")
    assert why in alert.summary
    MetricWindow.objects.all().delete()
    with later(60):
        story.node.report()
        again = actions.run_drill(endpoint, actor=story.otto)
        story.settle(rounds=4)
        assert finished(again).state == "passed"
    assert story.state(alert) == "resolved"


def test_a_drill_that_failed_as_its_endpoint_went_opens_no_alert_and_ends_the_one_there_is(
    story: Story, endpoint: Endpoint
) -> None:
    drill = actions.run_drill(endpoint, actor=story.otto)
    story.settle(rounds=4)
    window(story.node, Revision.objects.get(endpoint=endpoint, number=1).pk, good=7, bad=3)
    earlier = open_alert(
        AlertFinding(AlertKind.DRILL_FAILED, subject=endpoint.pk, about="x", summary="x"),
        actor=SYSTEM,
    )
    stopped = stop_endpoint(endpoint, actor=story.otto)
    delete_endpoint(stopped, if_generation=stopped.generation, actor=story.otto)
    assert finished(drill).state == "failed"
    assert [(row, row.state) for row in Alert.objects.all()] == [(earlier, "resolved")]


def test_a_former_revision_that_breaks_gives_everything_back(
    story: Story, endpoint: Endpoint
) -> None:
    set_objective(endpoint, terms=ObjectiveTerms(availability=0.99), actor=story.otto)
    drill = actions.run_drill(endpoint, actor=story.otto)
    story.run_jobs("control")
    first = Revision.objects.get(endpoint=endpoint, number=1)
    story.node.phase[first.pk] = ("failed", "out of memory")
    story.settle()
    assert story.states() == [(1, "failed", 0), (2, "live", 10_000)]
    done = finished(drill)
    assert (done.state, done.reason) == ("failed", "It failed: out of memory")
    alert = Alert.objects.get()
    assert (alert.kind, alert.owner) == ("drill_failed", story.otto.id)


def test_a_node_that_does_not_follow_is_not_waited_for(story: Story, endpoint: Endpoint) -> None:
    drill = actions.run_drill(endpoint, actor=story.otto)
    first = Revision.objects.get(endpoint=endpoint, number=1)
    story.node.frozen_weights[first.pk] = 0
    story.settle(rounds=3)
    assert story.states() == [(1, "ready", 10_000), (2, "live", 0)]
    with later(31):
        story.settle(rounds=4)
        assert story.states() == [(1, "warm", 0), (2, "live", 10_000)]
        done = finished(drill)
    assert done.state == "failed"
    assert done.seconds is None
    assert "did not say within 30 s" in done.reason


def test_a_drill_that_does_not_come_back_is_told_of_while_it_lasts(
    story: Story, endpoint: Endpoint
) -> None:
    drill = actions.run_drill(endpoint, actor=story.otto)
    story.run_jobs("control")
    second = Revision.objects.get(endpoint=endpoint, number=2)
    story.node.frozen_weights[second.pk] = 0
    story.settle(rounds=3)
    assert story.states() == [(1, "ready", 0), (2, "live", 10_000)]
    sweep()
    assert not Alert.objects.exists()
    with later(61):
        sweep()
        sweep()
    alert = Alert.objects.get()
    assert "does not say that the live revision has them again" in alert.summary
    story.node.frozen_weights.clear()
    with later(62):
        story.settle(rounds=3)
        done = finished(drill)
    assert done.state == "failed"
    assert "only after" in done.reason
    assert story.states() == [(1, "warm", 0), (2, "live", 10_000)]


def test_an_operator_may_abort_it_and_the_former_revision_stays_warm(
    story: Story, endpoint: Endpoint
) -> None:
    warm = Revision.objects.get(endpoint=endpoint, number=1).warm_until
    drill = actions.run_drill(endpoint, actor=story.otto)
    story.run_jobs("control")
    assert drill.rollout is not None
    with pytest.raises(PastSteps):
        actions.pause(drill.rollout, reason="wait", actor=story.otto)
    with pytest.raises(PastSteps):
        actions.promote(drill.rollout, step=0, reason="wait", actor=story.otto)
    actions.abort(drill.rollout, actor=story.otto, reason="not now")
    assert story.states() == [(1, "ready", 0), (2, "live", 10_000)]
    story.settle(rounds=3)
    assert story.states() == [(1, "warm", 0), (2, "live", 10_000)]
    assert Revision.objects.get(endpoint=endpoint, number=1).warm_until == warm
    assert (finished(drill).state, finished(drill).reason) == ("failed", "not now")


def too_slow(endpoint: Endpoint) -> Alert:
    """Open the alert that the live revision does not meet the endpoint's objective."""
    live = Revision.objects.get(endpoint=endpoint, state="live")
    finding = AlertFinding(AlertKind.OBJECTIVE, endpoint.pk, "churn", "too slow", endpoint, live.pk)
    alert = open_alert(finding, actor=SYSTEM)
    assert alert is not None
    return alert


def test_a_rollback_takes_over_a_drill_that_is_on_its_way(story: Story, endpoint: Endpoint) -> None:
    drill = actions.run_drill(endpoint, actor=story.otto)
    story.run_jobs("control")
    story.node.step()
    with pytest.raises(RolloutOpen):
        actions.rollback(endpoint, number=2, reason="worse", actor=story.otto)
    rollout = actions.rollback(endpoint, reason="Wrong answers", actor=story.otto)
    assert story.states() == [(1, "ready", 10_000), (2, "live", 0)]
    with pytest.raises(RolloutOpen):
        actions.rollback(endpoint, reason="worse", actor=story.otto)
    story.settle()
    assert [state for _, state, _ in story.states()] == ["live", "stopped"]
    assert list(Release.objects.order_by("number").values_list("state", flat=True)) == [
        "live",
        "rolled_back",
    ]
    rollout.refresh_from_db()
    assert (rollout.kind, rollout.state, rollout.reason) == ("rollback", "done", "Wrong answers")
    assert kinds(rollout.pk) == [
        "rollout.shifting",
        "rollout.rollback_started",
        "rollout.draining",
        "rollout.done",
    ]
    assert finished(drill).state == "skipped"
    assert drill.reason == "A rollback was asked for meanwhile"
    assert kinds(drill.pk) == ["drill.started", "drill.skipped"]
    assert not Alert.objects.exists()
    assert_the_log_has(rollout, drill)


def test_a_drill_on_its_way_back_is_waited_for(story: Story, endpoint: Endpoint) -> None:
    set_objective(
        endpoint, terms=ObjectiveTerms(availability=0.99, roll_back=True), actor=story.otto
    )
    actions.run_drill(endpoint, actor=story.otto)
    story.run_jobs("control")
    story.node.step()
    story.run_jobs("control")
    assert Rollout.objects.get(kind="drill").state == "returning"
    with pytest.raises(RolloutOpen):
        actions.rollback(endpoint, reason="worse", actor=story.otto)
    alert = too_slow(endpoint)
    assert actions.answer_alert(alert.pk) == "wait"
    story.node.step()
    story.run_jobs("control")
    assert actions.answer_alert(alert.pk) == "rolled_back"
    assert actions.answer_alert(alert.pk) == "left"


def test_an_alert_that_asks_for_a_rollback_takes_over_a_drill(
    story: Story, endpoint: Endpoint
) -> None:
    set_objective(
        endpoint, terms=ObjectiveTerms(availability=0.99, roll_back=True), actor=story.otto
    )
    drill = actions.run_drill(endpoint, actor=story.otto)
    alert = too_slow(endpoint)
    assert actions.answer_alert(alert.pk) == "rolled_back"
    alert.refresh_from_db()
    assert drill.rollout is not None
    assert alert.rollout == drill.rollout.pk
    story.settle()
    assert Revision.objects.get(endpoint=endpoint, state="live").number == 1


def test_the_page_offers_to_stay_where_a_drill_goes(story: Story, endpoint: Endpoint) -> None:
    page = factories.browser(story.people["Otto"])
    actions.run_drill(endpoint, actor=story.otto)
    story.run_jobs("control")
    text = page.get(f"/endpoints/{endpoint.pk}/").content.decode()
    assert "Roll back to churn:1?" in text
    assert "(revision 1) is on standby" in text
    form = {"next": f"/endpoints/{endpoint.pk}/", "reason": "Wrong answers"}
    page.post(f"/endpoints/{endpoint.pk}/rollback", form)
    story.settle()
    assert Revision.objects.get(endpoint=endpoint, state="live").number == 1


def no_warm(world: World, endpoint: Endpoint) -> None:
    Revision.objects.filter(endpoint=endpoint, number=1).update(state="stopped")


def no_former(world: World, endpoint: Endpoint) -> None:
    Release.objects.filter(state="superseded").update(state="rolled_back")


def moving(world: World, endpoint: Endpoint) -> None:
    actions.start_rollout(world.request("development", plan={"start": "manual"}), actor=world.otto)


def frozen(world: World, endpoint: Endpoint) -> None:
    set_freeze(world.environment("development"), reason="audit", actor=world.vera)


def alerted(world: World, endpoint: Endpoint) -> None:
    open_alert(
        AlertFinding(AlertKind.OBJECTIVE, endpoint.pk, "churn", "too slow", endpoint), actor=SYSTEM
    )


def stopped(world: World, endpoint: Endpoint) -> None:
    stop_endpoint(endpoint, actor=world.otto)


def another(world: World, endpoint: Endpoint) -> None:
    actions.run_drill(endpoint, actor=world.otto)


def forged(world: World, endpoint: Endpoint) -> None:
    Revision.objects.filter(endpoint=endpoint, number=1).update(permit="{}")


OBSTACLES = {
    no_warm: "Revision 1, which a rollback goes to, is not kept warm any more",
    no_former: "There is no earlier revision to go back to",
    moving: "A rollout of the endpoint is under way",
    frozen: "Development is frozen",
    alerted: "An alert is open: objective not met",
    stopped: "The endpoint is stopped",
    another: "A drill is under way",
    forged: "Revision 1 may not serve",
}


@pytest.mark.parametrize("happens", OBSTACLES, ids=lambda act: act.__name__)
def test_it_is_refused_in_words_and_a_planned_one_is_skipped(
    world: World, endpoint: Endpoint, happens: Callable[[World, Endpoint], None]
) -> None:
    schedule = actions.schedule_drills(endpoint, every_days=7, hour=3, actor=world.otto)
    happens(world, endpoint)
    count = Drill.objects.count()
    with pytest.raises(DrillRefused) as refusal:
        actions.run_drill(endpoint, actor=world.otto)
    assert OBSTACLES[happens] in refusal.value.detail
    assert Drill.objects.count() == count
    DrillSchedule.objects.update(next_at=now())
    sweep()
    skipped = Drill.objects.get(state="skipped")
    assert skipped.reason == refusal.value.detail
    assert skipped.finished_at is not None
    schedule.refresh_from_db()
    assert schedule.next_at > now() + timedelta(days=6)
    assert kinds(skipped.pk) == ["drill.skipped"]


def test_a_silent_node_is_an_obstacle(world: World, endpoint: Endpoint) -> None:
    with later(16), pytest.raises(DrillRefused, match="has not been heard of lately"):
        actions.run_drill(endpoint, actor=world.otto)


def test_who_may(world: World, endpoint: Endpoint) -> None:
    stranger = factories.actor_of(factories.person("Sam", {"operator": factories.project("else")}))
    for who, refusal in ((world.vera, Forbidden), (stranger, NotFound)):
        with pytest.raises(refusal):
            actions.run_drill(endpoint, actor=who)
        with pytest.raises(refusal):
            actions.schedule_drills(endpoint, every_days=7, hour=3, actor=who)


def test_a_drill_runs_by_its_schedule_once_however_many_look(
    story: Story, endpoint: Endpoint
) -> None:
    schedule = actions.schedule_drills(endpoint, every_days=7, hour=3, actor=story.otto)
    assert schedule.next_at > now()
    assert (schedule.next_at.hour, schedule.next_at.minute) == (3, 0)
    sweep()
    assert not Drill.objects.exists()
    DrillSchedule.objects.update(next_at=now())
    schedule.refresh_from_db()
    drill = actions.run_planned(schedule)
    assert drill is not None
    assert actions.run_planned(schedule) is None
    assert drill.planned_for == schedule.next_at
    story.settle(rounds=4)
    assert finished(drill).state == "passed"
    assert Drill.objects.count() == 1
    assert_the_log_has(drill, schedule)


def test_a_drill_that_was_missed_is_written_down_and_not_made_up_for(
    world: World, endpoint: Endpoint
) -> None:
    schedule = actions.schedule_drills(endpoint, every_days=2, hour=3, actor=world.otto)
    missed = now() - timedelta(days=5)
    DrillSchedule.objects.update(next_at=missed)
    sweep()
    sweep()
    drill = Drill.objects.get()
    assert (drill.state, drill.planned_for) == ("skipped", missed)
    assert drill.reason == f"Placet did not run at {missed:%Y-%m-%d %H:%M} UTC"
    schedule.refresh_from_db()
    assert schedule.next_at == missed + timedelta(days=6)


def test_a_schedule_is_changed_and_ended_by_who_has_seen_it(
    world: World, endpoint: Endpoint
) -> None:
    row = actions.schedule_drills(endpoint, every_days=7, hour=3, actor=world.otto)
    with pytest.raises(Stale):
        actions.schedule_drills(endpoint, every_days=1, hour=4, actor=world.otto)
    changed = actions.schedule_drills(
        endpoint, every_days=1, hour=4, if_generation=row.generation, actor=world.otto
    )
    with pytest.raises(InvalidInput) as refusal:
        actions.schedule_drills(endpoint, every_days=0, hour=24, if_generation=1, actor=world.otto)
    assert {error.pointer for error in refusal.value.errors} == {"/every_days", "/hour"}
    with pytest.raises(Stale):
        actions.unschedule_drills(endpoint, if_generation=row.generation, actor=world.otto)
    actions.unschedule_drills(endpoint, if_generation=changed.generation, actor=world.otto)
    assert queries.schedule_of(endpoint) is None
    assert row_key(row) not in replay()


def test_the_worker_finishes_and_begins_by_itself(story: Story, endpoint: Endpoint) -> None:
    actions.schedule_drills(endpoint, every_days=7, hour=3, actor=story.otto)
    DrillSchedule.objects.update(next_at=now())
    enqueue("rollouts.drills", key="rollouts.drills")
    story.settle(rounds=6)
    drill = Drill.objects.get()
    assert drill.rollout is not None
    assert drill.rollout.state == "done"
    Rollout.objects.filter(pk=drill.rollout.pk).update(finished_at=now() - timedelta(seconds=30))
    assert kinds(drill.pk) == ["drill.started"]
    enqueue("rollouts.drills", key="rollouts.drills")
    story.run_jobs("control")
    assert story.state(drill) == "passed"


def test_over_http_and_on_the_page(story: Story, endpoint: Endpoint) -> None:
    otto, path = factories.api(story.people["Otto"]), f"/endpoints/{endpoint.pk}"
    page = factories.browser(story.people["Otto"])
    assert otto.get(f"{path}/drill-schedule").status_code == 404
    made = otto.put(f"{path}/drill-schedule", {"every_days": 30, "hour": 3})
    assert (made.status_code, made.json()["every_days"]) == (201, 30)
    unseen = otto.put(f"{path}/drill-schedule", {"every_days": 1, "hour": 3})
    assert unseen.status_code == 428
    begun = otto.post(f"{path}/drills")
    assert (begun.status_code, begun.json()["state"], begun.json()["seconds"]) == (
        202,
        "running",
        None,
    )
    twice = otto.post(f"{path}/drills")
    assert (twice.status_code, twice.json()["code"]) == (409, "drill_refused")
    assert twice.json()["detail"] == "A drill is under way"
    story.settle(rounds=4)
    finished(Drill.objects.get())
    (row,) = otto.get(f"{path}/drills").json()["items"]
    assert (row["id"], row["state"], row["failed_requests"]) == (begun.json()["id"], "passed", 0)
    text = page.get(f"{path}/settings/").content.decode()
    assert "Every 30 days at 03:00 UTC" in text
    assert "0 failed requests" in text
    assert f"{row['seconds']:.2f} s" in text
    assert "and back" in page.get(f"/rollouts/{row['rollout']}/").content.decode()
    here = {"next": f"{path}/settings/"}
    answer = page.post(f"{path}/drill", here, follow=True)
    assert "its result is here" in answer.content.decode()
    form = here | {"do": "remove", "generation": "0"}
    ended = page.post(f"{path}/drill-schedule", form, follow=True)
    assert "No scheduled rollback tests" in ended.content.decode()
