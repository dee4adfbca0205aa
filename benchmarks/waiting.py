"""``make prove``: what a thousand nodes that wait cost people, and how soon they learn of changes.

Starts the whole platform as a user does (two web processes with 16 threads each, two processes of
the control worker) and has ``--nodes`` join it, each with a key and something live of its own. The
nodes poll from one process of their own; nothing serves behind them.

- Rounds by turns: people look at pages while nobody waits, and while all nodes do. The figure is
  the ratio of the p95 of the two, its median over the rounds with the interval of that.
- Nodes' states change one after another: seconds from the commit to the node's having it.
- One node's key sends forty polls: how many of them are held.
- One recall that concerns all, by the action, with states signed by the worker: seconds from asking
  for it to the last node's having it.

Written to ``benchmarks/results/waiting-DATE-COMMIT.json``; 1 when a goal is missed.
"""

import json
import os
import select
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "platform"), str(ROOT)]

from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: E402

from benchmarks.intervals import interval  # noqa: E402
from placet_verify.signing.keys import PrivateKey  # noqa: E402
from proofs.record import commit  # noqa: E402
from tests.support.pollers import Caller, Crowd, Ear, Waiter  # noqa: E402
from tests.support.processes import until  # noqa: E402

GOALS = {"pages_ratio": 1.2, "change_p99_seconds": 1.0, "recall_seconds": 30.0, "held_of_40": 1}
PAGES = ("/", "/models/", "/releases/", "/endpoints/", "/policies/")
READERS, CHANGES, POLLS = 2, 200, 40


# --- the process of the nodes ---------------------------------------------------------------------


def be_crowd(port: int, file: Path) -> None:
    """Poll for every node of ``file`` until stdin ends; say each state that one learns."""

    def say(waiter: Waiter) -> None:
        _line([waiter.id, waiter.known[1], time.time()])

    rows = json.loads(file.read_text())
    waiters = [Waiter(i, key_of(pem), (e, n)) for i, pem, e, n in rows]
    with Crowd([port], waiters, spread=True, told=say) as crowd:
        sys.stdin.read()
    _line({"answers": crowd.answers, "failures": crowd.failures})


def _line(value: Any) -> None:
    """Print one line at once: the crowd has a thread of its own."""
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def key_of(pem: str) -> PrivateKey:
    """Return the key that a file has."""
    return PrivateKey(load_pem_private_key(pem.encode(), None))  # type: ignore[arg-type]


@dataclass
class Nodes:
    """The nodes, and what they said that they learned: by node, number and time."""

    port: int
    folder: Path
    waiters: list[Waiter]
    learned: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    told: dict[str, Any] = field(default_factory=dict)

    @contextmanager
    def waiting(self, database: str) -> Iterator[None]:
        """Have all of them wait."""
        import psycopg

        file = self.folder / "nodes.json"
        rows = [[w.id, w.key.to_pem().decode(), *w.known] for w in self.waiters]
        file.write_text(json.dumps(rows))
        command = [sys.executable, __file__, "--crowd", str(self.port), str(file)]
        with psycopg.connect(database, autocommit=True) as connection:
            ear = Ear(connection)
            crowd = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            reader = threading.Thread(target=self._read, args=[crowd.stdout])
            reader.start()
            try:
                ear.wait_for(*self.waiters, seconds=120)
                yield
            finally:
                crowd.communicate()
                reader.join()

    def _read(self, lines: Any) -> None:
        for line in lines:
            said = json.loads(line)
            if isinstance(said, dict):
                self.told = said
            else:
                self.learned.setdefault(said[0], []).append((said[1], said[2]))

    def when(self, node: str, number: int) -> float | None:
        """Return when a node had a state of this number or a later one."""
        return next((at for n, at in self.learned.get(node, ()) if n >= number), None)


# --- the platform ---------------------------------------------------------------------------------


