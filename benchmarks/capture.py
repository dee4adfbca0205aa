"""What capturing 10 % of the predictions costs a service.

Starts the whole platform with the accelerated forest behind two endpoints, one of which captures.
Eight connections of ``wrk`` on a core of its own ask for one row at a time; the two take turns, and
every answer is compared. What the agent sends and the platform stores meanwhile takes its share of
the core that serves. Prints one JSON object: medians over the rounds.

Usage: python benchmarks/capture.py [--rounds N] [--seconds S] [--percent P] [--slim]
"""

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "platform"), str(ROOT)]

from apps.operations.demo.story import SCIENTIST, DemoStory  # noqa: E402
from benchmarks.callers import Server, stay_on_first_core, turn  # noqa: E402
from benchmarks.predictions import built, released  # noqa: E402
from tests.support.installation import Running, running, signed_in  # noqa: E402


def endpoints(
    placet: Running, percent: float, server: dict[str, str]
) -> tuple[dict[str, Server], list[Any], list[Any]]:
    """Put the forest behind two endpoints; return them, rows and answers."""
    with signed_in(placet) as people, people["contributor"].client(SCIENTIST) as client:
        story = DemoStory(placet.url, people, lambda text: None)
        version, rows = story.register(client, "forest")
        built(client, version["path"], accelerate=True)
        servers: dict[str, Server] = {}
        for name, captures in (("plain", {}), ("captured", {"capture": {"percent": percent}})):
            servers[name] = released(placet, people, client, version, name, server | captures)
    return servers, rows, version["expected"]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=5, help="a turn")
    parser.add_argument("--percent", type=float, default=10)
    parser.add_argument("--slim", action="store_true")
    asked = parser.parse_args()
    core = stay_on_first_core()
    rates: dict[str, list[float]] = {"plain": [], "captured": []}
    with (
        tempfile.TemporaryDirectory(prefix="placet-bench-") as folder,
        running(Path(folder) / "data") as placet,
    ):
        servers, rows, expected = endpoints(
            placet, asked.percent, {"server": "slim"} if asked.slim else {}
        )
        for n in range(asked.rounds):
            for name in sorted(servers, reverse=n % 2 == 0):
                seen = turn(
                    servers[name], rows[n % len(rows)], expected[n % len(rows)], asked.seconds, core
                )
                rates[name].append(seen.rate)
    ratios = [a / b for a, b in zip(rates["captured"], rates["plain"], strict=True)]
    found = {name: round(statistics.median(some), 1) for name, some in rates.items()}
    told = {
        "percent": asked.percent,
        "ratio": round(statistics.median(ratios), 3),
        "ratios": [round(r, 3) for r in sorted(ratios)],
    }
    print(json.dumps({"capture": found | told}))


if __name__ == "__main__":
    main()
