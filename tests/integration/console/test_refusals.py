"""What is refused says where to go on: the list above a missing page, the role that opens a page,
the form that was sent. What makes no sense is refused in words."""

import pytest

from apps.console.views.base import sentence
from placet.kernel.problems import FieldError, InvalidInput
from tests.support import factories
from tests.support.factories import browser
from tests.support.world import World

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("path", "who", "leads"),
    [
        ("/models/risk/nope/", "Ada", '/models/">Go to Models<'),
        ("/models/hidden/nope/9/", "Ada", '/models/">Go to Models<'),
        ("/releases/nothing/", "Ada", '/releases/">Go to Releases<'),
        ("/streams/nothing/", "Ada", '/">Go to the home page<'),
        ("/audit/witnesses/nothing", "Ada", '/">Go to the home page<'),
        ("/audit/witnesses/nothing", "Aude", '/audit/witnesses/">Go to Witnesses<'),
        ("/tokens/nothing/end/now", "Ada", '/tokens/">Go to API tokens<'),
    ],
)
def test_a_missing_page_leads_to_the_list_above_it_that_its_reader_may_open(
    world: World, path: str, who: str, leads: str
) -> None:
    world.people["Aude"] = factories.person("Aude", roles={"auditor": None})
    factories.project("hidden")
    answer = browser(world.people[who]).get(path)
    assert answer.status_code == 404
    assert f'<a class="btn btn-primary" href="{leads}' in answer.content.decode()


@pytest.mark.parametrize(
    ("path", "role"),
    [
        ("/audit/", "role auditor"),
        ("/recalls/new/", "roles approver or operator"),
        ("/audit/retention/", "roles admin or auditor"),
    ],
)
def test_who_may_not_open_a_page_is_told_as_which_role_one_may(
    world: World, path: str, role: str
) -> None:
    answer = browser(world.people["Ada"]).get(path)
    assert answer.status_code == 403
    told = f"({role}): an access administrator can give it to you"
    assert told in " ".join(answer.content.decode().split())


def test_who_gives_roles_is_told_to_ask_somebody_else_who_does(world: World) -> None:
    void = factories.project("void")
    factories.person("Otis", roles={"admin": None})
    ann = factories.person("Ann", roles={"admin": None, "viewer": void})
    client, asked = browser(ann), "another access administrator"
    page = " ".join(client.get("/audit/").content.decode().split())
    assert f"(role auditor): {asked} can give it to you" in page
    answer = factories.api(factories.token_for(ann)).get("/audit/events")
    assert f"(role auditor): {asked} can give it to you" in answer.json()["detail"]
    empty = " ".join(client.get("/models/?project=void").content.decode().split())
    assert f"Ask {asked} for that role." in empty


def test_who_alone_gives_roles_is_told_how_another_access_administrator_is_made() -> None:
    void = factories.project("void")
    ann = factories.person("Ann", roles={"admin": None, "viewer": void})
    client, make = browser(ann), "make one on the server by manage.py create_admin --email ADDRESS"
    page = " ".join(client.get("/audit/").content.decode().split())
    none = "only another access administrator could give it to you, and there is none"
    assert f"(role auditor): {none}: {make}" in page
    empty = " ".join(client.get("/models/?project=void").content.decode().split())
    assert f"There is no other access administrator who could give that role: {make}." in empty


def test_who_makes_projects_is_not_told_that_somebody_else_does() -> None:
    shown = browser(factories.person("Ann", roles={"admin": None})).get("/models/")
    assert "There is no project yet: make one under Projects." in shown.content.decode()