def prepared(placet: Any, count: int) -> Any:
    """Connect Django to the platform; return a fleet of nodes that each serve the same Bento."""
    os.environ |= {
        "PLACET_DATA_DIR": str(placet.data),
        "PLACET_PROCESS": "manage",
        "PLACET_LOG_LEVEL": "error",
        "DJANGO_SETTINGS_MODULE": "placet.settings",
        "PLACET_MAX_TARGETS": str(count + 1),
        "PLACET_MAX_ENDPOINTS": str(count + 1),
    }
    import django

    django.setup()
    from django.conf import settings

    from apps.governance import actions as governance
    from placet.kernel.actor import SYSTEM
    from tests.support.fleet import Fleet
    from tests.support.world import World

    settings.ALLOWED_HOSTS = [*settings.ALLOWED_HOSTS, "testserver"]
    world = World()
    fleet = Fleet(world, world.bento(world.version("bad")), world.bento(world.version("good")))
    targets = [world.another_target(f"edge-{number}") for number in range(count)]
    place = world.environment("development")
    governance.update_environment(place, targets=[world.target, *targets], actor=SYSTEM)
    for number, target in enumerate(targets, 1):
        fleet.members.append(fleet.member(target, "bad alone", "answers"))
        if number % 100 == 0:
            print(f"{number} nodes serve", flush=True)
    return fleet


def settled() -> None:
    """Wait until no job is due any more: what preparing left behind is no part of any figure."""
    from apps.jobs.models import Job
    from placet.kernel.clock import now

    due = Job.objects.filter(state__in=("queued", "running"), due_at__lte=now())
    until(lambda: not due.exists(), seconds=900, what="the worker has nothing to do")


def refreshed(nodes: Nodes, fleet: Any) -> None:
    """Have the nodes know the states that there are now."""
    from apps.serving.models import DesiredState

    rows = DesiredState.objects.values_list("target__node", "epoch", "number")
    known = {node: (epoch, number) for node, epoch, number in rows}
    for waiter in nodes.waiters:
        waiter.known = known[waiter.id]


