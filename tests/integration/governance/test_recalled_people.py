"""Whose decisions were recalled decides nothing, and nowhere is said to be able to."""

import pytest

from apps.assurance.actions import lift, recall
from apps.assurance.models import Recall
from apps.console.queries.duties import DutyRow
from apps.governance.actions import draft_policy, end_break_glass, publish_policy
from apps.governance.errors import BypassOpened, LockedOut
from apps.governance.models import BreakGlass, PolicyRevision, Release
from apps.governance.queries import menu, release_view
from apps.governance.queries.duties import duties_of
from apps.governance.queries.standstill import standstill
from apps.governance.queries.visible_rows import waiting_on
from apps.identity.actions import grant_role, revoke_role
from apps.identity.models import RoleBinding, User
from apps.serving.errors import Recalled
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now
from tests.support import factories
from tests.support.break_glass import confirmed, fragile, opened, responder
from tests.support.page_text import text_of
from tests.support.world import OPEN, World

pytestmark = pytest.mark.django_db
WHY = "decisions were recalled"
ONE_APPROVER = "version: 1\ngates:\n  - {gate: approvals, role: approver, count: 1}\n"


@pytest.fixture
def world(world: World) -> World:
    """A project where one approver is enough, and Vera's decisions were recalled."""
    world.policy("staging", ONE_APPROVER)
    taken_back(world.vera.id)
    return world


def taken_back(person: str, by: str = "Oda") -> None:
    operator = factories.actor_of(factories.person(by, {"operator": None}))
    recall(kind="person", what=person, reason="coerced", actor=operator)


def alone(world: World) -> None:
    """Take Vito's role away: Vera is the only approver."""
    revoke_role(RoleBinding.objects.get(person=world.people["Vito"]), actor=SYSTEM)


def shown(world: World, name: str, path: str) -> str:
    answer = factories.browser(world.people[name]).get(path)
    assert answer.status_code == 200
    return text_of(answer.content.decode())


def drafted(world: World, source: str = OPEN) -> PolicyRevision:
    return draft_policy(world.environment("staging"), source=source, actor=world.vito)


def test_a_release_says_who_can_decide_and_who_cannot_any_more(world: World) -> None:
    release = world.request("staging")
    view = release_view(release.pk, world.rex)
    assert [person.name for person in view.may_still_decide] == ["Vito risk"]
    assert [row.why for row in view.cannot_count] == [f"Vera risk cannot count: {WHY}"]
    own = release_view(release.pk, world.vera)
    assert (own.can_decide, own.you_cannot_count) == (False, f"You cannot count: {WHY}")
    page = shown(world, "Rex", f"/releases/{release.pk}/")
    assert "Can decide: Vito risk" in page and f"Vera risk cannot count: {WHY}" in page


def test_nothing_needs_their_review_and_they_are_told_why(world: World) -> None:
    release = world.request("staging")
    waits, other = waiting_on(world.vera), waiting_on(world.vito)
    assert (waits.needed, waits.barred) == ([], [(release, f"You cannot count: {WHY}")])
    assert (other.needed, other.barred) == ([release], [])
    assert not menu(world.vera).waiting and menu(world.vito).waiting
    for path in ("/", "/inbox/"):
        page = shown(world, "Vera", path)
        assert "Needs your review" not in page and f"You cannot count: {WHY}" in page


def test_lists_of_who_decides_say_it_of_them(world: World) -> None:
    for path in ("/projects/risk/members/", "/policies/risk/staging/"):
        assert f"Vera risk ({WHY})" in shown(world, "Rex", path), path


def test_duties_waits_for_the_recall_to_be_withdrawn_where_nobody_else_can(world: World) -> None:
    place = world.environment("staging")
    (duty,) = duties_of([place])
    assert (duty.state, duty.recalled) == ("kept", ())
    assert not any("Vera" in step for step in duty.path), "Vito decides in place of Vera"
    alone(world)
    (duty,) = duties_of([place])
    assert (duty.state, duty.recalled, duty.now) == ("waiting", ("Vera risk",), None)
    assert (duty.fewest, duty.path) == (None, []), "Vera can do none of it"
    assert DutyRow(duty).could == (
        "Nobody can do it until the recall of the decisions of Vera risk is withdrawn, or someone "
        "else holds the role."
    )


