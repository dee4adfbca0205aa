"""An endpoint is held before the rollout that moves it: two who meet wait, and neither for ever."""

import re
from collections.abc import Callable

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.assurance.actions import recall
from apps.governance.models import Release
from apps.rollouts import actions
from apps.rollouts.actions.operate import go_back
from apps.rollouts.models import Rollout
from placet.kernel.actor import SYSTEM
from tests.support.story import Story

pytestmark = pytest.mark.django_db
STEPS = [{"set_weight": 5}, {"pause": {}}, {"set_weight": 50}, {"pause": {}}]
CANARY = {"strategy": "canary", "steps": STEPS}
# a row that is locked, or whose state is changed
_HOLDS = re.compile(
    r'(?:UPDATE|FROM) "(serving_endpoint|rollouts_rollout)" '
    r'(?:SET .*"state" =|.*FOR (?:NO KEY )?UPDATE)',
    re.S,
)


def held(act: Callable[[], object]) -> list[str]:
    """Return the tables of which ``act`` held or wrote a row, each once, in order."""
    with CaptureQueriesContext(connection) as queries:
        act()
    found = [match[1] for row in queries if (match := _HOLDS.search(row["sql"]))]
    return list(dict.fromkeys(found))


@pytest.fixture
def moving(story: Story) -> tuple[Story, Rollout]:
    """A canary that waits for a person, over a live release."""
    story.lived()
    return story, story.rollout(story.under_way(CANARY))


def _recall(story: Story, rollout: Rollout) -> object:
    said = {"kind": "bento", "what": rollout.to_revision.bento_id, "reason": "x"}
    return recall(**said, project=story.world.project, actor=story.otto)


ASKED: dict[str, Callable[[Story, Rollout], object]] = {
    "pause": lambda s, r: actions.pause(r, reason="x", actor=s.otto),
    "resume": lambda s, r: actions.resume(r, step=r.step, reason="x", actor=s.otto),
    "skip": lambda s, r: actions.skip(r, step=r.step, reason="x", actor=s.otto),
    "promote": lambda s, r: actions.promote(r, reason="x", actor=s.otto),
    "abort": lambda s, r: actions.abort(r, reason="x", actor=s.otto),
    "rollback": lambda s, r: actions.rollback(r.endpoint, reason="x", actor=s.otto),
    "recall": _recall,
}


@pytest.mark.parametrize("what", ASKED)
def test_what_people_ask_of_a_rollout_holds_its_endpoint_first(
    moving: tuple[Story, Rollout], what: str
) -> None:
    story, rollout = moving
    assert held(lambda: ASKED[what](story, rollout)) == ["serving_endpoint", "rollouts_rollout"]


def test_the_reconciler_holds_the_endpoint_first(moving: tuple[Story, Rollout]) -> None:
    story, rollout = moving
    actions.promote(rollout, reason="x", actor=story.otto)
    order = held(story.settle)
    assert story.state(rollout) == "done"
    assert order[:2] == ["serving_endpoint", "rollouts_rollout"]


def test_going_back_holds_the_endpoint_first(story: Story) -> None:
    story.lived()
    second: Release = story.live()
    order = held(lambda: go_back(second.endpoint, reason="x", actor=SYSTEM))
    assert order[0] == "serving_endpoint"
