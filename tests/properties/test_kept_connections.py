"""Clients that keep their connection get their own answer to each request, in order, whatever the
server made of the one before: over the real gunicorn, alone and behind a proxy that keeps its own.

``make prove`` sends 10,000 requests, CI 1,000. What is sent depends on ``--hypothesis-seed`` alone;
every kind is drawn in each manner and over each way, or the test fails.
"""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import hypothesis
import pytest

from proofs.record import RESULTS, commit
from tests.properties.kept.asked import KINDS
from tests.properties.kept.clients import Client, missing
from tests.properties.kept.drawn import LEAVING, SMALL, turns
from tests.properties.kept.serving import WAYS, Web, served
from tests.support.factories import person, token_for
from tests.support.world import World

pytestmark = pytest.mark.django_db(transaction=True)
PROVING = hypothesis.settings.default.max_examples > 100
REQUESTS, CLIENTS = (10_000 if PROVING else 1_000), 6  # two clients on each way


@pytest.fixture
def web(world: World, tmp_path: Path) -> Iterator[Web]:
    """The web process, with a model in its database."""
    world.version()
    with served(tmp_path) as made:
        yield made


def test_every_request_on_a_kept_connection_has_its_own_answer(
    web: Web, world: World, request: pytest.FixtureRequest
) -> None:
    seed, begun = int(request.config.getoption("--hypothesis-seed") or 1), datetime.now(UTC)
    token = token_for(person("Adele", roles={"contributor": world.project}))
    clients = []
    for number in range(CLIENTS):
        via, share = WAYS[number % len(WAYS)], -(-REQUESTS // CLIENTS)
        drawn = turns(f"{seed} {number}", number * 1_000_000, share, token)
        clients.append(Client(via, web.ports[via], drawn))
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    wrong = [line for client in clients for line in client.wrong]
    told = sum((client.told for client in clients), Counter[tuple[str, ...]]())
    sent = told.total() - sum(told["paused", way] for way in WAYS)
    print(said(told))
    assert not wrong, f"{len(wrong)} of {sent}: " + "; ".join(wrong[:10])
    assert sent >= REQUESTS
    assert missing(told, WAYS, SMALL, LEAVING) == [], "never drawn"
    log = web.log.read_text()
    assert "Traceback" not in log, log[log.index("Traceback") - 500 :][:5000]
    assert '"code": 5' not in log
    if PROVING:
        keep(seed, begun, sent, told)


def said(told: Counter[tuple[str, ...]]) -> dict[str, dict[str, int]]:
    """Return the requests of each kind by way and manner, and by what part of them they are."""
    found: dict[str, Counter[str]] = {}
    for (kind, *more), count in sorted(told.items()):
        whole = f"{KINDS[kind].of}: {kind}" if kind in KINDS else kind
        found.setdefault(whole, Counter())[", ".join(more)] += count
    return {kind: dict(counts) for kind, counts in found.items()}


def keep(seed: int, begun: datetime, sent: int, told: Counter[tuple[str, ...]]) -> None:
    """Write down what was asked; no answer was wrong."""
    state = commit()
    path = RESULTS / f"kept-{begun:%Y%m%d-%H%M}-{state[:12]}-seed{seed}.json"
    whole = {
        "begun": begun.isoformat(),
        "commit": state,
        "seed": seed,
        "requests": sent,
        "wrong": 0,
        "seconds": round((datetime.now(UTC) - begun).total_seconds()),
        "said": said(told),
    }
    path.write_text(json.dumps(whole, indent=1) + "\n")
