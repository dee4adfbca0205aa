"""One id follows a request: into the answer, the problem, the event, the job and the log."""

import json
from typing import Any

import pytest
import structlog

from apps.audit.models import Event
from apps.jobs.actions import enqueue, run_due
from apps.jobs.handlers import LeasedJob, handler
from apps.jobs.models import Job
from tests.support.factories import api, browser, person, project

pytestmark = pytest.mark.django_db
MINE = "0b6f7c1e-6f0d-4a53-9c37-2f4f3f3f0a42"


def test_the_clients_id_comes_back_in_header_and_problem() -> None:
    answer = api(None).get("/whoami", x_request_id=MINE)
    assert answer["X-Request-ID"] == MINE
    assert answer.json()["request_id"] == MINE


@pytest.mark.parametrize(
    "odd", ["", "x" * 65, 'a"b', "a b", "\u00e9", "<script>", "Jane.Doe", "shop-42", f"{MINE}0"]
)
def test_an_odd_id_is_replaced(odd: str) -> None:
    answer = api(None).get("/whoami", x_request_id=odd)
    assert answer["X-Request-ID"] not in {"", odd}
    assert answer.json()["request_id"] == answer["X-Request-ID"]


def test_who_asks_for_another_host_leaves_a_line_and_no_trace_of_calls(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert api(None).get("/whoami", host="evil.example").status_code == 400
    assert not [row for row in caplog.records if row.exc_info]
    assert "evil.example" not in caplog.text


def test_pages_carry_one_too() -> None:
    first, second = (browser().get("/accounts/login/") for _ in range(2))
    assert first["X-Request-ID"] != second["X-Request-ID"]


def test_what_a_request_causes_names_it_in_the_event() -> None:
    ann = person("Ann", {"admin": None})
    made = api(ann).post("/projects", {"slug": "risk", "name": "Risk"}, x_request_id=MINE.upper())
    assert made.status_code == 201
    bodies = [json.loads(event.body) for event in Event.objects.all()]
    caused = [body for body in bodies if body["cause"]["request"] == MINE.upper()]
    assert made.json()["id"] in str(caused)


def test_a_job_runs_and_logs_under_the_id_of_the_request_that_asked_for_it() -> None:
    seen: list[dict[str, Any]] = []

    @handler("tests.request_id", queue="control")
    def run(job: LeasedJob) -> None:
        seen.append({**structlog.contextvars.get_contextvars(), "job": job.request_id})

    with structlog.contextvars.bound_contextvars(request_id="shop-44"):
        job = enqueue("tests.request_id", project=project("risk").pk)
    assert Job.objects.get(pk=job.pk).request_id == "shop-44"
    assert run_due("control", 10, heartbeat=False) >= 1
    assert [s["request_id"] for s in seen] == ["shop-44"]
    assert seen[0]["job"] == "shop-44"
    assert seen[0]["job_id"] == job.pk
