"""What somebody saw who decided is kept with the decision, and never becomes something else."""

import re
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.audit.actions import erase_texts
from apps.audit.models import Event
from apps.audit.queries.wrong_rows import wrong_rows
from apps.governance.models import Decision, DecisionRecord, Release
from apps.registry.actions import add_evidence
from apps.registry.models import Evidence
from apps.rollouts import actions
from apps.serving.actions import stop_endpoint
from placet.kernel.actor import SYSTEM
from placet_verify import canonical
from tests.support import factories
from tests.support.factories import api, browser
from tests.support.page_text import text_of
from tests.support.replay import assert_log_rebuilds_every_row
from tests.support.story import Story
from tests.support.world import World

pytestmark = pytest.mark.django_db
WARM = {"keep_warm_seconds": 600}
LENIENT = "version: 1\ngates: [{gate: scan}, {gate: approvals, role: reviewer}]\n"
SAW = "What Rex risk saw"
TODAY = "▲ Today: "


def html(world: World, path: str, who: str = "Rita") -> str:
    answer = browser(world.people[who]).get(path)
    assert answer.status_code == 200, answer.content
    return str(answer.content.decode())


def place(decision: Decision) -> str:
    return f"/releases/{decision.release_id}/decisions/{decision.pk}/"


def lines(world: World, decision: Decision) -> list[str]:
    """Return what the page of a decision says of what was seen, a line for each block."""
    said = text_of(html(world, place(decision))).splitlines()
    return said[said.index(SAW) + 1 :]


def then(world: World, decision: Decision) -> list[str]:
    """Return the same without what differs today."""
    return [line for line in lines(world, decision) if not line.startswith(TODAY)]


def today(world: World, decision: Decision) -> list[str]:
    """Return what it says of that alone."""
    said = lines(world, decision)
    return [line.removeprefix(TODAY) for line in said if line.startswith(TODAY)]


def printed(world: World, decision: Decision) -> list[str]:
    """Return what the print of its release says of it: below who decided what, and when."""
    page = html(world, f"/releases/{decision.release_id}/")
    (section,) = re.findall(r'<section class="d-none d-print-block.*?</section>', page, re.DOTALL)
    said = text_of(f"<main>{section}</main>").splitlines()
    return said[said.index(SAW) + 2 :]


def answered(world: World, decision: Decision) -> Any:
    """Return what the API says of it, but for what became of it since."""
    answer = api(world.people["Rita"]).get(f"/decisions/{decision.pk}")
    assert answer.status_code == 200, answer.content
    return {k: v for k, v in answer.json().items() if k != "voided_reason"}


def card(page: str, tag: str, end: str) -> str:
    """Return the text of the first part of a page that begins and ends so."""
    (part, *_) = re.findall(f"{tag}.*?{end}", page, re.DOTALL)
    return text_of(f"<main>{part}</main>")


@pytest.fixture
def waiting(story: Story) -> Release:
    """A second version that waits for staging, where the first one is live."""
    world = story.world
    story.live("staging", world.bento(world.version(), metrics={"auc": 0.9, "ece": 0.2}))
    bento = world.bento(world.version(), metrics={"auc": 0.95, "ece": 0.3})
    return story.release("staging", bento, plan=WARM)


@pytest.fixture
def decision(story: Story, waiting: Release) -> Decision:
    """Rex approves it."""
    return story.approve(waiting)


def test_every_card_of_the_page_is_kept_with_the_decision(story: Story, waiting: Release) -> None:
    """Compared with the page that its decider had before them."""
    world = story.world
    before = html(world, f"/releases/{waiting.pk}/", "Rex")
    evidence = html(world, f"/releases/{waiting.pk}/evidence/", "Rex")
    decision = story.approve(waiting)
    after = html(world, place(decision))
    for tag, end in (('<dl class="glance m-0">', "</dl>"), ("<tbody>", "</tbody>")):
        told = re.sub(rf"{TODAY}[^\n]*\n", "", card(after, tag, end))
        assert told == card(before, tag, end)
    assert "Compared with churn:1 (live), release 1 ." in then(world, decision)
    said = " | ".join(then(world, decision))
    listed = before.partition("Gates</h2>")[2]
    gates = re.findall(r'<div class="gate">.*?<small>', listed, re.DOTALL)
    assert len(gates) > 1
    for gate in gates:
        assert text_of(f"<main>{gate}</main>").replace("\n", " | ") in said
    for item in ("Safe, 0 findings", "3 of 3 expected outputs equal", "2 metrics"):
        assert item in text_of(evidence) and item in said
    plan = card(before, "Rollback plan</h2>", "</div>\\s*</div>").splitlines()[-1]
    assert plan in then(world, decision)


