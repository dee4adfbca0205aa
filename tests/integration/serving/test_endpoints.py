"""What operators do with targets and endpoints, through the API."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from apps.audit.models import Event
from apps.governance.models import Release
from apps.serving.actions import set_revision
from apps.serving.errors import RevisionMoved
from apps.serving.models import Endpoint, EndpointKey, Revision, Target
from apps.serving.prediction import turns
from placet.kernel.actor import SYSTEM
from placet.kernel.config import config
from tests.support.factories import ApiClient, api, browser, person
from tests.support.story import Story
from tests.support.world import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def live(story: Story) -> Release:
    """A release that serves and may be scaled to three replicas."""
    return story.live(serving={"replicas": 1, "max_replicas": 3})


@pytest.fixture
def otto(world: World) -> ApiClient:
    """The operator of the project."""
    return api(world.people["Otto"])


# --- targets ------------------------------------------------------------------------------------


def test_an_operator_of_everything_adds_a_target_and_changes_it_as_it_was_read() -> None:
    chief = api(person("Chief", {"operator": None}))
    made = chief.post("/targets", {"name": "edge-1", "site": "edge", "labels": {"row": "4"}})
    assert made.status_code == 201
    assert made.json()["node"] is None
    path, tag = "/targets/edge-1", made["ETag"]
    assert chief.patch(path, {"capacity_mb": 2048}).status_code == 428
    assert chief.patch(path, {"capacity_mb": 2048}, if_match=tag).json()["capacity_mb"] == 2048
    assert chief.patch(path, {"capacity_mb": 4096}, if_match=tag).status_code == 412
    assert chief.post("/targets", {"name": "edge-1"}).json()["code"] == "target_exists"


@pytest.mark.parametrize(
    ("field", "body"),
    [
        ("/name", {"name": "Upper"}),
        ("/driver", {"name": "a", "driver": "kubernetes"}),
        ("/url", {"name": "a", "url": "file:///etc/passwd"}),
        ("/capacity_mb", {"name": "a", "capacity_mb": 1}),
        ("/unknown", {"name": "a", "unknown": 1}),
    ],
)
def test_an_odd_target_is_refused_and_the_field_named(field: str, body: dict[str, Any]) -> None:
    chief = api(person("Chief", {"operator": None}))
    answer = chief.post("/targets", body)
    assert answer.status_code == 400
    assert [error["pointer"] for error in answer.json()["errors"]] == [field]
    assert not Target.objects.exists()


def test_an_operator_of_one_project_sees_targets_but_manages_none(
    world: World, otto: ApiClient
) -> None:
    assert otto.get("/targets/local").status_code == 200
    assert otto.post("/targets/local/join-tokens").status_code == 403
    assert api(person("Nobody")).get("/targets/local").status_code == 404


# --- endpoints ----------------------------------------------------------------------------------


def test_an_endpoint_says_what_runs_behind_it_and_how_it_is(live: Release, otto: ApiClient) -> None:
    body = otto.get(f"/endpoints/{live.endpoint_id}").json()
    assert (body["health"], body["state"]) == ("healthy", "active")
    (revision,) = body["revisions"]
    assert (revision["state"], revision["phase"], revision["weight"]) == ("live", "serving", 10_000)
    assert body["url"].endswith("/risk/development/churn")
    by_name = otto.get("/projects/risk/environments/development/endpoints/churn").json()
    assert by_name["id"] == live.endpoint_id


def test_replicas_are_scaled_up_to_what_was_approved(
    live: Release, otto: ApiClient, story: Story
) -> None:
    path = f"/endpoints/{live.endpoint_id}/scale"
    refused = otto.post(path, {"replicas": 4})
    assert (refused.status_code, refused.json()["code"]) == (409, "scale_not_approved")
    assert otto.post(path, {"replicas": 3}).json()["revisions"][0]["replicas"] == 3
    story.settle(rounds=1)
    assert [r["replicas"] for r in story.node.revisions().values()] == [3]


def test_scaling_to_as_many_replicas_as_there_are_is_no_event(
    live: Release, otto: ApiClient, story: Story
) -> None:
    path = f"/endpoints/{live.endpoint_id}/scale"
    events = Event.objects.filter(kind="endpoint.scaled.v1")
    assert otto.post(path, {"replicas": 2}).status_code == 200
    assert events.count() == 1
    again = otto.post(path, {"replicas": 2})
    assert (again.status_code, again.json()["revisions"][0]["replicas"]) == (200, 2)
    assert events.count() == 1
    page = browser(story.people["Otto"])
    for count, says in ((2, "Already 2 replicas."), (1, "Scaled to 1 replica.")):
        shown = page.post(path, {"replicas": str(count)}, follow=True)
        assert says in shown.content.decode()
    assert events.count() == 2


def test_a_stopped_endpoint_stops_on_the_node_and_starts_again_without_approval(
    live: Release, otto: ApiClient, story: Story
) -> None:
    path = f"/endpoints/{live.endpoint_id}"
    assert otto.post(f"{path}/stop").json()["health"] == "stopped"
    assert otto.post(f"{path}/stop").json()["code"] == "endpoint_state"
    story.settle(rounds=1)
    assert [r["wanted"] for r in story.node.revisions().values()] == ["stop"]
    assert otto.post(f"{path}/scale", {"replicas": 2}).status_code == 409
    assert otto.post(f"{path}/start").status_code == 200
    story.settle(rounds=1)
    assert [r["wanted"] for r in story.node.revisions().values()] == ["run"]


def test_a_restart_raises_the_nonce_of_the_live_revision_alone(
    live: Release, otto: ApiClient
) -> None:
    assert otto.post(f"/endpoints/{live.endpoint_id}/restart").status_code == 200
    assert Revision.objects.get(release=live.pk).restart_nonce == 1
    assert Event.objects.filter(kind="endpoint.restarted.v1", subject=live.endpoint_id).exists()


def test_a_key_is_shown_once_and_the_node_learns_its_hash(
    live: Release, otto: ApiClient, story: Story
) -> None:
    path = f"/endpoints/{live.endpoint_id}/keys"
    made = otto.post(path, {"name": "mobile app"}).json()
    assert made["key"].startswith("plk_")
    assert "key" not in otto.get(path).json()["items"][0]
    bodies = "".join(Event.objects.values_list("body", flat=True))
    assert made["key"] not in bodies
    assert "mobile app" not in bodies
    story.settle(rounds=1)
    stored = EndpointKey.objects.get().secret_hash
    assert story.node.state["endpoints"][0]["keys"] == [stored]
    otto.post(f"{path}/{made['id']}/revoke")
    story.settle(rounds=1)
    assert story.node.state["endpoints"][0]["keys"] == []


def test_a_contributor_makes_an_endpoint_but_does_not_operate_it(world: World) -> None:
    ada, path = api(world.people["Ada"]), "/projects/risk/environments/staging/endpoints"
    made = ada.post(path, {"name": "scores", "target": "local"})
    assert made.status_code == 201
    assert ada.post(path, {"name": "scores", "target": "local"}).json()["code"] == "endpoint_exists"
    assert ada.post(f"/endpoints/{made.json()['id']}/stop").status_code == 403
    viewer = api(person("Vic", {"viewer": world.project}))
    assert viewer.post(path, {"name": "other", "target": "local"}).status_code == 403
    stranger = api(person("Sam"))
    assert stranger.post(path, {"name": "other", "target": "local"}).status_code == 404
    assert stranger.get(f"/endpoints/{made.json()['id']}").status_code == 404


# --- revisions ----------------------------------------------------------------------------------


def test_weights_are_taken_before_they_are_given(live: Release) -> None:
    first = Revision.objects.get(release=live.pk)
    second = Revision.objects.create(
        endpoint=first.endpoint,
        project=first.project,
        bento=first.bento,
        number=2,
        release="rel_2",
        permit="",
        state="ready",
    )
    with pytest.raises(RevisionMoved):
        set_revision(second, weight=1, actor=SYSTEM)
    set_revision(first, weight=0, actor=SYSTEM)
    set_revision(second, weight=10_000, actor=SYSTEM)
    assert Revision.objects.get(pk=second.pk).weight == 10_000


def test_a_revision_is_moved_from_what_was_read_or_not_at_all(live: Release) -> None:
    one, same = (Revision.objects.get(release=live.pk) for _ in range(2))
    set_revision(one, weight=0, actor=SYSTEM)
    with pytest.raises(RevisionMoved):
        set_revision(same, weight=5_000, actor=SYSTEM)
    with pytest.raises(RevisionMoved):
        set_revision(one, state="starting", actor=SYSTEM)


# --- trying it ----------------------------------------------------------------------------------


class Client(BaseHTTPRequestHandler):
    """Answers as an endpoint does."""

    def do_POST(self) -> None:
        """Answer a prediction, or send elsewhere."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if body.get("redirect"):
            self.send_response(302)
            self.send_header("Location", "http://localhost:1/secret")
            self.end_headers()
            return
        answer = json.dumps({"path": self.path, "key": self.headers["X-API-Key"]}).encode()
        self.send_response(200)
        self.send_header("X-Placet-Model", "churn:1")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:
        """Stay quiet."""


