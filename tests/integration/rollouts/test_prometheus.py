"""Asking a real Prometheus, and one that answers as none does."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from apps.rollouts.analysis import Threshold
from apps.rollouts.analysis.readings import Reading
from apps.rollouts.models import Look
from apps.rollouts.prometheus import readings
from placet.kernel.clock import now
from placet.kernel.config import config
from placet.kernel.problems import InvalidInput
from tests.integration.rollouts.test_analysing import Canary
from tests.support.processes import until
from tests.support.prometheus import Server, reading, serving
from tests.support.story import Story


@pytest.fixture
def server() -> Iterator[Server]:
    """A server on loopback."""
    with serving() as told:
        yield told


@pytest.fixture
def prometheus(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A Prometheus that reads the server every second."""
    server.body = b'refunds{revision="rev_1"} 1.5\nrefunds{revision="rev_2"} 7\n'
    with reading(server, tmp_path) as url:
        monkeypatch.setattr(config(), "prometheus_url", url)
        yield


def ask(query: str, *, at_most: float = 2.0, seconds: int = 10, ago: float = 600) -> Reading:
    """Ask for a step that began so many seconds ago."""
    since = now() - timedelta(seconds=ago)
    asked = [Threshold(query, at_most, "at_most", seconds)]
    (found,) = readings(asked, {"revision": "rev_1", "stable": "rev_2"}, since=since, now=now())
    return found


def test_a_bound_is_kept_or_broken_for_as_long_as_it_says(prometheus: None) -> None:
    mine, theirs = 'refunds{revision="$revision"}', 'refunds{revision="$stable"}'
    until(lambda: ask(mine).value == 1.5, what="a value of Prometheus")
    until(lambda: ask(mine).outcome == "successful", what="ten seconds of values")
    assert ask(theirs).sentence == (
        'refunds{revision="$stable"} is 7; at most 2 allowed. It was not so for 10 s.'
    )
    assert ask(theirs).outcome == "failed"
    assert ask(mine, ago=5).outcome == "inconclusive"
    assert ask(mine, seconds=600).outcome == "error"  # it knows a few seconds
    assert ask("sum(refunds)", at_most=9).outcome == "successful"
    assert "gives 2 series: make it one" in ask("refunds").sentence
    assert ask("nothing_of_that_name").outcome == "error"
    assert "is not a number" in ask("sum(refunds) / 0").sentence
    assert ask("sum(refunds) / 0 * 0").outcome == "error"
    assert "parse error" in ask("sum(refunds").sentence
    assert ask('"text"').outcome == "error"


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (200, b"", "it answers 200, and not as Prometheus does"),
        (200, b"[]", "not as Prometheus does"),
        (200, b"[" * 100_000, "not as Prometheus does"),
        (200, b'{"status": "success"}', "not as Prometheus does"),
        (503, b'{"status": "error", "error": "too busy"}', "it answers 503: too busy"),
        (302, b"", "it answers 302"),
        (401, b"who are you?", "it answers 401"),
        (200, b'{"status":"success","data":{"resultType":"vector","result":[]}}', "no series"),
        (200, b'{"status":"success","data":{"resultType":"matrix","result":[1]}}', "no series"),
        (200, b'{"status":"success","data":{"resultType":"matrix","result":[{}]}}', "no values"),
        (
            200,
            b'{"status":"success","data":{"resultType":"matrix","result":[{"values":[[1,"x"]]}]}}',
            "no values",
        ),
    ],
)
def test_what_cannot_be_read_is_an_error_in_words(
    server: Server, monkeypatch: pytest.MonkeyPatch, status: int, body: bytes, why: str
) -> None:
    server.status, server.body = status, body
    monkeypatch.setattr(config(), "prometheus_url", server.url)
    found = ask("up")
    assert found.outcome == "error"
    assert why in found.sentence


def test_nobody_there_and_none_set_up_are_errors_too(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ask("up").sentence.endswith("none is set up (PLACET_PROMETHEUS_URL)")
    monkeypatch.setattr(config(), "prometheus_url", "http://127.0.0.1:9")
    assert "The call failed" in ask("up").sentence


def test_a_token_goes_with_the_question(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config(), "prometheus_url", server.url)
    monkeypatch.setattr(config(), "prometheus_token", SecretStr("secret"))
    ask('refunds{revision="$revision"}')
    headers, body = server.asked[0]
    assert headers["Authorization"] == "Bearer secret"
    assert "rev_1" in body and "step=1&" in body


@pytest.mark.django_db
@pytest.mark.usefixtures("first_release")
def test_it_stops_a_release(story: Story, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    refunds = {
        "metric": "prometheus",
        "query": 'refunds{revision="$revision"}',
        "at_most": 2,
        "for_seconds": 10,
    }
    with pytest.raises(InvalidInput) as refusal:
        Canary(story, metrics=[refunds])
    assert refusal.value.errors[0].pointer == "/plan/steps"
    monkeypatch.setattr(config(), "prometheus_url", server.url)
    canary = Canary(story, metrics=[refunds])
    canary.report((500, 0), (9_500, 0))
    assert canary.place == ("analysing", 1)
    assert Look.objects.latest("at").verdict["outcome"] == "error"
    end = now().timestamp()
    values = [[end - 20 + second, "7.5"] for second in range(21)]
    server.body = json.dumps(
        {"status": "success", "data": {"resultType": "matrix", "result": [{"values": values}]}}
    ).encode()
    canary.settle()
    assert canary.row.state == "failed"
    assert "is 7.5; at most 2 allowed. It was not so for 10 s" in canary.row.reason
    (kept,) = Look.objects.latest("at").verdict["readings"]
    assert (kept["value"], kept["outcome"], kept["limit"]) == (7.5, "failed", 2)
    assert canary.row.to_revision_id in server.asked[-1][1]


@pytest.mark.django_db
@pytest.mark.usefixtures("first_release")
def test_harm_that_is_shown_does_not_wait_for_its_answer(
    story: Story, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config(), "prometheus_url", server.url)
    metrics = [{"metric": "error_rate"}, {"metric": "prometheus", "query": "up", "at_most": 2}]
    canary = Canary(story, metrics=metrics)
    asked = len(server.asked)
    canary.report((500, 250), (9_500, 0))
    assert canary.row.state == "failed"
    assert len(server.asked) == asked
