"""What pages say while changes are requested, and how a review is finished on them."""

import pytest

from apps.discussions.actions import delete_comment, open_thread
from apps.discussions.queries import get_subject
from apps.governance.actions import withdraw, withdraw_changes
from apps.governance.models import Decision, Release
from apps.identity.actions import deactivate_person, revoke_role
from apps.identity.models import RoleBinding
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now
from tests.support.break_glass import fragile, opened
from tests.support.factories import api, browser, grant, team, token_for
from tests.support.page_text import text_of
from tests.support.world import World

pytestmark = pytest.mark.django_db
ASKS = "request_changes"
WHY = "Show the gap <by> age"


def raw(world: World, name: str, path: str) -> str:
    """Return a page as somebody of the world is sent it."""
    answer = browser(world.people[name]).get(path)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def shown(world: World, name: str, path: str) -> str:
    """Return what a page says to somebody of the world."""
    return " ".join(text_of(raw(world, name, path)).split())


def page_of(release: Release) -> str:
    return f"/releases/{release.pk}/"


def ways(world: World, name: str, release: Release) -> dict[str, str]:
    """Return the ways to finish a review, by what their buttons say, with what each does."""
    html = raw(world, name, page_of(release))
    if '<dialog id="review"' not in html:
        return {}
    dialog = html.split('<dialog id="review"')[1].split("</dialog>")[0]
    parts = dialog.split('<div class="way">')[1:]
    found = (" ".join(text_of(f"<main>{part}</main>").split()) for part in parts)
    buttons = ("Approve", "Request changes", "Reject", "Withdraw my request for changes", "Comment")
    said = {}
    for text in found:
        text = text.removesuffix("Cancel").strip()
        button = next(b for b in buttons if text.endswith(b))
        said[button] = text.removesuffix(button).strip()
    return said


def test_one_dialog_says_what_each_way_to_finish_does(world: World) -> None:
    release = world.request("staging")
    said = ways(world, "Rita", release)
    assert list(said) == ["Approve", "Request changes", "Reject", "Comment"]
    assert said["Approve"].startswith("Yours is the last approval it needs")
    assert "nothing starts it until you decide again or withdraw" in said["Request changes"]
    assert said["Reject"] == "This ends the release. A new one can be requested."
    assert "Nothing is decided" in said["Comment"]
    assert ways(world, "Ada", release) == {}
    assert "Comment…" in shown(world, "Ada", page_of(release))
    assert list(ways(world, "Vera", release)) == ["Request changes", "Reject", "Comment"]


def test_a_held_release_says_who_asked_for_what_wherever_it_is_told(world: World) -> None:
    release = world.request("staging")
    world.decide(release, world.rita, ASKS, comment=WHY)
    page = shown(world, "Rex", page_of(release))
    assert "Changes requested by Rita risk" in page
    assert f"Rita risk requested changes (as reviewer) (ago) : “{WHY}”" in page
    assert "held until Rita risk decides again or withdraws the request for changes" in page
    assert "No changes requested One reviewer requested changes" in page
    assert "Asked for changes and can decide again: Rita risk" in page
    approve = ways(world, "Rex", release)["Approve"]
    assert "After your approval it still waits for" in approve
    assert "One reviewer requested changes" in approve
    for path in ("/releases/", f"{page_of(release)}evidence/", "/inbox/"):
        assert "Changes requested by Rita risk" in shown(world, "Rex", path), path
    assert "you requested changes" in shown(world, "Rita", "/releases/")
    assert "Changes requested" in shown(world, "Rita", f"/people/{world.rita.id}/")


