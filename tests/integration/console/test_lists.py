"""Lists that people sort, keep views of, and act on many rows of."""

import re
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client

from apps.console.queries.paging import keyed, placed
from apps.console.queries.sorting import Sorting
from apps.governance.models import Release
from apps.identity.actions.saved_views import MOST
from apps.identity.models import ApiToken, Project, SavedView, User
from apps.monitoring.actions import acknowledge, open_alert
from apps.monitoring.actions.alerts import AlertFinding
from apps.monitoring.models import Alert, AlertKind
from placet.kernel.actor import SYSTEM
from tests.support import factories
from tests.support.factories import browser, grow_old
from tests.support.world import World

pytestmark = pytest.mark.django_db


def names(client: Client, path: str) -> list[str]:
    """Return the names of the models in the order of their list."""
    return re.findall(r'href="/models/\w+/([a-z]+)/"', client.get(path).content.decode())


def told(answer: Any) -> list[str]:
    """Return what was said of an action."""
    return [str(message) for message in get_messages(answer.wsgi_request)]


def alert(subject: str) -> Alert:
    """Open an alert about the installation."""
    found = AlertFinding(AlertKind.SCHEDULE_FAILING, subject, f"job {subject}", "It failed.")
    row = open_alert(found, actor=SYSTEM)
    assert row is not None
    return row


def test_every_order_of_a_list_pages_through_each_row_once() -> None:
    for slug, name in (("a", "x"), ("b", "y"), ("c", "x"), ("d", "y"), ("e", "x")):
        factories.project(slug, name)
    for fields in (("slug",), ("-slug",), ("name", "pk"), ("-name", "-pk"), ("-name", "slug")):
        every, seen, key = list(Project.objects.order_by(*fields)), list[Project](), ""
        for _ in range(3):
            page, key = keyed(Project.objects.all(), fields, key, 2)
            seen += page
        assert (seen, key) == (every, ""), fields


def test_a_page_goes_on_after_a_person_whose_name_stands_in_no_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("apps.console.queries.paging.PAGE", 2)
    for name in ("Bo/b", "Al", "Cy", "Bo/b 2", "Di"):
        factories.person(name)
    for fields in (("name", "pk"), ("-name", "-pk")):
        every, seen, key = list(User.objects.order_by(*fields)), list[User](), ""
        for _ in range(3):
            page, key = placed(User.objects.all(), User.objects.all(), fields, key)
            seen += page
        assert (seen, key) == (every, "")


def test_a_heading_sorts_upwards_first_and_leads_back_to_what_is_usual() -> None:
    sorting = Sorting({"made": ("pk",), "name": ("name", "pk")}, usual="-made")
    assert (sorting.fields, sorting.next("made"), sorting.next("name")) == (
        ("-pk",),
        "made",
        "name",
    )
    by_name = sorting.of("name")
    assert (by_name.next("name"), by_name.of("-name").fields) == ("-name", ("-name", "-pk"))
    assert (by_name.of("-name").next("name"), sorting.of("made").next("made")) == ("", "")
    assert [sorting.of(odd).asked for odd in ("", "secret", "--name", "-", "-made")] == [""] * 5


def test_models_are_sorted_and_stay_so_while_they_are_filtered(world: World) -> None:
    for name in ("alpha", "omega", "middle"):
        world.version(name)
    client = browser(world.people["Ada"])
    assert names(client, "/models/?sort=name") == ["alpha", "middle", "omega"]
    assert names(client, "/models/?sort=-name&q=a") == ["omega", "alpha"]
    assert names(client, "/models/?sort=-created")[0] == "middle"
    assert names(client, "/models/?sort=description") == names(client, "/models/")
    shown = client.get("/models/?sort=-name&q=a&after=x").content.decode()
    assert 'aria-sort="descending"' in shown
    assert 'href="/models/?q=a"' in shown  # as usual, from the first page on
    assert '<input type="hidden" name="sort" value="-name">' in shown


