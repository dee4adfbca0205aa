"""The figures of a project's releases, from what really happened to them."""

import json
from datetime import timedelta
from typing import Any

import pytest

from apps.assurance.figures import Place
from apps.assurance.queries.figures import Figures, figures
from apps.governance.models import Decision, Release
from apps.identity.actions import add_member, create_team
from apps.registry.models import ModelVersion
from apps.rollouts.actions import abort, rollback
from apps.serving.actions import start_endpoint, stop_endpoint
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now
from placet.kernel.problems import NeedsPermission
from tests.support import factories
from tests.support.factories import actor_of, api, browser
from tests.support.page_text import text_of
from tests.support.story import Story

pytestmark = pytest.mark.django_db
WARM: dict[str, Any] = {"keep_warm_seconds": 3600}
SOAKED = "version: 1\ngates:\n  - {gate: soaked, environment: development, for: 1h}\n"
HELD: dict[str, Any] = {"strategy": "canary", "steps": [{"set_weight": 5}, {"pause": {}}]}


def found(story: Story, who: str = "ada", days: int = 90) -> Figures:
    return figures(story.world.project, getattr(story, who), days=days)


def back_dated(release: Release, **hours: float) -> None:
    """Have what happened to a release have happened so many hours ago."""
    times = {name: now() - timedelta(hours=n) for name, n in hours.items()}
    Release.objects.filter(pk=release.pk).update(**times)


def said(story: Story, who: str = "Ada", query: str = "") -> str:
    answer = browser(story.people[who]).get(f"/projects/risk/figures/{query}")
    assert answer.status_code == 200, answer.content
    return " | ".join(text_of(answer.content.decode()).splitlines())


def test_a_project_that_did_nothing_has_nothing_to_show(story: Story) -> None:
    assert found(story).places == []
    assert "Nothing went live, ended or was decided" in said(story)


def test_a_release_is_measured_from_the_registration_of_its_version(story: Story) -> None:
    release = story.live("staging")
    registered = now() - timedelta(hours=48)
    ModelVersion.objects.filter(pk=release.version_id).update(finalised_at=registered)
    back_dated(release, created_at=30, approved_at=6, first_live_at=4)
    Decision.objects.filter(release=release).update(created_at=now() - timedelta(hours=20))
    (row,) = found(story).places
    assert row.place == Place("churn", "staging")
    assert row.stages.lead.median == pytest.approx(44 * 3600, abs=60)
    assert row.stages.people.median == pytest.approx(10 * 3600, abs=60)
    assert row.stages.gates.median == pytest.approx(14 * 3600, abs=60)
    assert (row.ends.ended, row.ends.failure_rate) == (1, 0)
    (person,) = found(story).people
    assert (person.name, person.role) == ("Rex risk", "reviewer")
    assert person.waited.median == pytest.approx(10 * 3600, abs=60)
    page = said(story)
    assert "In the last (span) 1 version went live in an environment for the first time" in page
    assert "Rex risk | reviewer | 1 | (span) | (span)" in page


def test_the_same_version_live_there_again_counts_as_a_release_but_not_as_new(
    story: Story,
) -> None:
    first = story.live("development")
    version = ModelVersion.objects.filter(pk=first.version_id)
    version.update(finalised_at=now() - timedelta(hours=5))
    story.live("development", first.bento, serving={"replicas": 1, "memory_mb": 512})
    (row,) = found(story).places
    assert (row.stages.lead.count, row.stages.whole.count, row.ends.ended) == (1, 2, 2)


def test_what_is_rolled_back_and_what_is_aborted_went_wrong(story: Story) -> None:
    story.live("development")
    second = story.live("development")
    rollback(second.endpoint, reason="Worse", actor=story.otto)
    story.settle()
    third = story.release("development", plan=HELD)
    story.settle()
    abort(story.rollout(third), reason="Slow", actor=story.otto)
    story.settle()
    ends = found(story).ends
    assert (ends.ended, ends.live, ends.aborted, ends.taken_back) == (3, 2, 1, 1)
    assert (
        "Of 3 rollouts 2 went live, 0 failed and 1 was aborted; 1 of those live was taken back"
        in (said(story))
    )


def test_what_is_older_than_was_asked_for_does_not_count(story: Story) -> None:
    release = story.live("development")
    back_dated(release, created_at=40 * 24, approved_at=40 * 24, first_live_at=40 * 24)
    release.rollouts.update(finished_at=now() - timedelta(days=40))
    assert found(story, days=30).places == []
    assert len(found(story, days=90).places) == 1
    assert "Nothing went live" in said(story, query="?days=30")


