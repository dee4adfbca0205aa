"""Analyses that people signed and operators pass over: named before, kept for ever, and only as the
policy of the release lets them."""

import json
from typing import Any

import pytest

from apps.audit.models import Event
from apps.console.queries.release_attempts import release_attempts_page
from apps.console.queries.release_behaviour import release_behaviour_page
from apps.console.queries.release_page import release_page
from apps.console.queries.rollout_page import RolloutPage, rollout_page
from apps.governance.models import Release
from apps.identity.actions import revoke_role
from apps.identity.models import RoleBinding, User
from apps.rollouts import actions
from apps.rollouts.errors import (
    AnalysesKept,
    NoPassingAsked,
    OwnPassing,
    PassingAsked,
    StepMoved,
)
from apps.rollouts.models import Look, Passing, Rollout
from apps.rollouts.passed import passed_over_in, with_passed_over
from apps.rollouts.passing import RolloutPassing, read_passing, with_passing
from apps.rollouts.queries import awaiting_person, found, visible_rollouts
from placet.kernel.actor import SYSTEM, Actor
from placet.kernel.clock import now
from placet.kernel.problems import Forbidden, InvalidInput, NotFound
from tests.support import factories
from tests.support.factories import browser
from tests.support.page_text import text_of
from tests.support.story import Story

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("first_release")]
LOOKS = {"analysis": {"metrics": [{"metric": "error_rate", "margin": 0.01}]}}
PLAN = {
    "strategy": "canary",
    "steps": [{"set_weight": 5}, LOOKS, {"set_weight": 50}, {"pause": {}}, LOOKS],
}
ASKS = "server errors at most 1 point over stable; up to 1 h"
POLICY = "version: 1\npass_over_analyses: {says}\ngates:\n  - {{gate: build}}\n"


@pytest.fixture
def canary(story: Story) -> Release:
    """A release whose first analysis has nothing to judge yet."""
    return analysing(story, story.under_way(PLAN))


@pytest.fixture
def kept(story: Story) -> Release:
    """The same under a policy that forbids passing over analyses."""
    return under(story, "forbid")


@pytest.fixture
def guarded(story: Story) -> Release:
    """The same under a policy that asks a second person."""
    return under(story, "second_person")


def under(story: Story, says: str) -> Release:
    story.world.policy("development", POLICY.format(says=says))
    release = story.release("development", plan=PLAN)
    story.settle()
    return analysing(story, release)


def analysing(story: Story, release: Release) -> Release:
    row = story.rollout(release)
    assert (row.state, row.step) == ("analysing", 1)
    return release


def olga(story: Story) -> Actor:
    """Return a second operator of the project."""
    made = factories.person("Olga risk", roles={"operator": story.world.project})
    return factories.actor_of(made)


def shown(story: Story, release: Release, actor: Actor = SYSTEM) -> RolloutPassing:
    """Return what may be gone past, as it is shown."""
    row = story.rollout(release)
    return read_passing(found(with_passing(visible_rollouts(actor)), row.pk))


def page(story: Story, release: Release, actor: Actor) -> RolloutPage:
    return rollout_page(story.rollout(release).pk, actor)


def sentences(release: Release) -> list[str]:
    """Return what the release says of itself, without the day."""
    row = with_passed_over(Release.objects.filter(pk=release.pk), SYSTEM).get()
    return [f"{one.before}: {one.behind}. {one.said}" for one in passed_over_in(row)]


def data(release: Release, kind: str) -> dict[str, Any]:
    event = Event.objects.get(subject=release.pk, kind=f"rollout.{kind}.v1")
    found: dict[str, Any] = json.loads(event.body)["data"]
    return found


def look(story: Story, release: Release, outcome: str = "inconclusive") -> None:
    """Have the first analysis say so."""
    verdict: dict[str, Any] = {
        "sentence": "Nothing is shown yet.",
        "outcome": outcome,
        "findings": [],
    }
    verdict |= {"new_requests": 0, "stable_requests": 0, "planned_share": 0.05}
    row = story.rollout(release)
    Look.objects.create(rollout=row, step=1, at=now(), outcome=outcome, verdict=verdict)


