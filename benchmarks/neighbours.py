"""What a replica feels of another one that means harm, on one node.

A node with three tenants (``tests/integration/agent/tenants.py``), its agent started by root. One
is called at a steady rate from a process of its own while another tries, again and again, to use up
what the host has, or to get at what is not its own. A round is some seconds of quiet and some of
that; its figure is the ratio of the 99th hundredths. The median of the rounds must be at most 1.5.
Writes ``benchmarks/results/neighbours-…json``; ends with 1 when a median is higher.

Usage: python benchmarks/neighbours.py [--rounds N] [--seconds S] [--seed N] [--only NAME …]
           [--limits-off] [--to FILE]
"""

import argparse
import json
import os
import random
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "platform"), str(ROOT)]

from placet_agent.process import limits  # noqa: E402
from proofs.record import commit  # noqa: E402
from tests.integration.agent.steady import p99, steadily  # noqa: E402
from tests.integration.agent.tenants import PATHS, Tenants, hostile, tenants  # noqa: E402

MOST = 1.5
PER_SECOND = 100.0
# Its end is the end of its replica, so that there is nothing to do again and again.
ONCE = {"shut_its_own_socket"}


def groups() -> dict[str, list[str]]:
    """Return what is tried at a time: each bomb alone, the short attempts by their kind."""
    found = {name: [name] for name in hostile("bombs").ATTEMPTS if name not in ONCE}
    for part in ("reaching", "files", "calls"):
        found[part] = list(hostile(part).ATTEMPTS)
    return found


@contextmanager
def trying(node: Tenants, names: list[str], seconds: float) -> Iterator[list[str]]:
    """Have the hostile tenant try these again and again meanwhile; the list holds its answers."""
    ended, told = threading.Event(), []

    def again() -> None:
        while not ended.is_set():
            for name in names:
                if ended.is_set():
                    return
                told.append(node.attempt(name, seconds=str(seconds)))
                if told[-1].startswith("status"):
                    ended.wait(0.1)  # it has ended itself, and is being started anew

    thread = threading.Thread(target=again)
    thread.start()
    try:
        yield told
    finally:
        ended.set()
        thread.join()


def measured(node: Tenants, seconds: float) -> list[float]:
    """Call the neighbour for so long; return how long each call took."""
    with steadily(node.port, f"{PATHS['neighbour']}/who", PER_SECOND) as found:
        time.sleep(seconds)
    return found


def round_of(node: Tenants, names: list[str], seconds: float) -> dict[str, Any]:
    """Return one round: quiet first, then while the hostile tenant tries something."""
    node.await_hostile(120)
    quiet = measured(node, seconds)
    with trying(node, names, seconds) as told:
        time.sleep(0.3)
        tried = measured(node, seconds)
    return {
        "quiet_ms": round(p99(quiet), 2),
        "tried_ms": round(p99(tried), 2),
        "failed": sum(one < 0 for one in tried),
        "attempts": len(told),
        "ratio": round(p99(tried) / p99(quiet), 3),
        "load": os.getloadavg()[0],
    }


def play(rounds: int, seconds: float, seed: int, only: list[str], off: bool) -> dict[str, Any]:
    """Return the rounds and the median of each group."""
    wanted = {name: found for name, found in groups().items() if not only or name in only}
    order = [name for name in wanted for _ in range(rounds)]
    random.Random(seed).shuffle(order)
    told: dict[str, list[dict[str, Any]]] = {name: [] for name in wanted}
    with tenants(**({"PLACET_TEST_LIMITS": "off"} if off else {})) as node:
        for name in order:
            told[name].append(round_of(node, wanted[name], seconds))
            print(f"{name}: {told[name][-1]}", flush=True)
    return {
        name: {"median": statistics.median(one["ratio"] for one in found), "rounds": found}
        for name, found in sorted(told.items())
    }


def main() -> int:
    """Measure, write the proof; return 1 when somebody's neighbour felt too much."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--limits-off", action="store_true")
    parser.add_argument("--to", type=Path)
    asked = parser.parse_args()
    load = os.getloadavg()
    groups_found = play(asked.rounds, asked.seconds, asked.seed, asked.only, asked.limits_off)
    slow = {name: g["median"] for name, g in groups_found.items() if g["median"] > MOST}
    proof = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "seed": asked.seed,
        "cpus": os.cpu_count(),
        "load_before": load,
        "limits": "off" if asked.limits_off else limits.limiter().kind,
        "per_second": PER_SECOND,
        "seconds": asked.seconds,
        "most": MOST,
        "slow": slow,
        "tried": groups_found,
    }
    name = f"neighbours-{datetime.now(UTC):%Y%m%d-%H%M}-{commit()}-seed{asked.seed}.json"
    path = asked.to or ROOT / "benchmarks/results" / name
    path.write_text(json.dumps(proof, indent=1) + "\n")
    print(json.dumps({n: g["median"] for n, g in groups_found.items()}, indent=1), path)
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
