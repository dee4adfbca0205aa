"""A release that a broken glass let start, as a node sees it, and after a recall."""

import json
from datetime import timedelta
from typing import Any

import pytest

from apps.assurance.actions import recall
from apps.assurance.models import RecallEffect
from apps.assurance.queries import foresee, preview
from apps.console.queries.endpoint_view import former_of, revisions_of
from apps.governance.actions import end_break_glass, end_break_glasses_due, review_break_glass
from apps.governance.models import BreakGlass, BreakGlassSignature, Release
from apps.governance.queries.break_glass import break_glass_views
from apps.governance.queries.visible_rows import menu
from apps.rollouts.queries import former_revisions
from apps.serving.actions import stop_endpoint
from apps.serving.models import Revision
from placet.kernel import keystore
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now
from placet_agent.state.trust import Trust
from placet_verify import canonical
from placet_verify.permit.permit import Expected, PermitRefused, permit
from placet_verify.signing import dsse
from tests.support import factories
from tests.support.break_glass import broken, fragile, opened
from tests.support.factories import browser
from tests.support.forgeries import forged_state, signed_now, unapproved, verdicts
from tests.support.page_text import text_of
from tests.support.replay import assert_log_rebuilds_every_row
from tests.support.story import Story
from tests.support.world import World

pytestmark = pytest.mark.django_db
CANARY = {"strategy": "canary", "steps": [{"set_weight": 10}, {"pause": {}}]}


@pytest.fixture
def live(story: Story) -> Release:
    """A release in staging that serves because two people broke the glass for it."""
    release = fragile(story.world).request("staging")
    broken(story.world, release)
    story.settle()
    assert story.state(release) == "live"
    return release


def test_the_node_runs_what_two_people_broke_the_glass_for(
    world: World, live: Release, trust: Trust
) -> None:
    assert verdicts(trust, signed_now(world)) == {live.bento_id: ""}
    assert json.loads(Revision.objects.get(release=live.pk).permit)["v"] == 3
    BreakGlass.objects.update(until=now() - timedelta(hours=1))
    assert end_break_glasses_due() == 1
    assert verdicts(trust, signed_now(world)) == {live.bento_id: ""}, "what serves goes on"
    assert break_glass_views(BreakGlass.objects.all())[0].running


def test_lists_and_files_name_who_made_it_an_emergency_release(story: Story, live: Release) -> None:
    rob, vera = (story.world.people[name].name for name in ("Rob", "Vera"))
    reader = browser(story.world.people["Ada"])
    project = story.world.project.slug
    for path in (
        "/",
        f"/endpoints/?project={project}",
        f"/endpoints/{live.endpoint_id}/revisions/",
    ):
        said = text_of(reader.get(path).content.decode())
        assert f"Emergency release by {rob} and {vera}" in said, path
        assert "open policy" not in said, path
    path = f"/endpoints/{live.endpoint_id}/"
    said = text_of(reader.get(path).content.decode())
    assert f"Emergency release by {rob} and {vera}" in said, path
    auditor = factories.api(factories.person("Eve", {"auditor": None}))
    answer: Any = auditor.get("/exports/endpoints?format=json")
    told = json.loads(b"".join(answer.streaming_content))[0]["approved_by"]
    assert told == [f"{rob} (emergency release)", f"{vera} (emergency release)"]


def test_nobody_goes_back_to_what_its_review_did_not_find_justified(
    story: Story, live: Release
) -> None:
    glass = BreakGlass.objects.get()
    second = story.world.request("staging")
    broken(story.world, second)
    story.settle()
    now_live = Revision.objects.get(release=second.pk)
    assert (story.state(second), now_live.state) == ("live", "live")
    assert [r.release for r in former_revisions(now_live)] == [live.pk]
    assert offered(now_live) == [live.pk]
    click = "is one click on the endpoint's page and needs no new approval."
    assert said_of_way_back(story.world, second) == [
        f"✓ One click now to {live.version}",
        f"Rolling back to {live.version} {click}",
    ]
    BreakGlass.objects.update(until=now() - timedelta(hours=1))
    end_break_glasses_due()

    review_break_glass(
        BreakGlass.objects.get(pk=glass.pk),
        finding="not_justified",
        findings="It could wait",
        actor=story.world.vito,
    )

    assert former_revisions(now_live) == []
    assert offered(now_live) == [], "the page offers what the action does"
    why = f"the review of its emergency release found {live.version} not justified"
    page = browser(story.world.people["Ada"]).get(f"/endpoints/{live.endpoint_id}/")
    assert f"no earlier revision to go back to: {why}." in text_of(page.content.decode())
    assert said_of_way_back(story.world, second) == [
        f"– None to go back to now: {why}",
        f"There is no earlier revision to go back to: {why}.",
    ]


