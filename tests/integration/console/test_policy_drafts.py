"""What the page of an environment's policies says of a draft before somebody publishes it."""

import pytest
from pytest_django import DjangoAssertNumQueries

from apps.governance.actions import draft_policy
from apps.governance.models import PolicyRevision
from apps.identity.actions import deactivate_person, place_person
from apps.identity.models import RoleBinding, User
from placet.kernel.actor import SYSTEM
from tests.support.factories import api, browser, person, token_for
from tests.support.page_text import text_of
from tests.support.world import OPEN, World

pytestmark = pytest.mark.django_db
PLACE = "/policies/risk/staging/"
NINE = """\
version: 1
gates:
  - {gate: build}
  - {gate: approvals, role: approver, count: 9}
"""


def drafted(world: World, source: str) -> PolicyRevision:
    """Return what Vera drafted for staging."""
    return draft_policy(world.environment("staging"), source=source, actor=world.vera)


def page(world: World, who: str = "Vito") -> str:
    """Return the page of staging's policies as text, as ``who`` reads it."""
    return text_of(browser(world.people[who]).get(PLACE).content.decode())


def test_a_draft_that_asks_for_more_people_than_there_are_says_so(world: World) -> None:
    drafted(world, NINE)
    assert "It asks for 9 approvers, and only 2 people hold that role here (" in page(world)


def test_a_draft_is_shown_beside_the_policy_in_force(world: World) -> None:
    draft = drafted(world, NINE)
    text = page(world)
    active = draft.number - 1
    assert f"Changes to the active policy r{active}" in text
    assert f"--- r{active} (active)" in text
    assert "+ - {gate: approvals, role: approver, count: 9}" in text


@pytest.mark.parametrize(("do", "state"), [("publish", "published"), ("withdraw", "withdrawn")])
def test_publishing_and_withdrawing_ask_first_without_javascript_too(
    world: World, do: str, state: str
) -> None:
    draft, client = drafted(world, OPEN), browser(world.people["Vito"])
    shown = client.get(PLACE).content.decode()
    assert f'data-dialog="{do}-{draft.number}"' in shown
    sent = {"do": do, "next": PLACE}
    asked = client.post(f"{PLACE}{draft.number}/decide", sent)
    draft.refresh_from_db()
    assert (asked.status_code, draft.state) == (200, "draft")
    assert f"{do.capitalize()} policy draft r{draft.number}?" in asked.content.decode()
    assert f'name="do" value="{do}"' in asked.content.decode()
    client.post(f"{PLACE}{draft.number}/decide", {**sent, "sure": "1"})
    draft.refresh_from_db()
    assert draft.state == state


def test_who_may_not_publish_is_refused_and_not_asked(world: World) -> None:
    draft = drafted(world, OPEN)
    answer = browser(world.people["Rex"]).post(
        f"{PLACE}{draft.number}/decide", {"do": "publish", "next": PLACE}, follow=True
    )
    assert "policy draft r" not in answer.content.decode()
    draft.refresh_from_db()
    assert draft.state == "draft"


def test_who_published_is_told_how_many_releases_moved_and_decisions_count_no_more(
    world: World,
) -> None:
    world.policy("staging", OPEN + "  - {gate: approvals, role: reviewer, count: 2}\n")
    first, _ = world.request("staging"), world.request("staging", endpoint="other")
    client, said = browser(world.people["Vito"]), []
    for _ in range(2):
        draft = drafted(world, OPEN + "  - {gate: approvals, role: reviewer, count: 2}\n")
        sent = {"do": "publish", "sure": "1", "next": PLACE}
        answer = client.post(f"{PLACE}{draft.number}/decide", sent, follow=True)
        said.append(text_of(answer.content.decode()))
        world.decide(first, world.rex)
    assert "2 releases moved to it." in said[0]
    told = "2 releases moved to it; 1 decision no longer counts, so people decide again."
    assert told in said[1]


def test_a_draft_that_nobody_could_satisfy_offers_nobody_to_publish_it(world: World) -> None:
    client = browser(world.people["Vera"])
    saved = client.post(f"{PLACE}draft", {"do": "draft", "source": NINE}, follow=True)
    why = "no release could be approved, so it cannot be published."
    said = text_of(saved.content.decode())
    assert "Draft saved. It asks for 9 approvers" in said
    assert "approver can publish it" not in said
    assert "Publish…" not in page(world) and "Withdraw…" in page(world)
    number = PolicyRevision.objects.get(state="draft").number
    own = text_of(browser(world.people["Vito"]).get(f"{PLACE}{number}/").content.decode())
    assert why in own and "Withdraw this draft" in own and "Publish or" not in own


