"""Releases that are held against stable while they go out, over windows that a node reports."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from apps.audit.models import Event
from apps.jobs.actions import enqueue
from apps.monitoring.actions import Said, report_outcomes, store_captures
from apps.monitoring.models import MetricWindow
from apps.rollouts import actions
from apps.rollouts.models import Look, Rollout
from placet.kernel.clock import now, rfc3339
from placet.kernel.problems import InvalidInput
from tests.support.captures import line, send, text
from tests.support.factories import api, browser
from tests.support.nodes import SimulatedNode
from tests.support.story import Story, weights
from tests.support.world import World

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("first_release")]
METRICS = [{"metric": "error_rate", "margin": 0.01}]


def plan(**changes: Any) -> dict[str, Any]:
    """Return a canary of two weights, each analysed."""
    analysis = {"analysis": {"metrics": METRICS, **changes}}
    steps = [{"set_weight": 5}, analysis, {"set_weight": 50}, analysis]
    return {"strategy": "canary", "steps": steps}


class Canary:
    """A release that goes out, and what its node reports of it."""

    def __init__(self, story: Story, serving: dict[str, Any] | None = None, **changes: Any) -> None:
        self.story = story
        self.release = story.under_way(plan(**changes), serving=serving or {})

    @property
    def row(self) -> Rollout:
        """The rollout as it stands."""
        return self.story.rollout(self.release)

    @property
    def place(self) -> tuple[str, int]:
        """State and step."""
        return self.row.state, self.row.step

    def counts(self, revision: str, count: int, errors: int, **changes: Any) -> None:
        """Have the node report a window that began just now, or as ``changes`` say."""
        window = {
            "revision": revision,
            "started_at": rfc3339(now()),
            "seconds": 0.001,
            "status_2xx": count - errors,
            "status_3xx": 0,
            "status_4xx": 0,
            "status_5xx": errors,
            "latency": {"100": count, "inf": 0},
        }
        self.story.node.metrics.append(window | changes)

    def report(self, new: tuple[int, int], old: tuple[int, int], **changes: Any) -> None:
        """Report (requests, errors) of both revisions and let everything come of it."""
        row = self.row
        assert row.from_revision_id is not None
        self.counts(row.to_revision_id, *new, **changes)
        self.counts(row.from_revision_id, *old)
        self.settle()

    def settle(self) -> None:
        """Send what was counted; let jobs and node take turns, as if the last look was long ago."""
        Look.objects.update(at=F("at") - timedelta(minutes=1))
        self.story.node.step()
        self.story.node.metrics = []
        self.story.settle(rounds=4)

    def let_pass(self, seconds: int) -> None:
        """Have the analysis begun so much earlier."""
        row = self.row
        since = now() - timedelta(seconds=seconds)
        Rollout.objects.filter(pk=row.pk).update(
            phase_times={**row.phase_times, "analysing": since.isoformat()}
        )


@pytest.fixture
def start(story: Story) -> Callable[..., Canary]:
    """Begin a canary and bring it to its first analysis."""

    def begin(**changes: Any) -> Canary:
        canary = Canary(story, **changes)
        assert canary.place == ("analysing", 1)
        return canary

    return begin


def kinds(rollout: Rollout) -> list[str]:
    """Return the kinds of its events, in order."""
    found = Event.objects.filter(subject=rollout.pk).order_by("index")
    return [k.split(".")[1] for k in found.values_list("kind", flat=True)]


def test_a_good_release_goes_up_as_each_analysis_succeeds(start: Callable[..., Canary]) -> None:
    canary = start()
    assert weights() == [9_500, 500]
    canary.report((5_000, 25), (95_000, 475))
    assert canary.place == ("analysing", 3)
    assert weights() == [5_000, 5_000]
    canary.report((20_000, 100), (20_000, 100))
    assert canary.row.state == "done"
    assert kinds(canary.row) == [
        "started",
        "weight_set",
        "analysing",
        "analysed",
        "weight_set",
        "analysing",
        "analysed",
        "shifting",
        "draining",
        "done",
    ]


def test_the_verdict_that_decides_is_in_the_log_with_its_numbers(
    start: Callable[..., Canary],
) -> None:
    canary = start()
    canary.report((5_000, 25), (95_000, 475))
    event = Event.objects.get(subject=canary.row.pk, kind__startswith="rollout.analysed")
    data = json.loads(event.body)["data"]
    assert (data["step"], data["outcome"], data["new_requests"]) == (2, "successful", 5_000)
    (finding,) = data["findings"]
    assert finding["high"] < finding["limit"] == 0.01
    assert finding["evidence_better"] >= finding["needed"]


def test_a_worse_release_gives_all_requests_back_at_the_look_that_shows_it(
    start: Callable[..., Canary],
) -> None:
    canary = start()
    row = canary.row
    assert row.from_revision_id is not None
    canary.counts(row.to_revision_id, 500, 60)
    canary.counts(row.from_revision_id, 9_500, 95)
    canary.story.node.step()
    canary.story.node.metrics = []
    canary.story.run_jobs("control")
    assert (canary.row.state, weights()) == ("aborting", [10_000, 0])
    canary.story.settle()
    row = canary.row
    assert row.state == "failed"
    assert row.reason.startswith("The analysis failed. 12% of 500 requests failed, 1% of 9,500")
    canary.release.refresh_from_db()
    assert canary.release.state == "failed"
    assert weights() == [10_000, 0]


def test_it_fails_while_somebody_holds_it_but_does_not_go_on(start: Callable[..., Canary]) -> None:
    good = start()
    actions.pause(good.row, reason="lunch", actor=good.story.otto)
    good.report((5_000, 25), (95_000, 475))
    assert good.place == ("analysing", 1)
    good.report((5_000, 900), (95_000, 475))
    assert good.row.state == "failed"


def test_too_little_evidence_waits_and_says_how_much_is_missing(
    start: Callable[..., Canary],
) -> None:
    canary = start()
    canary.report((50, 0), (950, 1))
    assert canary.place == ("analysing", 1)
    look = Look.objects.filter(rollout=canary.row).latest("at")
    assert (look.outcome, look.verdict["new_requests"]) == ("inconclusive", 50)
    assert "more requests would do at this rate" in look.verdict["sentence"]
    assert look.verdict["findings"][0]["more_requests"] > 100


def test_each_analysis_counts_its_own_requests(start: Callable[..., Canary]) -> None:
    canary = start()
    canary.report((5_000, 25), (95_000, 475))
    assert canary.place == ("analysing", 3)
    canary.story.settle()
    assert canary.place == ("analysing", 3)
    last = Look.objects.filter(rollout=canary.row, step=3).latest("at")
    assert last.verdict["sentence"] == "No requests were counted yet"


GAP = {"error": "17 requests are not in these counts"}
GOOD = (5_000, 25), (95_000, 475)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (GAP, "17 requests are not in these counts"),
        ({"seconds": 600.0}, "in the future"),
        ({"latency": {"100": 4_999, "inf": 0}}, "more answers than requests"),
        ({"latency": {"90": 5_000}}, "other latency buckets"),
    ],
)
def test_what_cannot_be_judged_never_passes_and_goes_back_in_time(
    start: Callable[..., Canary], changes: dict[str, Any], words: str
) -> None:
    canary = start(on_inconclusive="pass", timeout_seconds=3_600)
    if "latency" in changes:
        canary.report((1, 0), (19, 0))
    canary.report(*GOOD, **changes)
    assert canary.place == ("analysing", 1)
    assert words in Look.objects.filter(rollout=canary.row).latest("at").verdict["sentence"]
    canary.let_pass(3_601)
    canary.settle()
    assert canary.row.state == "failed"
    assert canary.row.reason.startswith("It could not be analysed in time.")
    assert words in canary.row.reason


def test_windows_from_before_the_step_do_not_count(start: Callable[..., Canary]) -> None:
    canary = start()
    row, earlier = canary.row, rfc3339(now() - timedelta(minutes=5))
    assert row.from_revision_id is not None
    canary.counts(row.to_revision_id, *GOOD[0], started_at=earlier)
    canary.counts(row.from_revision_id, *GOOD[1], started_at=earlier)
    canary.settle()
    assert MetricWindow.objects.count() == 2
    assert canary.place == ("analysing", 1)


def test_a_window_told_twice_counts_once(start: Callable[..., Canary]) -> None:
    canary = start()
    row = canary.row
    assert row.from_revision_id is not None
    canary.counts(row.to_revision_id, 50, 0)
    canary.counts(row.from_revision_id, 950, 0)
    canary.story.node.metrics *= 30
    canary.settle()
    last = Look.objects.filter(rollout=row).latest("at")
    assert (last.verdict["new_requests"], last.outcome) == (50, "inconclusive")


def test_windows_of_another_revision_are_no_evidence(
    start: Callable[..., Canary], world: World
) -> None:
    canary = start()
    canary.counts("rev_of_nobody", 5_000, 25)
    canary.settle()
    assert not MetricWindow.objects.exists()
    assert canary.place == ("analysing", 1)


def test_a_node_that_fell_silent_does_not_pass(start: Callable[..., Canary]) -> None:
    canary = start()
    row = canary.row
    assert row.from_revision_id is not None
    canary.counts(row.to_revision_id, *GOOD[0])
    canary.counts(row.from_revision_id, *GOOD[1])
    canary.story.node.step()
    silent = canary.story.node.row
    silent.last_report_at = now() - timedelta(hours=1)
    silent.save()
    canary.story.run_jobs("control")
    assert canary.place == ("analysing", 1)
    assert Look.objects.filter(rollout=row).latest("at").outcome == "error"
    canary.settle()
    assert canary.place == ("analysing", 3)


def test_windows_that_come_during_a_look_count_for_both_revisions_or_neither(
    start: Callable[..., Canary], node: SimulatedNode
) -> None:
    canary = start()
    row, at, come = canary.row, now(), []

    def meanwhile(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        """Take in a report right behind the first query of the look."""
        answer = execute(sql, params, many, context)
        if 'FROM "monitoring_metricwindow"' in sql and not come:
            for revision, count in ((row.to_revision_id, 50), (row.from_revision_id, 950)):
                come.append(revision)
                MetricWindow.objects.create(
                    node=node.id,
                    revision=revision,
                    started_at=at,
                    seconds=0.001,
                    status_2xx=count,
                    latency={"100": count, "inf": 0},
                )
        return answer

    with connection.execute_wrapper(meanwhile):
        canary.settle()
    assert len(come) == 2
    assert canary.place == ("analysing", 1), canary.row.reason


def test_nobody_goes_on_by_what_was_seen_some_time_ago(start: Callable[..., Canary]) -> None:
    canary = start()
    canary.let_pass(3_000)  # another look comes after half a minute
    actions.pause(canary.row, reason="lunch", actor=canary.story.otto)
    canary.report(*GOOD)
    canary.settle()
    assert Look.objects.filter(rollout=canary.row).latest("at").outcome == "successful"
    canary.counts(canary.row.to_revision_id, 10, 0, **GAP)
    canary.story.node.step()
    canary.story.node.metrics = []
    canary.story.settle()
    actions.resume(canary.row, step=1, reason="back", actor=canary.story.otto)
    canary.story.settle()
    assert canary.place == ("analysing", 1)
    assert Look.objects.filter(rollout=canary.row).latest("at").outcome == "error"


def test_a_clock_that_was_set_back_holds_no_analysis_up(start: Callable[..., Canary]) -> None:
    canary = start()
    canary.report((50, 0), (950, 1))
    Look.objects.update(at=F("at") + timedelta(hours=1))
    canary.report(*GOOD)
    assert canary.place == ("analysing", 3)


def test_a_split_that_is_not_the_planned_one_stops_it(start: Callable[..., Canary]) -> None:
    canary = start()
    canary.report((5_000, 25), (5_000, 25))
    assert canary.row.state == "failed"
    assert "50% of 10,000 requests went to the new revision, 5% were planned" in canary.row.reason


@pytest.mark.parametrize(
    ("ending", "state", "step"),
    [("wait", "analysing", 1), ("pass", "analysing", 3), ("abort", "failed", 1)],
)
def test_at_the_timeout_the_plan_says_what_happens(
    start: Callable[..., Canary], ending: str, state: str, step: int
) -> None:
    canary = start(on_inconclusive=ending, timeout_seconds=3_600)
    canary.report((50, 0), (950, 1))
    assert canary.place == ("analysing", 1)
    canary.let_pass(3_601)
    canary.settle()
    assert canary.place == (state, step)
    home = browser(canary.story.people["Otto"]).get("/").content.decode()
    assert ("1 rollout waits for a person to go on" in home) is (ending == "wait")


def test_with_a_split_by_unit_each_unit_counts_once(start: Callable[..., Canary]) -> None:
    canary = start(serving={"unit": {"header": "X-User-Id"}})
    row = canary.row
    assert row.from_revision_id is not None
    first = {
        "status_2xx": 4_975,
        "status_3xx": 0,
        "status_4xx": 0,
        "status_5xx": 25,
        "latency": {"100": 5_000, "inf": 0},
    }
    old = {
        "status_2xx": 94_525,
        "status_3xx": 0,
        "status_4xx": 0,
        "status_5xx": 475,
        "latency": {"100": 95_000, "inf": 0},
    }
    canary.counts(row.to_revision_id, 900_000, 400_000, first=first)  # one unit fails and fails
    canary.counts(row.from_revision_id, 100_000, 475, first=old)
    canary.settle()
    assert canary.place == ("analysing", 3)
    event = Event.objects.get(subject=row.pk, kind__startswith="rollout.analysed")
    said = json.loads(event.body)["data"]["sentence"]
    assert said.startswith("0.5% of 5,000 units failed, 0.5% of 95,000 on stable.")


def test_a_person_may_skip_an_analysis(start: Callable[..., Canary]) -> None:
    canary = start()
    actions.skip(canary.row, step=1, reason="known to be slow", actor=canary.story.otto)
    canary.story.settle()
    assert canary.place == ("analysing", 3)
    assert "step_skipped" in kinds(canary.row)


def test_looks_are_listed_newest_first_and_by_step(start: Callable[..., Canary]) -> None:
    canary = start()
    canary.report((5_000, 25), (95_000, 475))
    canary.report((50, 0), (50, 0))
    reader, path = api(canary.story.people["Rex"]), f"/rollouts/{canary.row.pk}/looks"
    found = reader.get(path).json()["items"]
    assert [look["at"] for look in found] == sorted((look["at"] for look in found), reverse=True)
    assert {look["step"] for look in found} == {1, 3}
    (good,) = [look for look in found if look["outcome"] == "successful"]
    assert (good["step"], good["planned_share"], good["stable_requests"]) == (1, 0.05, 95_000)
    assert good["findings"][0]["metric"] == "Server errors"
    of_one = reader.get(f"{path}?step=1").json()["items"]
    assert {look["step"] for look in of_one} == {1}
    for odd in ("x", "-1", "1.5", "", "9" * 400, "٣"):
        assert reader.get(f"{path}?step={odd}").status_code == 400


def test_its_page_asks_few_questions_however_many_looks_there_are(
    start: Callable[..., Canary],
) -> None:
    canary = start()
    for _ in range(3):
        canary.report((50, 1), (950, 10))
    page = browser(canary.story.people["Otto"])
    with CaptureQueriesContext(connection) as asked:
        answer = page.get(f"/rollouts/{canary.row.pk}/")
    assert answer.status_code == 200
    assert len(asked) <= 12, "\n".join(query["sql"] for query in asked)
    text = answer.content.decode()
    assert "Analysis, step 2" in text
    assert "2% of 150 requests failed" in text


def test_a_long_analysis_looks_more_seldom(start: Callable[..., Canary]) -> None:
    canary = start()
    canary.report((50, 0), (950, 1))
    canary.let_pass(86_400)
    before = Look.objects.count()
    canary.counts(canary.row.to_revision_id, 50, 50)
    canary.story.node.step()
    canary.story.node.metrics = []
    canary.story.run_jobs("control")
    assert Look.objects.count() == before
    Look.objects.update(at=F("at") - timedelta(minutes=15))
    enqueue("rollouts.reconcile", key=canary.row.pk, rollout=canary.row.pk)
    canary.story.run_jobs("control")
    assert Look.objects.count() == before + 1


def test_what_clients_report_of_predictions_stops_a_release(story: Story) -> None:
    fraud = {"metric": "outcome", "name": "fraud", "margin": 0.02}
    serving = {"capture": {"percent": 100}}
    with pytest.raises(InvalidInput) as refusal:
        Canary(story, metrics=[fraud])
    assert refusal.value.errors[0].pointer == "/serving/capture"
    story.live(serving=serving)
    canary = Canary(story, serving, metrics=[fraud])
    row = canary.row
    assert row.from_revision_id is not None
    said: list[Said] = []
    for revision, count, bad in ((row.to_revision_id, 50, 25), (row.from_revision_id, 950, 19)):
        lines = [line(revision, ago=-1) for _ in range(count)]
        assert send(story.node, revision, text(*lines))[0] == 201
        said += [Said(UUID(item["id"]), "fraud", n < bad) for n, item in enumerate(lines)]
    canary.report((5_000, 0), (95_000, 0))
    assert canary.place == ("analysing", 1)
    store_captures()
    assert report_outcomes(canary.release.endpoint, said, actor=story.otto).counted == 1000
    canary.settle()
    assert canary.row.state == "failed"
    assert "50% of 50 outcomes had fraud, 2% of 950 on stable" in canary.row.reason


def test_outputs_that_are_spread_in_another_way_stop_a_release(story: Story) -> None:
    """The candidate finds no fraud at all: neither errors nor latency would tell."""
    label = {"metric": "output", "is": ["fraud"], "margin": 0.01}
    serving = {"capture": {"percent": 100}}
    story.live(serving=serving)
    canary = Canary(story, serving, metrics=[label])
    row = canary.row
    assert row.from_revision_id is not None
    for revision, count, given in ((row.to_revision_id, 200, 0), (row.from_revision_id, 800, 400)):
        lines = [
            line(revision, ago=-1, outputs=json.dumps(["fraud" if n < given else "ok"]))
            for n in range(count)
        ]
        assert send(story.node, revision, text(*lines))[0] == 201
    store_captures()
    canary.report((5_000, 0), (95_000, 0))
    assert canary.row.state == "failed"
    assert '100% of 200 predictions gave another output than "fraud", 50%' in canary.row.reason
