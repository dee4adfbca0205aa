"""The tab of a release on how its build behaved where it served before, beside what was live."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.governance.models import Release
from apps.monitoring.models import CapturedPrediction, CapturePart, MetricWindow
from apps.rollouts import actions
from apps.rollouts.models import Look, Rollout
from apps.serving.models import Revision
from placet.kernel.clock import now
from tests.support import factories
from tests.support.factories import browser
from tests.support.page_text import text_of
from tests.support.story import Story
from tests.support.world import World

pytestmark = pytest.mark.django_db
CANARY = {"strategy": "canary", "steps": [{"set_weight": 25}, {"pause": {}}]}


def tab(where: Story | World, release: Release, *, who: str = "Rita") -> str:
    """Return what the tab says to somebody, on one line."""
    answer = browser(where.people[who]).get(f"/releases/{release.pk}/behaviour/")
    assert answer.status_code == 200, answer.content
    return " | ".join(text_of(answer.content.decode()).splitlines())


def count(revision: str | None, at: datetime, good: int, bad: int = 0, **changes: Any) -> None:
    """Store a window of ``revision``."""
    assert revision is not None
    counts = {"status_2xx": good, "status_5xx": bad, "latency": {"25": good, "50": bad}}
    MetricWindow.objects.create(
        node="nod_1", revision=revision, started_at=at, seconds=10, **counts | changes
    )


@pytest.fixture
def went_live(story: Story, first_release: Release) -> Rollout:
    """A canary in development that began 30 minutes ago, took ten, and is live since."""

    def act() -> Release:
        release = story.under_way(CANARY)
        actions.resume(story.rollout(release), step=1, reason="fine", actor=story.otto)
        story.settle()
        assert story.state(release) == "live"
        return release

    release = story.once("a canary that went live", act)
    begun = now() - timedelta(minutes=30)
    Rollout.objects.filter(release=release).update(
        created_at=begun, finished_at=begun + timedelta(minutes=10)
    )
    return story.rollout(release)


def measured(row: Rollout) -> None:
    """Have nodes count both revisions during the rollout, and the new one after it."""
    new, old = row.to_revision_id, row.from_revision_id
    count(old, row.created_at - timedelta(minutes=1), 500)  # before it
    for minute in range(5):
        count(old, row.created_at + timedelta(minutes=minute), 300)
        count(new, row.created_at + timedelta(minutes=minute), 98, 2)
    count(new, row.created_at + timedelta(minutes=15), 7_000)


def test_what_the_build_answered_stands_beside_what_was_live_then(
    story: Story, went_live: Rollout
) -> None:
    measured(went_live)
    release = story.release("staging", went_live.to_revision.bento)
    said = tab(story, release)
    assert "development / churn | ● Live" in said
    assert "Release 2 : Rolled out revision 2, replacing revision 1, (ago) ." in said
    columns = (
        "revision 2, this build | in its rollout | revision 1, churn:1 | live then | "
        "revision 2, this build | live after it | From | (ago)"
    )
    assert columns in said
    assert "Requests | 500 | 1,500 | 7,000" in said
    assert "Server errors | 2% | 0% | 0%" in said
    assert "p95 | " in said


def test_where_it_served_nowhere_the_tab_says_where_to_release_it_first(
    story: Story, went_live: Rollout
) -> None:
    fresh = story.release("staging")
    said = tab(story, fresh, who="Ada")
    version = fresh.version
    assert "Nothing measured yet" in said
    assert f"This build of {version} has served neither in development nor in staging" in said
    assert "release it to development first. Request release" in said.replace(" | ", " ")
    assert "Request release" not in tab(story, fresh)
    first = story.release("development")
    assert "No environment comes before development" in tab(story, first)


def test_later_environments_other_builds_and_its_own_rollout_are_no_part_of_it(
    story: Story, went_live: Rollout
) -> None:
    bento = went_live.to_revision.bento
    other = story.world.bento(bento.version)
    assert "Nothing measured yet" in tab(story, story.release("staging", other))
    first = story.world.request("development")
    assert "No environment comes before development" in tab(story, first)


def test_a_release_that_served_says_what_it_answered_itself(
    story: Story, went_live: Rollout
) -> None:
    measured(went_live)
    own = Release.objects.get(pk=went_live.release_id)
    said = tab(story, own)
    assert "Nothing measured yet" not in said
    assert "development / churn | ● Live" in said and "Requests | 500 | 1,500 | 7,000" in said
    story.live(plan={"keep_warm_seconds": 600})
    said = tab(story, own)
    assert "development / churn | – Superseded" in said and "Requests | 500 | 1,500" in said


def test_each_rollout_of_a_release_says_how_it_stands_itself(
    story: Story, first_release: Release
) -> None:
    release = story.under_way(CANARY)
    assert "development / churn | ‖ Paused" in tab(story, release)
    actions.abort(story.rollout(release), reason="latency doubled", actor=story.otto)
    story.settle()
    assert "development / churn | ✕ Aborted" in tab(story, release)
    actions.retry(story.rollout(release), reason="again", actor=story.otto)
    story.settle()
    said = tab(story, release)
    paused, aborted = said.index("development / churn | ‖ Paused"), said.index("| ✕ Aborted")
    assert paused < said.index("Rolling out revision 3") < aborted
    assert aborted < said.index("Rollout of revision 2, to replace revision 1")


def test_an_earlier_revision_in_the_same_environment_counts_too(
    story: Story, went_live: Rollout
) -> None:
    story.live(plan={"keep_warm_seconds": 600})
    again = story.release("development", went_live.to_revision.bento)
    said = tab(story, again)
    assert "development / churn | – Superseded" in said
    assert "No requests counted." in said


def test_each_of_two_revisions_in_a_row_counts_whole_and_later_ones_are_not_earlier(
    story: Story, went_live: Rollout
) -> None:
    measured(went_live)
    bento = went_live.to_revision.bento
    second = story.live("development", bento, plan={"keep_warm_seconds": 600})
    begun = now() - timedelta(minutes=10)
    rollouts = Rollout.objects.filter(release=second)
    rollouts.update(created_at=begun, finished_at=begun + timedelta(minutes=5))
    count(went_live.to_revision_id, begun + timedelta(minutes=1), 40)
    said = tab(story, story.release("staging", bento))
    assert "Requests | 0 | 40 | 0" in said
    assert "Requests | 500 | 1,500 | 7,040" in said
    assert tab(story, second).index("revision 3, this build") < said.index("revision 2, this build")
    own = Release.objects.get(pk=went_live.release_id)
    assert "revision 2, this build" in tab(story, own)


def test_the_last_word_of_each_analysis_is_said(story: Story, went_live: Rollout) -> None:
    verdict = {
        "outcome": "successful",
        "sentence": "Not worse than stable.",
        "new_requests": 500,
        "stable_requests": 1500,
        "planned_share": 0.25,
        "evidence_of_another_share": 0.0,
        "findings": [],
    }
    for second, sentence in ((1, "Too few requests."), (2, "Not worse than stable.")):
        Look.objects.create(
            rollout=went_live,
            step=1,
            at=now() + timedelta(seconds=second),
            outcome="successful",
            verdict={**verdict, "sentence": sentence},
        )
    said = tab(story, story.release("staging", went_live.to_revision.bento))
    assert "Analysis, step 2 | ✓ Successful | Not worse than stable." in said
    assert "Too few requests" not in said


def test_an_aborted_rollout_says_so_and_nothing_of_after_it(
    story: Story, first_release: Release
) -> None:
    release = story.under_way(CANARY)
    row = story.rollout(release)
    actions.abort(row, reason="latency doubled", actor=story.otto)
    story.settle()
    count(row.to_revision_id, row.created_at + timedelta(milliseconds=1), 30)
    said = tab(story, story.release("staging", row.to_revision.bento))
    assert "✕ Aborted" in said and "latency doubled" in said
    assert "Requests | 30 | 0" in said
    assert "live after it" not in said


def test_captured_classes_are_said_to_who_may_see_predictions(
    story: Story, went_live: Rollout
) -> None:
    endpoint = went_live.endpoint
    part = CapturePart.objects.create(
        endpoint=endpoint,
        revision=went_live.to_revision_id,
        day=now().date(),
        keep_until=now().date(),
        sha256="0" * 64,
        rows=4,
    )
    for number, output in enumerate((0, 0, 0, 1)):
        CapturedPrediction.objects.create(
            prediction=f"00000000-0000-0000-0000-00000000000{number}",
            endpoint=endpoint,
            revision=went_live.to_revision_id,
            part=part,
            at=now(),
            output=output,
        )
    release = story.release("staging", went_live.to_revision.bento)
    assert "prediction: 0: 3, 1: 1; of what was live then –" in tab(story, release, who="Otto")
    story.people["Vic"] = factories.person("Vic", roles={"viewer": release.project})
    assert "prediction: 0: 3" not in tab(story, release, who="Vic")


def copying(row: Rollout) -> None:
    """Have the rollout be one that copied requests to a revision which captures predictions."""
    shape = {"strategy": "canary", "steps": [{"set_mirror": {"percent": 100}}, {"pause": {}}]}
    Release.objects.filter(pk=row.release_id).update(plan=shape | {"start": "on_approval"})
    serving = row.to_revision.serving | {"capture": {"percent": 100}}
    Revision.objects.filter(pk=row.to_revision_id).update(serving=serving)


def test_what_it_answered_to_copies_is_said_and_how_many_answers_differ(
    story: Story, went_live: Rollout
) -> None:
    copying(went_live)
    mirrored = {"status_2xx": 29, "status_5xx": 1, "latency": {"5": 30}}
    at = went_live.created_at + timedelta(minutes=1)
    count(went_live.to_revision_id, at, 0, apart={"mirrored": mirrored})
    release = story.release("staging", went_live.to_revision.bento)
    said = tab(story, release, who="Otto")
    assert "It answered 30 copies of requests: server errors 3.333%, rejected requests" in said
    assert "Disagreements | No request was captured by both: nothing to compare yet." in said
    story.people["Vic"] = factories.person("Vic", roles={"viewer": release.project})
    assert "Disagreements" not in tab(story, release, who="Vic")


def test_who_may_not_see_the_release_is_answered_as_its_page_answers(world: World) -> None:
    release = world.request("staging")
    stranger = browser(factories.person("Sten", roles={"reviewer": World("other").project}))
    assert stranger.get(f"/releases/{release.pk}/behaviour/").status_code == 404


def test_the_page_takes_few_queries_and_rows_however_often_it_served(
    story: Story, went_live: Rollout
) -> None:
    measured(went_live)
    copying(went_live)
    copy = {f.attname: getattr(went_live, f.attname) for f in Rollout._meta.concrete_fields}
    for number in range(8):
        Rollout.objects.create(**copy | {"id": f"rlo_{number}"})
    release = story.release("staging", went_live.to_revision.bento)
    otto = browser(story.people["Otto"])
    otto.get("/")
    with CaptureQueriesContext(connection) as caught:
        answer = otto.get(f"/releases/{release.pk}/behaviour/")
    assert answer.status_code == 200
    assert len(caught) <= 12, "\n".join(q["sql"][:150] for q in caught)
    said = " ".join(text_of(answer.content.decode()).splitlines())
    assert said.count("development / churn") == 5
    assert "The newest 5 revisions of this build are shown" in said
