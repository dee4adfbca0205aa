"""A list that is asked for what there is not says so at the field, and lists nothing instead."""

import pytest

from apps.assurance.actions import recall
from apps.console.queries.exports import TABLES
from apps.governance.actions import create_environment
from placet.kernel.actor import SYSTEM
from tests.support.factories import api, browser, person, token_for
from tests.support.world import World

pytestmark = pytest.mark.django_db

REFUSED = [
    ("/releases/", "state", "sleeping"),
    ("/releases/", "who", "me"),
    ("/releases/", "environment", "moon"),
    ("/releases/", "project", "nope"),
    ("/recalls/", "state", "foo"),
    ("/recalls/", "project", "nope"),
    ("/deployments/", "project", "nope"),
    ("/deployments/", "environment", "moon"),
    ("/duties/", "project", "nope"),
    ("/alerts/", "project", "nope"),
    ("/endpoints/", "isolation", "strong"),
    ("/endpoints/", "project", "nope"),
    ("/models/", "project", "nope"),
    ("/policies/", "project", "nope"),
    ("/break-glass/", "review", "never"),
    ("/break-glass/", "project", "nope"),
    ("/administration/", "show", "away-7"),
    ("/administration/tokens/", "show", "lost"),
    ("/projects/risk/activity/", "group", "moons"),
]


def shown(client: object, address: str, status: int = 400) -> str:
    """Return the page at an address, as one line."""
    answer = client.get(address)  # type: ignore[attr-defined]
    assert answer.status_code == status, answer.content
    return " ".join(answer.content.decode().split())


@pytest.mark.parametrize(("path", "name", "value"), REFUSED)
def test_a_filter_that_there_is_not_is_said_at_its_field_and_nothing_is_listed(
    path: str, name: str, value: str, world: World
) -> None:
    world.live()
    desk = browser(person("Eve", {"admin": None, "auditor": None}))
    page = shown(desk, f"{path}?{name}={value}&sort=kept")
    assert "Nothing was listed" in page
    assert f'<option value="{value}" selected>' in page
    assert f'aria-describedby="{name}-fault" autofocus' in page
    said = page.split(f'id="{name}-fault"')[1].split("</ul>")[0]
    assert "hoose one of the list" in said
    assert '<input type="hidden" name="sort" value="kept">' in page
    assert "Export</button>" not in page
    assert "<table" not in page.split("<main")[1]


def test_what_may_be_given_is_named_at_the_field(world: World) -> None:
    page = shown(browser(person("Eve", {"auditor": None})), "/recalls/?state=foo")
    assert "Choose one of the list: Standing, Lifted" in page or "one of the list: " in page
    assert '<option value="lifted" >' in page or '<option value="lifted">' in page


def test_who_does_not_see_a_project_is_not_told_that_it_is_there(world: World) -> None:
    client = browser(person("Ann", {"viewer": World("hidden").project}))
    pages = [
        shown(client, f"/releases/?project={slug}").split("<main")[1].split("</main>")[0]
        for slug in ("risk", "nope")
    ]
    assert pages[0].replace("risk", "nope") == pages[1]


def test_who_administers_nothing_is_told_nothing_of_the_filters_there(world: World) -> None:
    client = browser(person("Ann", {"viewer": world.project}))
    assert client.get("/administration/?show=away-7").status_code == 404
    assert client.get("/administration/tokens/?show=lost").status_code == 404


def test_the_duties_of_one_project_are_shown_and_exported_alone(world: World) -> None:
    World("hidden")
    auditor = person("Eve", {"auditor": None})
    page = shown(browser(auditor), "/duties/?project=risk", 200)
    assert "/policies/risk/" in page and "/policies/hidden/" not in page
    assert "/policies/hidden/" in shown(browser(auditor), "/duties/", 200)
    exported = api(auditor).get("/exports/duties?format=json&project=risk")
    text = b"".join(exported.streaming_content).decode()  # type: ignore[attr-defined]
    assert '"risk"' in text and '"hidden"' not in text


IN_EXPORTS = [
    (f"/exports/{name}", asked)
    for name, table in TABLES.items()
    for asked in table.filters
    if asked not in ("q", "at")  # words that may be found nowhere, and a time
]
IN_LISTS = [
    *(("/recalls", asked) for asked in ("project", "kind", "state")),
    *(("/deployments", asked) for asked in ("project", "environment")),
    *(("/releases", asked) for asked in ("state", "environment", "model", "endpoint")),
    *(("/projects/risk/releases", asked) for asked in ("environment", "model", "endpoint")),
    *(("/break-glass", asked) for asked in ("project", "state", "review")),
    *(("/alerts", asked) for asked in ("state", "kind", "endpoint")),
    *(("/rollouts", asked) for asked in ("state", "release", "endpoint")),
]


@pytest.mark.parametrize(("path", "name"), [*IN_EXPORTS, *IN_LISTS])
def test_files_and_the_api_refuse_at_its_field_what_names_nothing(
    path: str, name: str, world: World
) -> None:
    client = api(person("Eve", {"auditor": None, "operator": None}))
    answer = client.get(f"{path}?{name}=nope")
    assert answer.status_code == 400, answer.content
    (error,) = answer.json()["errors"]
    assert error["pointer"] == name and error["detail"]
    assert client.get(f"{path}?{name}=").status_code == 200, "nothing is asked for"


@pytest.mark.parametrize(
    "path",
    [
        "/exports/releases?project=risk&environment=staging&model=churn&endpoint=churn",
        "/exports/versions?project=risk&model=churn",
        "/exports/deployments?project=risk&environment=staging",
        "/releases?environment=staging&model=churn&endpoint=churn",
        "/deployments?project=risk&environment=staging",
        "/recalls?project=risk&kind=person&state=withdrawn",
        "/recalls?state=lifted",
    ],
)
def test_what_is_there_may_be_asked_for_even_where_nothing_is_found(
    path: str, world: World
) -> None:
    world.live()
    assert api(world.people["Vera"]).get(path).status_code == 200


