"""A recall that leaves the platform: what an outsider computes of it equals what is true."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from apps.assurance.actions import recall, reporting
from apps.assurance.models import Recall, RecallEffect, Receipt
from apps.assurance.queries import of_recall
from apps.audit.actions import write_checkpoint
from apps.audit.models import Event
from placet.kernel.keystore import ring
from placet_verify.__main__ import main
from placet_verify.bundle import bundle, recall_report
from placet_verify.errors import Refused
from tests.support.bundles import auditor, files_of
from tests.support.database import sql
from tests.support.factories import api, browser, person
from tests.support.fleet import PASTS, WAYS, Fleet
from tests.support.nodes import SimulatedNode
from tests.support.story import Story
from tests.support.world import World

pytestmark = pytest.mark.django_db
STATES = ("confirmed", "open", "contradicted", "never ran")


def add(fleet: Fleet, number: int, past: str, way: str) -> None:
    """Have one more node join."""
    target = fleet.world.another_target(f"edge-{number}", "development")
    fleet.members.append(fleet.member(target, past, way))


def report(found: str) -> bytes:
    write_checkpoint()
    answer = api(auditor()).get(f"/recalls/{found}/report")
    assert answer.status_code == 200, answer.json()["detail"]
    assert f'filename="{found}.zip"' in answer["Content-Disposition"]
    return answer.content


def lines_of(files: dict[str, bytes]) -> list[str]:
    return list(recall_report.verify(files, ring()))


def states(lines: list[str]) -> Iterator[tuple[str, str]]:
    """Yield each release with its state."""
    for line in lines:
        state, _, rest = line.partition(": release ")
        if state in STATES and rest:
            yield rest.partition(":")[0], state


def test_what_an_outsider_computes_equals_what_is_true_of_every_node(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet = Fleet.made(0, seed=1)
    targets = iter(range(len(WAYS) + len(PASTS)))
    for way in WAYS:
        add(fleet, next(targets), "bad alone", way)
    for past in PASTS:
        add(fleet, next(targets), past, "answers")
    found = fleet.recall()
    before = lines_of(files_of(report(found)))
    assert {state for _, state in states(before)} == {"open", "never ran"}
    fleet.answer(found)
    file = tmp_path / "recall.zip"
    file.write_bytes(report(found))
    at = dict(RecallEffect.objects.values_list("release", "endpoint"))
    computed = {
        at[release]: state for release, state in states(lines_of(files_of(file.read_bytes())))
    }
    truth = {place: state.replace("_", " ") for place, (_, state) in fleet.truth.items()}
    assert computed == truth
    (tmp_path / "root.pub").write_bytes(ring().root.to_pem())
    assert main(["recall", str(file), "--root", str(tmp_path / "root.pub")]) == 0
    said = capsys.readouterr().out
    assert f"recall {found}: of {len(truth) - 1} releases that ran" in said
    assert "on the platform's word alone" in said, "it answered requests, which no receipt says"


@pytest.fixture
def recalled(story: Story) -> Recall:
    """A recall of what is live, of which the node has heard nothing."""
    live = story.live()
    said = {"kind": "bento", "what": live.bento_id, "reason": "x"}
    found = recall(**said, project=story.world.project, actor=story.otto)
    story.run_jobs("control")
    return found


def test_taking_it_is_the_auditors_and_an_event(world: World, recalled: Recall) -> None:
    files = files_of(report(recalled.pk))
    last = Event.objects.order_by("-index")[0]
    shown = sum(name.startswith("log/") for name in files)
    assert last.kind == "audit.exported.v1"
    assert json.loads(last.body)["data"] == {"format": "recall", "count": shown}
    path = f"/recalls/{recalled.pk}/report"
    assert api(world.people["Otto"]).get(path).status_code == 403
    assert api(person("Stranger")).get(path).status_code == 404


def test_a_checkpoint_is_waited_for(recalled: Recall) -> None:
    answer = api(auditor()).get(f"/recalls/{recalled.pk}/report")
    assert (answer.status_code, answer.json()["code"]) == (409, "not_yet_signed")


def test_rows_that_say_more_than_the_log_change_nothing(
    node: SimulatedNode, recalled: Recall
) -> None:
    """Somebody writes into the tables that it is confirmed: the report goes by what was signed."""
    sql("UPDATE assurance_recalleffect SET state = 'confirmed', confirmed_at = now()")
    lines = lines_of(files_of(report(recalled.pk)))
    assert [state for _, state in states(lines)] == ["open"]
    node.confirm()
    lines = lines_of(files_of(report(recalled.pk)))
    assert not Receipt.objects.filter(kind="ran").exists()
    assert [state for _, state in states(lines)] == ["confirmed"]


def test_what_the_log_does_not_show_as_it_was_is_not_handed_out(
    recalled: Recall, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The body of an event was changed where the database keeps it."""
    write_checkpoint()
    events = of_recall(recalled)
    first = min(index for index, body in events.items() if "recall.created.v1" in body)
    changed = events | {first: events[first].replace('"kind":"bento"', '"kind":"wheel"')}
    assert changed != events
    monkeypatch.setattr(reporting, "of_recall", lambda row: changed)
    answer = api(auditor()).get(f"/recalls/{recalled.pk}/report")
    assert (answer.status_code, answer.json()["code"]) == (409, "not_verifiable")
    assert not Event.objects.filter(kind="audit.exported.v1").exists()


def test_the_receipts_of_another_recall_are_refused(recalled: Recall, node: SimulatedNode) -> None:
    node.confirm()
    files = files_of(report(recalled.pk))
    with pytest.raises(Refused) as caught:
        lines_of(files | {"receipts.json": b"[]"})
    assert caught.value.code == "left_out"
    assert bundle.README in files


def test_the_page_offers_it_to_who_may_take_it(world: World, recalled: Recall) -> None:
    for who, offered in ((auditor(), True), (world.people["Otto"], False)):
        page = browser(who).get(f"/recalls/{recalled.pk}/").content.decode()
        assert (f"/api/v1/recalls/{recalled.pk}/report" in page) is offered