@pytest.mark.parametrize(
    ("role", "path", "told", "unseen"),
    [
        (
            "auditor",
            "/audit/retention/",
            "(roles admin or auditor in the whole instance; you hold auditor in risk/staging)",
            "Retention and holds",
        ),
        (
            "auditor",
            "/audit/witnesses/",
            "(roles admin or auditor in the whole instance; you hold auditor in risk/staging)",
            "Witnesses",
        ),
        (
            "operator",
            "/recalls/new/?kind=version&what=risk/churn:1&project=risk",
            "(roles approver or operator in the whole project; you hold operator in risk/staging)",
            "New recall",
        ),
    ],
)
def test_who_holds_the_role_in_a_part_alone_is_told_where_it_is_needed_and_led_nowhere(
    world: World, role: str, path: str, told: str, unseen: str
) -> None:
    client = browser(factories.person("Lou", {role: (world.project, "staging")}))
    answer = client.get(path)
    assert answer.status_code == 403
    assert told in " ".join(answer.content.decode().split())
    assert unseen not in client.get("/recalls/").content.decode()


def test_a_refused_action_says_whom_to_ask_and_nothing_of_it_is_markup(world: World) -> None:
    text = sentence(InvalidInput(errors=[FieldError('/"<b>', "<i>")]))
    assert '<li data-fault-of="&quot;&lt;b&gt;">&quot;&lt;b&gt;: &lt;i&gt;</li>' in text
    version = world.version()
    path = f"/models/risk/churn/{version.number}/"
    sent = {"alias": "champion", "next": path}
    refused = browser(world.people["Rex"]).post(f"{path}alias", sent, follow=True).content.decode()
    assert "(role contributor): an access administrator can give it to you" in refused


def test_a_part_that_renews_itself_is_told_that_its_reader_is_signed_out(world: World) -> None:
    path = f"/endpoints/{world.live('development').endpoint_id}/"
    part = browser().get(path, headers={"HX-Request": "true"})
    assert (part.status_code, part.content) == (401, b"")
    assert browser().get(path).status_code == 302


def test_a_form_whose_answer_is_an_error_leads_back_to_its_page(world: World) -> None:
    client = browser(world.people["Ada"])
    shown = client.post("/releases/nothing/comment", {"comment": "Long", "next": "/releases/"})
    assert shown.status_code == 404
    assert 'href="/releases/" data-keeps-typed>Back to the form</a>' in shown.content.decode()
    elsewhere = client.post("/releases/nothing/comment", {"next": "https://evil.example/"})
    assert 'href="/" data-keeps-typed>Back to the form</a>' in elsewhere.content.decode()


@pytest.mark.parametrize(
    ("query", "count"), [("", 0), ("v=1", 1), ("v=1&v=1", 1), ("v=1&v=2&v=3", 3), ("v=x&v=1", 1)]
)
def test_two_different_versions_are_compared_and_nothing_else(
    world: World, query: str, count: int
) -> None:
    for _ in range(3):
        world.version()
    client = browser(world.people["Ada"])
    answer = client.get(f"/models/risk/churn/compare/?{query}", follow=True)
    assert answer.redirect_chain[0][0] == "/models/risk/churn/"
    assert f"to compare: {count} selected" in answer.content.decode()
    assert client.get("/models/risk/churn/compare/?v=3&v=1").status_code == 200


def test_a_comparison_shows_format_scan_and_smoke_test(world: World) -> None:
    first, second = world.version(), world.version()
    world.bento(first)
    scanner = {"name": "placet"}
    world.measured(second, "scan", verdict="code-carrying", findings=[], scanner=scanner)
    shown = browser(world.people["Ada"]).get(
        f"/models/risk/churn/compare/?v={first.number}&v={second.number}"
    )
    rows = {row.name: row for row in shown.context["parts"][0].rows}
    assert (rows["Scan"].before, rows["Scan"].after) == (
        "Safe, 0 findings",
        "Code-carrying, 0 findings",
    )
    assert rows["Smoke test"].after == "none yet"
    assert rows["Format"].is_same


@pytest.mark.parametrize("letter", ["a", "ä"])
def test_a_search_of_any_length_is_answered(world: World, letter: str) -> None:
    answer = browser(world.people["Ada"]).get("/search/", {"q": letter * 5000})
    assert answer.status_code == 200
    assert letter * 161 not in answer.content.decode()
