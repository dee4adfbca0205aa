"""What a node tells arrives, whatever happens while it tells it."""

from typing import Any

import pytest

from placet_agent.client import Rejected
from placet_agent.loop import Agent
from placet_agent.observed import Observed
from placet_protocol.report import NodeError
from tests.integration.agent.control import Platform
from tests.integration.agent.test_faulty_documents import agent

__all__ = ["agent"]


def during(agent: Agent, monkeypatch: pytest.MonkeyPatch, work: Any) -> None:
    """Have something happen while the next report is on its way, and once."""
    report = agent.client.report

    def on_its_way(envelope: str) -> Any:
        monkeypatch.setattr(agent.client, "report", report)
        work()
        return report(envelope)

    monkeypatch.setattr(agent.client, "report", on_its_way)


@pytest.mark.parametrize("waiting", [1, 50], ids=["one", "as many as are kept"])
def test_what_is_found_while_a_report_is_on_its_way_is_told_by_the_next(
    agent: Agent, platform: Platform, monkeypatch: pytest.MonkeyPatch, waiting: int
) -> None:
    for number in range(waiting):
        agent.reporter.error("metrics_gap", f"gap {number}")
    during(agent, monkeypatch, lambda: agent.reporter.error("metrics_gap", "one more"))

    assert agent.reporter._post()
    assert agent.reporter._post()
    first, second = ([row["detail"] for row in r["errors"]] for r in platform.reports)
    assert first == [f"gap {number}" for number in range(waiting)]
    assert second == ["one more"]


def test_what_was_over_before_a_report_of_it_arrived_is_told_once(
    agent: Agent, platform: Platform
) -> None:
    stood, down, other = (
        NodeError(code="haproxy", detail=text) for text in ("stood still", "does not run", "other")
    )
    agent.reporter.show(Observed(errors=(stood, other)))
    agent.reporter.show(Observed(errors=(down, other)))
    assert agent.reporter._post()
    agent.reporter.show(Observed())
    assert agent.reporter._post()

    first, second = ([row["detail"] for row in r["errors"]] for r in platform.reports)
    assert first == ["stood still", "does not run", "other"]
    assert second == []


def test_whatever_ends_a_report_the_next_one_brings_what_it_had(
    agent: Agent, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent.reporter.error("metrics_gap", "told in the end")
    agent.meter.give_back([{"revision": "rev_1"}])  # type: ignore[typeddict-item]

    def fault() -> None:
        raise OSError(24, "Too many open files")

    during(agent, monkeypatch, fault)
    assert not agent.reporter._post()
    assert agent.reporter._post()
    (report,) = platform.reports
    assert [row["detail"] for row in report["errors"]] == ["told in the end"]
    assert [row["revision"] for row in report["metrics"]] == ["rev_1"]


def test_counts_that_the_platform_does_not_read_come_with_no_second_report(
    agent: Agent, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent.meter.give_back([{"revision": "rev_1"}])  # type: ignore[typeddict-item]

    def refuse() -> None:
        at = [{"pointer": "/metrics/0/seconds", "detail": "Must be a number above 0"}]
        raise Rejected(400, "invalid_input", "", {"errors": at})

    during(agent, monkeypatch, refuse)
    assert not agent.reporter._post()
    assert agent.reporter._post()
    assert platform.reports[-1]["metrics"] == []


def test_counts_that_the_platform_has_too_many_of_are_kept_and_what_is_seen_goes_at_once(
    agent: Agent, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent.reporter.error("metrics_gap", "told in the end")
    agent.meter.give_back([{"revision": "rev_1"}])  # type: ignore[typeddict-item]

    def refuse() -> None:
        raise Rejected(429, "too_many_windows", "", {})

    during(agent, monkeypatch, refuse)
    assert not agent.reporter._post()
    assert agent.reporter._post()
    assert [row["detail"] for row in platform.reports[-1]["errors"]] == ["told in the end"]
    assert platform.reports[-1]["metrics"] == []
    monkeypatch.setattr(agent.reporter, "_held_until", 0.0)
    assert agent.reporter._post()
    assert [row["revision"] for row in platform.reports[-1]["metrics"]] == ["rev_1"]


def test_a_node_that_forgot_its_last_report_goes_on_behind_it(
    agent: Agent, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent.reporter.show(Observed())
    assert agent.reporter._post()
    platform.reports[-1]["number"] += 10**9  # this host's clock was put back by days
    (agent.home.folder / "reported.json").write_bytes(b"")
    agent.home._reported = 0

    assert not agent.reporter._post()
    assert agent.reporter._post()
    assert platform.reports[-1]["number"] == platform.reports[-2]["number"] + 1