def test_the_dialogs_name_what_would_be_passed_over(story: Story, canary: Release) -> None:
    Look.objects.all().delete()
    says = page(story, canary, story.otto).says
    first = (
        "Step 2 (server errors at most 1 point over stable; up to 1 h): is cut short. No look yet."
    )
    later = "Step 5 (server errors at most 1 point over stable; up to 1 h): would not run."
    assert says["skip"].splitlines()[1:] == [
        "Passes over 1 analysis that people signed:",
        first,
    ]
    assert says["promote"].splitlines()[1:] == [
        "Passes over 2 analyses that people signed:",
        first,
        later,
    ]
    look(story, canary)
    said = page(story, canary, story.otto).says["skip"]
    assert said.endswith("So far: inconclusive. Nothing is shown yet.")


def test_what_was_passed_over_is_in_the_log_in_numbers_and_words_of_ours(
    story: Story, canary: Release
) -> None:
    Look.objects.all().delete()
    look(story, canary)
    actions.promote(story.rollout(canary), step=1, reason="It is late", actor=story.otto)
    metrics = ["error_rate"]
    assert data(canary, "analyses_passed") == {
        "verb": "promote",
        "count": 2,
        "analyses": [
            {"step": 2, "is_cut": True, "outcome": "inconclusive", "metrics": metrics},
            {"step": 5, "is_cut": False, "outcome": "", "metrics": metrics},
        ],
    }
    body = Event.objects.get(kind="rollout.analyses_passed.v1").body
    assert "It is late" not in body and "Otto" not in body


def test_the_release_says_so_for_ever(story: Story, canary: Release) -> None:
    Look.objects.all().delete()
    actions.skip(story.rollout(canary), step=1, reason="Seen enough", actor=story.otto)
    story.settle()
    actions.promote(story.rollout(canary), step=3, reason="Go", actor=olga(story))
    story.settle()
    said = [
        "1 analysis that people signed was passed over by Otto risk: step 2 "
        f"({ASKS}), cut short. “Seen enough”",
        "1 analysis that people signed was passed over by Olga risk: step 5 "
        f"({ASKS}), which never began. “Go”",
    ]
    assert sentences(canary) == said
    assert [one.verb for one in release_page(canary.pk, story.ada).end.passed_over] == [
        "skip",
        "promote",
    ]
    assert [len(one.analyses) for one in shown(story, canary).passed_over] == [1, 1]


def test_the_page_the_print_and_the_history_of_the_release_say_it(
    story: Story, canary: Release
) -> None:
    actions.promote(story.rollout(canary), step=1, reason="It is late", actor=story.otto)
    story.settle()
    read = browser(story.people["Ada"]).get(f"/releases/{canary.pk}/").content.decode()
    assert "2 analyses that people signed were passed over by Otto risk" in " ".join(read.split())
    assert "Passed over 2 of the signed analyses (promote)" in read


def test_later_releases_of_the_version_tell_of_it(story: Story, canary: Release) -> None:
    actions.promote(story.rollout(canary), step=1, reason="It is late", actor=story.otto)
    story.settle()
    again = story.release("development", canary.bento, plan=PLAN)
    (attempt,) = release_attempts_page(again.pk, story.ada).rows
    assert [len(one.analyses) for one in attempt.attempt.passed_over] == [2]
    (served,) = release_behaviour_page(again.pk, story.ada).served
    assert [one.by_name for one in served.passed_over] == ["Otto risk"]


def test_of_a_rollout_from_before_the_log_tells_who_did(story: Story, canary: Release) -> None:
    actions.skip(story.rollout(canary), step=1, reason="Seen enough", actor=story.otto)
    story.settle()
    actions.promote(story.rollout(canary), step=3, reason="Go", actor=olga(story))
    story.settle()
    Passing.objects.all().delete()
    assert sentences(canary) == [
        f"1 analysis that people signed was passed over by Otto risk: step 2 ({ASKS}), cut short. ",
        "1 analysis that people signed was passed over by Olga risk: step 5 "
        f"({ASKS}), which never began. ",
    ]