def test_a_recall_stops_rather_than_go_back_there_and_says_so_beforehand(
    story: Story, live: Release
) -> None:
    glass = BreakGlass.objects.get()
    second = story.world.request("staging")
    broken(story.world, second)
    story.settle()
    end_break_glass(BreakGlass.objects.get(pk=glass.pk), actor=story.world.vera)
    ring, place = keystore.ring(), story.world.project
    said = {"kind": "bento", "what": second.bento_id, "project": place}
    before = preview(foresee(story.vera, **said, ring=ring))
    assert [(one.action, one.fallback) for one in before] == [
        ("fell_back", Revision.objects.get(release=live.pk))
    ]
    review_break_glass(
        BreakGlass.objects.get(pk=glass.pk),
        finding="not_justified",
        findings="It could wait",
        actor=story.world.vito,
    )

    foreseen = preview(foresee(story.vera, **said, ring=ring))

    recall(**said, reason="It leaks", actor=story.vera)
    effect = RecallEffect.objects.get()
    assert (effect.action, effect.fallback) == ("stopped", "")
    assert [(one.action, one.fallback) for one in foreseen] == [("stopped", None)]


def test_what_is_live_and_was_not_justified_is_no_way_back_from_what_follows(
    story: Story, live: Release
) -> None:
    end_break_glass(BreakGlass.objects.get(), actor=story.world.vera)
    waits = story.world.request("staging")
    keeps = f"{live.version} keeps serving until the new replicas are ready"
    tile, card = said_of_way_back(story.world, waits)
    assert tile.startswith(f"✓ One click {live.version} stays on standby for")
    assert card.startswith(f"{keeps}, and stays on standby for")

    review_break_glass(
        BreakGlass.objects.get(),
        finding="not_justified",
        findings="It could wait",
        actor=story.world.vito,
    )

    why = f"the review of its emergency release found {live.version} not justified"
    assert said_of_way_back(story.world, waits) == [
        f"– None to go back to {why}",
        f"{keeps}; {why}. There is no earlier revision to go back to.",
    ]


def said_of_way_back(world: World, release: Release) -> list[str]:
    """Return what the release's page says of the way back now, in its tile and in its card."""
    page = browser(world.people["Ada"]).get(f"/releases/{release.pk}/")
    lines = text_of(page.content.decode()).splitlines()
    tile, card = (lines.index(title) + 1 for title in ("Rollback", "Rollback plan"))
    card += lines[card].startswith("At the decision: ")
    return [lines[tile], lines[card].removeprefix("Now: ")]


def offered(now_live: Revision) -> list[str]:
    """Return the releases that the endpoint's page offers to go back to."""
    return [row.release for row in former_of(now_live, revisions_of(now_live.endpoint, SYSTEM))]


def test_it_lets_nothing_else_run_whoever_writes_the_states(
    world: World, live: Release, trust: Trust
) -> None:
    """A worker's keys sign the state; the permit is for another Bento."""
    evil, approved = unapproved(world), Revision.objects.get(release=live.pk)
    state = forged_state(world, live, evil, approved.permit)
    envelope = dsse.sign(dsse.STATE, canonical.dumps(state), keystore.signer("state"))
    answer = verdicts(trust, envelope.to_json())
    assert "another bento_digest" in answer[evil.digest]


def test_a_node_refuses_it_when_one_person_is_left_out(live: Release) -> None:
    document = json.loads(Revision.objects.get(release=live.pk).permit)
    expect = Expected(
        project=live.project_id,
        environment="staging",
        endpoint=live.endpoint_id,
        bento_digest=live.bento_id,
    )
    ring = keystore.ring()
    assert permit(json.dumps(document), ring, expect=expect, starting_at=None).glass
    for kept in ([0], [1], [0, 0]):
        left = document | {"break_glass": [document["break_glass"][n] for n in kept]}
        with pytest.raises(PermitRefused):
            permit(json.dumps(left), ring, expect=expect, starting_at=None)


def test_a_recall_of_who_confirmed_it_takes_it_down(world: World, live: Release) -> None:
    recall(kind="person", what=world.vera.id, reason="It was not Vera", actor=SYSTEM)
    live.refresh_from_db()
    assert live.state == "revoked"