def test_duties_says_that_the_policy_could_be_changed_first_even_by_a_draft_of_theirs(
    world: World,
) -> None:
    """A recall takes decisions: what Vera drafts Vito may publish."""
    world.policy("staging", "version: 1\ngates:\n  - {gate: approvals, role: reviewer, count: 1}\n")
    taken_back(world.rex.id, by="Olaf")
    for name in ("Rita", "Otto"):
        revoke_role(RoleBinding.objects.get(person=world.people[name]), actor=SYSTEM)
    (duty,) = duties_of([world.environment("staging")])
    assert (duty.state, duty.recalled, duty.policy_first) == ("waiting", ("Rex risk",), True)
    said = "Nobody can do it without changing the policy first until the recall of the decisions of"
    assert DutyRow(duty).could.startswith(f"{said} Rex risk is withdrawn")


def test_a_role_that_lets_few_people_through_once_somebody_decides_again_is_refused(
    world: World,
) -> None:
    alone(world)
    ann = factories.actor_of(factories.person("Ann", {"admin": None}))
    path = r"Vera risk publishes that policy \(whose decisions were recalled\)"
    with pytest.raises(BypassOpened, match=path):
        grant_role(role="operator", person=world.people["Ada"], project=world.project, actor=ann)


def test_a_release_that_only_they_could_approve_stands_still(world: World) -> None:
    world.request("staging")
    auditor = factories.actor_of(factories.person("Ed", {"auditor": world.project}))
    assert standstill(auditor).stuck == []
    alone(world)
    (stuck,) = standstill(auditor).stuck
    assert (stuck.environment.name, stuck.roles) == ("staging", ("approver",))


def test_home_and_inbox_say_once_that_who_was_recalled_decides_on_nothing(world: World) -> None:
    world.request("staging")
    alone(world)
    factories.grant(world.people["Vera"], {"auditor": world.project})
    home, box = shown(world, "Vera", "/"), shown(world, "Vera", "/inbox/")
    assert "An access administrator can give this role to others." in home
    assert "Nobody can approve" in home and f"You cannot count: {WHY}" in home
    assert "other reviewers" not in home, "there are none"
    assert "No releases need your review." in box and "all caught up" not in box
    vera = factories.browser(world.people["Vera"])
    for path in ("/", "/inbox/", "/models/"):
        assert "releases that wait for your role" not in vera.get(path).content.decode(), path


def test_the_last_other_approver_is_removed_by_who_was_told_what_follows(world: World) -> None:
    desk = factories.browser(factories.person("Ann", {"admin": None}))
    role = RoleBinding.objects.get(person=world.people["Vito"])
    asked = desk.post(f"/projects/risk/members/{role.pk}/remove", {"next": "/administration/"})
    said = text_of(asked.content.decode())
    assert "After this no new request can be approved in Risk" in said


def test_they_publish_no_policy_and_are_offered_none(world: World) -> None:
    draft = drafted(world)
    with pytest.raises(Recalled, match="you publish nothing until that is withdrawn"):
        publish_policy(draft, actor=world.vera)
    assert standstill(world.vera).drafts == []
    page = shown(world, "Vera", "/policies/risk/staging/")
    assert "Your decisions were recalled: you cannot publish it" in page
    assert "Publish…" not in page and "Withdraw…" in page


def test_a_policy_that_needs_them_is_not_published(world: World) -> None:
    two = ONE_APPROVER.replace("count: 1", "count: 2")
    draft = draft_policy(world.environment("staging"), source=two, actor=world.vera)
    with pytest.raises(LockedOut, match="asks for 2 people, and at most 1 could"):
        publish_policy(draft, actor=world.vito)
    page = shown(world, "Vito", "/policies/risk/staging/")
    assert "and only 1 of those who hold that role here can decide (Vera risk (" in page


def test_whoever_requests_is_told_that_nobody_could_decide(world: World) -> None:
    alone(world)
    bento = world.bento(world.version())
    page = shown(world, "Ada", f"/releases/new/?version={bento.version_id}")
    assert (
        "Needs one person, and nobody could decide as approver: an access administrator gives this"
        in page
    )