def test_what_went_past_no_analysis_claims_nothing(story: Story, canary: Release) -> None:
    Look.objects.all().delete()
    actions.skip(story.rollout(canary), step=1, reason="Seen enough", actor=story.otto)
    story.settle()
    before = Passing.objects.count()
    actions.skip(story.rollout(canary), step=3, reason="On", actor=story.otto)
    assert Passing.objects.count() == before == 1


def test_a_dialog_of_another_step_passes_over_nothing(story: Story, canary: Release) -> None:
    actions.skip(story.rollout(canary), step=1, reason="Seen enough", actor=story.otto)
    with pytest.raises(StepMoved):
        actions.promote(story.rollout(canary), step=1, reason="Go", actor=story.otto)
    assert story.rollout(canary).promoted_by == ""
    assert Passing.objects.count() == 1


def test_where_the_policy_forbids_it_an_analysis_ends_by_itself(
    story: Story, kept: Release
) -> None:
    for act in (actions.skip, actions.promote):
        with pytest.raises(AnalysesKept, match=r"Policy r2 of development forbids .* or abort"):
            act(story.rollout(kept), step=1, reason="Go", actor=story.otto)
    assert story.rollout(kept).step == 1
    assert not Passing.objects.exists()
    read = page(story, kept, story.otto)
    assert not read.view.can["skip"] and not read.view.can["promote"]
    assert read.kept.startswith("Policy r2 of development forbids promoting past analyses")
    actions.abort(story.rollout(kept), reason="Not this way", actor=story.otto)


def test_a_pause_is_skipped_where_the_policy_forbids_passing_over_analyses(
    story: Story, kept: Release
) -> None:
    Rollout.objects.filter(release=kept).update(step=3, state="waiting")
    actions.skip(story.rollout(kept), step=3, reason="Seen", actor=story.otto)
    assert story.rollout(kept).step == 4


def ask(story: Story, release: Release, verb: str = "promote") -> Passing:
    """Have Otto ask a second person."""
    act = getattr(actions, verb)
    act(story.rollout(release), step=1, reason="It is late", actor=story.otto)
    return Passing.objects.get(rollout__release=release, state="asked")


def test_where_two_are_needed_the_first_changes_nothing(story: Story, guarded: Release) -> None:
    asked = ask(story, guarded)
    row = story.rollout(guarded)
    assert (row.step, row.promoted_by, asked.asker) == (1, "", story.otto.id)
    waiting = shown(story, guarded).asked
    assert waiting is not None and waiting.digest == asked.digest
    assert [one.step for one in waiting.analyses] == [1, 4]
    assert sentences(guarded) == []


def test_the_second_person_reads_how_it_stands_now(story: Story, guarded: Release) -> None:
    Look.objects.all().delete()
    ask(story, guarded)
    look(story, guarded)
    waiting = shown(story, guarded).asked
    assert waiting is not None
    assert waiting.analyses[0].ahead.endswith("So far: inconclusive. Nothing is shown yet.")


def test_a_second_click_asks_once_and_another_reason_is_not_lost(
    story: Story, guarded: Release
) -> None:
    ask(story, guarded)
    ask(story, guarded)
    with pytest.raises(PassingAsked, match="Otto risk asked a second person to promote"):
        actions.skip(story.rollout(guarded), step=1, reason="Or so", actor=olga(story))


def test_a_second_person_confirms_and_both_are_named_for_ever(
    story: Story, guarded: Release
) -> None:
    Look.objects.all().delete()
    asked, second = ask(story, guarded), olga(story)
    row = story.rollout(guarded)
    actions.confirm_passing(row, digest=asked.digest, reason="I agree", actor=second)
    story.settle()
    assert story.rollout(guarded).state == "done"
    assert sentences(guarded) == [
        "2 analyses that people signed were passed over by Otto risk, confirmed by Olga risk: "
        f"step 2 ({ASKS}), cut short; step 5 ({ASKS}), which never began. "
        "“It is late” Olga risk: “I agree”"
    ]
    assert data(guarded, "passing_confirmed")["requested_by"] == story.otto.id
    event = Event.objects.get(kind="rollout.passing_confirmed.v1")
    assert (event.actor_id, event.subject) == (second.id, guarded.pk)


