"""One bad row stops nobody: what a node could not read is left out of what is signed, and shown.

What went wrong at 5a35692 is shown there by ``proofs/faults.py``.
"""

import contextlib
from typing import Any

import pytest

from apps.assurance.actions import recall
from apps.governance.models import Release
from apps.identity.models import User
from apps.serving.models import DesiredState, Endpoint, Node, Revision
from placet_agent.state.trust import StateRefused, Trust
from placet_verify.errors import Refused
from tests.support import factories
from tests.support.database import sql
from tests.support.forgeries import signed_now, verdicts
from tests.support.nodes import SimulatedNode
from tests.support.story import Story
from tests.support.world import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def two(story: Story) -> tuple[Release, Release]:
    """Two releases that serve on one node, at an endpoint each."""

    def serve() -> tuple[Release, Release]:
        good = story.release("development", endpoint="good")
        other = story.world.bento(story.world.version("other"))
        bad = story.release("development", other, endpoint="bad")
        story.settle()
        return good, bad

    return story.once("two releases at an endpoint each", serve)


def allowed(world: World, trust: Trust) -> dict[str, str]:
    """Return what the node says to each Bento of the state that is signed now; none if it takes
    none."""
    try:
        return verdicts(trust, signed_now(world))
    except (StateRefused, Refused):
        return {}


BAD_COLUMNS = {
    "variables": ['{"MODE\\n": "x"}', '{"MODE": 7}', "[]", "null"],
    "guard": ['{"moon_phase": 1}', "[]", '{"consecutive_failures": 1e400}', "7"],
    "header_route": ['{"header": "X-Try", "value": "a b"}', '"X-Try"'],
    "serving": ['{"egress": [], "n": 1e400}', '{"n": 9007199254740993}'],
    "replicas": ["1000"],
    "memory_mb": ["1"],
    "mirror": ["10001"],
    "restart_nonce": ["-1"],
    "salt": ["a b"],
}
CASES = [(column, value) for column, values in BAD_COLUMNS.items() for value in values]


@pytest.mark.parametrize(("column", "value"), CASES)
def test_a_row_that_no_node_could_read_stops_nobody_elses_state(
    world: World, trust: Trust, two: tuple[Release, Release], column: str, value: str
) -> None:
    good, bad = two
    sql(f"UPDATE serving_revision SET {column} = %s WHERE release = %s", value, bad.pk)

    assert allowed(world, trust) == {good.bento_id: ""}


def test_an_endpoint_that_no_node_could_read_stops_no_other(
    world: World, trust: Trust, two: tuple[Release, Release]
) -> None:
    good, bad = two
    sql("UPDATE serving_endpoint SET environment = 'a b' WHERE id = %s", bad.endpoint_id)

    assert allowed(world, trust) == {good.bento_id: ""}


def test_a_recall_reaches_a_node_beside_a_row_that_it_could_not_read(
    world: World, trust: Trust, two: tuple[Release, Release]
) -> None:
    good, bad = two
    sql("""UPDATE serving_revision SET variables = '{"MODE\\n": "x"}' WHERE release = %s""", bad.pk)
    recall(kind="bento", what=good.bento_id, reason="x", project=world.project, actor=world.otto)

    with contextlib.suppress(StateRefused):
        trust.learn(trust.open_state(signed_now(world)))
    assert [one.what for one in trust.recalls.book.standing] == [good.bento_id]


# --- how it is seen -----------------------------------------------------------------------------


def problems(world: World) -> list[dict[str, str]]:
    """Return what the API says of the target's node to an operator of every project."""
    olga = User.objects.filter(email="olga@example.com").first() or factories.person(
        "Olga", {"operator": None}
    )
    page = factories.api(olga).get("/targets").json()
    (target,) = [row for row in page["items"] if row["id"] == world.target.pk]
    found: list[dict[str, str]] = target["node"]["problems"]
    return found


def test_what_was_left_out_is_shown_with_the_target_until_it_is_mended(
    world: World, two: tuple[Release, Release], node: SimulatedNode, caplog: Any
) -> None:
    _, bad = two
    row = Revision.objects.get(release=bad.pk)
    sql("""UPDATE serving_revision SET variables = '{"MODE\\n": "x"}' WHERE id = %s""", row.pk)

    signed_now(world)
    (problem,) = problems(world)
    assert problem["code"] == "revision_refused"
    assert problem["detail"].startswith(f"left out of what is signed: revision {row.pk}: ")
    assert "is not the name of a variable" in problem["detail"]
    assert any(row.pk in r.getMessage() for r in caplog.records if r.levelname == "ERROR")
    node.report(errors=[{"code": "haproxy", "detail": "It does not run"}])
    assert [p["code"] for p in problems(world)] == ["revision_refused", "haproxy"]

    sql("UPDATE serving_revision SET variables = '{}' WHERE id = %s", row.pk)
    signed_now(world)
    assert [p["code"] for p in problems(world)] == ["haproxy"]


def test_it_is_shown_though_the_rest_was_signed_before(
    world: World, two: tuple[Release, Release]
) -> None:
    """A worker that died between the two statements does the job again."""
    _, bad = two
    sql("""UPDATE serving_revision SET guard = '[]' WHERE release = %s""", bad.pk)
    first = signed_now(world)
    Node.objects.update(left_out=[])

    assert signed_now(world) == first
    assert len(problems(world)) == 1


def test_a_state_with_something_left_out_keeps_its_number(
    world: World, two: tuple[Release, Release]
) -> None:
    _, bad = two
    sql("""UPDATE serving_revision SET guard = '[]' WHERE release = %s""", bad.pk)
    signed_now(world)
    number = DesiredState.objects.get(target=world.target).number
    signed_now(world)
    assert DesiredState.objects.get(target=world.target).number == number


def test_a_state_says_what_an_agent_must_know_to_run_a_revision(story: Story) -> None:
    serving = {"unit": {"header": "X-User"}, "capture": {"percent": 5}, "server": "slim"}
    release = story.live(serving=serving)
    (row,) = story.node.revisions().values()
    expected = ["unit", "capture", *(["apart"] if "egress" in release.serving else []), "slim"]
    assert row["needs"] == expected
    assert Endpoint.objects.count() == 1
