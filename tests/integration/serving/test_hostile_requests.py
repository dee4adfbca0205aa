"""Odd requests from strangers get an answer in words and never a failure of ours."""

import pytest
from django.test import Client, RequestFactory

from apps.console.views.base import back
from apps.serving.models import Endpoint
from apps.serving.prediction import _json_or_text
from tests.support.factories import api, browser, person
from tests.support.nodes import SimulatedNode
from tests.support.world import World

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_node_with_a_clock_at_the_end_of_the_calendar_is_refused(
    node: SimulatedNode, moment: str
) -> None:
    headers = {"Placet-Node": node.id, "Placet-Time": moment, "Placet-Signature": "AA=="}
    answer = api().get("/agent/v1/state", **headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "node_refused")


@pytest.mark.parametrize(
    "path", ["/jobs?kind=%00", "/rollouts?endpoint=%00", "/jobs/%00", "/releases/%00"]
)
def test_a_nul_in_an_address_is_refused(path: str) -> None:
    answer = api(person("Ann", roles={"operator": None})).get(path)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_input")


def test_a_nul_in_the_address_of_a_page_is_refused() -> None:
    assert browser(person("Ann")).get("/models/?q=%00").status_code == 400


@pytest.mark.parametrize(
    "path", ["/api/v1/projects", "/agent/v1/join", "/accounts/login/", "/models/", "/no/such"]
)
def test_a_body_without_its_length_is_refused_at_every_door(path: str) -> None:
    answer = Client().post(path, {"a": "b"}, headers={"Transfer-Encoding": "chunked"})
    assert (answer.status_code, b"Send Content-Length with the body" in answer.content) == (
        411,
        True,
    )


def test_a_time_that_utc_does_not_have_is_refused() -> None:
    auditor = api(person("Ann", roles={"auditor": None}))
    answer = auditor.get("/audit/events?since=0001-01-01T00:00:00%2B14:00")
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "since")


@pytest.mark.parametrize("raw", [b"[" * 100_000, b'{"prediction": NaN}', b'["\\ud800"]', b"\xff"])
def test_what_a_model_answers_is_text_unless_it_is_json_that_we_can_send_on(raw: bytes) -> None:
    assert _json_or_text(raw) == raw.decode("utf-8", errors="replace")[:10_000]


@pytest.mark.parametrize("target", ["//evil.example", "/\t/evil.example", "/\\evil.example", "x:y"])
def test_a_form_leads_back_to_our_own_pages_only(target: str) -> None:
    assert back(RequestFactory().post("/x", {"next": target}))["Location"] == "/"
    assert back(RequestFactory().post("/x", {"next": "/models/"}))["Location"] == "/models/"


@pytest.mark.parametrize("name", ["../x", "a b", "Churn", "x\ny", "-x", "é", "a" * 61])
def test_a_requester_cannot_make_an_endpoint_whose_name_a_node_would_choke_on(
    world: World, name: str
) -> None:
    """One such name in a state, and the node refuses the whole state of its target."""
    bento = world.bento(world.version())
    asked = {"model": "churn", "version": 1, "environment": "staging", "endpoint": name}
    answer = api(world.people["Ada"]).post("/projects/risk/releases", asked | {"bento": bento.pk})
    assert answer.status_code == 400
    assert not Endpoint.objects.exists()
