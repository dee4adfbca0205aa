"""How what runs is kept apart: as its node reports it, in the API, on pages, and by a filter."""

from html import unescape
from typing import Any

import pytest
from django.urls import reverse

from apps.serving.models import Revision
from apps.serving.rules import ISOLATION, isolation_of
from placet_protocol.report import ISOLATIONS
from tests.support.documents import store_without
from tests.support.factories import api, browser
from tests.support.nodes import PLATFORM
from tests.support.story import Story
from tests.support.world import World

pytestmark = pytest.mark.django_db
COUNTS = {"to": "db.example:5432", "connections": 3, "refused": 1, "bytes_in": 20, "bytes_out": 10}


def served(story: Story, **serving: Any) -> Revision:
    """Have a release served behind ``churn`` in development."""
    story.live(serving=serving)
    return Revision.objects.get(state="live")


def older(revision: Revision) -> None:
    """Make a revision one that was approved before there was egress."""
    document = {name: v for name, v in revision.serving.items() if name != "egress"}
    Revision.objects.filter(pk=revision.pk).update(serving=document)


def listed(world: World, query: str = "") -> list[str]:
    answer = api(world.people["Otto"]).get(
        f"/projects/risk/environments/development/endpoints{query}"
    )
    assert answer.status_code == 200, answer.content
    return [row["name"] for row in answer.json()["items"]]


def seen(world: World, name: str, *arguments: str) -> str:
    """Return a page as Otto gets it."""
    answer = browser(world.people["Otto"]).get(reverse(name, args=arguments))
    assert answer.status_code == 200
    return answer.content.decode()


def test_an_operator_reads_how_a_revision_is_kept_apart_and_what_it_sent(story: Story) -> None:
    revision = served(story, egress=["db.example:5432"])
    story.node.apart[revision.pk] = {"isolation": "link", "egress": [COUNTS]}
    assert story.node.report().status_code == 200
    otto = api(story.people["Otto"])
    found = otto.get(f"/endpoints/{revision.endpoint_id}").json()
    (row,) = found["revisions"]
    assert (row["egress"], row["isolation"]) == (["db.example:5432"], "link")
    assert row["egress_counts"] == [COUNTS]
    assert found["isolation"] == "link"
    page = seen(story.world, "endpoint-settings", revision.endpoint_id)
    assert "db.example:5432" in page
    assert "A network of its own, reached through a link" in page


def test_what_runs_from_before_is_older_isolation_and_a_filter_lists_it(story: Story) -> None:
    revision = served(story)
    assert (listed(story.world, "?isolation=older"), listed(story.world, "?isolation=socket")) == (
        [],
        ["churn"],
    )
    older(revision)
    story.node.apart[revision.pk] = {"isolation": "bwrap"}  # what agents of then say
    story.node.report()
    assert (listed(story.world, "?isolation=older"), listed(story.world, "?isolation=socket")) == (
        ["churn"],
        [],
    )
    page = seen(story.world, "endpoint-settings", revision.endpoint_id)
    assert "Older isolation: the host&#x27;s network" in page
    assert "older isolation" in seen(story.world, "endpoints")


def test_the_page_of_endpoints_says_it_and_shows_those_of_one_isolation(story: Story) -> None:
    revision = served(story)
    address, otto = reverse("endpoint", args=[revision.endpoint_id]), story.people["Otto"]
    page = seen(story.world, "endpoints")
    assert '<span class="text-secondary d-none d-lg-inline">its own</span>' in page
    assert '<option value="socket">A network of its own</option>' in page

    def only(word: str) -> str:
        return browser(otto).get(f"/endpoints/?isolation={word}").content.decode()

    assert address in only("socket")
    assert "isolation=socket" in only("socket").split("exports/endpoints?")[1][:60]
    assert address not in only("older")
    assert "Nothing that you may see runs so" in only("older")
    assert address not in only("no-such"), "a word that nobody knows lists nothing"


def test_what_shares_the_hosts_network_is_marked_wherever_it_is_named(story: Story) -> None:
    revision = served(story)
    story.node.apart[revision.pk] = {"isolation": "shared"}
    story.node.report()
    page = " ".join(seen(story.world, "endpoint-settings", revision.endpoint_id).split())
    assert 'was asked to reach <span class="text-break">nothing</span>' in page
    assert "It can reach whatever the host can." in page
    rows = unescape(" ".join(seen(story.world, "endpoints").split()))
    assert '<span aria-hidden="true">▲</span> the host\'s network</span>' in rows


def test_a_filter_that_nobody_knows_is_named(world: World) -> None:
    answer = api(world.people["Otto"]).get(
        "/projects/risk/environments/development/endpoints?isolation=strong"
    )
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "isolation")


def test_a_stranger_finds_nothing_by_the_filter(story: Story) -> None:
    served(story)
    sam = World("other").people["Otto"]
    path = "/projects/risk/environments/development/endpoints?isolation=socket"
    assert api(sam).get(path).status_code == 404


@pytest.mark.parametrize(
    ("said", "pointer"),
    [
        ({"egress": [COUNTS, COUNTS | {"to": 1}]}, "/revisions/0/egress/1/to"),
        ({"egress": ["db:1"]}, "/revisions/0/egress/0/to"),
        ({"egress": [COUNTS | {"refused": -1}]}, "/revisions/0/egress/0/refused"),
        ({"egress": [COUNTS | {"bytes_in": 1.5}]}, "/revisions/0/egress/0/bytes_in"),
        ({"egress": [COUNTS] * 33}, "/revisions/0/egress"),
        ({"egress": {}}, "/revisions/0/egress"),
        ({"isolation": 1}, "/revisions/0/isolation"),
    ],
)
def test_a_report_that_makes_no_sense_is_refused_by_its_place(
    story: Story, said: dict[str, Any], pointer: str
) -> None:
    revision = served(story)
    story.node.apart[revision.pk] = said
    answer = story.node.report()
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, pointer)


def test_a_word_that_nobody_knows_counts_as_the_weakest() -> None:
    assert isolation_of("bwrap", {"egress": []}) == "older"
    assert isolation_of("something new", {"egress": []}) == "older"
    assert isolation_of("", {"egress": []}) == ""
    assert isolation_of("", {}) == "older"
    assert [isolation_of(word, {"egress": []}) for word in ISOLATION] == list(ISOLATION)
    assert {*ISOLATION, ""} == set(ISOLATIONS), "each has words of its own"


def test_an_agent_of_before_goes_on_with_what_it_runs_and_goes_back_to_it(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both releases were approved before there was egress; the agent knows nothing of it."""
    former = [name for name in PLATFORM["features"] if name != "apart"]
    monkeypatch.setitem(PLATFORM, "features", former)
    with monkeypatch.context() as patched:
        store_without(patched, "egress")
        first = served(story)
        second = served(story)
    assert "egress" not in second.serving
    otto, at = api(story.people["Otto"]), f"/endpoints/{first.endpoint_id}"
    for verb, body in (("scale", {"replicas": 1}), ("restart", {}), ("stop", {}), ("start", {})):
        answer = otto.post(f"{at}/{verb}", body)
        assert answer.status_code == 200, (verb, answer.content)
        story.settle()
    assert otto.post(f"{at}/rollback", {"reason": "It was better"}).status_code < 300
    story.settle()
    assert Revision.objects.get(state="live").pk == first.pk
    story.release("development")
    story.settle()
    assert Revision.objects.get(state="live").pk == first.pk  # what it cannot keep apart waits