@pytest.fixture
def answering(world: World) -> Iterator[str]:
    """Have something answer at the target's address."""
    server = HTTPServer(("127.0.0.1", 0), Client)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    Target.objects.filter(pk=world.target.pk).update(url=url)
    yield url
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def endpoint(world: World) -> Endpoint:
    """An endpoint."""
    return world.request("development").endpoint


def test_trying_an_endpoint_returns_what_it_answers(
    world: World, endpoint: Endpoint, answering: str
) -> None:
    ada = api(world.people["Ada"])
    sent = ada.post(f"/endpoints/{endpoint.pk}/predict", {"age": 3}, X_API_Key="plk_1")
    body = sent.json()
    assert (sent.status_code, body["status"], body["model"]) == (200, 200, "churn:1")
    assert body["body"] == {"path": "/risk/development/churn/predict", "key": "plk_1"}


def test_trying_an_endpoint_never_follows_a_redirect(
    world: World, endpoint: Endpoint, answering: str
) -> None:
    ada = api(world.people["Ada"])
    sent = ada.post(f"/endpoints/{endpoint.pk}/predict", {"redirect": True})
    assert (sent.status_code, sent.json()["status"]) == (200, 302)


def test_who_waits_for_models_leaves_threads_to_others(
    world: World, endpoint: Endpoint, answering: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, path = api(world.people["Ada"]), f"/endpoints/{endpoint.pk}/predict"
    with turns.taken(world.ada.accountable), turns.taken(world.ada.accountable):
        refused = ada.post(path, {})
        assert (refused.status_code, refused.json()["code"]) == (429, "too_many_requests")
        assert api(world.people["Otto"]).post(path, {}).status_code == 200
    assert ada.post(path, {}).status_code == 200
    monkeypatch.setattr(config(), "web_threads", 8)
    with turns.taken("per_1"), turns.taken("per_2"):
        assert ada.post(path, {}).status_code == 429


def test_an_endpoint_that_does_not_answer_is_a_502(world: World, endpoint: Endpoint) -> None:
    Target.objects.update(url="http://127.0.0.1:1")
    sent = api(world.people["Ada"]).post(f"/endpoints/{endpoint.pk}/predict", {})
    assert (sent.status_code, sent.json()["code"]) == (502, "predict_failed")
    viewer = api(person("Vic", {"viewer": world.project}))
    assert viewer.post(f"/endpoints/{endpoint.pk}/predict", {}).status_code == 403