@pytest.mark.parametrize(
    ("path", "name", "value"),
    [
        ("/exports/releases", "project", "hidden"),
        ("/exports/releases", "model", "secret"),
        ("/exports/deployments", "environment", "moon"),
        ("/releases", "model", "secret"),
        ("/deployments", "project", "hidden"),
        ("/recalls", "project", "hidden"),
        ("/break-glass", "project", "hidden"),
    ],
)
def test_what_is_not_visible_is_refused_in_the_words_of_what_is_not_there(
    path: str, name: str, value: str, world: World
) -> None:
    hidden = World("hidden")
    hidden.version("secret")
    create_environment(hidden.project, name="moon", position=9, actor=SYSTEM)
    client = api(person("Ann", {"viewer": world.project}))
    answers = [client.get(f"{path}?{name}={one}") for one in (value, "nope")]
    assert [answer.status_code for answer in answers] == [400, 400]
    assert answers[0].json()["errors"] == answers[1].json()["errors"]


def test_the_endpoints_of_an_environment_that_is_not_there_are_not_found(world: World) -> None:
    client = api(world.people["Vera"])
    assert client.get("/projects/risk/environments/staging/endpoints").json()["items"] == []
    assert client.get("/projects/risk/environments/moon/endpoints").status_code == 404


def test_what_an_endpoint_captured_of_a_revision_that_is_not_there_is_refused(
    world: World,
) -> None:
    path = f"/endpoints/{world.live().endpoint_id}"
    for name in ("outcomes", "predictions"):
        answer = api(world.people["Otto"]).get(f"{path}/{name}?revision=rev_1")
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "revision")


def test_a_token_that_reads_releases_alone_narrows_them_to_a_project(world: World) -> None:
    token = token_for(world.people["Vera"], scopes=["release.view"])
    for path in ("/exports/releases?project=risk", "/break-glass?project=risk"):
        assert api(token).get(path).status_code == 200
    assert api(token).get("/exports/releases?project=nope").status_code == 400


def test_an_environment_is_looked_for_in_the_project_that_is_given(world: World) -> None:
    other = World("other")
    create_environment(other.project, name="moon", position=9, actor=SYSTEM)
    reader = person("Eve", {"auditor": None})
    for path in ("/exports/releases", "/deployments"):
        assert api(reader).get(f"{path}?project=other&environment=moon").status_code == 200
        assert api(reader).get(f"{path}?project=risk&environment=moon").status_code == 400
    for path in ("/releases/", "/deployments/"):
        shown(browser(reader), f"{path}?project=other&environment=moon", 200)
        refused = shown(browser(reader), f"{path}?project=risk&environment=moon")
        assert '<option value="staging" >' in refused or '<option value="staging">' in refused


def test_emergency_releases_of_a_release_that_is_not_visible_are_refused(world: World) -> None:
    there = World("hidden").request("staging").pk
    client = browser(person("Ann", {"viewer": world.project}))
    for asked in (there, "rel_1"):
        assert "You see no release with this ID" in shown(client, f"/break-glass/?release={asked}")
    own = world.request("staging").pk
    assert "For this release" in shown(client, f"/break-glass/?release={own}", 200)


def test_recalls_are_narrowed_to_a_project_with_their_file(world: World) -> None:
    said = {"kind": "bento", "reason": "x", "actor": SYSTEM}
    for place in (world, World("other")):
        recall(**said, what=place.request("staging").bento_id, project=place.project)
    client = browser(person("Eve", {"auditor": None}))
    page = shown(client, "/recalls/?project=risk", 200)
    assert "All recalls in risk" in page and "exports/recalls?format=csv&amp;project=risk" in page
    row = 'href="/recalls/rcl_'
    assert (page.count(row), shown(client, "/recalls/", 200).count(row)) == (1, 2)


@pytest.mark.parametrize(
    ("query", "at", "said"),
    [
        ("since=yesterday", "since", "“yesterday”: Give a day"),
        ("until=2026-02-30", "until", "“2026-02-30”: Give a day"),
        ("since=2026-03-02&until=2026-02-01", "until", "Before the time since"),
    ],
)
def test_a_time_that_the_log_cannot_be_asked_for_is_said_at_its_field(
    query: str, at: str, said: str, world: World
) -> None:
    page = shown(browser(person("Eve", {"auditor": None})), f"/audit/?{query}")
    assert "Nothing was searched" in page and "Export</button>" not in page
    assert said in page.split(f'id="{at}-fault"')[1].split("</ul>")[0]


def test_a_time_that_ends_before_it_begins_is_refused_by_api_and_export(world: World) -> None:
    asked = "since=2026-03-02T00:00:00Z&until=2026-02-01T00:00:00Z"
    client = api(person("Eve", {"auditor": None}))
    for path in ("/audit/events", "/audit/export"):
        answer = client.get(f"{path}?{asked}")
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "until")


@pytest.mark.parametrize("word", ["recalled", "Recalled", "standing"])
def test_recalls_are_asked_for_by_the_word_of_their_state_or_as_the_api_has_it(
    word: str, world: World
) -> None:
    bento = world.live().bento_id
    recall(kind="bento", what=bento, reason="x", project=world.project, actor=SYSTEM)
    desk = browser(person("Eve", {"auditor": None}))
    assert '<option value="standing" selected>' in shown(desk, f"/recalls/?state={word}", 200)
    assert "No matches" in shown(desk, "/recalls/?state=withdrawn", 200)