def test_who_asked_for_changes_has_what_they_hold_before_them(world: World) -> None:
    release = world.request("staging")
    assert "Held by" not in shown(world, "Rita", "/inbox/")
    world.decide(release, world.rita, ASKS, comment=WHY)
    title, until = "Held by your request for changes", "it is held until you decide again or"
    for path in ("/", "/inbox/"):
        page = shown(world, "Rita", path)
        said = f"“{WHY}” You requested changes: {until} withdraw your request."
        assert title in page and said in page
        assert title not in shown(world, "Rex", path), "others hold nothing"
    assert "Needs your review" not in shown(world, "Rita", "/inbox/")
    [task] = api(world.people["Rita"]).get("/inbox/tasks").json()["items"]
    assert (task["kind"], task["url"]) == ("held", page_of(release))
    assert f"You requested changes: {until} withdraw your request" in task["detail"]
    newer = world.request("staging")
    page = shown(world, "Rita", "/inbox/")
    assert f"withdraw your request. Release {newer.number} answers it." in page
    team("Desk", world.people["Rita"], roles={"viewer": (world.project, "staging")})
    revoke_role(RoleBinding.objects.get(person=world.people["Rita"]), actor=SYSTEM)
    assert "it is held until you withdraw your request." in shown(world, "Rita", "/inbox/")
    withdraw(release, actor=world.ada)
    assert title not in shown(world, "Rita", "/inbox/")


def test_who_waits_for_each_other_is_told_who_wrote_in_the_discussion_since(world: World) -> None:
    release = world.request("staging")
    about = get_subject("release", release.pk, SYSTEM)
    open_thread(about, text="It is the third try.", actor=world.ada)
    world.decide(release, world.rita, ASKS, comment=WHY)
    wrote = "wrote in the discussion since"
    for name in ("Rita", "Ada"):
        assert wrote not in shown(world, name, "/inbox/"), "that was said before"
    said = open_thread(about, text="The gap is in the card.", actor=world.ada)
    answers = {"Rita": f"Ada risk {wrote}", "Alan": f"Ada risk {wrote}", "Ada": f"You {wrote}"}
    for name, answer in answers.items():
        for path in ("/", "/inbox/"):
            assert answer in shown(world, name, path), (name, path)
        assert f'href="{page_of(release)}discussion/"' in raw(world, name, "/inbox/")
        (task,) = api(world.people[name]).get("/inbox/tasks").json()["items"]
        assert task["detail"].endswith(f". {answer}"), task
    dialog = raw(world, "Rita", page_of(release)).split('<dialog id="review"')[1]
    assert "2 open discussions" in dialog.split("</dialog>")[0]
    delete_comment(said.comment, actor=world.ada)
    assert wrote not in shown(world, "Rita", "/inbox/")


def test_who_can_do_less_about_it_now_is_not_waited_for_to_decide_again(world: World) -> None:
    release = world.request("staging")
    world.decide(release, world.rita, ASKS, comment=WHY)
    team("Desk", world.people["Rita"], roles={"viewer": (world.project, "staging")})
    revoke_role(RoleBinding.objects.get(person=world.people["Rita"]), actor=SYSTEM)
    page = shown(world, "Rex", page_of(release))
    assert (
        "held until Rita risk withdraws the request for changes, it is rejected or withdrawn, "
        "or a newer policy is" in page
    )
    assert "decides again" not in page


@pytest.mark.parametrize("end", ["no role", "a role elsewhere", "deactivated"])
def test_nobody_is_waited_for_who_can_lift_it_no_more(world: World, end: str) -> None:
    release = world.request("staging")
    world.decide(release, world.rita, ASKS, comment=WHY)
    if end == "deactivated":
        deactivate_person(world.people["Rita"], actor=SYSTEM)
    else:
        revoke_role(RoleBinding.objects.get(person=world.people["Rita"]), actor=SYSTEM)
    if end == "a role elsewhere":
        grant(world.people["Rita"], {"reviewer": (world.project, "production")})
    page = shown(world, "Rex", page_of(release))
    nobody = "Nobody can lift that request for changes now: Rita risk has no access here any more."
    ends = "The release can be rejected by Rex risk, Vera risk and Vito risk, or withdrawn and"
    assert f"{nobody} {ends} requested anew by Ada risk, who requested it." in page
    assert ("give Rita risk a role here again." in page) is (end != "deactivated")
    assert "A newer policy, once published, voids that request and all approvals so far." in page
    assert "Rita risk decides again" not in page and "Rita risk withdraws" not in page


