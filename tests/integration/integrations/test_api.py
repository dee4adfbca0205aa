"""Setting streams up over REST: who may, what is refused, and what the log says of it."""

import json
from typing import Any

import pytest

from apps.audit.models import Event
from apps.audit.queries import log_size
from apps.console.queries.streams import stream_list_page
from apps.identity.errors import NameTaken
from apps.identity.models import User
from apps.integrations.models import Stream
from placet.kernel.actor import SYSTEM
from tests.integration.integrations.conftest import Feed
from tests.support import factories
from tests.support.factories import actor_of, api
from tests.support.meeting import at_once
from tests.support.receivers import Receiver
from tests.support.replay import assert_log_rebuilds_every_row

pytestmark = pytest.mark.django_db
GOOD = {"name": "siem", "kind": "jsonl", "url": "https://siem.example/in"}


@pytest.fixture
def ann(feed: Feed) -> User:
    """Who administers, and may not read the log."""
    return factories.person("Ann", {"admin": None})


@pytest.fixture
def aude(feed: Feed) -> User:
    """Who audits."""
    return factories.person("Aude", {"auditor": None})


def add(who: User, **terms: Any) -> Any:
    return api(who).post("/streams", {**GOOD, **terms})


def fields(answer: Any) -> list[str]:
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.status_code in (400, 409), answer.content
    return [error["pointer"] for error in answer.json()["errors"]]


def test_who_may_not_read_the_log_cannot_have_it_sent_to_themselves(
    ann: User, aude: User, feed: Feed, receiver: Receiver
) -> None:
    made = add(ann, url=receiver.url, ca_file="ca.pem", start=0)
    assert made.status_code == 201
    stream = made.json()
    assert (stream["state"], stream["started_by"], stream["cursor"]) == ("paused", "", 0)
    feed.run_jobs("control")
    assert not receiver.headers
    path = f"/streams/{stream['id']}"
    assert api(ann).post(f"{path}/resume").status_code == 403
    begun = api(aude).post(f"{path}/resume")
    assert (begun.status_code, begun.json()["state"]) == (200, "running")
    assert begun.json()["started_by"] == aude.pk
    feed.run_jobs("control")
    found = api(aude).get(path).json()
    assert (found["lag_events"], found["cursor"]) == (0, log_size())
    assert found["deliveries"][0]["accepted"] is True
    assert api(aude).post(f"{path}/pause").status_code == 403
    assert api(ann).post(f"{path}/pause").json()["state"] == "paused"
    assert_log_rebuilds_every_row()


def test_who_may_do_both_has_it_begin_at_once(feed: Feed) -> None:
    both = factories.person("Both", {"admin": None, "auditor": None})
    made = add(both).json()
    assert (made["state"], made["started_by"]) == ("running", both.pk)
    assert made["cursor"] == log_size() - 2, "from the next event on, which was its own"


def test_an_admin_of_a_project_adds_streams_of_it_alone(feed: Feed, ann: User, aude: User) -> None:
    pia = factories.person("Pia", {"admin": feed.project, "auditor": feed.project})
    assert add(pia).status_code == 403
    mine = add(pia, project="risk")
    assert (mine.status_code, mine.json()["state"]) == (201, "running")
    whole = add(ann, name="whole").json()
    assert api(pia).get(f"/streams/{whole['id']}").status_code == 404
    assert [s["name"] for s in api(pia).get("/streams").json()["items"]] == ["siem"]
    assert [s["name"] for s in api(aude).get("/streams").json()["items"]] == ["whole", "siem"]
    factories.project("other")
    assert fields(add(pia, name="x", project="other")) == ["/project"]
    assert api(factories.person("Nina")).get("/streams").json()["items"] == []


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        ({"url": "https://ann:pw@siem.example"}, "/url"),
        ({"url": "http://siem.example"}, "/url"),
        ({"url": "https://siem.example:65536"}, "/url"),
        ({"url": "https://siem.example/?token=x"}, "/url"),
        ({"url": "x" * 501}, "/url"),
        ({"url": 7}, "/url"),
        ({"kind": "pigeon"}, "/kind"),
        ({"kind": "syslog"}, "/url"),
        ({"name": "Not a slug"}, "/name"),
        ({"name": ""}, "/name"),
        ({"name": "x" * 61}, "/name"),
        ({"token_file": "../../etc/passwd"}, "/token_file"),
        ({"ca_file": "/etc/ssl/ca.pem"}, "/ca_file"),
        ({"cert_file": "a b"}, "/cert_file"),
        ({"start": -1}, "/start"),
        ({"start": 10**30}, "/start"),
        ({"start": 1.5}, "/start"),
        ({"alert_after_seconds": 1}, "/alert_after_seconds"),
        ({"alert_after_seconds": 10**9}, "/alert_after_seconds"),
        ({"project": "nowhere"}, "/project"),
        ({"token": "s3cr3t"}, "/token"),
        ({"state": "running"}, "/state"),
    ],
)
def test_what_cannot_be_is_refused_by_the_name_of_its_field(
    ann: User, terms: dict[str, Any], field: str
) -> None:
    assert fields(add(ann, **terms)) == [field]
    assert not Stream.objects.exists()