def test_who_asked_does_not_confirm_and_nor_does_their_service_account(
    story: Story, guarded: Release
) -> None:
    asked = ask(story, guarded)
    roles = {"operator": story.world.project}
    account = factories.service_account("robot", story.people["Otto"], roles=roles)
    robot = factories.actor_of(account)
    for who in (story.otto, robot):
        for act in (actions.confirm_passing, actions.decline_passing):
            with pytest.raises(OwnPassing):
                act(story.rollout(guarded), digest=asked.digest, reason="Me", actor=who)
    assert story.rollout(guarded).step == 1


def test_nobody_confirms_what_the_rollout_has_left_behind(story: Story, guarded: Release) -> None:
    asked = ask(story, guarded)
    Rollout.objects.filter(release=guarded).update(step=2, state="shifting")
    assert shown(story, guarded).asked is None
    row = story.rollout(guarded)
    with pytest.raises(StepMoved):
        actions.confirm_passing(row, digest=asked.digest, reason="Yes", actor=olga(story))
    assert story.rollout(guarded).promoted_by == ""


def test_nobody_confirms_what_was_not_shown(story: Story, guarded: Release) -> None:
    ask(story, guarded)
    row = story.rollout(guarded)
    with pytest.raises(NoPassingAsked):
        actions.confirm_passing(row, digest="sha256:" + "0" * 64, reason="Yes", actor=olga(story))


def test_two_are_needed_who_may_operate_it_at_that_moment(story: Story, guarded: Release) -> None:
    asked, second = ask(story, guarded), olga(story)
    revoke_role(RoleBinding.objects.get(person=story.people["Otto"]), actor=SYSTEM)
    row = story.rollout(guarded)
    with pytest.raises(NoPassingAsked, match="may not operate this rollout any more"):
        actions.confirm_passing(row, digest=asked.digest, reason="Yes", actor=second)


@pytest.mark.parametrize("how", ["session", "token"])
def test_a_role_that_was_taken_away_confirms_nothing(
    story: Story, guarded: Release, how: str
) -> None:
    asked, second = ask(story, guarded), olga(story)
    if how == "token":  # which has what its holder had when the request came
        second = factories.actor_by_token(User.objects.get(pk=second.id))
    revoke_role(RoleBinding.objects.get(person=second.id), actor=SYSTEM)
    with pytest.raises((Forbidden, NotFound)):
        row = story.rollout(guarded)
        actions.confirm_passing(row, digest=asked.digest, reason="Yes", actor=second)


def test_a_second_person_declines_and_the_rollout_goes_on_as_it_was(
    story: Story, guarded: Release
) -> None:
    asked, second = ask(story, guarded), olga(story)
    row = story.rollout(guarded)
    with pytest.raises(InvalidInput):
        actions.decline_passing(row, digest=asked.digest, reason=" ", actor=second)
    actions.decline_passing(row, digest=asked.digest, reason="Let it look", actor=second)
    assert shown(story, guarded).asked is None
    with pytest.raises(NoPassingAsked):
        actions.confirm_passing(row, digest=asked.digest, reason="Yes", actor=second)
    assert sentences(guarded) == []
    assert ask(story, guarded).pk != asked.pk, "it is asked anew"


def told(who: User, path: str) -> str:
    """Return what a page says, on one line."""
    said = " ".join(text_of(browser(who).get(path).content.decode()).split())
    return said.replace(" ,", ",")


ASKED = "asked a second person to promote, passing over 2 analyses that people signed"


def test_who_asked_reads_by_whom_and_why_it_was_declined(story: Story, guarded: Release) -> None:
    asked, second = ask(story, guarded), olga(story)
    row, otto = story.rollout(guarded), story.people["Otto"]
    assert ASKED not in told(otto, "/")
    actions.decline_passing(row, digest=asked.digest, reason="Let it look", actor=second)
    said = told(otto, f"/rollouts/{row.pk}/")
    assert f"Otto risk {ASKED}" in said
    assert "It was declined by Olga risk" in said and "“Let it look”" in said
    for path in ("/", "/inbox/"):
        assert f"You {ASKED}: it was declined by Olga risk: “Let it look”" in told(otto, path)
        assert ASKED not in told(User.objects.get(pk=second.id), path)
    (one,) = shown(story, guarded).unconfirmed
    assert one.sentence == (
        f"Otto risk {ASKED}: “It is late”. It was declined by Olga risk: “Let it look”"
    )


