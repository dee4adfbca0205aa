"""Objectives and alerts over REST and on the command line, and what the pages ask the database."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.monitoring import actions, reconciler
from apps.monitoring.models import Alert, AlertKind, MetricWindow, Objective
from apps.monitoring.reconciler import AlertFinding
from apps.monitoring.rules import ObjectiveTerms
from apps.serving.models import Endpoint, Revision
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now
from placet_client.cli import main
from tests.support.factories import api, browser, grant, person, token_for
from tests.support.page_text import text_of
from tests.support.story import Story
from tests.support.world import World


@pytest.fixture
def endpoint(story: Story) -> Endpoint:
    """An endpoint whose live version answers 5% of its requests with an error."""
    release = story.live()
    Revision.objects.filter(state="live").update(live_at=now() - timedelta(hours=1))
    serving = Revision.objects.get(state="live").pk
    MetricWindow.objects.create(
        node=story.node.id,
        revision=serving,
        started_at=now(),
        seconds=10,
        status_2xx=950,
        status_5xx=50,
        latency={"25": 990, "inf": 10},
    )
    return release.endpoint


@pytest.fixture
def alert(world: World, endpoint: Endpoint) -> Alert:
    """The alert that this opens."""
    terms = ObjectiveTerms(availability=0.99, latency_ms=250, latency_quantile=0.999)
    actions.set_objective(endpoint, terms=terms, actor=world.otto)
    reconciler.watch_endpoints()
    return Alert.objects.get()


@pytest.mark.django_db
class TestObjective:
    def test_it_is_set_read_changed_and_removed(self, world: World, endpoint: Endpoint) -> None:
        otto = api(world.people["Otto"])
        path = f"/endpoints/{endpoint.pk}/objective"
        assert otto.get(path).status_code == 404
        made = otto.put(path, {"availability": 0.99, "latency_ms": 250, "latency_quantile": 0.999})
        assert made.status_code == 201
        assert made.json()["now"] == {
            "standing": "breached",
            "revision": Revision.objects.get().pk,
            "requests": 1000,
            "availability": 0.95,
            "latency_ms": None,
            "trusted": True,
            "reason": made.json()["now"]["reason"],
        }
        assert made.json()["owner"] == world.otto.id
        tag = otto.get(path)["ETag"]
        assert tag == made["ETag"]
        assert otto.put(path, {"availability": 0.9}).status_code == 428
        changed = otto.put(path, {"availability": 0.9}, if_match=tag)
        assert (changed.status_code, changed.json()["now"]["standing"]) == (200, "met")
        assert otto.put(path, {"availability": 0.9}, if_match=tag).status_code == 412
        assert otto.delete(path).status_code == 428
        assert otto.delete(path, if_match=changed["ETag"]).status_code == 204
        assert not Objective.objects.exists()

    @pytest.mark.parametrize(
        ("body", "pointer"),
        [
            ({}, "/availability"),
            ({"availability": 2}, "/availability"),
            ({"latency_ms": 200}, "/latency_ms"),
            ({"latency_ms": 250, "window_minutes": 0}, "/window_minutes"),
            ({"latency_ms": 250, "owner": "per_nobody"}, "/owner"),
            ({"latency_ms": 250, "endpoint": "end_x"}, "/endpoint"),
            ({"latency_ms": 250, "generation": 7}, "/generation"),
        ],
    )
    def test_what_is_wrong_is_named(
        self, world: World, endpoint: Endpoint, body: dict[str, Any], pointer: str
    ) -> None:
        answer = api(world.people["Otto"]).put(f"/endpoints/{endpoint.pk}/objective", body)
        assert answer.status_code == 400
        assert [e["pointer"] for e in answer.json()["errors"]] == [pointer]

    @pytest.mark.parametrize("raw", [b'{"availability": NaN}', b'{"availability": 1e999}'])
    def test_what_is_no_number_is_refused(
        self, world: World, endpoint: Endpoint, raw: bytes
    ) -> None:
        path = f"/endpoints/{endpoint.pk}/objective"
        assert api(world.people["Otto"]).put(path, raw=raw).status_code == 400
        assert not Objective.objects.exists()


@pytest.mark.django_db
class TestAlerts:
    def test_they_are_listed_and_narrowed(self, world: World, alert: Alert) -> None:
        ada = api(world.people["Ada"])
        found = ada.get("/alerts").json()["items"]
        assert [(a["id"], a["kind"], a["project"]) for a in found] == [
            (alert.pk, "objective", "risk")
        ]
        for query, count in (
            ("state=open", 1),
            ("state=resolved", 0),
            ("kind=replicas", 0),
            (f"endpoint={alert.endpoint_id}", 1),
        ):
            assert len(ada.get(f"/alerts?{query}").json()["items"]) == count
        assert ada.get("/alerts?project=risk").status_code == 400
        assert ada.get(f"/alerts/{alert.pk}").json()["summary"] == alert.summary

    def test_it_is_taken_on_once(self, world: World, alert: Alert) -> None:
        otto = api(world.people["Otto"])
        taken = otto.post(f"/alerts/{alert.pk}/acknowledge")
        assert (taken.status_code, taken.json()["acknowledged_by"]) == (200, world.otto.id)
        again = otto.post(f"/alerts/{alert.pk}/acknowledge")
        assert (again.status_code, again.json()["code"]) == (409, "alert_moved")
        ended = otto.post(f"/alerts/{alert.pk}/resolve")
        assert (ended.status_code, ended.json()["code"]) == (409, "resolves_itself")

    def test_what_is_wrong_with_the_installation_is_for_who_sees_all_of_it(
        self, world: World
    ) -> None:
        finding = AlertFinding(AlertKind.LOG_FAULT, subject="log", about="Audit log", summary="x")
        row = actions.open_alert(finding, actor=SYSTEM)
        assert row is not None
        assert api(world.people["Otto"]).get(f"/alerts/{row.pk}").status_code == 404
        assert api(world.people["Otto"]).post(f"/alerts/{row.pk}/resolve").status_code == 404
        boss = api(person("Bo", roles={"operator": None}))
        assert boss.get("/alerts").json()["items"][0]["project"] is None
        assert boss.post(f"/alerts/{row.pk}/resolve").json()["state"] == "resolved"


@pytest.mark.django_db
def test_the_page_of_an_endpoint_that_is_measured_takes_at_most_twelve_queries(
    world: World, alert: Alert
) -> None:
    actions.acknowledge(alert, actor=world.otto)
    grant(world.people["Otto"], {"reviewer": world.project, "auditor": None})
    otto = browser(world.people["Otto"])
    for path in (f"/endpoints/{alert.endpoint_id}/", "/", "/alerts/"):
        with CaptureQueriesContext(connection) as caught:
            page = otto.get(path)
        assert "acknowledged by Otto risk" in text_of(page.content.decode())
        assert len(caught) <= 12, path


@pytest.mark.django_db
def test_a_form_that_was_shown_before_somebody_else_changed_it_changes_nothing(
    world: World, alert: Alert
) -> None:
    otto, path = browser(world.people["Otto"]), f"/endpoints/{alert.endpoint_id}/objective"
    form = {"availability": "90", "window_minutes": "5", "min_requests": "10"}
    for shown in ("", "7", "x"):
        otto.post(path, {**form, "generation": shown})
        assert Objective.objects.get().availability == 0.99
    otto.post(path, {**form, "generation": "0", "availability": "much"})
    said = otto.post(path, {**form, "generation": "0", "availability": "0.999"}, follow=True)
    assert "From 50 to 100%, such as 99.9" in said.content.decode()
    assert Objective.objects.get().availability == 0.99
    otto.post(path, {**form, "generation": "0"})
    assert Objective.objects.get().availability == 0.9
    otto.post(path, {"do": "remove", "generation": "0"})
    assert Objective.objects.exists()
    otto.post(path, {"do": "remove", "generation": "1"})
    assert not Objective.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_operators_do_it_from_the_command_line(
    world: World,
    endpoint: Endpoint,
    live_server: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("PLACET_URL", live_server.url)
    monkeypatch.setenv("PLACET_TOKEN", token_for(world.people["Otto"]))
    name = "risk/development/churn"

    def placet(*words: str) -> str:
        assert main(list(words)) == 0, capsys.readouterr()
        return capsys.readouterr().out

    placet("objective", "set", name, "--availability", "0.9", "--latency-ms", "250")
    placet("objective", "set", name, "--availability", "0.99", "--roll-back")
    shown = json.loads(placet("objective", "show", name, "-o", "json"))
    assert (shown["availability"], shown["latency_ms"], shown["roll_back"]) == (0.99, None, True)
    reconciler.watch_endpoints()
    (listed,) = json.loads(placet("alert", "list", "-o", "json"))
    assert "objective" in placet("alert", "list")
    placet("alert", "ack", listed["id"])
    assert json.loads(placet("alert", "show", listed["id"], "-o", "json"))["state"] == (
        "acknowledged"
    )
    assert main(["alert", "resolve", listed["id"]]) == 6
    assert main(["alert", "ack", listed["id"]]) == 6
    placet("objective", "remove", name)
    reconciler.watch_endpoints()
    assert placet("alert", "list").strip() == "No results that you may see."
    assert len(json.loads(placet("alert", "list", "--all", "-o", "json"))) == 1