def test_a_recall_that_takes_down_what_is_live_by_it_ends_it_at_once_and_its_page_says_so(
    world: World, live: Release
) -> None:
    glass = BreakGlass.objects.get()
    recall(kind="person", what=world.vera.id, reason="It was not Vera", actor=SYSTEM)
    glass.refresh_from_db()
    assert (glass.state, glass.used_at is None) == ("ended", False)
    assert menu(world.ada).glasses == []
    reader = browser(world.people["Ada"])
    page = text_of(reader.get(f"/break-glass/{glass.pk}/").content.decode())
    assert "✕ Ended by a recall · its release was revoked" in page
    assert "1 of 2" in page and page.count("void: recalled") == 1 and "✕ Recalled" in page
    assert "It was used:" in page
    listed = text_of(reader.get("/break-glass/").content.decode())
    assert "Ended by a recall" in listed and "Vera risk as approver, void: recalled" in listed
    answer: Any = factories.api(world.people["Ada"]).get("/exports/glasses?format=json")
    (row,) = json.loads(b"".join(answer.streaming_content))
    assert row["signed_by"] == ["Rob risk (responder)", "Vera risk (approver, void: recalled)"]


def test_what_is_live_by_it_is_said_to_be_stopped_while_its_endpoint_is(
    story: Story, live: Release
) -> None:
    glass = BreakGlass.objects.get()
    reader = browser(story.world.people["Ada"])
    path = f"/break-glass/{glass.pk}/"
    assert "and is live" in text_of(reader.get(path).content.decode())
    stop_endpoint(live.endpoint, actor=story.otto)
    assert not break_glass_views(BreakGlass.objects.all())[0].running
    page = text_of(reader.get(path).content.decode())
    assert "and is stopped with its endpoint" in page
    banner = " ".join(reader.get("/").content.decode().split())
    assert "is stopped with its endpoint, review due" in banner
    assert "It keeps serving" not in page and "is live" not in page
    assert "Serving" not in text_of(reader.get("/break-glass/").content.decode())
    told = factories.api(story.world.people["Ada"]).get(f"/api/v1{path.rstrip('/')}").json()
    assert told["release_state"] == "stopped"


def test_while_it_is_rolling_out_nothing_is_said_to_be_rolled_back(story: Story) -> None:
    story.live("staging")
    release = fragile(story.world).request("staging", plan=CANARY)
    broken(story.world, release)
    story.settle()
    assert story.state(release) == "rolling_out"
    reader = browser(story.world.people["Ada"])
    path = f"/break-glass/{BreakGlass.objects.get().pk}/"
    page = " ".join(text_of(reader.get(path).content.decode()).split())
    assert "is rolling out by this emergency release, and its review is still open." in page
    back = "It is not live yet: to keep it so, abort its rollout, found on the endpoint's page"
    assert back in page and "It keeps serving" not in page
    listed = text_of(reader.get("/break-glass/").content.decode())
    assert "Rolling out with an open review" in listed and "Serving" not in listed


def test_nobody_is_looked_for_where_a_gate_is_passed_over(world: World) -> None:
    release = fragile(world).request("staging")
    reader, path = browser(world.people["Ada"]), f"/releases/{release.pk}/"
    assert "Can decide:" in text_of(reader.get(path).content.decode())
    broken(world, release)
    page = text_of(reader.get(path).content.decode())
    assert "Bypassed by an emergency release" in page and "Nobody can decide" not in page


def test_every_signer_who_was_recalled_since_it_let_something_serve_is_marked(
    world: World, live: Release
) -> None:
    glass = BreakGlass.objects.get()
    end_break_glass(glass, actor=world.vera)
    recall(kind="person", what=world.vera.id, reason="It was not Vera", actor=SYSTEM)
    path = f"/break-glass/{glass.pk}/"
    page = text_of(browser(world.people["Ada"]).get(path).content.decode())
    assert "1 of 2" in page and page.count("void: recalled") == 1
    assert "Ended by a recall" not in page, "Vera had ended it before"
    recall(kind="person", what=world.people["Rob"].pk, reason="Nor Rob", actor=SYSTEM)
    page = text_of(browser(world.people["Ada"]).get(path).content.decode())
    assert "0 of 2" in page and page.count("void: recalled") == 2
    told = factories.api(world.people["Ada"]).get(f"/api/v1{path.rstrip('/')}").json()
    assert [signer["void"] for signer in told["signers"]] == [True, True]


def test_the_log_alone_rebuilds_it(world: World, live: Release) -> None:
    again = opened(world, world.request("staging", endpoint="other"))
    end_break_glass(again, actor=world.vera)
    glass = BreakGlass.objects.get(release=live)
    end_break_glass(glass, actor=world.vera)
    review_break_glass(glass, finding="justified", findings="I looked", actor=world.vito)
    assert assert_log_rebuilds_every_row(BreakGlass, BreakGlassSignature, Release) >= 7
