"""A node runs nothing that was recalled, whatever somebody with a key of the server signs later."""

from dataclasses import replace
from typing import Any

import pytest

from apps.assurance.actions import lift, recall
from apps.assurance.models import Recall
from apps.governance.models import Release
from apps.serving.models import DesiredState
from placet.kernel.keystore import ring, signer
from placet_agent.state.trust import Trust
from placet_verify import canonical
from placet_verify.signing import dsse
from placet_verify.statements import LiftStatement, RecalledNames, RecallStatement
from tests.support import factories
from tests.support.forgeries import fetch_keys, signed_now
from tests.support.story import RunJobs, Story
from tests.support.world import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def live(story: Story) -> Release:
    """A release in staging that Rex has approved, and that serves."""
    return story.live("staging")


def judged(trust: Trust, text: str) -> dict[str, str]:
    """Have the node take a state; return why it refuses each release ('' when it does not)."""
    state = trust.open_state(text)
    trust.learn(state)
    verdicts = trust.judge(state)
    trust.keep(state, text)
    return {
        row.release: verdicts[row.id].reason
        for endpoint in state.endpoints
        for row in endpoint.revisions
    }


def before(world: World) -> dict[str, Any]:
    """Return the content of the state as it is now, to be signed again later."""
    signed_now(world)
    envelope = dsse.Envelope.from_json(DesiredState.objects.get(target=world.target).envelope)
    found: dict[str, Any] = canonical.loads(envelope.payload)
    return found


def by_thief(content: dict[str, Any], **changes: Any) -> str:
    """Return a state that somebody signs who has stolen the ``state`` key."""
    newer = content | {"number": content["number"] + 1000} | changes
    return dsse.sign(dsse.STATE, canonical.dumps(newer), signer("state")).to_json()


def taken(world: World, live: Release) -> Recall:
    said = {"kind": "bento", "what": live.bento_id, "reason": "x"}
    return recall(**said, project=world.project, actor=world.otto)


def test_a_thief_of_the_state_key_brings_back_nothing_that_was_recalled(
    world: World, live: Release, trust: Trust
) -> None:
    content = before(world)
    assert judged(trust, signed_now(world)) == {live.pk: ""}
    taken(world, live)
    judged(trust, signed_now(world))
    told = judged(trust, by_thief(content))[live.pk]
    assert told.startswith("it was recalled: bento")
    again = Trust(trust.home, world.target.pk, ring().root, fetch_keys)
    assert judged(again, by_thief(content, number=10**9))[live.pk] == told, "after a restart too"


def test_a_state_without_recalls_as_an_older_platform_signs_it_is_read(
    world: World, live: Release, trust: Trust
) -> None:
    content = before(world)
    del content["recalls"]
    assert judged(trust, by_thief(content)) == {live.pk: ""}
    assert judged(trust, by_thief(content, number=10**9, recalled=[live.bento_id])) == {
        live.pk: "this Bento was recalled"
    }


@pytest.mark.parametrize("purpose", ["state", "log", "build"])
def test_a_worker_neither_recalls_nor_lifts(
    world: World, live: Release, trust: Trust, purpose: Any
) -> None:
    found, content = taken(world, live), before(world)
    judged(trust, signed_now(world))
    lifted = LiftStatement(
        recall=found.pk,
        recall_digest=found.statement_digest,
        by="per_x",
        reason="",
        at=found.created_at,
    )
    more = RecallStatement(
        recall="rcl_" + "0" * 32,
        project="",
        kind="person",
        what="per_x",
        reason="",
        by="per_x",
        names=RecalledNames.of(people=[world.rex.id]),
        at=found.created_at,
    )
    forged = [one.sign(signer(purpose)).to_dict() for one in (lifted, more)]
    state = trust.open_state(by_thief(content, recalls=[*content["recalls"], *forged]))
    assert [error["code"] for error in trust.learn(state)] == ["recall_refused"] * 2
    assert [one.recall for one in trust.recalls.book.standing] == [found.pk]


def test_a_lift_lets_it_be_approved_again_and_the_old_permit_stays_void(
    world: World, live: Release, trust: Trust, run_jobs: RunJobs
) -> None:
    content, found = before(world), taken(world, live)
    judged(trust, signed_now(world))
    lift(found, reason="a false alarm", actor=world.vera)
    world.environment("staging")
    again = world.request("staging", live.bento, endpoint="anew")
    world.decide(again, world.rex)
    run_jobs("control")
    assert judged(trust, signed_now(world)) == {again.pk: ""}
    assert judged(trust, by_thief(content))[live.pk].startswith("it was recalled")


def test_a_persons_decisions_count_on_no_node_while_the_recall_stands(
    world: World, live: Release, trust: Trust
) -> None:
    content = before(world)
    admin = factories.actor_of(factories.person("Oda", {"operator": None}))
    found = recall(kind="person", what=world.rex.id, reason="x", actor=admin)
    assert judged(trust, signed_now(world)) == {}
    assert trust.recalls.book.uncounted.people == {world.rex.id}
    book = trust.recalls.book.recalls[found.pk]
    spared = replace(book, names=replace(book.names, releases=()))
    trust.recalls.book.recalls[found.pk] = spared  # as if it had not been known to fall
    (why,) = judged(trust, by_thief(content)).values()
    assert "approval(s) by a reviewer" in why