def test_a_name_is_taken_once(ann: User) -> None:
    assert add(ann).status_code == 201
    again = add(ann)
    assert (again.status_code, again.json()["code"], fields(again)) == (
        409,
        "name_taken",
        ["/name"],
    )


def test_a_name_is_taken_in_its_project_alone(feed: Feed, ann: User, aude: User) -> None:
    factories.project("other")
    assert add(ann).status_code == 201
    for slug in ("risk", "other"):
        assert add(ann, project=slug).status_code == 201, "of other projects nobody learns a name"
        again = add(ann, project=slug)
        assert (again.status_code, fields(again)) == (409, ["/name"])
    assert add(ann).status_code == 409
    names = Stream.objects.values_list("project__slug", "name")
    assert set(names) == {(None, "siem"), ("risk", "siem"), ("other", "siem")}
    assert_log_rebuilds_every_row()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("mine", [True, False])
def test_of_two_with_one_name_at_once_one_is_added(feed: Feed, mine: bool) -> None:
    def stream() -> Stream:
        return feed.stream("https://siem.example/in", project=feed.project if mine else None)

    assert {type(one) for one in at_once(stream, stream)} == {Stream, NameTaken}


def test_streams_with_one_name_all_have_their_place_on_the_pages(
    feed: Feed, aude: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.console.queries.paging.PAGE", 1)
    for project in (None, feed.project, factories.project("other")):
        feed.stream("https://siem.example/in", project=project)
    seen, after = [], ""
    for _ in range(3):
        page = stream_list_page(actor_of(aude), after=after)
        streams = [row.stream for row in page.rows]
        seen += [(one.project.slug if one.project else "", one.name) for one in streams]
        after = page.key
    assert (sorted(seen), after) == ([("", "siem"), ("other", "siem"), ("risk", "siem")], "")


def test_it_goes_back_and_never_ahead(feed: Feed, ann: User, receiver: Receiver) -> None:
    feed.log(5)
    stream = feed.go(feed.stream(receiver.url))
    path = f"/streams/{stream.pk}/rewind"
    assert fields(api(ann).post(path, {"index": stream.cursor + 1})) == ["/index"]
    assert fields(api(ann).post(path, {"index": -1})) == ["/index"]
    assert fields(api(ann).post(path, {})) == ["/index"]
    assert api(ann).post(path, {"index": 2}).json()["cursor"] == 2
    event = Event.objects.get(kind="stream.rewound.v1")
    assert json.loads(event.body)["data"] == {"before": stream.cursor, "cursor": 2}


def test_what_was_done_already_is_a_conflict(feed: Feed, ann: User, aude: User) -> None:
    stream = add(ann).json()
    path = f"/streams/{stream['id']}"
    refused = api(ann).post(f"{path}/pause")
    assert (refused.status_code, refused.json()["code"]) == (409, "stream_moved")
    assert api(aude).post(f"{path}/resume").status_code == 200
    assert api(aude).post(f"{path}/resume").status_code == 409


def test_removing_names_what_was_read(feed: Feed, ann: User, aude: User) -> None:
    stream = add(ann).json()
    path = f"/streams/{stream['id']}"
    tag = api(ann).get(path)["ETag"]
    assert api(ann).delete(path).status_code == 428
    api(aude).post(f"{path}/resume")
    assert api(ann).delete(path, if_match=tag).status_code == 412
    tag = api(ann).get(path)["ETag"]
    assert api(ann).delete(path, if_match=tag).status_code == 204
    assert api(ann).get(path).status_code == 404
    feed.run_jobs("control")  # what was still to be sent is not
    assert_log_rebuilds_every_row()


@pytest.mark.parametrize("status", [200, 500])
def test_a_test_says_what_came_of_it(
    feed: Feed, ann: User, receiver: Receiver, status: int
) -> None:
    receiver.always = (status, {}, b"hello")
    made = add(ann, url=receiver.url, ca_file="ca.pem").json()
    assert api(ann).post(f"/streams/{made['id']}/test").status_code == 202
    feed.run_jobs("control")
    found = api(ann).get(f"/streams/{made['id']}").json()
    (tried,) = found["deliveries"]
    assert (tried["test"], tried["accepted"]) == (True, status == 200)
    assert tried["detail"] == ("" if status == 200 else "It answers 500: hello")
    assert (found["state"], found["failures"], found["error"]) == ("paused", 0, "")
    assert receiver.bodies == ([] if status == 500 else receiver.bodies[:1])
    assert not any(b'"index"' in body for body in receiver.bodies)


def test_a_stream_tells_how_far_it_is_behind(feed: Feed, ann: User) -> None:
    feed.log(3)
    stream = feed.stream("https://siem.example/in", ca_file="")
    found = api(ann).get(f"/streams/{stream.pk}").json()
    assert found["lag_events"] == found["size"] == log_size()
    assert found["lag_seconds"] >= 0
    assert found["created_by"] == SYSTEM.id
