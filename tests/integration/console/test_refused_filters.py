"""A list that is asked for what there is not says so at the field, and lists nothing instead."""

import pytest

from tests.support.factories import api, browser, person
from tests.support.world import World

pytestmark = pytest.mark.django_db

REFUSED = [
    ("/releases/", "state", "sleeping"),
    ("/releases/", "who", "me"),
    ("/releases/", "environment", "moon"),
    ("/releases/", "project", "nope"),
    ("/recalls/", "state", "foo"),
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


@pytest.mark.parametrize("query", ["releases?state=sleeping", "glasses?review=never"])
def test_an_export_of_what_there_is_not_is_refused(query: str, world: World) -> None:
    assert api(person("Eve", {"auditor": None})).get(f"/exports/{query}").status_code == 400


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
