"""A second person answers while somebody else does, or while the rollout moves on: one of them is
first, and nothing is half done."""

from typing import Any

import pytest

from apps.audit.models import Event
from apps.governance.models import Release
from apps.rollouts import actions
from apps.rollouts.actions.under_way import facts_of
from apps.rollouts.errors import NoPassingAsked, PastSteps, StepMoved
from apps.rollouts.models import Passing, Rollout
from placet.kernel.actor import Actor
from tests.support import factories
from tests.support.meeting import at_once
from tests.support.story import Story, weights

pytestmark = pytest.mark.django_db(transaction=True)
LOOKS: dict[str, Any] = {"analysis": {"metrics": [{"metric": "error_rate", "margin": 0.01}]}}
PLAN = {"strategy": "canary", "steps": [{"set_weight": 5}, LOOKS, {"set_weight": 50}, LOOKS]}
POLICY = "version: 1\npass_over_analyses: second_person\ngates:\n  - {gate: build}\n"
REFUSED = (StepMoved, NoPassingAsked, PastSteps)


@pytest.fixture
def asked(story: Story) -> Passing:
    """Otto asks a second person to promote past two analyses."""
    story.live()
    story.world.policy("development", POLICY)
    release = story.release("development", plan=PLAN)
    story.settle()
    row = story.rollout(release)
    assert (row.state, row.step) == ("analysing", 1)
    actions.promote(row, step=1, reason="It is late", actor=story.otto)
    return Passing.objects.get()


def operator(story: Story, name: str) -> Actor:
    return factories.actor_of(factories.person(name, roles={"operator": story.world.project}))


def kinds_of(release: str) -> list[str]:
    found = Event.objects.filter(subject=release, kind__startswith="rollout.").order_by("index")
    return [kind.split(".")[1] for kind in found.values_list("kind", flat=True)]


def outcome(found: list[object]) -> list[object]:
    """Return what is no rollout of them: the refusals."""
    return [one for one in found if not isinstance(one, Rollout)]


def test_of_two_who_confirm_at_once_one_does(story: Story, asked: Passing) -> None:
    olga, oleg = operator(story, "Olga risk"), operator(story, "Oleg risk")

    def confirm(who: Actor) -> object:
        row = Rollout.objects.get(pk=asked.rollout_id)
        return actions.confirm_passing(row, digest=asked.digest, reason="Yes", actor=who)

    found = at_once(lambda: confirm(olga), lambda: confirm(oleg))
    (refused,) = outcome(found)
    assert isinstance(refused, REFUSED), refused
    release: Release = asked.rollout.release
    assert kinds_of(release.pk) == ["passing_asked", "passing_confirmed"]
    assert weights() == [0, 10_000]
    assert Passing.objects.get().answered_by in (olga.id, oleg.id)


def test_a_confirmation_and_an_answer_to_decline_do_not_both_count(
    story: Story, asked: Passing
) -> None:
    olga, oleg = operator(story, "Olga risk"), operator(story, "Oleg risk")
    row, said = Rollout.objects.get(pk=asked.rollout_id), {"digest": asked.digest, "reason": "So"}
    found = at_once(
        lambda: actions.confirm_passing(row, actor=olga, **said),
        lambda: actions.decline_passing(row, actor=oleg, **said),
    )
    (refused,) = outcome(found)
    assert isinstance(refused, REFUSED), refused
    done = Passing.objects.get().state == "done"
    assert weights() == ([0, 10_000] if done else [9_500, 500])


def test_a_rollout_that_moves_on_meanwhile_is_not_promoted(story: Story, asked: Passing) -> None:
    olga = operator(story, "Olga risk")
    row = Rollout.objects.get(pk=asked.rollout_id)
    found = at_once(
        lambda: actions.abort(row, reason="Worse", actor=story.otto),
        lambda: actions.confirm_passing(row, digest=asked.digest, reason="Yes", actor=olga),
    )
    now = Rollout.objects.get(pk=row.pk)
    if outcome(found):
        assert isinstance(outcome(found)[0], REFUSED)
        assert (now.promoted_by, Passing.objects.get().state) == ("", "asked")
    assert now.state == "aborting"
    assert weights() == [10_000, 0]
    assert facts_of(now).by_operator
