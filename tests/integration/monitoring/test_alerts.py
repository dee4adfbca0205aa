"""Endpoints that do not keep to what was agreed, and what becomes of it."""

from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest
from django.conf import settings
from django.core import mail

from apps.audit.queries import replay
from apps.audit.rows import plain_state
from apps.governance.models import Release
from apps.jobs.actions import enqueue
from apps.jobs.handlers import handlers
from apps.jobs.models import Job
from apps.monitoring import actions, reconciler
from apps.monitoring.errors import AlertMoved, ResolvesItself
from apps.monitoring.models import Alert, AlertKind, AlertState, MetricWindow, Objective
from apps.monitoring.rules import ObjectiveTerms
from apps.rollouts.actions import abort, answer_alert
from apps.rollouts.models import Rollout
from apps.serving import queries
from apps.serving.actions import stop_endpoint
from apps.serving.models import Endpoint, Node, Revision
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now, rfc3339
from placet.kernel.problems import Forbidden, InvalidInput, NotFound, Stale
from tests.support import factories
from tests.support.nodes import SimulatedNode
from tests.support.story import RunJobs, Story, kinds
from tests.support.world import World

pytestmark = pytest.mark.django_db
TERMS = ObjectiveTerms(availability=0.99, latency_ms=250, min_requests=10, window_minutes=5)


@pytest.fixture
def endpoint(story: Story) -> Endpoint:
    """An endpoint where one version is live."""
    return release_one(story).endpoint


def release_one(story: Story) -> Release:
    """Take one more version all the way to live."""
    release = story.live()
    Revision.objects.filter(state="live").update(live_at=now() - timedelta(hours=1))
    return release


def live(endpoint: Endpoint) -> Revision:
    """Return what serves."""
    return Revision.objects.get(endpoint=endpoint, state="live")


def hold(world: World, endpoint: Endpoint, **changes: Any) -> Objective:
    """Have Otto hold the endpoint to the usual terms."""
    terms = ObjectiveTerms(
        **{**{n: getattr(TERMS, n) for n in ObjectiveTerms.__slots__}, **changes}
    )
    return actions.set_objective(endpoint, terms=terms, actor=world.otto)


def answer(
    story: Story,
    revision: Revision,
    *,
    good: int = 100,
    bad: int = 0,
    slow: int = 0,
    ago: float = 60,
    error: str = "",
) -> None:
    """Have the node report a window of requests, and the platform look."""
    window = {
        "revision": revision.pk,
        "started_at": rfc3339(now() - timedelta(seconds=ago)),
        "seconds": 10.0,
        "status_2xx": good,
        "status_3xx": 0,
        "status_4xx": 0,
        "status_5xx": bad,
        "latency": {"5": good + bad - slow, "1000": slow},
    }
    sent = story.node.report(metrics=[{**window, "error": error} if error else window])
    assert sent.status_code == 200
    story.run_jobs("control")
    reconciler.watch_endpoints()
    story.run_jobs("control")


def alerts(**wanted: Any) -> list[tuple[str, str]]:
    """Return kind and state of the alerts, oldest first."""
    rows = Alert.objects.filter(**wanted).order_by("pk")
    return [(row.kind, row.state) for row in rows]


def in_the_log(row: Alert) -> None:
    """Check that the log alone gives the row, its texts aside, which it knows by commitment."""
    logged, found = replay()[f"monitoring.alert:{row.pk}"], plain_state(row)
    assert {**logged, "summary": "", "answer": ""} == {**found, "summary": "", "answer": ""}