def test_who_is_the_only_approver_left_is_told_why_nobody_publishes(world: World) -> None:
    otto = factories.actor_of(world.people["Otto"])
    draft_policy(world.environment("staging"), source=OPEN, actor=otto)
    path = "/policies/risk/staging/"
    assert "An approver can publish it" in shown(world, "Otto", path)
    alone(world)
    said = "who did not write the draft, and nobody who holds that role here can decide (Vera risk"
    assert said in shown(world, "Otto", path)


def test_nobody_is_offered_to_give_their_own_decisions_back(world: World) -> None:
    factories.grant(world.people["Vera"], {"approver": None})
    eva = factories.browser(factories.person("Eva", {"approver": None}))
    path = f"/recalls/{Recall.objects.get().pk}/"
    assert "Withdraw recall…" not in shown(world, "Vera", path)
    assert "Withdraw recall…" in text_of(eva.get(path).content.decode())


def test_nobody_starts_or_co_signs_an_emergency_release_whose_decisions_were_recalled(
    world: World,
) -> None:
    fragile(world)
    release = world.request("staging")
    path = f"/releases/{release.pk}/"
    assert "Start emergency release…" in shown(world, "Rob", path)
    glass = opened(world, release)
    assert "Co-sign…" in shown(world, "Vito", f"/break-glass/{glass.pk}/")
    page = shown(world, "Vera", f"/break-glass/{glass.pk}/")
    assert "Co-sign…" not in page and f"You cannot count: {WHY}" in page
    taken_back(world.people["Rob"].pk, by="Olaf")
    page = shown(world, "Rob", path)
    assert "Start emergency release…" not in page and f"You cannot count: {WHY}" in page
    with pytest.raises(Recalled, match="you decide nothing"):
        opened(world, release)


def test_an_emergency_release_that_the_recall_of_a_signer_ended_says_so_and_whose_is_void(
    world: World,
) -> None:
    fragile(world)
    auditor = factories.browser(factories.person("Eva", {"auditor": None}))
    for co_signed in (False, True):
        release = world.request("staging", endpoint=f"urgent-{co_signed:d}")
        glass = opened(world, release, responder(world, f"Rob{co_signed:d}"))
        if co_signed:
            confirmed(world, glass, world.vito)
        ended = opened(world, world.request("staging"), responder(world, f"Rob{co_signed:d}"))
        end_break_glass(ended, actor=world.vito)
        taken_back(world.people[f"Rob{co_signed:d}"].pk, by=f"Olaf{co_signed:d}")
        page = shown(world, "Ada", f"/break-glass/{glass.pk}/")
        assert "✕ Ended by a recall" in page
        assert page.count("void: recalled") == 1
        assert f"{co_signed:d} of 2" in page, "what was taken back is not counted"
        assert "can start until" not in page
        assert "Open recall" not in page, "Ada does not see what counts everywhere"
        found = auditor.get(f"/break-glass/{glass.pk}/").content.decode()
        assert f'href="/recalls/{Recall.objects.order_by("-pk")[0].pk}/">Open recall' in found
        earlier = shown(world, "Ada", f"/break-glass/{ended.pk}/")
        assert "Ended by a recall" not in earlier
        assert earlier.count("void: recalled") == 1 and "0 of 2" in earlier
    assert shown(world, "Ada", "/break-glass/").count("Ended by a recall") == 2


def test_an_emergency_release_that_was_used_before_the_recall_of_a_signer_was_not_ended_by_it(
    world: World,
) -> None:
    fragile(world)
    release = world.request("staging")
    glass = opened(world, release, responder(world, "Rob"))
    confirmed(world, glass, world.vito)
    BreakGlass.objects.filter(pk=glass.pk).update(used_at=now())
    Release.objects.filter(pk=release.pk).update(state="retired")
    taken_back(world.people["Rob"].pk, by="Olaf")
    end_break_glass(glass, actor=world.vito)
    page = shown(world, "Ada", f"/break-glass/{glass.pk}/")
    assert "Ended by a recall" not in page
    assert page.count("void: recalled") == 1 and "1 of 2" in page
    seen = factories.api(world.people["Ada"]).get(f"/break-glass/{glass.pk}").json()
    assert [signer["void"] for signer in seen["signers"]] == [True, False]
    row = Recall.objects.latest("pk")
    vesta = factories.actor_of(factories.person("Vesta", {"approver": None}))
    lift(row, reason="it was Rob", actor=vesta)
    page = shown(world, "Ada", f"/break-glass/{glass.pk}/")
    assert "void: recalled" not in page and "2 of 2" in page, "it ended nothing by itself"


