"""Real Bentos in warm processes: they answer as those that were started afresh, and sooner."""

import http.client
import json
import time
from pathlib import Path
from typing import Any

import pytest

from placet_agent.process.holding import connect
from placet_agent.process.replica import Replica
from tests.e2e.agent.test_real_bentos import offer
from tests.integration.agent.conftest import NodeUnderTest
from tests.integration.agent.control import Platform
from tests.support.bentos import build
from tests.support.models import sklearn_model

pytestmark = [pytest.mark.e2e]
ID = "01234567-89ab-4cde-8f01-23456789abcd"
OWN = {"date", "x-placet-release", "x-placet-revision", "x-bentoml-request-id"}
WAIT = 240.0


def ask(node: NodeUnderTest, revision: str, path: str, body: bytes | None) -> tuple[Any, ...]:
    """Ask a revision's replica; return status, headers and body."""
    (replica,) = node.agent.replicas.of(revision)
    connection = http.client.HTTPConnection("replica")
    connection.sock = connect(replica.socket, 10)
    connection.request("GET" if body is None else "POST", path, body, {"X-Request-Id": ID})
    answer = connection.getresponse()
    raw = answer.read()
    connection.close()
    return answer.status, [h for h in answer.getheaders() if h[0].lower() not in OWN], raw


def replica_of(node: NodeUnderTest, revision: str) -> Replica:
    """Return the one replica of a revision."""
    (replica,) = node.agent.replicas.of(revision)
    return replica


def seconds(replica: Replica) -> float:
    """Return how long it took from its start to its answer that it is ready."""
    return replica.ready_at - replica.since


def test_who_is_taken_answers_as_who_is_started_afresh_and_sooner(
    platform: Platform, node: NodeUnderTest, tmp_path: Path
) -> None:
    model = sklearn_model()
    made = build(model, 1, tmp_path)
    offer(platform, made, tmp_path)
    rows = model.facts["example"]
    asked = [
        ("/predict", json.dumps(rows[0]).encode()),
        ("/predict", json.dumps({"instances": rows}).encode()),
        ("/predict", b'{"mean radius": "wide"}'),
        ("/predict", b"[1, 2"),
        ("/nowhere", None),
        ("/readyz", None),
        ("/schema.json", None),
    ]
    number = 0
    for server in ({}, {"server": "slim"}):
        number += 2
        first, second = (
            platform.revision(n, made.bento_digest, **server) for n in (number - 1, number)
        )
        platform.serve({**first, "weight": 10_000})
        platform.wait_phase(first["id"], "serving", WAIT)
        platform.wait(lambda: platform.reports[-1]["warm"] == 1, WAIT)
        time.sleep(0.5)  # until nothing is busy with what was prepared
        platform.serve({**first, "weight": 10_000}, second)
        platform.wait_phase(second["id"], "ready", WAIT)

        fresh, taken = replica_of(node, first["id"]), replica_of(node, second["id"])
        print(f"{server}: afresh {seconds(fresh):.2f} s, taken {seconds(taken):.2f} s")
        assert (fresh.record.taken, taken.record.taken) == (False, True)
        assert seconds(taken) < seconds(fresh)
        for path, body in asked:
            answers = [ask(node, one["id"], path, body) for one in (first, second)]
            assert answers[0] == answers[1], path
        platform.serve()
        platform.wait(lambda: not node.agent.replicas.all)
        platform.wait(lambda: platform.reports[-1]["warm"] == 0)