def test_the_record_after_going_live_and_ever_after_is_the_record_at_the_decision(
    story: Story, decision: Decision
) -> None:
    """By every card, on its page, in print and over the API."""
    world, release = story.world, decision.release
    kept = then(world, decision), answered(world, decision)
    assert printed(world, decision) == kept[0]

    def same() -> bool:
        return kept == (then(world, decision), answered(world, decision)) and (
            printed(world, decision) == kept[0]
        )

    story.settle()
    assert story.state(release) == "live" and same()
    add_evidence(
        release.version, kind="metrics", data={"auc": 0.1}, source="reported", actor=world.ada
    )
    assert same()
    third = story.live("staging", world.bento(world.version(), metrics={"auc": 0.99}))
    assert story.state(release) == "superseded" and same()
    world.policy("staging", LENIENT)
    assert same()
    actions.rollback(third.endpoint, reason="worse", actor=story.otto)
    story.settle()
    stop_endpoint(third.endpoint, actor=story.otto)
    assert same()


def test_what_differs_today_stands_beside_what_was_seen(story: Story) -> None:
    world = story.world
    world.policy(
        "staging",
        "version: 1\ngates: [{gate: scan}, {gate: approvals, role: reviewer},"
        " {gate: approvals, role: approver}]\n",
    )
    bento = world.bento(world.version(), metrics={"auc": 0.95})
    release = story.release("staging", bento)
    decision = story.approve(release)
    assert "Nothing was live." in then(world, decision)
    (approved,) = [line for line in today(world, decision) if "then waiting" in line]
    assert approved.startswith("passed, then waiting.")
    other = world.bento(world.version(), metrics={"auc": 0.5})
    faster = story.release("staging", other)
    world.decide(faster, world.rex)
    world.decide(faster, world.vera)
    story.settle()
    assert story.state(faster) == "live"
    said = today(world, decision)
    assert f"compared with churn:2, release {faster.number}" in said
    assert "0.5 → 0.95" in said
    world.policy("staging", LENIENT)
    decision.refresh_from_db()
    assert decision.voided_reason == "policy_changed"
    assert "not asked for" in today(world, decision)
    assert "Void: policy changed. What it was made on is kept." in text_of(
        html(world, place(decision))
    )


def test_evidence_that_is_altered_later_is_still_what_was_seen(
    story: Story, decision: Decision
) -> None:
    world = story.world
    kept = then(world, decision)
    row = Evidence.objects.get(version=decision.release.version, kind="metrics")
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE registry_evidence SET data = '{\"auc\": 0.11}' WHERE id = %s", [row.pk]
        )
    assert then(world, decision) == kept
    assert "gone or altered since it was pinned" in today(world, decision)


def test_the_log_has_the_digest_and_can_rebuild_the_record(decision: Decision) -> None:
    event = Event.objects.get(subject=decision.release_id, kind="release.decided.v1")
    after = canonical.loads(event.body)["after"][f"governance.decisionrecord:{decision.pk}"]
    record = DecisionRecord.objects.get(pk=decision.pk)
    assert after["digest"] == record.digest == canonical.digest(record.document.encode())
    assert canonical.is_digest(after["document"]), "free text of reporters is sealed"
    assert "auc" not in event.body
    assert "Rex" not in record.document
    assert_log_rebuilds_every_row(DecisionRecord)


@pytest.mark.parametrize("also_digest", [False, True])
def test_a_record_that_somebody_changes_says_so(
    story: Story, decision: Decision, also_digest: bool
) -> None:
    said = text_of(html(story.world, place(decision)))
    assert "As it was logged with the decision" in said
    row = DecisionRecord.objects.get(pk=decision.pk)
    row.document = row.document.replace("0.95", "0.99")
    if also_digest:
        row.digest = canonical.digest(row.document.encode())
    row.save()
    said = text_of(html(story.world, place(decision)))
    assert "Not what was logged" in said
    assert any(f"decisionrecord:{decision.pk}" in fault.place for fault in wrong_rows())