def test_the_preview_says_which_releases_lose_a_decision(world: World) -> None:
    release = world.request("staging")
    world.decide(release, world.vito)
    other = world.request("staging", endpoint="other")
    world.people["Oda"] = User.objects.get(name="Oda")
    path = f"/recalls/new/?kind=person&what={world.vito.id}"
    page = shown(world, "Oda", path)
    assert "Of 1 release that waits this voids what was decided:" in page
    said = f"{release.version} to staging , Risk release {release.number}: decision void; approval"
    assert f"{said} needed again if too few are left" in page
    assert f"Risk release {other.number}" not in page, "on which Vito decided nothing"
    asked = f"/recalls/preview?kind=person&what={world.vito.id}"
    told = factories.api(world.people["Oda"]).get(asked)
    (voided,) = told.json()["voided"]
    assert (voided["release"], voided["decision"], voided["emergency_release"]) == (
        release.pk,
        True,
        False,
    )
    taken_back(world.vito.id, by="Olaf")
    assert release.decisions.get().voided_reason == "recalled"
    assert "this voids what was decided" not in shown(world, "Oda", path), "it is void already"


def test_the_api_names_so_many_of_what_a_recall_voids_and_says_that_there_are_more(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.assurance.api.previews.MOST_VOIDED", 1)
    releases = [world.request("staging", endpoint=name) for name in ("a", "b")]
    oda = factories.api(User.objects.get(name="Oda"))
    preview = f"/recalls/preview?kind=person&what={world.vito.id}"
    seen = []
    for release in releases:
        world.decide(release, world.vito)
        answer = oda.get(preview).json()
        seen.append((len(answer["voided"]), answer["voided_is_cut"]))
    assert seen == [(1, False), (1, True)]
    taken_back(world.vito.id, by="Olaf")
    newest = Recall.objects.latest("pk")
    made = oda.get(f"/recalls/{newest.pk}").json()
    assert [one["release"] for one in made["voided"]] == [releases[0].pk]
    assert made["voided_is_cut"] is True


def test_the_preview_says_which_emergency_release_would_end(world: World) -> None:
    fragile(world)
    glass = opened(world, world.request("staging"))
    world.people["Oda"] = User.objects.get(name="Oda")
    page = shown(world, "Oda", f"/recalls/new/?kind=person&what={world.people['Rob'].pk}")
    assert f"release {glass.release.number}: emergency release ended" in page


def test_the_page_of_a_person_says_when_and_why_their_decisions_were_recalled(
    world: World,
) -> None:
    at = "(date)"
    world.people["Oda"] = User.objects.get(name="Oda")
    world.people["Ann"] = factories.person("Ann", {"admin": None})
    factories.grant(world.people["Oda"], {"auditor": None})
    path = f"/people/{world.people['Vera'].pk}/"
    page = shown(world, "Oda", path)
    assert f"The decisions of Vera risk were recalled on {at} : “coerced” (Oda)." in page
    assert "Open recall" in page
    page = shown(world, "Ann", path)
    assert f"recalled on {at} ; why is not visible to you." in page and "coerced" not in page
    assert "Open recall" not in page
    own = shown(world, "Vera", path)
    assert "Your decisions were recalled on" in own and "you decide nothing" in own
    assert "were recalled" not in shown(world, "Ann", f"/people/{world.people['Vito'].pk}/")


def test_lists_of_recalls_name_the_person(world: World) -> None:
    world.people["Oda"] = User.objects.get(name="Oda")
    page = shown(world, "Oda", "/recalls/")
    assert "Vera risk" in page and "per_" not in page
    client = factories.api(world.people["Oda"])
    (listed,) = client.get("/recalls").json()["items"]
    assert (listed["what"], listed["what_name"]) == (world.vera.id, "Vera risk")
    found = shown(world, "Oda", f"/search/?q={listed['id']}")
    assert "Recall of Vera risk's decisions" in found
