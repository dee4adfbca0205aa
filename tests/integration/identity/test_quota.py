"""How many requests a minute a token and a person may make."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from placet.kernel import quota
from placet.kernel.config import config
from placet.kernel.quota import QuotaMeter
from tests.support.factories import api, browser, person, token_for
from tests.support.processes import Valkey, running_valkey

AT = datetime(2026, 11, 25, 9, 0, 40, tzinfo=UTC)  # 20 s before the minute ends


@pytest.fixture
def three_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """Little enough to use up, in a minute that does not end meanwhile."""
    monkeypatch.setattr(config(), "token_requests_per_minute", 3)
    monkeypatch.setattr(config(), "session_requests_per_minute", 3)
    monkeypatch.setattr(quota, "now", lambda: AT)
    quota.meter.cache_clear()


@pytest.mark.django_db
@pytest.mark.usefixtures("three_a_minute")
class TestAnswers:
    def test_each_answer_says_what_is_left(self) -> None:
        ada = api(token_for(person("Ada")))
        answers = [ada.get("/whoami") for _ in range(2)]
        assert [a.status_code for a in answers] == [200, 200]
        assert [a["RateLimit-Policy"] for a in answers] == ['"token";q=3;w=60'] * 2
        assert [a["RateLimit"] for a in answers] == ['"token";r=2;t=20', '"token";r=1;t=20']

    def test_one_too_many_is_429_and_says_when_to_come_again(self) -> None:
        ada = api(token_for(person("Ada")))
        for _ in range(3):
            ada.get("/whoami")
        answer = ada.get("/whoami")
        assert answer.status_code == 429
        assert answer["Content-Type"] == "application/problem+json"
        assert (answer["Retry-After"], answer["RateLimit"]) == ("20", '"token";r=0;t=20')
        body = json.loads(answer.content)
        assert body["code"] == "too_many_requests"
        assert "3 requests a minute" in body["detail"]

    def test_a_token_has_a_quota_of_its_own(self) -> None:
        ada = person("Ada")
        one, other = api(token_for(ada)), api(token_for(ada))
        for _ in range(4):
            one.get("/whoami")
        assert one.get("/whoami").status_code == 429
        assert other.get("/whoami").status_code == 200

    def test_the_sessions_of_a_person_share_one_on_pages_and_api(self) -> None:
        ada = person("Ada")
        here, there = browser(ada), api(ada)
        assert [here.get("/").status_code for _ in range(2)] == [200, 200]
        assert there.get("/whoami")["RateLimit"] == '"session";r=0;t=20'
        page = here.get("/")
        assert page.status_code == 429
        assert b"Too many requests" in page.content
        assert browser(person("Bob")).get("/").status_code == 200

    def test_a_refused_request_changes_nothing_and_may_be_sent_again_under_its_key(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ann = api(person("Ann", roles={"admin": None}))
        body = {"slug": "risk", "name": "Risk"}
        for _ in range(3):
            ann.get("/whoami")
        assert ann.post("/projects", body, idempotency_key="once").status_code == 429
        monkeypatch.setattr(quota, "now", lambda: AT + timedelta(seconds=21))
        assert ann.get("/projects").json()["items"] == []
        assert ann.post("/projects", body, idempotency_key="once").status_code == 201

    def test_strangers_are_answered_401_and_nodes_are_never_made_to_wait(self) -> None:
        for _ in range(5):
            answer = api().get("/whoami")
            node = api().get("/agent/v1/state")
        assert (answer.status_code, "RateLimit" in answer) == (401, False)
        assert (node.status_code != 429, "RateLimit" in node) == (True, False)

    def test_zero_means_no_limit(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(config(), "token_requests_per_minute", 0)
        ada = api(token_for(person("Ada")))
        answers = [ada.get("/whoami") for _ in range(5)]
        assert {a.status_code for a in answers} == {200}
        assert "RateLimit" not in answers[0]


def test_two_processes_count_together_and_miss_nothing(valkey: Valkey) -> None:
    web = [QuotaMeter(valkey.url), QuotaMeter(valkey.url)]
    with ThreadPoolExecutor(8) as threads:
        counted = list(threads.map(lambda n: web[n % 2].count("tok_1", 10).used, range(200)))
    assert sorted(counted) == list(range(1, 201))
    assert web[0].count("tok_2", 10).used == 1


def test_a_flush_lets_the_minute_begin_anew(valkey: Valkey) -> None:
    meter = QuotaMeter(valkey.url)
    assert [meter.count("tok_1", 10).used for _ in range(3)] == [1, 2, 3]
    valkey.command("FLUSHALL")
    assert meter.count("tok_1", 10).used == 1


def test_what_is_counted_does_not_stay_in_valkey(valkey: Valkey) -> None:
    QuotaMeter(valkey.url).count("tok_1", 10)
    from redis import Redis

    with Redis(unix_socket_path=str(valkey.socket)) as client:
        (key,) = client.keys()
        assert 0 < client.ttl(key) <= 120


def test_without_valkey_each_process_counts_by_itself_until_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quota, "now", lambda: AT)
    with running_valkey(tmp_path) as first:
        one, two = QuotaMeter(first.url), QuotaMeter(first.url)
        assert [one.count("tok_1", 10).used, two.count("tok_1", 10).used] == [1, 2]
        first.process.kill()
        first.process.wait()
        assert [m.count("tok_1", 10).used for m in (one, one, two)] == [1, 2, 1]
    first.socket.unlink(missing_ok=True)
    with running_valkey(tmp_path):
        one._silent_until = two._silent_until = 0.0
        assert [one.count("tok_1", 10).used, two.count("tok_1", 10).used] == [1, 2]


def test_a_valkey_that_hangs_holds_nobody_up_for_long(valkey: Valkey) -> None:
    import signal
    import time

    meter = QuotaMeter(valkey.url)
    meter.count("tok_1", 10)
    valkey.process.send_signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        for _ in range(50):
            meter.count("tok_1", 10)
        assert time.monotonic() - began < 3  # asked twice at most, then left alone
    finally:
        valkey.process.send_signal(signal.SIGCONT)


def test_other_brokers_are_left_alone() -> None:
    assert quota.connect("") is None
    assert quota.connect("sentinel://localhost:26379") is None