class TestObjective:
    def test_an_operator_sets_changes_and_removes_it(
        self, world: World, endpoint: Endpoint
    ) -> None:
        row = hold(world, endpoint)
        assert row.owner == world.otto.id
        with pytest.raises(Stale):
            hold(world, endpoint)
        actions.set_objective(
            endpoint, terms=TERMS, owner=world.ada.id, if_generation=0, actor=world.otto
        )
        row.refresh_from_db()
        assert (row.owner, row.generation) == (world.ada.id, 1)
        with pytest.raises(Stale):
            actions.remove_objective(endpoint, if_generation=0, actor=world.otto)
        actions.remove_objective(endpoint, if_generation=1, actor=world.otto)
        assert kinds(row.pk) == ["objective.set.v1"] * 2
        assert kinds(endpoint.pk)[-1] == "objective.removed.v1"
        with pytest.raises(NotFound):
            actions.remove_objective(endpoint, if_generation=1, actor=world.otto)
        assert f"monitoring.objective:{row.pk}" not in replay()

    def test_nobody_else_sets_it(self, world: World, endpoint: Endpoint) -> None:
        with pytest.raises(Forbidden):
            actions.set_objective(endpoint, terms=TERMS, actor=world.ada)
        sam = factories.actor_of(factories.person("Sam"))
        with pytest.raises(NotFound):
            actions.set_objective(endpoint, terms=TERMS, actor=sam)
        hold(world, endpoint)
        with pytest.raises(Forbidden):
            actions.remove_objective(endpoint, if_generation=0, actor=world.ada)

    def test_faults_are_named_and_the_owner_must_see_the_endpoint(
        self, world: World, endpoint: Endpoint
    ) -> None:
        with pytest.raises(InvalidInput) as refusal:
            hold(world, endpoint, latency_ms=200, window_minutes=0)
        assert [e.pointer for e in refusal.value.errors] == ["/latency_ms", "/window_minutes"]
        sam = factories.person("Sam")
        for stranger in (sam.pk, "per_x"):
            with pytest.raises(InvalidInput) as refusal:
                actions.set_objective(endpoint, terms=TERMS, owner=stranger, actor=world.otto)
            assert refusal.value.errors[0].pointer == "/owner"


class TestBreach:
    def test_errors_open_one_alert_and_tell_the_owner_once(
        self, story: Story, endpoint: Endpoint
    ) -> None:
        hold(story.world, endpoint)
        answer(story, live(endpoint), good=90, bad=10)
        answer(story, live(endpoint), good=90, bad=10, ago=50)
        assert alerts() == [("objective", "open")]
        row = Alert.objects.get()
        assert (row.endpoint, row.revision, row.owner) == (
            endpoint,
            live(endpoint).pk,
            story.otto.id,
        )
        assert "90% of 100 requests in 5 min" in row.summary
        assert [m.to for m in mail.outbox] == [["otto.risk@example.com"]]
        assert mail.outbox[0].subject == "[Placet] Alert: Objective not met · churn in development"
        assert row.summary in mail.outbox[0].body
        assert kinds(row.pk) == ["alert.opened.v1"]
        in_the_log(Alert.objects.get())

    def test_slow_answers_open_it_too(self, story: Story, endpoint: Endpoint) -> None:
        hold(story.world, endpoint, availability=None)
        answer(story, live(endpoint), good=100, slow=2)
        assert alerts() == [("objective", "open")]
        assert "p99 of 100 requests in 5 min is up to 1000 ms" in Alert.objects.get().summary

    def test_it_is_resolved_when_the_endpoint_keeps_to_it_again(
        self, story: Story, endpoint: Endpoint
    ) -> None:
        hold(story.world, endpoint)
        answer(story, live(endpoint), good=90, bad=10)
        answer(story, live(endpoint), good=2000, ago=50)
        assert alerts() == [("objective", "resolved")]
        row = Alert.objects.get()
        assert (row.resolved_by, kinds(row.pk)[-1]) == ("system", "alert.resolved.v1")
        assert row.answer == "Resolved with 2100 requests in the last 5 min."
        assert row.answer in mail.outbox[-1].body
        assert [m.subject.split(":")[0] for m in mail.outbox] == [
            "[Placet] Alert",
            "[Placet] Resolved",
        ]
        answer(story, live(endpoint), good=0, bad=900, ago=40)
        assert alerts() == [("objective", "resolved"), ("objective", "open")]

    def test_no_news_is_not_good_news(self, story: Story, endpoint: Endpoint) -> None:
        hold(story.world, endpoint)
        answer(story, live(endpoint), good=90, bad=10)
        MetricWindow.objects.all().delete()
        reconciler.watch_endpoints()
        assert alerts() == [("objective", "open")]

    def test_requests_of_another_time_or_revision_do_not_count(
        self, story: Story, endpoint: Endpoint
    ) -> None:
        hold(story.world, endpoint)
        answer(story, live(endpoint), bad=100, ago=301)
        Revision.objects.filter(pk=live(endpoint).pk).update(live_at=now() - timedelta(seconds=30))
        answer(story, live(endpoint), bad=100, ago=60)
        assert alerts() == []

    def test_it_ends_with_the_objective_or_the_endpoint(
        self, story: Story, endpoint: Endpoint
    ) -> None:
        hold(story.world, endpoint)
        answer(story, live(endpoint), bad=100)
        actions.remove_objective(endpoint, if_generation=0, actor=story.otto)
        reconciler.watch_endpoints()
        assert alerts() == [("objective", "resolved")]
        hold(story.world, endpoint)
        reconciler.watch_endpoints()
        stop_endpoint(endpoint, actor=story.otto)
        reconciler.watch_endpoints()
        assert alerts() == [("objective", "resolved")] * 2