@pytest.mark.parametrize("path", ["/", "/inbox/"])
def test_a_draft_that_waits_but_cannot_be_published_says_why_and_who_is_to_do_what(
    world: World, path: str
) -> None:
    vito = browser(world.people["Vito"])
    drafted(world, OPEN)
    assert "cannot be published" not in text_of(vito.get(path).content.decode())
    drafted(world, NINE)
    said = text_of(vito.get(path).content.decode())
    assert said.count("so it cannot be published.") == 1
    assert "It asks for 9 approvers, and only 2 people hold that role here (Vera risk" in said
    assert "An access administrator gives people that role first, or the draft is" in said


def test_the_api_says_it_too_but_no_names_to_a_token_that_sees_nobody(world: World) -> None:
    drafted(world, NINE)
    vito = world.people["Vito"]
    (task,) = api(token_for(vito)).get("/inbox/tasks").json()["items"]
    assert "It asks for 9 approvers" in task["detail"] and "Vera risk" in task["detail"]
    (task,) = api(token_for(vito, scopes=["policy.view"])).get("/inbox/tasks").json()["items"]
    assert task["detail"].endswith("a draft to review")


def test_a_policy_in_force_that_nobody_can_meet_any_more_says_so_as_its_environment_does(
    world: World, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    world.policy("staging", OPEN + "  - {gate: approvals, role: approver, count: 2}\n")
    approved = world.request("staging")
    for approver in (world.vera, world.vito):
        world.decide(approved, approver)
    why = "It asks for 2 approvers, and only 1 person holds that role here"
    there = f"/projects/{world.project.slug}/environments/staging/"
    client = browser(world.people["Vera"])
    approved.refresh_from_db()
    assert approved.state == "approved"
    for place in (PLACE, there):
        assert why not in text_of(client.get(place).content.decode())
    deactivate_person(world.people["Vito"], actor=SYSTEM)
    for place in (PLACE, there):
        with django_assert_max_num_queries(12):
            said = text_of(client.get(place).content.decode())
        assert f"{why} (Vera risk): no new request can be approved." in said, place
        assert "cannot be published" not in said


@pytest.mark.parametrize("rule", ["second_line: all", "other_reporting_line: true"])
def test_a_draft_that_asks_for_people_who_stand_elsewhere_is_not_said_to_be_publishable(
    world: World, rule: str, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    source = f"{OPEN}  - {{gate: approvals, role: approver, count: 1, {rule}}}\n"
    client = browser(world.people["Vera"])
    tried = client.post(f"{PLACE}draft", {"do": "try", "source": source})
    saved = client.post(f"{PLACE}draft", {"do": "draft", "source": source}, follow=True)
    why, never = "and nobody could count for it here", "Before that it cannot be published."
    for answer in (tried, saved):
        said = text_of(answer.content.decode())
        assert why in said and never in said and "approver can publish it" not in said
    assert "Draft saved. Nobody could satisfy this policy" in said
    number, vito = PolicyRevision.objects.get(state="draft").number, browser(world.people["Vito"])
    with django_assert_max_num_queries(12):
        page_of_all = text_of(vito.get(PLACE).content.decode())
    assert "Publish…" not in page_of_all and never in page_of_all
    with django_assert_max_num_queries(12):
        own = text_of(vito.get(f"{PLACE}{number}/").content.decode())
    assert why in own and "Withdraw this draft" in own and "Publish or" not in own
    place_person(world.people["Vera"], line="second", top=True, actor=SYSTEM)
    assert "Publish…" in page(world) and never not in page(world)


def test_a_draft_older_than_the_policy_in_force_is_offered_to_nobody_to_be_published(
    world: World,
) -> None:
    draft = drafted(world, OPEN)
    assert "Policy drafts to review" in text_of(
        browser(world.people["Vito"]).get("/inbox/").content.decode()
    )
    newer = world.policy("staging", OPEN + "  - {gate: freeze}\n")
    assert newer.number > draft.number
    why = f"r{newer.number}, which is newer, is active: this draft cannot be published."
    assert why in page(world) and "Publish…" not in page(world)
    own = text_of(browser(world.people["Vito"]).get(f"{PLACE}{draft.number}/").content.decode())
    assert why in own and "Withdraw this draft" in own and "Publish or" not in own


def home(who: User) -> str:
    """Return the home page of somebody as text."""
    return text_of(browser(who).get("/").content.decode())


def test_who_wrote_a_stuck_draft_and_who_can_help_read_of_it_on_home(world: World) -> None:
    ann = person("Ann", {"admin": None})
    drafted(world, OPEN)
    for who in (world.people["Vera"], ann):
        assert "cannot be published" not in home(who)
    draft = drafted(world, NINE)
    said = f"Draft r{draft.number} of its policy cannot be published."
    assert f"{said} It asks for 9 approvers" in home(world.people["Vera"])
    told = home(ann)
    assert f"{said} Too few people could decide: give the role approver there to more" in told
    assert "9" not in told.partition(said)[2].partition("withdrawn")[0], "not how many"
    assert "Risk / staging : Draft" in told
    assert "1 policy draft cannot be published" in told, "the first line too"
    assert said not in home(world.people["Rex"]), "who neither wrote nor can help"
    assert home(world.people["Vito"]).count("so it cannot be published") == 1, "once, to publish"


def test_who_gives_roles_is_told_to_give_one_that_nobody_holds_to_somebody(world: World) -> None:
    drafted(world, OPEN + "  - {gate: approvals, role: product-reviewer, count: 1}\n")
    said = "Nobody could decide: give the role product-reviewer there to somebody, or have"
    assert said in home(person("Ann", {"admin": None}))


def test_who_gives_roles_is_told_of_roles_that_share_too_few_people(world: World) -> None:
    gates = [
        f"  - {{gate: approvals, role: {role}, count: 2}}\n" for role in ("approver", "reviewer")
    ]
    for name, heir in (("Rex", "Vera"), ("Rita", "Vito")):
        RoleBinding.objects.filter(person=world.people[name]).update(person=world.people[heir])
    drafted(world, OPEN + "".join(gates))
    give = "give one of the roles approver and reviewer there to more people"
    assert give in home(person("Ann", {"admin": None}))


def test_a_draft_that_nobody_but_its_author_could_publish_says_so_everywhere(
    world: World, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    vera, ann = world.people["Vera"], person("Ann", {"admin": None})
    draft = drafted(world, OPEN)
    number = f"{PLACE}{draft.number}/"
    why = (
        "Publishing needs an approver who did not write the draft, and only Vera risk, who wrote "
        "it, holds it here: an access administrator gives it to somebody who did not write the "
        "draft first, or the draft is withdrawn."
    )
    client = browser(vera)
    for path in (PLACE, number, "/"):
        assert why not in text_of(client.get(path).content.decode())
    deactivate_person(world.people["Vito"], actor=SYSTEM)
    for path in (PLACE, number, "/"):
        with django_assert_max_num_queries(12):
            said = text_of(client.get(path).content.decode())
        assert said.count(why) == 1, path
        assert "approver can publish it" not in said
    tried = client.post(f"{PLACE}draft", {"do": "try", "source": OPEN})
    assert text_of(tried.content.decode()).count(why) == 2, "of the draft, and of what was tried"
    saved = client.post(f"{PLACE}draft", {"do": "draft", "source": OPEN}, follow=True)
    assert f"Draft saved. {why}" in text_of(saved.content.decode())
    there = f"/projects/risk/environments/staging/policies/{draft.number}"
    assert api(token_for(vera)).get(there).json()["cannot_publish"] == why
    told = home(ann)
    assert "give the role approver there to somebody who did not, or have the draft with" in told
    assert "Vera" not in told.partition("Nobody can publish")[2].partition("Draft r")[2]


def test_a_draft_that_no_approver_is_left_to_publish_says_so(world: World) -> None:
    draft = draft_policy(world.environment("staging"), source=OPEN, actor=world.otto)
    otto, number = browser(world.people["Otto"]), f"{PLACE}{draft.number}/"
    needs = "Publishing needs an approver who did not write the draft, and"
    assert needs not in text_of(otto.get(number).content.decode())
    RoleBinding.objects.filter(person__in=[world.people["Vera"], world.people["Vito"]]).delete()
    assert f"{needs} nobody has it here" in text_of(otto.get(number).content.decode())


def test_the_page_of_a_draft_and_the_api_say_who_is_to_do_what(world: World) -> None:
    first = "An access administrator gives people that role first, or the draft is withdrawn."
    draft, vera = drafted(world, NINE), browser(world.people["Vera"])
    for path in (PLACE, f"{PLACE}{draft.number}/"):
        assert first in text_of(vera.get(path).content.decode())
    client, path = api(token_for(world.people["Vera"])), "/projects/risk/environments/staging"
    said = client.get(f"{path}/policies/{draft.number}").json()["cannot_publish"]
    assert said.startswith("It asks for 9 approvers") and said.endswith(first)
    new = client.post(f"{path}/policies", {"source": OPEN}, content_type="application/json")
    assert new.json()["cannot_publish"] == ""
    in_force = client.get(f"{path}/policies/{draft.number - 1}").json()
    assert (in_force["standing"], in_force["cannot_publish"]) == ("active", "")
