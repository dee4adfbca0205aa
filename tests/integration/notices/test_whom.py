"""Who is told of what, and nobody else: each kind of event before each role."""

from datetime import timedelta

import pytest

from apps.audit.events import declared, kinds
from apps.builds.events import BUILD_FAILED
from apps.builds.models import Build
from apps.discussions.actions import edit_comment, open_thread, reply
from apps.discussions.queries import get_subject
from apps.governance.actions import (
    begin_rollout,
    draft_policy,
    end_break_glass,
    mark_aborted,
    request_review,
    set_absence,
    tell_overdue,
    withdraw,
)
from apps.governance.events import RELEASE_MOVED
from apps.governance.models import Decision, Release
from apps.identity.actions import add_member
from apps.identity.queries import people_with
from apps.monitoring.actions import open_alert
from apps.monitoring.actions.alerts import AlertFinding
from apps.monitoring.models import AlertKind
from apps.notices.actions import watch_project, watch_release
from apps.notices.models import Watch
from apps.notices.queries import with_watched
from apps.notices.rules import CONCERNS
from apps.rollouts.actions import pause
from apps.rollouts.events import EFFECT_SHOWN
from apps.rollouts.models import Rollout
from placet.kernel.actor import SYSTEM, Scope
from placet.kernel.clock import now
from tests.integration.notices.conftest import Post
from tests.support.break_glass import confirmed, fragile, opened, responder
from tests.support.factories import actor_of, grant, service_account, team
from tests.support.story import Story
from tests.support.world import OPEN

pytestmark = pytest.mark.django_db
CANARY = {"strategy": "canary", "steps": [{"set_weight": 5}, {"pause": {}}, {"set_weight": 50}]}
ONE_EACH = "".join(f"  - {{gate: approvals, role: {r}}}\n" for r in ("reviewer", "approver"))
TWO = "version: 1\ngates:\n  - {gate: build}\n  - {gate: approvals, role: reviewer, count: 2}\n"

# What the platform logs about a release that Ada asked for and Rex decided on. Wes watches the
# project, Mia was mentioned, Una wants no news of it though they watch the project too. Zoe
# watches what is not visible to them any more, and Gus was asked for nothing.
ABOUT_RELEASES = {
    "release.approved.v1": "Ada decided, Mia watched, Rex watched, Wes watched",
    "release.rejected.v1": "Ada decided, Mia watched, Rex watched, Wes watched",
    "release.expired.v1": "Ada decided, Mia watched, Rex watched, Wes watched",
    "release.withdrawn.v1": "Ada watched, Mia watched, Rex watched, Wes watched",
    "release.live.v1": "Ada watched, Mia watched, Rex watched, Wes watched",
    "release.restored.v1": "Ada watched, Mia watched, Rex watched, Wes watched",
    "release.superseded.v1": "Ada watched, Mia watched, Rex watched, Wes watched",
    "release.retired.v1": "Ada watched, Mia watched, Rex watched, Wes watched",
    "release.failed.v1": "Ada rollout, Mia watched, Rex watched, Wes watched",
    "release.aborted.v1": "Ada rollout, Mia watched, Rex watched, Wes watched",
    "release.rolled_back.v1": "Ada rollout, Mia watched, Rex watched, Wes watched",
    "release.revoked.v1": "Ada rollout, Mia watched, Rex watched, Wes watched",
    "release.commented.v1": "",
    "release.rolling_out.v1": "",
}
ELSEWHERE = {
    "break_glass.opened.v1",
    "break_glass.used.v1",
    "break_glass.lapsed.v1",
    "break_glass.ended.v1",
    "break_glass.reviewed.v1",
    "release.requested.v1",
    "release.review_requested.v1",
    "release.review_overdue.v1",
    "release.policy_changed.v1",
    "release.decided.v1",
    "policy.drafted.v1",
    "build.failed.v1",
    "alert.opened.v1",
    "discussion.opened.v1",
    "discussion.replied.v1",
    "discussion.edited.v1",
    "rollout.paused.v1",
    "rollout.waiting_for_person.v1",
    "rollout.effect_shown.v1",
}


@pytest.fixture
def release(post: Post) -> Release:
    """A release to staging that Rex decided on and Mia was mentioned in."""
    world = post.world
    world.policy("staging", TWO)
    asked = world.request("staging")
    world.decide(asked, world.rex)
    post.newcomer("Gus", viewer=world.project)
    post.newcomer("Mia", viewer=world.project)
    open_thread(get_subject("release", asked.pk, SYSTEM), text="See, @mia.risk", actor=world.vera)
    for name in ("Wes", "Una"):
        watch_project(world.project, is_on=True, actor=post.newcomer(name, viewer=world.project))
    watch_release(asked, is_on=False, actor=actor_of(post.people["Una"]))
    zoe = post.newcomer("Zoe")
    row = {"person_id": zoe.id, "project": world.project, "release": None}
    Watch.objects.create(**row, created_at=now())
    post.skip()
    return asked


