"""Windows of counts, as the meter closes them and the platform reads them."""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import time_machine

from placet_agent.haproxy.admin import Admin, BackendCounters
from placet_agent.process.procs import find
from placet_agent.reports.metrics import RequestMeter, parse_line, window_end
from placet_protocol.report.windows import read_window
from tests.support.processes import until

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("took", "told"), [(10.0, 10.0), (3700.0, 3600.0), (0.0003, 0.001), (0.0, 0.001)]
)
def test_a_window_is_one_that_the_platform_reads_however_late_it_was_closed(
    tmp_path: Path, took: float, told: float
) -> None:
    meter = RequestMeter(tmp_path, Admin(tmp_path), seconds=1000)
    meter.start()
    line = parse_line("m2 1 e000r1 rev_1 200 3 - - -")
    assert line is not None
    meter._count(line)
    meter._close_window(datetime.now(UTC), took)
    ((window,), _) = meter.take()
    meter.stop()
    read = read_window(json.loads(json.dumps(window)), "/metrics/0")
    assert (read["seconds"], read["status_2xx"]) == (told, 1)


@pytest.mark.parametrize(
    ("lost", "told"),
    [(1, "1 request of e000r1 was not logged"), (2, "2 requests of e000r1 were not logged")],
)
def test_lines_of_a_haproxy_that_had_the_same_pid_hide_none_that_are_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: int, told: str
) -> None:
    now = find(os.getpid())
    assert now is not None
    (tmp_path / "logged.json").write_text(json.dumps({f"{now.pid} {now.start - 1} e000r1": 40}))
    meter = RequestMeter(tmp_path, Admin(tmp_path), seconds=1000)
    monkeypatch.setattr(meter.admin, "info", lambda: {"Pid": str(now.pid)})
    monkeypatch.setattr(meter.admin, "backends", lambda: {"e000r1": BackendCounters(lost + 1, 0)})
    meter.start()
    line = parse_line(f"m2 {now.pid} e000r1 rev_1 200 3 - - -")
    assert line is not None
    meter._count(line)
    meter._close_window(datetime.now(UTC), 10)
    ((window,), gaps) = meter.take()
    meter.stop()
    what = "1 request is" if lost == 1 else f"{lost} requests are"
    assert gaps == [told]
    assert window["error"] == f"{what} not in these counts"
    kept = json.loads((tmp_path / "logged.json").read_text())
    assert kept == {f"{now.pid} {now.start} e000r1": lost + 1}


def test_what_an_older_agent_counted_goes_on(tmp_path: Path) -> None:
    now = find(os.getpid())
    assert now is not None
    (tmp_path / "logged.json").write_text(json.dumps({f"{now.pid} e000r1": 40}))
    meter = RequestMeter(tmp_path, Admin(tmp_path), seconds=1000)
    meter.start()
    assert meter._logged == {(now, "e000r1"): 40}
    meter.stop()


@pytest.mark.parametrize(
    ("began", "length", "ends"), [(0, 10, 10), (9.999, 10, 10), (10.2, 10, 20), (3.1, 2, 4)]
)
def test_a_window_ends_at_a_whole_multiple_of_its_length(
    began: float, length: float, ends: float
) -> None:
    assert window_end(NOON + timedelta(seconds=began), length) == NOON + timedelta(seconds=ends)


def test_the_first_window_is_as_short_as_it_must_be_for_no_other_to_lie_in_two_stretches(
    tmp_path: Path,
) -> None:
    meter = RequestMeter(tmp_path, Admin(tmp_path), seconds=600)
    line = parse_line("m2 1 e000r1 rev_1 200 3 - - -")
    assert line is not None
    with time_machine.travel(NOON + timedelta(seconds=599.7)):
        meter.start()
        meter._count(line)
        until(lambda: meter._finished, what="the first window")
        meter._count(line)
        meter.stop()
    first, second = meter.take()[0]
    assert datetime.fromisoformat(first["started_at"]) < NOON + timedelta(seconds=600)
    assert datetime.fromisoformat(second["started_at"]) >= NOON + timedelta(seconds=600)


@pytest.mark.parametrize(
    "line",
    [
        "200 3 limited - - --",
        "503 3 - 5a17-500 0123456789abcdef sQ",
        "503 3 - 5a17-500 0123456789abcdef CQ",
    ],
)
def test_what_a_limit_refused_counts_apart_and_for_no_unit(tmp_path: Path, line: str) -> None:
    heard: list[str | None] = []
    meter = RequestMeter(
        tmp_path, Admin(tmp_path), seconds=1000, heed=lambda one: heard.append(one.cohort)
    )
    meter.start()
    for text in (
        f"m3 1 e000r1 rev_1 {line}",
        "m3 1 e000r1 rev_1 503 3 - 5a17-500 0123456789abcdef sC",
    ):
        read = parse_line(text)
        assert read is not None
        meter._count(read)
    meter._close_window(datetime.now(UTC), 10)
    ((window,), _) = meter.take()
    meter.stop()
    read_back = read_window(json.loads(json.dumps(window)), "/metrics/0")
    limited = read_back["apart"]["limited"]
    assert limited["status_2xx"] + limited["status_5xx"] == 1
    assert read_back["status_5xx"] == 1
    assert sum(read_back["first"]["latency"].values()) == 1
    assert heard == ["limited", None]