def test_who_asked_reads_that_it_lapsed_until_they_ask_again(
    story: Story, guarded: Release
) -> None:
    ask(story, guarded)
    Rollout.objects.filter(release=guarded).update(step=3, state="waiting")
    lapsed = "lapsed, because nobody answered while the rollout was at step 2"
    otto, row = story.people["Otto"], story.rollout(guarded)
    assert lapsed in told(otto, f"/rollouts/{row.pk}/")
    assert f"You {ASKED}: it {lapsed}" in told(otto, "/")
    actions.promote(row, step=3, reason="Still late", actor=story.otto)
    again = Passing.objects.get(rollout=row, step=3)
    assert lapsed in told(otto, f"/rollouts/{row.pk}/") and lapsed not in told(otto, "/")
    actions.withdraw_passing(row, digest=again.digest, actor=story.otto)
    assert lapsed not in told(otto, "/inbox/")


def test_who_promoted_it_are_both_who_asked_and_who_confirmed(
    story: Story, guarded: Release
) -> None:
    asked, second = ask(story, guarded), olga(story)
    row, ada = story.rollout(guarded), story.people["Ada"]
    actions.confirm_passing(row, digest=asked.digest, reason="I agree", actor=second)
    both = "romoted by Otto risk, confirmed by Olga risk"
    assert told(ada, f"/rollouts/{row.pk}/").count(both) == 2
    assert both in told(ada, f"/releases/{guarded.pk}/")
    story.settle()
    said = told(ada, f"/rollouts/{row.pk}/")
    assert "Skipped by Otto risk, confirmed by Olga risk" in said
    assert "Skipped by Olga risk" not in said


def test_who_skipped_a_step_are_both_too_but_not_of_what_one_of_them_skips_later(
    story: Story, guarded: Release
) -> None:
    asked, second = ask(story, guarded, "skip"), olga(story)
    row, ada = story.rollout(guarded), story.people["Ada"]
    actions.confirm_passing(row, digest=asked.digest, reason="I agree", actor=second)
    both = "Step skipped by Otto risk, confirmed by Olga risk"
    assert both in told(ada, f"/rollouts/{row.pk}/")
    Rollout.objects.filter(release=guarded).update(step=3, state="waiting")
    actions.skip(story.rollout(guarded), step=3, reason="Seen", actor=second)
    said = told(ada, f"/rollouts/{row.pk}/")
    assert "Step skipped by Olga risk" in said and both not in said


def test_who_asked_withdraws_it_and_nobody_else(story: Story, guarded: Release) -> None:
    asked = ask(story, guarded)
    row = story.rollout(guarded)
    with pytest.raises(NoPassingAsked):
        actions.withdraw_passing(row, digest=asked.digest, actor=olga(story))
    actions.withdraw_passing(row, digest=asked.digest, actor=story.otto)
    assert shown(story, guarded).asked is None


def test_it_waits_for_the_second_person_and_not_for_the_first(
    story: Story, guarded: Release
) -> None:
    ask(story, guarded)
    second = olga(story)
    assert [row.pk for row in awaiting_person(second)] == [story.rollout(guarded).pk]
    assert awaiting_person(story.otto) == awaiting_person(story.ada) == []
    assert [one.dialog for one in page(story, guarded, second).answers] == ["confirm", "decline"]
    assert [one.dialog for one in page(story, guarded, story.otto).answers] == ["withdraw"]
    assert page(story, guarded, story.ada).answers == []


def test_a_pause_needs_no_second_person(story: Story, guarded: Release) -> None:
    Rollout.objects.filter(release=guarded).update(step=3, state="waiting")
    actions.skip(story.rollout(guarded), step=3, reason="Seen", actor=story.otto)
    assert story.rollout(guarded).step == 4
    assert not Passing.objects.exists()