def test_every_kind_that_concerns_somebody_is_one_that_is_logged_and_is_tried_here() -> None:
    assert set(CONCERNS) <= set(kinds())
    assert set(CONCERNS) - ELSEWHERE <= set(ABOUT_RELEASES)


@pytest.mark.parametrize("kind", ABOUT_RELEASES)
def test_what_becomes_of_a_release_is_told_whom_it_concerns(
    post: Post, release: Release, kind: str
) -> None:
    post.log(declared(kind), release, number=release.number, by=2)
    assert ", ".join(post.told()) == ABOUT_RELEASES[kind]


def test_its_page_says_watched_to_whom_it_is_told(post: Post, release: Release) -> None:
    watching = {"Ada": True, "Rex": True, "Mia": True, "Wes": True, "Una": False, "Gus": False}
    for name, is_on in watching.items():
        rows = with_watched(Release.objects.filter(pk=release.pk), actor_of(post.people[name]))
        assert (name, rows.values_list("is_watched", flat=True).get()) == (name, is_on)


def test_who_did_it_is_told_nothing_of_it(post: Post, release: Release) -> None:
    withdraw(release, actor=post.world.ada)
    assert post.told() == ["Mia watched", "Rex watched", "Wes watched"]


def test_a_request_is_told_who_can_decide_on_it(post: Post) -> None:
    world = post.world
    watch_project(world.project, is_on=True, actor=world.rex)
    post.newcomer("Pia", reviewer=(world.project, "production"))
    world.request("staging")
    assert post.told() == ["Rex review", "Rita review"]


def test_who_is_asked_by_name_is_told_and_who_stands_in_and_again_when_it_is_overdue(
    post: Post,
) -> None:
    world = post.world
    release = world.request("staging")
    set_absence(deputy=world.people["Rita"].pk, ends_at=now() + timedelta(days=9), actor=world.rex)
    post.skip()
    due = now() + timedelta(days=1)
    request_review(release, reviewers=[world.rex.id], review_due_at=due, actor=world.ada)
    assert post.told() == ["Rex review", "Rita review"]
    tell_overdue(now() + timedelta(days=2))
    assert post.told() == ["Rex review", "Rita review"]


def test_who_asked_for_it_or_made_the_version_is_not_asked_to_review(post: Post) -> None:
    world = post.world
    grant(post.people["Rex"], {"contributor": world.project})
    world.request("staging", world.bento(world.version(author="Rita")), actor=world.rex)
    assert post.told() == []


def test_each_decision_is_told_who_watches(post: Post, release: Release) -> None:
    post.world.decide(release, post.world.rita)
    told = post.told()
    assert "Ada decided" in told, "it is approved"
    assert "Rex watched" in told
    assert not [one for one in told if one.startswith("Rita")]


def test_changes_requested_are_told_who_asked_for_the_release(post: Post, release: Release) -> None:
    post.world.decide(release, post.world.rita, "request_changes")
    assert post.told() == ["Ada changes", "Mia watched", "Rex watched", "Wes watched"]


def test_a_new_policy_asks_those_again_whose_decisions_it_voided(
    post: Post, release: Release
) -> None:
    world = post.world
    world.policy("staging", TWO + "  - {gate: freeze}\n")
    assert [one for one in post.told() if one.endswith("review")] == ["Rex review"]


def test_a_policy_draft_is_told_who_may_publish_it(post: Post) -> None:
    world = post.world
    draft_policy(world.environment("staging"), source=OPEN, actor=world.vera)
    assert post.told() == ["Vito policy"]


def test_a_failed_build_is_told_who_asked_for_it_or_owns_the_program_that_did(post: Post) -> None:
    world = post.world
    bot = service_account("bot", owner=post.people["Otto"])
    build = Build.objects.get(bento__digest=world.bento(world.version()).pk)
    post.log(BUILD_FAILED, build, step="scan")
    assert post.told() == ["Ada build"]
    build.requested_by = bot.pk
    build.save()
    post.log(BUILD_FAILED, build, step="scan")
    assert "Otto build" in post.told()


def test_an_alert_is_told_who_watches_the_project_but_not_twice_who_handles_it(
    post: Post, release: Release
) -> None:
    project = post.world.project
    watch_project(project, is_on=True, actor=post.world.otto)
    finding = AlertFinding(
        AlertKind.JOB_FAILED, "x", about="x", summary="x", endpoint=release.endpoint
    )
    open_alert(finding, actor=SYSTEM)
    handlers = people_with("alert.handle", Scope(project.pk, "staging"))
    assert post.people["Otto"] in handlers
    assert post.told() == ["Una alert", "Wes alert"]


