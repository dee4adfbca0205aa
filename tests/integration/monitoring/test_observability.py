"""The Prometheus rules and the Grafana dashboard that come with Placet."""

import json
import re
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from apps.audit.actions import write_checkpoint
from apps.jobs.actions import enqueue
from apps.monitoring import actions
from apps.monitoring.models import AlertKind, MetricWindow
from apps.monitoring.reconciler import AlertFinding
from apps.monitoring.rules import ObjectiveTerms
from apps.serving.models import Revision
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now
from tests.support.story import Story

FOLDER = Path(__file__).resolve().parents[3] / "platform" / "deploy" / "observability"
DASHBOARD = json.loads((FOLDER / "grafana-placet.json").read_text())
NAME = re.compile(r"\bplacet_[a-z0-9_]+")
promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is missing: install Debian's package"
)


def check(*words: str) -> str:
    done = subprocess.run(
        ["promtool", *words], cwd=FOLDER, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@promtool
def test_the_rules_are_rules_and_fire_when_they_should() -> None:
    assert "8 rules found" in check("check", "rules", "rules.yml")
    assert "SUCCESS" in check("test", "rules", "rules.test.yml")


def test_every_rule_has_a_test_of_its_own() -> None:
    rules = re.findall(r"- alert: (\w+)", (FOLDER / "rules.yml").read_text())
    tested = set(re.findall(r"alertname: (\w+)", (FOLDER / "rules.test.yml").read_text()))
    assert len(rules) == 8
    assert set(rules) == tested


def expressions() -> list[str]:
    """Return what the dashboard asks Prometheus, its variables filled in."""
    asked = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    return [re.sub(r"\$(project|environment|endpoint)", ".*", expression) for expression in asked]


@promtool
def test_the_dashboard_asks_what_prometheus_understands(tmp_path: Path) -> None:
    rules = [{"record": f"x:{n}", "expr": e} for n, e in enumerate(expressions())]
    file = tmp_path / "rules.yml"
    file.write_text(json.dumps({"groups": [{"name": "x", "rules": rules}]}))  # JSON is YAML
    assert f"{len(rules)} rules found" in check("check", "rules", str(file))


def test_panels_do_not_overlap_and_each_has_an_id() -> None:
    places: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & places, panel["title"]
        places |= cells
    assert {x for x, _ in places} == set(range(24))
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


@pytest.fixture
def scraped(story: Story) -> dict[str, list[Any]]:
    """What /metrics says of an installation where something of everything is there."""
    release = story.live()
    live = Revision.objects.get(state="live")
    MetricWindow.objects.create(
        node=story.node.id,
        revision=live.pk,
        started_at=now(),
        seconds=10,
        status_2xx=90,
        status_4xx=9,
        status_5xx=1,
        latency={"100": 100},
        apart={"limited": {"status_4xx": 6, "status_5xx": 1}},
    )
    terms = ObjectiveTerms(availability=0.9, min_requests=10)
    Revision.objects.update(live_at=now() - timedelta(hours=1))
    actions.set_objective(release.endpoint, terms=terms, actor=story.otto)
    finding = AlertFinding(AlertKind.JOB_FAILED, subject="x", about="x", summary="x")
    actions.open_alert(finding, actor=SYSTEM)
    enqueue("observability.nothing")
    write_checkpoint()
    text = Client().get("/metrics").content.decode()
    return {family.name: family.samples for family in text_string_to_metric_families(text)}


@pytest.mark.django_db
def test_every_name_that_rules_and_dashboard_use_is_measured(
    scraped: dict[str, list[Any]],
) -> None:
    used = set(NAME.findall((FOLDER / "rules.yml").read_text()))
    used |= set(NAME.findall((FOLDER / "grafana-placet.json").read_text()))
    assert len(used) >= 9
    assert {name for name in used if not scraped.get(name)} == set()


@pytest.mark.django_db
def test_the_figures_are_the_endpoints_own(scraped: dict[str, list[Any]]) -> None:
    def found(name: str) -> list[tuple[dict[str, str], float]]:
        return [(sample.labels, sample.value) for sample in scraped[name]]

    place = {"project": "risk", "environment": "development", "endpoint": "churn"}
    assert found("placet_endpoint_requests_5m") == [
        ({**place, "status": "2xx"}, 90),
        ({**place, "status": "4xx"}, 9),
        ({**place, "status": "5xx"}, 1),
    ]
    assert found("placet_endpoint_refused_5m") == [(place, 7)]
    assert ({**place, "quantile": "0.5"}, 0.05) in found("placet_endpoint_latency_5m_seconds")
    assert found("placet_endpoint_objective") == [(place, 1)]
    assert found("placet_alerts") == [({"kind": "job_failed", "state": "open"}, 1)]
    ((target, age),) = found("placet_node_report_age_seconds")
    assert (target, 0 <= age < 60) == ({"target": "local"}, True)