@pytest.mark.parametrize(
    "path",
    [
        "/models/?sort=-place&after=risk/x",
        "/models/?sort=created&after=x",
        "/models/risk/churn/?sort=number&after=99999999999999999999",
        "/releases/?sort=state&after=live/x",
        "/endpoints/?sort=-name&after=%2F%2F",
        "/alerts/?sort=opened",
        "/recalls/?sort=recalled&after=x",
        "/administration/?sort=-name&after=per_" + "0" * 32,
        "/administration/tokens/?sort=expires&after=tok_" + "0" * 32,
        "/administration/tokens/?sort=-name",
        "/tokens/?sort=-used",
    ],
)
def test_no_list_breaks_over_what_an_address_asks_for(world: World, path: str) -> None:
    world.request("staging")
    admin = factories.person("Ann", {"admin": None, "operator": None})
    assert browser(admin).get(path).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        *("/models/?project=&q=", "/releases/?project=&state=&environment=&who="),
        *("/endpoints/?project=&isolation=", "/recalls/?state=", "/break-glass/?release=&state="),
        *("/audit/?group=&text=&person=&subject=&cause=&project=&since=&until=",),
    ],
)
def test_a_filter_that_is_empty_filters_nothing(path: str) -> None:
    admin = factories.person("Ann", {"admin": None, "operator": None, "auditor": None})
    factories.project("risk")
    said = browser(admin).get(path).content.decode()
    assert "No matches" not in said and ">Clear" not in said


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/models/?project=empty", "No models in Empty yet"),
        ("/models/?project=empty&q=x", "No matches"),
        ("/models/?project=elsewhere", "None that you may see is called so"),
        ("/releases/?project=empty", "No releases in this project yet"),
        ("/releases/?project=empty&state=live", "No matches"),
        ("/endpoints/?project=empty", "Nothing serves in this project yet"),
        ("/deployments/?project=empty", "No endpoint that you may see exists there now"),
        ("/deployments/?environment=nowhere", "Choose one of the list"),
    ],
)
def test_a_list_in_a_project_without_any_says_that_and_not_that_nothing_matches(
    world: World, path: str, says: str
) -> None:
    world.request("staging")
    factories.project("empty")
    admin = factories.person("Ann", {"admin": None, "operator": None})
    said = browser(admin).get(path).content.decode()
    assert says in said
    assert ("No matches" in said) == (says == "No matches")


def test_who_has_no_role_is_not_told_that_there_is_nothing(world: World) -> None:
    nora = browser(factories.person("Nora"))
    assert "No models that you may see" in nora.get("/models/").content.decode()
    assert "No project that you may see" in nora.get("/projects/").content.decode()


def test_who_forgot_a_password_is_told_of_no_mail_that_may_not_come() -> None:
    said = Client().get("/accounts/password/reset/done/").content.decode()
    assert "Where this instance sends" in said and "We have sent" not in said


def test_a_view_is_kept_for_its_person_alone(world: World) -> None:
    ada, bob = browser(world.people["Ada"]), browser(world.people["Otto"])
    sent = {"list": "models", "name": " My  models ", "q": "chu", "sort": "-name", "role": "admin"}
    answer = ada.post("/views/save", sent)
    assert answer["Location"] == "/models/?q=chu&sort=-name"
    row = SavedView.objects.get()
    assert (row.name, row.asked, row.person) == (
        "My models",
        {"q": "chu", "sort": "-name"},
        world.people["Ada"],
    )
    assert "My models" in ada.get("/models/").content.decode()
    assert "My models" not in ada.get("/releases/").content.decode()
    assert "My models" not in bob.get("/models/").content.decode()
    bob.post(f"/views/{row.pk}/delete")
    assert SavedView.objects.count() == 1
    for _ in range(2):  # a double click
        assert ada.post(f"/views/{row.pk}/delete", {"next": "/models/"}).status_code == 302
    assert not SavedView.objects.exists()


def test_a_view_of_the_same_name_is_replaced_and_there_are_not_many(world: World) -> None:
    client = browser(world.people["Ada"])
    for number in range(MOST):
        client.post("/views/save", {"list": "models", "name": f"v{number}", "q": "a"})
    client.post("/views/save", {"list": "models", "name": "v0", "q": "b"})
    assert SavedView.objects.get(name="v0").asked == {"q": "b"}
    client.post("/views/save", {"list": "models", "name": "another", "q": "b"})
    client.post("/views/save", {"list": "releases", "name": "another", "state": "live"})
    assert SavedView.objects.filter(list_name="models").count() == MOST
    assert SavedView.objects.filter(list_name="releases").count() == 1


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"list": "audit", "name": "x", "q": "a"}, "No list of which views are saved"),
        ({"list": "models", "name": " ", "q": "a"}, "It must not be empty"),
        ({"list": "models", "name": "x" * 61, "q": "a"}, "At most 60 characters"),
        ({"list": "models", "name": "x", "q": "a" * 201}, "At most 200 characters"),
        ({"list": "models", "name": "x", "q": " "}, "there is nothing to save"),
    ],
)
def test_what_is_no_view_is_refused_in_words(world: World, sent: Any, said: str) -> None:
    answer = browser(world.people["Ada"]).post("/views/save", sent)
    assert said in told(answer)[0]
    assert not SavedView.objects.exists()