def test_an_emergency_release_is_told_who_can_co_sign_it_then_who_can_review_it(post: Post) -> None:
    world = fragile(post.world)
    post.newcomer("Abe", approver=world.project)
    post.newcomer("Gus", viewer=world.project)
    release = world.request("staging")
    post.skip()
    glass = opened(world, release)
    told = post.told()
    assert {one for one in told if one.endswith("emergency")} == {
        "Abe emergency",
        "Vera emergency",
        "Vito emergency",
    }
    assert "Ada watched" in told
    confirmed(world, glass)
    post.skip()
    end_break_glass(glass, actor=responder(world))
    told = post.told()
    assert "Abe emergency" in told and "Vito emergency" in told
    assert "Vera emergency" not in told, "who signed it does not review it"
    assert not [one for one in told if one.startswith(("Gus", "Rob", "Ada emergency"))]


def test_of_an_emergency_release_that_is_co_signed_by_then_nobody_is_told(post: Post) -> None:
    world = fragile(post.world)
    release = world.request("staging")
    post.skip()
    confirmed(world, opened(world, release))
    assert not [one for one in post.told() if one.endswith("emergency")]


def test_who_is_mentioned_is_told_and_who_spoke_before_hears_of_replies(
    post: Post, release: Release
) -> None:
    world = post.world
    about = get_subject("release", release.pk, SYSTEM)
    first = open_thread(about, text="Why, @gus.risk?", actor=world.rita).comment
    assert "Gus mentioned" in post.told()
    said = reply(first.thread, text="Because, @gus.risk @rita.risk", actor=world.alan).comment
    assert post.told() == ["Gus mentioned", "Rita mentioned"]
    reply(first.thread, text="I see", actor=world.rita)
    assert post.told() == ["Alan replied"]
    edit_comment(said, text="Because, @gus.risk @wes.risk", actor=world.alan)
    assert post.told() == ["Wes mentioned"], "nobody twice of one comment"


def test_nobody_is_told_of_what_else_there_is(post: Post, release: Release) -> None:
    add_member(team("Crew"), person=post.people["Rex"], actor=SYSTEM)
    assert post.told() == []


def test_who_decides_everywhere_is_asked_too(post: Post) -> None:
    post.newcomer("Eve", reviewer=None)
    post.world.request("staging")
    assert post.told() == ["Eve review", "Rex review", "Rita review"]


def test_the_decisions_of_a_moved_release_are_in_its_event(post: Post, release: Release) -> None:
    """What the platform reads there is what :data:`RELEASE_MOVED` holds."""
    decision = Decision.objects.get(release=release)
    post.log(RELEASE_MOVED, release, decision, number=release.number, policy=3, voided=1)
    Decision.objects.filter(pk=decision.pk).update(voided_reason="policy_changed")
    assert "Rex review" in post.told()


def test_a_rollout_that_waits_for_a_person_is_told_who_asked_for_it_or_started_it(
    story: Story, post: Post
) -> None:
    story.live("staging")
    second = story.release("staging", plan=CANARY)
    story.approve(second)
    post.skip()
    story.settle()
    assert "Ada rollout" in post.told()
    rollout = Rollout.objects.get(release=second)
    Rollout.objects.filter(pk=rollout.pk).update(started_by=story.otto.id)
    post.log(EFFECT_SHOWN, rollout)
    assert post.told() == ["Ada rollout", "Otto rollout"]
    pause(rollout, reason="x", actor=story.otto)
    assert post.told() == ["Ada rollout"]


def test_who_had_the_platform_do_it_is_told_nothing_of_it(post: Post) -> None:
    grant(post.people["Otto"], {"contributor": post.world.project})
    otto = actor_of(post.people["Otto"])
    release = post.world.request("development", actor=otto)
    begin_rollout(release, actor=SYSTEM)
    post.skip()
    mark_aborted(release, reason="mine", asked_by=otto.id, actor=SYSTEM)
    assert "Otto rollout" not in post.told()


def test_who_is_asked_by_name_is_told_where_others_filled_the_quorum(post: Post) -> None:
    world = post.world
    world.policy("staging", OPEN + ONE_EACH)
    release = world.request("staging")
    world.decide(release, world.rex)
    post.skip()
    request_review(release, reviewers=[world.rita.id], actor=world.ada)
    assert "Rita review" in post.told()


def test_who_requested_changes_is_told_that_they_are_asked_again_and_that_it_is_overdue(
    post: Post,
) -> None:
    world = post.world
    release = world.request("staging")
    world.decide(release, world.rita, "request_changes")
    post.skip()
    request_review(release, reviewers=[world.rita.id], review_days=1, actor=world.ada)
    assert "Rita review" in post.told()
    tell_overdue(now() + timedelta(days=2))
    assert "Rita review" in post.told()
