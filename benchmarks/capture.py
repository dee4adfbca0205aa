"""What capturing 10 % of the predictions costs a service.

Starts the whole platform with the accelerated forest behind two endpoints, one of which captures.
Eight callers with one open connection each ask for one row at a time; the two take turns, and every
answer is compared with the model's own. What the agent sends and the platform stores meanwhile
takes its share of the same machine. Prints one JSON object: medians over the rounds.

Usage: python benchmarks/capture.py [--rounds N] [--calls N] [--percent P]
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

from apps.operations.demo.story import BASE, MODEL, SCIENTIST, DemoStory  # noqa: E402
from benchmarks.predictions import Server, turn  # noqa: E402
from tests.support.installation import Running, running, signed_in  # noqa: E402


def endpoints(placet: Running, percent: float) -> tuple[dict[str, Server], list[Any], list[Any]]:
    """Put the forest behind two endpoints; return them, rows and answers."""
    with signed_in(placet) as people, people["contributor"].client(SCIENTIST) as client:
        story, operator = DemoStory(placet.url, people, lambda text: None), people["operator"]
        version, rows = story.register(client, "forest")
        begun = client.post(f"{version['path']}/builds", {"accelerate": True})
        built = client.wait(
            f"/builds/{begun['id']}",
            lambda b: b["state"] not in ("queued", "running"),
            seconds=900,
            every=0.5,
        )
        assert built["state"] == "succeeded", built["error"]
        servers: dict[str, Server] = {}
        for name, serving in (("plain", {}), ("captured", {"capture": {"percent": percent}})):
            asked = {
                "model": MODEL,
                "version": version["number"],
                "endpoint": name,
                "environment": "development",
                "serving": serving,
            }
            made = people["contributor"].do("POST", f"{BASE}/releases", asked)
            story.until_live(client, made["id"])
            place = operator.do("GET", f"/endpoints/{made['endpoint_id']}")
            servers[name] = Server(f"{place['url']}/predict", "row", "prediction")
    return servers, rows, version["expected"]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--calls", type=int, default=1600, help="a turn")
    parser.add_argument("--percent", type=float, default=10)
    asked = parser.parse_args()
    rates: dict[str, list[float]] = {"plain": [], "captured": []}
    with (
        tempfile.TemporaryDirectory(prefix="placet-bench-") as folder,
        running(Path(folder) / "data") as placet,
    ):
        servers, rows, expected = endpoints(placet, asked.percent)
        for n in range(asked.rounds):
            for name in sorted(servers, reverse=n % 2 == 0):
                rates[name].append(turn(servers[name], rows, expected, asked.calls))
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
