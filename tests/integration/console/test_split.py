"""What the pages say about whom a canary is tried on."""

import pytest

from apps.governance.models import Release
from placet.kernel.clock import now, rfc3339
from tests.support.factories import browser
from tests.support.story import Story
from tests.support.world import World

pytestmark = pytest.mark.django_db


def page(world: World, path: str) -> str:
    """Return a page as Ada sees it, on one line."""
    answer = browser(world.people["Ada"]).get(path)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def test_the_endpoints_page_says_what_is_split_by_and_who_had_no_unit(story: Story) -> None:
    release = story.live(serving={"unit": {"header": "X-User"}})
    (own,) = story.node.revisions()
    counts = {"status_2xx": 1200, "latency": {"5": 1200}}
    part = {"status_2xx": 34, "latency": {"5": 34}}
    apart = {"no_unit": part, "overridden": part, "mirrored": part}
    window = {
        "revision": own,
        "started_at": rfc3339(now()),
        "seconds": 5.0,
        "first": {"status_2xx": 321, "latency": {"5": 321}},
    }
    story.node.metrics = [{**window, **counts, "apart": apart}]
    story.node.report()
    story.run_jobs("control")

    shown = page(story.world, f"/endpoints/{release.endpoint_id}/")

    assert "Split by <b>header X-User</b>" in shown
    assert "34 of 1,234 requests had no unit" in shown
    for words in ("321 new units", "34 by testers’ header", "34 copied requests"):
        assert words in shown
    assert "routed by header X-User" in page(story.world, f"/releases/{release.pk}/")


def test_an_endpoint_without_a_unit_says_nothing_of_units(story: Story) -> None:
    release = story.live()

    assert "Split by" not in page(story.world, f"/endpoints/{release.endpoint_id}/")
    assert "routed by" not in page(story.world, f"/releases/{release.pk}/")


@pytest.mark.parametrize(
    ("source", "name", "unit"),
    [("", "", None), ("json", " /user/id ", {"json": "/user/id"})],
)
def test_a_release_is_asked_for_with_its_unit(
    world: World, source: str, name: str, unit: dict[str, str] | None
) -> None:
    bento = world.bento(world.version())
    fields = {
        "version": bento.version.pk,
        "bento": bento.pk,
        "environment": "development",
        "endpoint": "churn",
        "unit_source": source,
        "unit_name": name,
    }

    answer = browser(world.people["Ada"]).post("/releases/request", fields)

    assert answer.status_code == 302
    assert Release.objects.get().serving.get("unit") == unit


def test_a_unit_that_is_none_is_refused_in_a_sentence(world: World) -> None:
    bento = world.bento(world.version())
    fields = {
        "version": bento.version.pk,
        "bento": bento.pk,
        "environment": "development",
        "endpoint": "churn",
        "unit_source": "header",
        "unit_name": "Authorization",
    }

    answer = browser(world.people["Ada"]).post("/releases/request", fields)

    assert "holds secrets" in answer.content.decode()
    assert not Release.objects.exists()