def test_a_decision_from_before_records_were_kept_shows_its_gates_and_says_so(
    story: Story, decision: Decision
) -> None:
    DecisionRecord.objects.all().delete()
    said = " | ".join(lines(story.world, decision))
    assert "was not kept before version 0.2.0" in said
    assert "Gates | " in said and decision.gates[0]["title"] in said
    assert "was not kept before" in " ".join(printed(story.world, decision))
    found = answered(story.world, decision)
    assert (found["record"], found["record_digest"]) == (None, "")
    assert found["gates"] == decision.gates


def test_a_record_of_a_version_that_nobody_here_reads_is_said_to_be_unread(
    story: Story, decision: Decision
) -> None:
    """And not that none was kept, nor is anything guessed: as after going back to an older one."""
    row = DecisionRecord.objects.get(pk=decision.pk)
    row.document = row.document.replace('"v":1', '"v":99')
    row.save()
    said = " | ".join(lines(story.world, decision))
    unread = "in a format that this version of Placet cannot read. A newer version can."
    assert unread in said and "not kept before" not in said
    assert "Gates | " in said and decision.gates[0]["title"] in said
    assert "Not what was logged" in text_of(html(story.world, place(decision)))
    assert unread in " ".join(printed(story.world, decision))
    found = answered(story.world, decision)
    assert found["record"] is None and found["record_digest"] == row.digest


def test_who_may_not_see_the_release_sees_no_record_of_it(story: Story, decision: Decision) -> None:
    other = story.world.request("staging", endpoint="other")
    stranger = factories.person("Sten", roles={"reviewer": World("other").project})
    assert browser(stranger).get(place(decision)).status_code == 404
    assert api(stranger).get(f"/decisions/{decision.pk}").status_code == 404
    rita = browser(story.people["Rita"])
    assert rita.get(f"/releases/{other.pk}/decisions/{decision.pk}/").status_code == 404
    assert rita.get(f"/releases/{decision.release_id}/decisions/dec_no/").status_code == 404


def test_only_who_may_read_the_log_is_led_to_its_event(story: Story, decision: Decision) -> None:
    assert "/audit/" not in html(story.world, place(decision)).partition("<main")[2]
    eve = factories.person("Eve", roles={"auditor": None})
    shown = browser(eve).get(place(decision)).content.decode()
    event = Event.objects.get(subject=decision.release_id, kind="release.decided.v1")
    assert f'href="/audit/{event.index}/"' in shown


def test_the_record_outlives_the_words_of_who_decided(story: Story, waiting: Release) -> None:
    world = story.world
    decision = world.decide(waiting, world.rex, comment="The gap is known")
    kept = then(world, decision)
    assert "The gap is known" in text_of(html(world, place(decision)))
    erase_texts(world.people["Rex"].pk, actor=SYSTEM)
    assert then(world, decision) == kept
    said = text_of(html(world, place(decision)))
    assert "The gap is known" not in said and "[erased]" in said
    assert "As it was logged with the decision" in said


def test_a_rejection_is_kept_as_well(story: Story, waiting: Release) -> None:
    decision = story.world.decide(waiting, story.rex, "reject")
    assert "Compared with churn:1 (live), release 1 ." in then(story.world, decision)
    release = text_of(html(story.world, f"/releases/{waiting.pk}/"))
    assert SAW in release


def test_the_decisions_of_a_release_lead_to_what_each_saw(story: Story, decision: Decision) -> None:
    page = html(story.world, f"/releases/{decision.release_id}/")
    assert f'<a href="{place(decision)}">{SAW}</a>' in page


def test_the_page_of_a_decision_takes_few_queries(story: Story, decision: Decision) -> None:
    rita = browser(story.people["Rita"])
    with CaptureQueriesContext(connection) as caught:
        assert rita.get(place(decision)).status_code == 200
    assert len(caught) <= 12


def test_what_was_live_and_stopped_is_said_to_be_stopped(story: Story) -> None:
    world = story.world
    live = story.live("staging")
    waits = story.release("staging")
    stop_endpoint(live.endpoint, actor=story.otto)
    decision = story.approve(waits)
    said = then(world, decision)
    assert "Compared with churn:1 (stopped), release 1 ." in said
    assert any(line.startswith("The endpoint is stopped, so nothing is served.") for line in said)