def test_it_waits_for_who_asked_for_it_and_who_made_its_version(world: World) -> None:
    release = world.request("staging")
    assert "Changes requested" not in shown(world, "Ada", "/inbox/")
    asked = world.decide(release, world.rita, ASKS, comment=WHY)
    for name in ("Ada", "Alan"):
        for path in ("/", "/inbox/"):
            page = shown(world, name, path)
            assert f"by Rita risk: “{WHY}”" in page, (name, path)
        assert "1 release waits for changes of yours" in shown(world, name, "/")
        assert "releases of yours to change" in raw(world, name, "/models/")
        person = world.people[name]
        for client in (api(person), api(token_for(person))):
            (task,) = client.get("/inbox/tasks").json()["items"]
            assert (task["kind"], task["id"], task["url"]) == (
                "changes",
                release.pk,
                page_of(release),
            )
            assert "Rita risk requested changes" in task["detail"]
    assert WHY not in shown(world, "Otto", "/inbox/")
    assert "waits for changes of yours" not in shown(world, "Rita", "/")
    page = shown(world, "Alan", page_of(release))
    assert "in the discussion , or request a release of a newer version behind churn" in page
    page = shown(world, "Ada", page_of(release))
    assert "Nobody was asked by name. Who requested changes holds it." in page
    assert "What will be signed" in page
    newer = world.request("staging")
    answered = f"Release {newer.number} answers it: withdraw this release"
    assert answered in shown(world, "Ada", "/inbox/")
    withdraw_changes(asked, actor=world.rita)
    assert "Changes requested" not in shown(world, "Ada", "/inbox/")


def test_the_newer_release_and_the_former_name_each_other(world: World) -> None:
    first = world.request("staging")
    world.decide(first, world.rita, ASKS, comment=WHY)
    second = world.request("staging")
    newer, former = shown(world, "Ada", page_of(second)), shown(world, "Ada", page_of(first))
    assert "Answers changes requested by Rita risk (as reviewer) on release 1" in newer
    assert f"“{WHY}”" in newer and "Release 1 is still held. Withdraw it there." in newer
    assert "Release 2 (churn:2) answers it. Withdraw this release" in former
    assert "Withdraw it" not in shown(world, "Rex", page_of(second))
    assert "Withdraw this release" not in shown(world, "Rex", page_of(first))
    assert "Needs your review" in shown(world, "Rita", "/inbox/")


def test_who_asked_finishes_anew_from_what_they_were_shown(world: World) -> None:
    release = world.request("staging")
    rita, path = browser(world.people["Rita"]), page_of(release)
    said = {"statement_digest": release.request_digest, "next": path}
    rita.post(f"{path}decide", said | {"verdict": ASKS, "comment": " "})
    assert not Decision.objects.exists()
    answer = rita.post(f"{path}decide", said | {"verdict": ASKS, "comment": WHY}, follow=True)
    assert "Changes requested: the release is held until you" in answer.content.decode()
    own = Decision.objects.get()
    found = ways(world, "Rita", release)
    assert "Your request for changes is lifted by it." in found["Approve"]
    assert "Yours is the last approval" in found["Approve"]
    assert "takes the place of what you asked for" in found["Request changes"]
    lifts = found["Withdraw my request for changes"]
    assert lifts.endswith("The release then waits for what else is missing.")
    answer = rita.post(f"{path}decide", said | {"verdict": "approve"}, follow=True)
    assert "You have requested changes already" in answer.content.decode()
    answer = rita.post(f"{path}changes/withdraw", {"replaces": own.pk, "next": path}, follow=True)
    assert "Your request for changes is withdrawn." in answer.content.decode()
    answer = rita.post(f"{path}decide", said | {"verdict": "approve"}, follow=True)
    assert "Approved. Your decision is signed" in answer.content.decode()
    page = shown(world, "Rex", path)
    assert "void: withdrawn" in page
    assert "Lifted the request for changes on release 1: withdrawn" in page