class TestRollback:
    def two(self, story: Story) -> Endpoint:
        """Return an endpoint whose first version is kept warm behind a second one."""
        release_one(story)
        return release_one(story).endpoint

    def test_a_breach_rolls_back_when_the_objective_says_so(self, story: Story) -> None:
        endpoint = self.two(story)
        hold(story.world, endpoint, roll_back=True)
        bad = live(endpoint)
        answer(story, bad, bad=100)
        story.settle()
        rollout = Rollout.objects.get(kind="rollback")
        row = Alert.objects.get()
        assert (rollout.started_by, rollout.state) == ("system", "done")
        assert rollout.reason.startswith(f"{row.pk}: ")
        assert (row.rollout, row.answer) == (rollout.pk, "Rolled back to churn:1 (revision 1)")
        assert live(endpoint).number == 1
        assert [row.answer in m.body for m in mail.outbox] == [True]
        reconciler.watch_endpoints()
        story.run_jobs("control")
        assert alerts() == [("objective", "resolved")]
        assert kinds(row.pk) == ["alert.opened.v1", "alert.answered.v1", "alert.resolved.v1"]
        in_the_log(Alert.objects.get())

    def test_what_was_rolled_back_to_is_not_rolled_back_in_turn(self, story: Story) -> None:
        release_one(story)
        endpoint = self.two(story)
        hold(story.world, endpoint, roll_back=True)
        answer(story, live(endpoint), bad=100)
        story.settle()
        assert live(endpoint).number == 2
        Revision.objects.filter(pk=live(endpoint).pk).update(live_at=now() - timedelta(hours=1))
        answer(story, live(endpoint), bad=100)
        story.settle()
        assert live(endpoint).number == 2
        assert Rollout.objects.filter(kind="rollback").count() == 1
        assert "people decide" in Alert.objects.latest("pk").answer

    def test_without_an_earlier_version_people_are_told_so(
        self, story: Story, endpoint: Endpoint
    ) -> None:
        hold(story.world, endpoint, roll_back=True)
        answer(story, live(endpoint), bad=100)
        told = Alert.objects.get().answer
        assert told == "Could not be rolled back: There is no earlier revision to go back to"
        assert "Could not be rolled back" in mail.outbox[0].body
        assert live(endpoint).number == 1

    def test_counts_with_gaps_roll_nothing_back(self, story: Story) -> None:
        endpoint = self.two(story)
        hold(story.world, endpoint, roll_back=True)
        answer(story, live(endpoint), bad=100, error="5 requests are not in these counts")
        assert alerts() == [("objective", "open")]
        assert not Rollout.objects.filter(kind="rollback").exists()
        assert len(mail.outbox) == 1

    @pytest.mark.parametrize("change", ["objective", "revision", "over"])
    def test_what_is_no_longer_called_for_is_not_done(self, change: str, story: Story) -> None:
        endpoint = self.two(story)
        row = hold(story.world, endpoint, roll_back=True)
        finding = reconciler.AlertFinding(
            AlertKind.OBJECTIVE,
            subject=endpoint.pk,
            about="x",
            summary="x",
            endpoint=endpoint,
            revision=live(endpoint).pk,
            roll_back=True,
        )
        alert = actions.open_alert(finding, actor=SYSTEM)
        assert alert is not None
        if change == "objective":
            terms = ObjectiveTerms(availability=0.9)
            actions.set_objective(
                endpoint, terms=terms, if_generation=row.generation, actor=story.otto
            )
        elif change == "revision":
            Alert.objects.filter(pk=alert.pk).update(revision="rev_other")
        else:
            actions.close_settled([alert], actor=SYSTEM)
        story.run_jobs("control")
        assert Alert.objects.get().answer.startswith("Not rolled back: ")
        assert live(endpoint).number == 2

    @pytest.mark.parametrize("moment", ["before_commit", "after_commit"])
    def test_a_worker_that_died_as_it_began_does_not_begin_another(
        self, story: Story, monkeypatch: pytest.MonkeyPatch, moment: str
    ) -> None:
        """Not even where Otto aborted what it began, which gives it another reason."""
        endpoint = self.two(story)
        hold(story.world, endpoint, roll_back=True)

        def die(point: str) -> None:
            if point == f"{moment}.rollout.rollback_started.v1":
                raise RuntimeError("died")

        with monkeypatch.context() as patch:
            # by its name: the package has a function that is called like the module
            patch.setattr(import_module("apps.audit.actions.record"), "crash_point", die)
            answer(story, live(endpoint), bad=100)
        for begun in Rollout.objects.filter(kind="rollback"):
            abort(begun, actor=story.otto, reason="Not now")
            story.settle()
        Job.objects.filter(kind="rollouts.answer_alert").update(due_at=now())
        story.settle()
        rollout, row = Rollout.objects.get(kind="rollback"), Alert.objects.get()
        assert (row.rollout, row.answer) == (rollout.pk, "Rolled back to churn:1 (revision 1)")
        ended = ("done", 1) if moment == "before_commit" else ("aborted", 2)
        assert (rollout.state, live(endpoint).number) == ended
        in_the_log(row)

    def test_a_worker_that_comes_late_takes_back_what_it_began(
        self, story: Story, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        endpoint = self.two(story)
        hold(story.world, endpoint, roll_back=True)
        finding = reconciler.AlertFinding(
            AlertKind.OBJECTIVE,
            subject=endpoint.pk,
            about="churn",
            summary="Too many errors",
            endpoint=endpoint,
            revision=live(endpoint).pk,
        )
        alert = actions.open_alert(finding, actor=SYSTEM)
        assert alert is not None

        def answered_meanwhile(row: Alert, _: Endpoint) -> str:
            actions.note_answer(row, answer="Not rolled back: it is over", actor=SYSTEM)
            return ""

        monkeypatch.setattr("apps.rollouts.actions.alert_rollback._why_not", answered_meanwhile)
        assert answer_alert(alert.pk) == "wait"
        assert not Rollout.objects.filter(kind="rollback").exists()
        assert answer_alert(alert.pk) == "left"


class TestOtherTroubles:
    def test_a_service_killed_for_its_memory_again_and_again(
        self, story: Story, endpoint: Endpoint
    ) -> None:
        why = "its replica ended 3 times in a row: killed by the memory limit of 1024 MB"
        story.node.phase[live(endpoint).pk] = ("failed", why)
        story.node.step()
        reconciler.watch_endpoints()
        assert alerts() == [("replicas", "open")]
        assert why in Alert.objects.get().summary
        story.run_jobs("control")
        assert sorted(mail.outbox[0].recipients()) == ["otto.risk@example.com"]
        story.node.phase.clear()
        story.node.step()
        reconciler.watch_endpoints()
        assert alerts() == [("replicas", "resolved")]

    def test_a_service_that_died_and_comes_back_at_once_is_no_alert(
        self, node: SimulatedNode, endpoint: Endpoint
    ) -> None:
        node.phase[live(endpoint).pk] = ("starting", "")
        node.step()
        reconciler.watch_endpoints()
        assert alerts() == []

    def test_a_silent_node_is_an_alert_and_its_replicas_are_unknown(
        self, story: Story, endpoint: Endpoint
    ) -> None:
        story.node.phase[live(endpoint).pk] = ("failed", "x")
        story.node.step()
        reconciler.watch_endpoints()
        Node.objects.update(last_report_at=now() - timedelta(seconds=61))
        reconciler.watch_endpoints()
        assert alerts() == [("replicas", "open"), ("node_silent", "open")]
        assert Alert.objects.get(kind="node_silent").project is None
        story.node.phase.clear()
        story.node.step()
        reconciler.watch_endpoints()
        assert alerts() == [("replicas", "resolved"), ("node_silent", "resolved")]

    def test_a_node_that_asks_for_states_and_reports_nothing_is_silent(
        self, story: Story, endpoint: Endpoint
    ) -> None:
        story.node.step()
        assert queries.status(endpoint).health == "healthy"
        past = now() - timedelta(hours=3)
        Node.objects.update(last_report_at=past, last_seen_at=past)
        story.node.pull()
        reconciler.watch_endpoints()
        assert ("node_silent", "open") in alerts()
        status = queries.status(endpoint)
        assert status.health == "unknown"
        assert status.node is not None and status.node.last_seen_at is not None
        assert status.node.last_seen_at > past, "it is seen all the same"

    def test_traffic_that_was_expected_and_does_not_come(
        self, story: Story, endpoint: Endpoint
    ) -> None:
        hold(story.world, endpoint, expect_traffic=True)
        reconciler.watch_endpoints()
        assert alerts() == [("no_data", "open")]
        assert queries.status(endpoint).health == "healthy", "nothing is known to be wrong"
        answer(story, live(endpoint), good=100)
        assert alerts() == [("no_data", "resolved")]

    def test_a_version_that_has_just_gone_live_is_given_its_window(
        self, world: World, node: SimulatedNode, endpoint: Endpoint
    ) -> None:
        hold(world, endpoint, expect_traffic=True)
        Revision.objects.update(live_at=now() - timedelta(minutes=4))
        reconciler.watch_endpoints()
        assert alerts() == []

    def test_counts_that_a_node_does_not_trust(self, story: Story, endpoint: Endpoint) -> None:
        hold(story.world, endpoint)
        answer(story, live(endpoint), error="5 requests are not in these counts")
        assert alerts() == [("no_data", "open")]
        MetricWindow.objects.all().delete()
        reconciler.watch_endpoints()
        assert alerts() == [("no_data", "resolved")]
        few = "0 of 10 requests in 5 min: too few to judge"
        assert Alert.objects.get().answer == f"Resolved without being measured: {few}."

    def test_a_job_that_failed_for_good_stays_until_somebody_has_looked(
        self, world: World, run_jobs: RunJobs
    ) -> None:
        failed = enqueue("monitoring.mail", alert="alr_x", state="open", max_attempts=1)
        run_jobs("control")
        failed.refresh_from_db()
        assert failed.state == "failed"
        for _ in range(2):
            reconciler.watch_jobs()
        assert alerts() == [("job_failed", "open")]
        row = Alert.objects.get()
        assert (row.subject, failed.pk in row.summary) == ("monitoring.mail", True)
        boss = factories.actor_of(factories.person("Bo", roles={"operator": None}))
        actions.resolve(row, actor=boss)
        reconciler.watch_jobs()
        assert alerts() == [("job_failed", "resolved")]
        with pytest.raises(AlertMoved):
            actions.resolve(row, actor=boss)

    def test_routine_work_that_keeps_failing(self, world: World) -> None:
        for n in range(3):
            Job.objects.create(
                kind="audit.checkpoint",
                state="failed",
                error="no key",
                due_at=now(),
                finished_at=now(),
                attempts=1,
                key=str(n),
            )
            reconciler.watch_jobs()
            assert len(alerts()) == (n == 2)
        assert "no key" in Alert.objects.get().summary
        Job.objects.create(
            kind="audit.checkpoint",
            state="succeeded",
            due_at=now() + timedelta(seconds=2),
            finished_at=now(),
            key="4",
        )
        reconciler.watch_jobs()
        assert alerts() == [("schedule_failing", "resolved")]

    def test_a_log_that_does_not_verify(
        self, world: World, run_jobs: RunJobs, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        enqueue("audit.verify", key="log")
        run_jobs("control")
        assert alerts() == []
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute("RESET ROLE")
            cursor.execute("SET session_replication_role = replica")
            cursor.execute("UPDATE audit_event SET body = replace(body, 'risk', 'rich')")
            cursor.execute("SET session_replication_role = origin")
            cursor.execute("SET ROLE placet_app")
        enqueue("audit.verify", key="log")
        run_jobs("control")
        assert alerts() == [("log_fault", "open")]
        boss = factories.actor_of(factories.person("Bo", roles={"operator": None}))
        actions.resolve(Alert.objects.get(), actor=boss)


class TestHandling:
    @pytest.fixture
    def alert(self, world: World, endpoint: Endpoint) -> Alert:
        """An alert about the endpoint, of a condition that is measured."""
        finding = reconciler.AlertFinding(
            AlertKind.OBJECTIVE,
            subject=endpoint.pk,
            about="churn",
            summary="slow",
            endpoint=endpoint,
            revision=live(endpoint).pk,
        )
        made = actions.open_alert(finding, actor=SYSTEM)
        assert made is not None
        return made

    def test_of_two_that_take_it_on_one_has_it(self, world: World, alert: Alert) -> None:
        actions.acknowledge(alert, actor=world.otto)
        with pytest.raises(AlertMoved):
            actions.acknowledge(alert, actor=world.otto)
        alert.refresh_from_db()
        assert (alert.state, alert.acknowledged_by) == ("acknowledged", world.otto.id)
        assert kinds(alert.pk) == ["alert.opened.v1", "alert.acknowledged.v1"]
        reconciler.watch_endpoints()
        assert alerts() == [("objective", "resolved")]
        in_the_log(Alert.objects.get())

    def test_what_is_measured_ends_by_itself_alone(self, world: World, alert: Alert) -> None:
        with pytest.raises(ResolvesItself):
            actions.resolve(alert, actor=world.otto)

    def test_others_may_not(self, world: World, alert: Alert) -> None:
        finding = reconciler.AlertFinding(
            AlertKind.REPLICAS, subject="x", about="x", summary="x", endpoint=alert.endpoint
        )
        with pytest.raises(Forbidden):
            actions.open_alert(finding, actor=world.ada)
        for act in (actions.close_settled, actions.note_answer):
            more: Any = {"answer": "x"} if act is actions.note_answer else {}
            row: Any = alert if more else [alert]
            with pytest.raises(Forbidden):
                act(row, actor=world.ada, **more)
        sam = factories.actor_of(factories.person("Sam"))
        for act in (actions.acknowledge, actions.resolve):
            with pytest.raises(Forbidden):
                act(alert, actor=world.ada)
            with pytest.raises(NotFound):
                act(alert, actor=sam)

    def test_a_mail_server_that_refuses_is_asked_again_and_nobody_is_told_twice(
        self, world: World, alert: Alert, run_jobs: RunJobs, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as patch:

            def refuse(_self: object) -> int:
                raise ConnectionRefusedError

            patch.setattr("django.core.mail.EmailMessage.send", refuse)
            run_jobs("control")
        assert mail.outbox == []
        Job.objects.filter(kind="monitoring.mail").update(due_at=now())
        run_jobs("control")
        assert len(mail.outbox) == 1
        assert actions.mail_alert(alert.pk, AlertState.OPEN) == 0

    def test_a_mail_server_that_is_silent_holds_no_thread_for_good(self) -> None:
        import workers.tasks  # noqa: F401  (registers the handlers)

        assert 0 < (settings.EMAIL_TIMEOUT or 0) < handlers()["monitoring.mail"].lease_seconds

    def test_a_mail_is_never_sent_inside_a_transaction(
        self, alert: Alert, run_jobs: RunJobs, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from django.db import connection

        depths: list[int] = []
        monkeypatch.setattr(
            "django.core.mail.EmailMessage.send",
            lambda _self: depths.append(len(connection.atomic_blocks)),
        )
        outside = len(connection.atomic_blocks)
        run_jobs("control")
        assert depths == [outside]
