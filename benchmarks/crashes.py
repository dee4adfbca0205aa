"""``make prove``: the whole path, killed at every named point, run after run.

Each run starts a new platform and arms one point of each part: any job, build, rollout, node. The
seed alone decides which ones meet. Twelve runs go through all points once. The result is written
to ``benchmarks/proofs/crashes-DATE-COMMIT.json`` after every run, so that an interrupted campaign
counts as far as it came.
"""

import json
import random
import subprocess
import sys
from argparse import ArgumentParser
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "platform"), str(ROOT)]

from tests import crashes  # noqa: E402

PARTS = (crashes.ANY_JOB, crashes.BUILD, crashes.ROLLOUT, crashes.NODE)
ENOUGH = max(len(part) for part in PARTS)


def draw(seed: int, runs: int) -> list[tuple[str, ...]]:
    """Return the points of each run: every part is gone through, in an order of its own."""
    chance = random.Random(seed)
    orders = []
    for part in PARTS:
        order: list[str] = []
        while len(order) < runs:
            order += chance.sample(part, len(part))
        orders.append(order[:runs])
    return list(zip(*orders, strict=True))


def commit() -> str:
    """Return the commit that is checked out, marked when files differ from it."""
    command = ["git", "describe", "--always", "--abbrev=12", "--exclude=*", "--dirty=+changes"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def main() -> int:
    """Run the campaign; 1 when any run left something wrong."""
    parser = ArgumentParser(description="Kill the platform at named points, run after run.")
    parser.add_argument("--runs", type=int, default=ENOUGH)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    begun, state = datetime.now(tz=UTC), commit()
    out = ROOT / "benchmarks" / "proofs" / f"crashes-{begun:%Y%m%d-%H%M}-{state[:12]}.json"
    out.parent.mkdir(exist_ok=True)
    result: dict[str, Any] = {
        "what": "register, build, release, predict; killed once at each armed point",
        "date": begun.isoformat(timespec="seconds"), "commit": state, "seed": options.seed,
        "runs": [],
    }  # fmt: skip
    for number, points in enumerate(draw(options.seed, options.runs), 1):
        outcome = crashes.one(points)
        missed = sorted(set(points) - set(outcome.hit))
        result["runs"].append({"points": list(points), "missed": missed, **asdict(outcome)})
        print(f"{number}/{options.runs} {outcome.seconds} s {', '.join(outcome.hit)}"
              f"{' MISSED ' + ', '.join(missed) if missed else ''}"
              f" {'; '.join(outcome.faults) or 'ok'}", flush=True)  # fmt: skip
        summary(result)
        out.write_text(json.dumps(result, indent=1) + "\n")
    return int(result["summary"]["bad_runs"] > 0)


def summary(result: dict[str, Any]) -> None:
    """Count what a reader wants to know first."""
    runs = result["runs"]
    hit = {point for run in runs for point in run["hit"]}
    result["summary"] = {
        "runs": len(runs),
        "bad_runs": sum(bool(run["faults"] or run["missed"]) for run in runs),
        "kills": sum(len(run["hit"]) for run in runs),
        "points": len(hit),
        "points_never_hit": sorted({p for run in runs for p in run["points"]} - hit),
        "slowest_seconds": max(run["seconds"] for run in runs),
    }


if __name__ == "__main__":
    sys.exit(main())