def test_withdrawing_says_what_follows_where_nothing_else_is_missing(world: World) -> None:
    release = world.request("staging")
    world.decide(release, world.rita, ASKS)
    world.decide(release, world.rex)
    lifts = ways(world, "Rita", release)["Withdraw my request for changes"]
    assert "Nothing else is missing: it goes live at once." in lifts
    revoke_role(RoleBinding.objects.get(person=world.people["Rita"]), actor=SYSTEM)
    RoleBinding.objects.create(
        role="viewer", person=world.people["Rita"], project=world.project, granted_by="system"
    )
    assert list(ways(world, "Rita", release)) == ["Withdraw my request for changes"]


def test_who_decides_no_more_is_offered_what_they_can_do_and_by_that_name(world: World) -> None:
    release = world.request("staging")
    world.decide(release, world.rita, ASKS)
    page = shown(world, "Rita", page_of(release))
    assert "Finish review…" in page and "Comment…" not in page
    grant(world.people["Rita"], {"contributor": world.project})
    revoke_role(RoleBinding.objects.get(person=world.people["Rita"], role="reviewer"), actor=SYSTEM)
    page = shown(world, "Rita", page_of(release))
    assert "Withdraw request for changes…" in page and "Comment…" in page
    assert "Withdraw your request for changes to churn:1?" in page
    assert "Finish review" not in page
    assert list(ways(world, "Rita", release)) == ["Withdraw my request for changes"]
    Release.objects.filter(pk=release.pk).update(not_after=now())
    assert "Withdraw request for changes…" not in shown(world, "Rita", page_of(release))


def test_no_emergency_is_offered_for_what_is_held(world: World) -> None:
    fragile(world)
    release = world.request("staging")
    glass = opened(world, release)
    other = world.request("staging", endpoint="other")
    for one in (release, other):
        world.decide(one, world.rita, ASKS)
    held = "Changes were requested: no emergency release starts this until that is lifted"
    page = shown(world, "Rob", page_of(other))
    assert held in page and "Start emergency release…" not in page
    page = shown(world, "Vera", f"/break-glass/{glass.pk}/")
    assert held in page and "Co-sign…" not in page


def test_the_api_tells_takes_and_lifts_it(world: World) -> None:
    release = world.request("staging")
    rita, path = api(world.people["Rita"]), f"/releases/{release.pk}"
    said = {"verdict": ASKS, "statement_digest": release.request_digest}
    assert rita.post(f"{path}/decisions", said).status_code == 400
    made = rita.post(f"{path}/decisions", said | {"comment": WHY}).json()
    assert (made["verdict"], made["comment"]) == (ASKS, WHY)
    read = rita.get(path).json()
    assert (read["your_request"], read["can_decide"]) == (made["id"], True)
    assert [gate["gate"] for gate in read["gates"]][-1] == "changes"
    again = rita.post(f"{path}/decisions", said | {"comment": "More", "replaces": made["id"]})
    assert again.status_code == 201
    newer = world.request("staging")
    answers = api(world.people["Rex"]).get(f"/releases/{newer.pk}").json()["answers"]
    assert [(one["release"], one["comment"]) for one in answers] == [(release.pk, "More")]
    assert rita.get(path).json()["answered_by"]["release"] == newer.pk
    lift = f"/decisions/{again.json()['id']}/withdraw"
    assert api(world.people["Rex"]).post(lift).status_code == 403
    assert api(token_for(world.people["Rita"])).post(lift).status_code == 403
    assert rita.post(lift).json()["voided_reason"] == "withdrawn"
    assert rita.post(lift).json()["code"] == "release_state"
    assert rita.get(path).json()["your_request"] == ""