def web_processes(placet: Any) -> list[int]:
    """Return the pids of the web processes that answer."""

    def children(pid: int) -> list[int]:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    found = [
        pid
        for pid in children(placet.process.pid)
        if b"gunicorn" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    return [worker for pid in found for worker in children(pid)]


def memory(placet: Any) -> list[float]:
    """Return the MiB that each web process has in memory."""
    texts = [Path(f"/proc/{pid}/status").read_text() for pid in web_processes(placet)]
    return sorted(round(int(t.partition("VmRSS:")[2].split()[0]) / 1024, 1) for t in texts)


# --- what is measured -----------------------------------------------------------------------------


def pages(people: list[Any], seconds: float) -> float:
    """Have people look at pages for so long; return the p95 of the seconds that one takes."""
    took: list[float] = []
    over = time.monotonic() + seconds

    def read(person: Any) -> None:
        number = 0
        while time.monotonic() < over:
            begun = time.monotonic()
            answer = person.http.get(PAGES[number % len(PAGES)])
            took.append(time.monotonic() - begun)
            assert answer.status_code == 200, answer.url
            number += 1

    with ThreadPoolExecutor(len(people)) as pool:
        list(pool.map(read, people))
    return sorted(took)[int(0.95 * len(took))]


def change(nodes: Nodes, fleet: Any) -> list[float]:
    """Sign another state for one node after another; return the seconds until each had it."""
    from apps.serving.desired import sign_state
    from apps.serving.models import DesiredState

    late = []
    for number in range(CHANGES):
        node = fleet.members[number * len(fleet.members) // CHANGES].node
        target = node.row.target_id
        DesiredState.objects.filter(target=target).update(content_digest="")
        wanted = sign_state(target).number
        signed = time.time()
        until(lambda n=node.id, w=wanted: nodes.when(n, w), what="it learned of it")  # type: ignore[misc]
        late.append((nodes.when(node.id, wanted) or 0.0) - signed)
    return late


def recall_all(nodes: Nodes, fleet: Any) -> dict[str, float]:
    """Recall what all of them run; return seconds to the action's end and to the last node."""
    from apps.assurance.actions import recall
    from apps.serving.models import DesiredState

    before = dict(DesiredState.objects.values_list("target__node", "number"))
    begun = time.time()
    recall(
        kind="bento",
        what=fleet.bad.pk,
        reason="It answers wrongly",
        project=fleet.world.project,
        actor=fleet.world.otto,
    )
    acted = time.time() - begun
    ids = [waiter.id for waiter in nodes.waiters]
    times = lambda: [nodes.when(i, before[i] + 1) for i in ids]  # noqa: E731
    until(lambda: None not in times(), seconds=600, what="all learned of the recall")
    each = sorted(at - begun for at in times() if at is not None)
    return {
        "action": round(acted, 2),
        "half": round(each[len(each) // 2], 2),
        "last": round(each[-1], 2),
    }


def forty(nodes: Nodes) -> int:
    """Send forty polls with one key; return how many are held."""
    waiter = nodes.waiters[0]
    callers = [Caller(nodes.port).send(waiter.request(25)) for _ in range(POLLS)]
    silent = set(callers)
    while ready := select.select([caller.wire for caller in silent], [], [], 5)[0]:
        for caller in [caller for caller in silent if caller.wire in ready]:
            assert caller.answer()[0] == 409
            silent.remove(caller)
    for caller in callers:
        caller.leave()
    return len(silent)


def measure(placet: Any, nodes: Nodes, fleet: Any, options: Any) -> dict[str, Any]:
    """Do all of it; return the figures."""
    database = placet.known["database_url"]
    alone, beside, rounds = list[float](), list[float](), []
    with ExitStack() as stack:
        people = [stack.enter_context(placet.person("operator")) for _ in range(READERS)]
        look = partial(pages, people, options.seconds)
        look()  # the first ones do not count
        alone = memory(placet)
        for number in range(options.rounds):
            first = look() if number % 2 else 0.0
            with nodes.waiting(database):
                waiting = look()
                beside = memory(placet)
            rounds.append({"none": first or look(), "waiting": waiting})
            print(number + 1, json.dumps(rounds[-1]), flush=True)
    with nodes.waiting(database):
        late = change(nodes, fleet)
    refreshed(nodes, fleet)
    held = forty(nodes)
    with nodes.waiting(database):
        recalled = recall_all(nodes, fleet)
    return {
        "rounds": rounds,
        "changes": [round(s, 3) for s in late],
        "recall": recalled,
        "held_of_40": held,
        "memory_mib": {"none": alone, "waiting": beside},
        "crowd": nodes.told,
    }


def judged(found: dict[str, Any]) -> dict[str, Any]:
    """Return the figures beside their goals, and which of them miss theirs."""
    ratios = [one["waiting"] / one["none"] for one in found["rounds"]]
    late = sorted(found["changes"])
    figures = {
        "pages_ratio": round(statistics.median(ratios), 3),
        "change_p99_seconds": late[int(0.99 * len(late))],
        "recall_seconds": found["recall"]["last"],
        "held_of_40": found["held_of_40"],
    }
    missed = [name for name, goal in GOALS.items() if figures[name] > goal]
    low, high = interval(ratios)
    return {
        "figures": figures,
        "pages_interval": [round(low, 3), round(high, 3)],
        "pages_p95_ms": {
            which: round(1000 * statistics.median(one[which] for one in found["rounds"]), 1)
            for which in ("none", "waiting")
        },
        "missed": missed,
    }


def main() -> int:
    """Measure, write the result down; 1 when a goal is missed."""
    parser = ArgumentParser(description="Have many nodes wait while people look at pages.")
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=15, help="of each half of a round")
    parser.add_argument("--crowd", nargs=2, metavar=("PORT", "FILE"), help="be the nodes' process")
    options = parser.parse_args()
    if options.crowd:
        be_crowd(int(options.crowd[0]), Path(options.crowd[1]))
        return 0
    from tests.support.installation import running

    begun, state, load = datetime.now(tz=UTC), commit(), os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="placet-bench-") as name:
        folder = Path(name)
        with running(folder / "data") as placet:
            fleet = prepared(placet, options.nodes)
            settled()
            port = urlsplit(placet.url).port
            assert port is not None
            nodes = Nodes(port, folder, [Waiter.of(member.node) for member in fleet.members])
            refreshed(nodes, fleet)
            found = measure(placet, nodes, fleet, options)
    result = {
        "what": "pages beside nodes that wait for their states, and how soon these learn",
        "date": begun.isoformat(timespec="seconds"),
        "commit": state,
        "nodes": options.nodes,
        "load_before": load,
        "goals": GOALS,
        **judged(found),
        **found,
    }
    out = ROOT / "benchmarks" / "results" / f"waiting-{begun:%Y%m%d-%H%M}-{state[:12]}.json"
    out.write_text(json.dumps(result, indent=1) + "\n")
    shown = {
        name: result[name]
        for name in (
            "figures",
            "pages_interval",
            "pages_p95_ms",
            "recall",
            "memory_mib",
            "crowd",
            "missed",
        )
    }
    print(json.dumps(shown, indent=1))
    return int(bool(result["missed"]))


if __name__ == "__main__":
    sys.exit(main())