def test_what_is_started_or_gone_back_to_did_not_go_out_anew(story: Story) -> None:
    first = story.live("development", plan=WARM)
    second = story.live("development", plan=WARM)
    for release, hours in ((first, 400 * 24), (second, 300 * 24)):
        back_dated(release, first_live_at=hours)
        release.rollouts.update(finished_at=now() - timedelta(hours=hours))
    stop_endpoint(second.endpoint, actor=story.otto)
    start_endpoint(second.endpoint, actor=story.otto)
    story.settle()
    rollback(second.endpoint, reason="Worse", actor=story.otto)
    story.settle()
    assert story.state(first) == "live"
    assert found(story, days=30).stages.whole.count == 0
    year = found(story, days=365)
    assert year.stages.whole.count == year.ends.ended == 1


def test_a_gate_that_only_time_opens_is_told_as_it_is_now(story: Story) -> None:
    story.world.policy("staging", f"{SOAKED}  - {{gate: approvals, role: reviewer}}\n")
    first = story.live("development")
    story.release("staging", first.bento)
    titles = [gate.title for gate in found(story).gates]
    assert len(titles) == 2
    Release.objects.filter(pk=first.pk).update(live_at=now() - timedelta(hours=2))
    assert [gate.title for gate in found(story).gates] == ["One reviewer"]


def test_what_waits_now_is_told_by_its_gates(story: Story) -> None:
    story.release("staging")
    second = story.release("staging")
    gates = {gate.title: gate.waiting for gate in found(story).gates}
    assert gates == {"One reviewer": 2}
    story.approve(second)
    assert [gate.waiting for gate in found(story).gates] == [1]
    assert "One reviewer 1 release, the oldest requested" in said(story)


def test_a_second_decision_of_somebody_is_not_counted_again(story: Story) -> None:
    release = story.release("staging")
    decision = story.approve(release)
    Decision.objects.filter(pk=decision.pk).update(voided_reason="policy_changed")
    again = Decision.objects.get(pk=decision.pk)
    again.pk, again.voided_reason, again._state.adding = "dec_again", "", True
    again.save(force_insert=True)
    Decision.objects.filter(pk="dec_again").update(created_at=now())
    (person,) = found(story).people
    assert person.waited.count == 1


def test_teams_are_told_to_who_sees_them(story: Story) -> None:
    story.live("development")
    team = create_team(name="Credit risk", actor=SYSTEM)
    add_member(team, person=story.people["Ada"], actor=SYSTEM)
    auditor = actor_of(factories.person("Olga", {"auditor": None}))
    assert [row.team for row in found(story, "ada").teams] == ["Credit risk"]
    assert found(story, "rex").teams == []
    (row,) = figures(story.world.project, auditor).teams
    assert (row.team, row.ends.ended, row.stages.whole.count) == ("Credit risk", 1, 1)


def test_who_sees_no_releases_is_refused_by_name(story: Story) -> None:
    admin = actor_of(factories.person("Ann", {"admin": None}))
    with pytest.raises(NeedsPermission):
        figures(story.world.project, admin)


def test_another_number_of_days_is_refused_with_those_there_are(story: Story) -> None:
    answer = api(factories.token_for(story.people["Ada"], ["release.view", "rollout.view"])).get(
        "/api/v1/projects/risk/figures?days=7"
    )
    assert answer.status_code == 400
    assert answer.json()["errors"] == [{"pointer": "/days", "detail": "One of 30, 90, 365"}]
    page = browser(story.people["Ada"]).get("/projects/risk/figures/?days=7")
    assert page.status_code == 400


def test_the_api_answers_with_the_same(story: Story) -> None:
    story.live("development")
    answer = browser(story.people["Ada"]).get("/api/v1/projects/risk/figures?days=365")
    body = json.loads(answer.content)
    assert (body["days"], body["is_cut"]) == (365, False)
    (row,) = body["places"]
    assert (row["model"], row["environment"]) == ("churn", "development")
    assert row["ends"] == {
        "ended": 1,
        "live": 1,
        "failed": 0,
        "aborted": 0,
        "taken_back": 0,
        "failure_rate": 0.0,
        "taken_back_rate": 0.0,
    }
    assert row["stages"]["whole"]["count"] == 1