def test_what_a_list_does_not_know_any_more_is_left_out_of_a_view(world: World) -> None:
    SavedView.objects.create(
        person=world.people["Ada"],
        list_name="models",
        name="<b>old</b>",
        asked={"q": "a&sort=x", "gone": "1"},
    )
    shown = browser(world.people["Ada"]).get("/models/").content.decode()
    assert '<a href="/models/?q=a%26sort%3Dx" >&lt;b&gt;old&lt;/b&gt;</a>' in shown


def test_somebody_takes_on_several_alerts_and_is_told_of_each_that_was_not(world: World) -> None:
    one, two, taken = alert("a"), alert("b"), alert("c")
    olga = factories.person("Olga", {"operator": None})
    acknowledge(taken, actor=factories.actor_of(olga))
    client = browser(olga)
    assert client.get("/alerts/").content.decode().count('name="chosen"') == 2
    sent = {"chosen": [one.pk, two.pk, two.pk, taken.pk, "alr_" + "0" * 32]}
    said = told(client.post("/alerts/acknowledge", sent))
    assert said[0] == "2 alerts acknowledged."
    assert said[1].startswith("<div>2 alerts not acknowledged:</div>")
    assert "Routine work fails, job c: The alert is acknowledged" in said[1]
    assert not Alert.objects.filter(state="open").exists()


@pytest.mark.parametrize("count", [0, 101])
def test_none_and_too_many_are_refused_before_anything_is_done(world: World, count: int) -> None:
    row = alert("a")
    client = browser(factories.person("Olga", {"operator": None}))
    chosen = [row.pk, *(f"alr_{number:032x}" for number in range(count))][:count]
    (said,) = told(client.post("/alerts/acknowledge", {"chosen": chosen}))
    assert "Select at" in said
    row.refresh_from_db()
    assert row.state == "open"


def test_somebody_revokes_several_tokens_of_their_own_and_nobody_elses(world: World) -> None:
    ada, otto = world.people["Ada"], world.people["Otto"]
    for person in (ada, ada, otto):
        factories.token_for(person)
    client = browser(ada)
    assert client.get("/tokens/").content.decode().count('name="chosen"') == 2
    said = told(
        client.post("/tokens/end", {"chosen": list(ApiToken.objects.values_list("pk", flat=True))})
    )
    assert (said[0], "1 token not revoked" in said[1]) == ("2 tokens revoked.", True)
    assert ApiToken.objects.get(revoked_at=None).person == otto


def test_an_admin_shows_who_they_are_before_they_revoke_the_tokens_of_others(
    world: World,
) -> None:
    for name in ("Ada", "Otto"):
        factories.token_for(world.people[name])
    client = browser(factories.person("Ann", {"admin": None}))
    sent = {"chosen": list(ApiToken.objects.values_list("pk", flat=True))}
    grow_old(client)
    assert "reauthenticate" in client.post("/administration/tokens/revoke", sent)["Location"]
    assert ApiToken.objects.filter(revoked_at=None).count() == 2
    client = browser(User.objects.get(name="Ann"))
    assert told(client.post("/administration/tokens/revoke", sent)) == ["2 tokens revoked."]
    assert not ApiToken.objects.filter(revoked_at=None).exists()


def test_who_asked_withdraws_several_requests_and_nobody_elses(world: World) -> None:
    waiting = [world.request("staging", endpoint=f"e{number}") for number in range(2)]
    asker = User.objects.get(pk=waiting[0].requester)
    shown = browser(asker).get("/releases/").content.decode()
    assert shown.count('name="chosen"') == 2
    sent = {"chosen": [row.pk for row in waiting]}
    other = next(person for person in world.people.values() if person != asker)
    assert 'name="chosen"' not in browser(other).get("/releases/").content.decode()
    told(browser(other).post("/releases/withdraw", sent))
    assert Release.objects.filter(state="requested").count() == 2
    assert told(browser(asker).post("/releases/withdraw", sent)) == ["2 releases withdrawn."]
    assert Release.objects.filter(state="withdrawn").count() == 2
