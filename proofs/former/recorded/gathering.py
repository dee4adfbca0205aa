"""A pytest plugin: keeps one event of each kind that any test brings about, and new reports."""

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError

Found = dict[str, dict[str, Any]]
events: Found = {}
reports: Found = {}


def gather() -> None:
    """Look at what a test leaves."""
    from apps.audit.models import Event
    from apps.audit.queries.events import sentence

    for row in Event.objects.order_by("index"):
        body = json.loads(row.body)
        if body["kind"].startswith("test."):  # a test's own
            continue
        events.setdefault(
            body["kind"],
            {
                "index": row.index,
                "leaf_hash": bytes(row.leaf_hash).hex(),
                "body": row.body,
                "sentence": sentence(body["kind"], body["data"]),
            },
        )


@pytest.fixture(autouse=True)
def gathered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Keep what each test's nodes report."""
    from tests.recorded.recording import every_report, form

    sent = every_report(monkeypatch)
    yield
    reports.update({form(report): report for report in sent if form(report) not in reports})


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Look before the rows are gone; a test without a database has none."""
    with suppress(RuntimeError, DatabaseError):
        gather()


def pytest_sessionfinish() -> None:
    """Write down what the platform that was recorded has not."""
    from tests.recorded.recording import lines

    folder = Path(os.environ["PLACET_RECORDED"])
    log = (folder / "log" / "events.jsonl").read_text().splitlines()
    there = {json.loads(json.loads(line)["body"])["kind"] for line in log}
    lines(
        folder / "other-events.jsonl",
        [e for kind, e in sorted(events.items()) if kind not in there],
    )
    known = (folder / "reports.jsonl").read_text().splitlines()
    lines(folder / "reports.jsonl", [*map(json.loads, known), *reports.values()])
