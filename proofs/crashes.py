"""``make prove``: the governed path, run after run, while its processes are killed.

A platform serves ``--per-platform`` runs, then a new one takes its place. Each run arms points of
some kinds of process (the seed decides which), and every other one is struck from outside as well:
``kill -9`` of a process at a moment of chance, an emptied broker, forged messages. The whole log is
verified, and every row rebuilt from it, after every tenth run and at the end of a platform. The
result is written to ``proofs/results/crashes-DATE-COMMIT-seedN.json`` after every run, so that
an interrupted campaign counts as far as it came. It is gone on with by another seed; ``--total``
adds up what there is.
"""

import json
import random
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "platform"), str(ROOT)]

from proofs.record import RESULTS, commit  # noqa: E402
from tests.crashes import points  # noqa: E402
from tests.crashes.campaign import Campaign, Outcome, temporary  # noqa: E402
from tests.crashes.strikes import STRIKES  # noqa: E402

# How many points of each part are armed in runs by turns. A supervisor gives up a child that dies
# five times within a minute, and a run takes a quarter of one: none dies in every run.
# In the runs of ``STEPS`` a release goes out step by step; nothing else befalls these, for counts
# that died with a process make their analysis wait until it gives up.
GRADUAL = {"STEPS": 2}
BY_TURNS = ({"WEB": 1, "CONTROL": 1, "NODE": 1}, {"WEB": 2, "BUILD": 1}, GRADUAL)
WHOLE_EVERY = 10


@dataclass(frozen=True, slots=True)
class Drawn:
    """What befalls one run."""

    points: tuple[str, ...]
    strike: str
    seed: int


def endless(chance: random.Random, names: Sequence[str]) -> Iterator[str]:
    """Yield every name once in an order of chance, and again in another."""
    while True:
        yield from chance.sample(names, len(names))


def draw(
    seed: int, runs: int, per_platform: int, turns: Sequence[dict[str, int]] = BY_TURNS
) -> list[Drawn]:
    """Return what befalls each run: every part is gone through before anything comes twice."""
    chance = random.Random(seed)
    parts = {
        name: endless(chance, getattr(points, name))
        for name in ("WEB", "BUILD", "CONTROL", "STEPS", "NODE")
    }
    first, strikes = endless(chance, points.FIRST), endless(chance, sorted(STRIKES))
    drawn = []
    for number in range(runs):
        if number % per_platform == 0:  # a new platform, the only chance of these
            armed, strike = tuple(next(first) for _ in range(3)), ""
        else:
            turn = turns[number % len(turns)]
            armed = tuple(next(parts[name]) for name, count in turn.items() for _ in range(count))
            strike = next(strikes) if number % 2 and turn is not GRADUAL else ""
            if points.HAPROXY & set(armed):
                strike = "kill HAProxy"
        drawn.append(Drawn(armed, strike, seed * 100_000 + number))
    return drawn


def main() -> int:
    """Do what is asked for; 1 when any run left something wrong."""
    parser = ArgumentParser(description="Kill the platform at named points, run after run.")
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--per-platform", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--gradual", action="store_true", help="only releases that go step by step")
    parser.add_argument("--total", action="store_true", help="run nothing: add up what was run")
    options = parser.parse_args()
    if options.total:
        print(json.dumps(total(sorted(RESULTS.glob("crashes-*.json"))), indent=1))
        return 0
    return prove(options)


def prove(options: Namespace) -> int:
    """Carry out what was asked for; 1 when any run left something wrong."""
    begun, state = datetime.now(tz=UTC), commit()
    out = RESULTS / f"crashes-{begun:%Y%m%d-%H%M}-{state[:12]}-seed{options.seed}.json"
    result: dict[str, Any] = {
        "what": "register, build, release, predict, roll back; killed at each armed point",
        "date": begun.isoformat(timespec="seconds"),
        "commit": state,
        "seed": options.seed,
        "wanted_runs": options.runs,
        "runs": [],
    }
    turns = (GRADUAL,) if options.gradual else BY_TURNS
    drawn = draw(options.seed, options.runs, options.per_platform, turns)
    for start in range(0, options.runs, options.per_platform):
        with temporary() as campaign:
            for run in drawn[start : start + options.per_platform]:
                note(result, run, carry_out(campaign, run, options.per_platform), out)
    return int(result["summary"]["bad_runs"] > 0)


def carry_out(campaign: Campaign, run: Drawn, per_platform: int) -> Outcome:
    """Do one run, and now and then look at the whole log."""
    outcome = campaign.run(run.points, strike=run.strike, seed=run.seed)
    if campaign.runs % WHOLE_EVERY == 0 or campaign.runs == per_platform:
        outcome.faults += campaign.whole()
        outcome.log_checked = True
    return outcome


def note(result: dict[str, Any], run: Drawn, outcome: Outcome, out: Path) -> None:
    """Write down and say how a run ended."""
    runs = result["runs"]
    runs.append({"points": list(run.points), **asdict(outcome)})
    result["summary"] = summary(runs)
    whole = out.with_suffix(".part")  # who is interrupted here keeps the runs before this one
    whole.write_text(json.dumps(result, indent=1) + "\n")
    whole.replace(out)
    missed = f" MISSED {', '.join(outcome.missed)}" if outcome.missed else ""
    print(
        f"{len(runs)}/{result['wanted_runs']} {outcome.seconds} s {', '.join(outcome.hit)}"
        f" {outcome.strike}{missed} {'; '.join(outcome.faults) or 'ok'}",
        flush=True,
    )


def total(files: Iterable[Path]) -> dict[str, Any]:
    """Add up the runs of these files. Two of one seed may do the same: the longer counts."""
    found: dict[int, list[dict[str, Any]]] = {}
    for path in files:
        kept = json.loads(path.read_text())
        if "wanted_runs" not in kept:  # the first campaign, which counted otherwise
            continue
        if len(kept["runs"]) > len(found.get(kept["seed"], ())):
            found[kept["seed"]] = kept["runs"]
    return {"seeds": sorted(found)} | summary([run for runs in found.values() for run in runs])


def summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Count what a reader wants to know first."""
    hit = {point for run in runs for point in run["hit"]} & set(points.CAMPAIGN)
    return {
        "runs": len(runs),
        "bad_runs": sum(bool(run["faults"]) for run in runs),
        "runs_that_missed_a_point": sum(bool(run["missed"]) for run in runs),
        "kills_at_points": sum(len(run["hit"]) for run in runs),
        "strikes": sum(bool(run["strike"]) for run in runs),
        "points_hit": len(hit),
        "points_named": len(points.CAMPAIGN),
        "points_not_hit_yet": sorted(set(points.CAMPAIGN) - hit),
        "whole_log_checks": sum(run["log_checked"] for run in runs),
        "median_seconds": sorted(run["seconds"] for run in runs)[len(runs) // 2],
        "slowest_seconds": max(run["seconds"] for run in runs),
    }


if __name__ == "__main__":
    sys.exit(main())
