"""``make prove``: how often the analysis of a rollout is wrong, and how soon it is right.

Simulated windows go through the functions that judge real ones (``apps.rollouts.analysis``), with
a look after every window. Beside them stands what is done elsewhere: a fixed-size z-test, asked
again after every window.

- *False alarms*: a canary of four steps between two equal revisions, errors and latency; how many
  rollouts are stopped. The goal is α = 1 % of a rollout.
- *Power*: twice the errors at 0.1, 1 and 5 %, half or 5 % of the requests on the candidate; the
  median of its requests until it is stopped, relative to the size that a pooled two-proportion
  z-test needs for 80 % power. The goal is 1.5; a run that never stops counts as infinite. The
  same *as planned*, with the part of α that errors have in a canary of four steps that looks at
  latency too: there is no goal for that, it is what the promise for a whole rollout costs.
- *Margin*: a candidate exactly as bad as allowed; how often it is stopped, and how often passed.

The result is written to ``proofs/results/analysis-DATE-COMMIT.json`` after every part.
"""

import json
import math
import statistics
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "platform"), str(ROOT)]

from apps.rollouts.analysis.findings import RATIO_PART, AnalysisTerms, score  # noqa: E402
from apps.rollouts.analysis.metrics import JudgedMetric  # noqa: E402
from apps.rollouts.analysis.records import Sums, Window  # noqa: E402
from apps.rollouts.analysis.verdicts import ALPHA, split_is_off, step_alpha  # noqa: E402
from proofs.analysis_courses import PER_WINDOW, SCENARIOS, Course  # noqa: E402
from proofs.analysis_effects import CASES, effects  # noqa: E402
from proofs.analysis_limits import own_bursts, sticky  # noqa: E402
from proofs.record import RESULTS, commit  # noqa: E402

SHARES = (0.01, 0.05, 0.25, 0.5)  # of the candidate, step by step
WINDOWS = 50  # looks in each step
SLOW_MS = 250
ERRORS, SLOW = JudgedMetric("error_rate"), JudgedMetric("latency", milliseconds=SLOW_MS)
Z_ALPHA, Z_POWER = 2.3263478740, 0.8416212336  # one-sided 1 %, power 80 %
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def rotated(requests: np.ndarray, share: float, chance: np.random.Generator) -> np.ndarray:
    """Return the candidate's requests of each window as HAProxy's accumulator deals them out."""
    ends = np.floor(np.cumsum(requests) * share + chance.random()).astype(int)
    return np.diff(ends, prepend=0)


def drawn(requests: np.ndarray, share: float, chance: np.random.Generator) -> np.ndarray:
    """Return the candidate's units of each window as a hash deals them out."""
    return chance.binomial(requests, share)


def window(revision: str, place: int, count: int, errors: int, slow: int) -> Window:
    """Return a window as a node reports it."""
    return Window(
        "nod_1",
        revision,
        BEGAN + timedelta(seconds=10 * place),
        10.0,
        errors,
        count,
        {"250": count - slow, "inf": slow},
    )


def windows_of(
    course: Course, start: int, counts: np.ndarray, chance: np.random.Generator, revision: str
) -> Iterator[Window]:
    """Yield the windows of one revision in one step."""
    end = start + len(counts)
    errors = chance.binomial(counts, np.minimum(course.errors[start:end], 1))
    slow = chance.binomial(counts, np.minimum(course.slow[start:end], 1))
    rows = zip(counts.tolist(), errors.tolist(), slow.tolist(), strict=True)
    for place, (count, bad, late) in enumerate(rows):
        yield window(revision, start + place, count, bad, late)


def stopped_at(
    course: Course, split: Callable[..., np.ndarray], chance: np.random.Generator
) -> tuple[int | None, int | None]:
    """Return at which look a rollout is stopped: by the analysis, and by a z-test asked each time.

    The z-test has the same α for each metric and step, but spends it at every look anew.
    """
    terms = [AnalysisTerms((ERRORS, SLOW), share, step_alpha(len(SHARES))) for share in SHARES]
    critical = statistics.NormalDist().inv_cdf(1 - terms[0].alpha_of(ERRORS))
    ours: int | None = None
    peeked: int | None = None
    for step, term in enumerate(terms):
        start = step * WINDOWS
        counts = course.requests[start : start + WINDOWS]
        mine = split(counts, term.share, chance)
        new, old = Sums(), Sums()
        pairs = zip(
            windows_of(course, start, mine, chance, "new"),
            windows_of(course, start, counts - mine, chance, "old"),
            strict=True,
        )
        for place, (fresh, stable) in enumerate(pairs):
            new, old = new.plus(fresh), old.plus(stable)
            if ours is None and is_stopped(new, old, term):
                ours = start + place
            if peeked is None and z_test(new, old) > critical:
                peeked = start + place
            if ours is not None and peeked is not None:
                return ours, peeked
    return ours, peeked


def is_stopped(new: Sums, old: Sums, terms: AnalysisTerms) -> bool:
    """Tell whether the analysis would stop the rollout at this look."""
    failed = any(score(m, new, old, terms).outcome == "failed" for m in terms.metrics)
    return failed or split_is_off(new, old, terms)


def z_test(new: Sums, old: Sums) -> float:
    """Return the larger of the two pooled z values."""
    found = 0.0
    for metric in (ERRORS, SLOW):
        mine, stable = metric.tallies(new, old, "worse")
        total = mine.trials + stable.trials
        pooled = (mine.bad + stable.bad) / total if total else 0.0
        if not mine.trials or not stable.trials or not 0 < pooled < 1:
            continue
        spread = math.sqrt(pooled * (1 - pooled) * (1 / mine.trials + 1 / stable.trials))
        found = max(found, (mine.bad / mine.trials - stable.bad / stable.trials) / spread)
    return found


def false_alarms(name: str, rollouts: int, seed: int, *, by_unit: bool = False) -> dict[str, Any]:
    """Simulate rollouts between equal revisions; return how many were stopped, and when."""
    chance = np.random.default_rng([seed, list(SCENARIOS).index(name), by_unit])
    looks = len(SHARES) * WINDOWS
    ours, peeked = np.zeros(looks, int), np.zeros(looks, int)
    for _ in range(rollouts):
        course = SCENARIOS[name](chance, looks)
        mine, theirs = stopped_at(course, drawn if by_unit else rotated, chance)
        for look, into in ((mine, ours), (theirs, peeked)):
            if look is not None:
                into[look] += 1
    return {
        "scenario": name + (", by unit" if by_unit else ""),
        "rollouts": rollouts,
        "looks": looks,
        "alpha": ALPHA,
        "stopped": rate_of(int(ours.sum()), rollouts),
        "stopped_by_peeking": rate_of(int(peeked.sum()), rollouts),
        "by_look": (np.cumsum(ours)[9::10] / rollouts).tolist(),
        "by_look_peeking": (np.cumsum(peeked)[9::10] / rollouts).tolist(),
    }


def rate_of(count: int, of: int) -> dict[str, float]:
    """Return a share with its Monte-Carlo error (one standard deviation)."""
    share = count / of
    error = math.sqrt(max(share * (1 - share), 1 / of) / of)
    return {"rate": round(share, 6), "error": round(error, 6)}


def fixed_size(stable: float, new: float, share: float) -> float:
    """Return how many requests of the candidate the pooled z-test needs for 80 % power at 1 %."""
    pooled = share * new + (1 - share) * stable
    null = pooled * (1 - pooled) * (1 / share + 1 / (1 - share))
    other = new * (1 - new) / share + stable * (1 - stable) / (1 - share)
    total = (Z_ALPHA * math.sqrt(null) + Z_POWER * math.sqrt(other)) ** 2 / (new - stable) ** 2
    return total * share


def power(stable: float, share: float, alpha: float, runs: int, seed: int) -> dict[str, Any]:
    """Return how many requests of the candidate pass until twice the errors stop it."""
    chance = np.random.default_rng([seed, round(stable * 1e4), round(share * 1e4)])
    new, size = 2 * stable, fixed_size(stable, 2 * stable, share)
    terms = AnalysisTerms((ERRORS,), share, alpha / (1 - RATIO_PART))
    needed = [until_stopped(stable, new, size, terms, chance) for _ in range(runs)]
    median = statistics.median(needed)
    return {
        "stable": stable,
        "candidate": new,
        "share": share,
        "alpha": alpha,
        "runs": runs,
        "fixed_size": round(size),
        "median": round(median) if math.isfinite(median) else None,
        "ratio": round(median / size, 3) if math.isfinite(median) else None,
        "within_fixed_size": sum(n <= size for n in needed) / runs,
        "never_within_6_times": sum(math.isinf(n) for n in needed) / runs,
    }


def until_stopped(
    stable: float, new: float, size: float, terms: AnalysisTerms, chance: np.random.Generator
) -> float:
    """Return the candidate's requests at the first look that stops it; 40 looks a fixed size."""
    each = size / 40 / terms.share
    requests = chance.poisson(each, 240)
    mine = rotated(requests, terms.share, chance)
    bad, other = chance.binomial(mine, new), chance.binomial(requests - mine, stable)
    fresh, old = Sums(), Sums()
    rows = zip(mine.tolist(), bad.tolist(), (requests - mine).tolist(), other.tolist(), strict=True)
    for place, (count, errors, rest, failed) in enumerate(rows):
        fresh = fresh.plus(window("new", place, count, errors, 0))
        old = old.plus(window("old", place, rest, failed, 0))
        if score(ERRORS, fresh, old, terms).outcome == "failed":
            return fresh.requests
    return math.inf


def at_the_margin(runs: int, seed: int, share: float = 0.25) -> dict[str, Any]:
    """Return how often a candidate exactly as bad as allowed is stopped, and how often passed."""
    chance = np.random.default_rng([seed, 7])
    metric, rate = JudgedMetric("error_rate", margin=0.01), 0.02
    terms = AnalysisTerms((metric,), share, ALPHA / (1 - RATIO_PART))
    ends = {"failed": 0, "successful": 0, "inconclusive": 0}
    for _ in range(runs):
        requests = chance.poisson(PER_WINDOW, 200)
        mine = rotated(requests, share, chance)
        bad = chance.binomial(mine, rate + metric.margin)
        other = chance.binomial(requests - mine, rate)
        ends[first_outcome(metric, terms, mine, bad, requests - mine, other)] += 1
    return {
        "stable": rate,
        "margin": metric.margin,
        "share": share,
        "looks": 200,
        "runs": runs,
        "alpha": ALPHA,
        "stopped": rate_of(ends["failed"], runs),
        "passed": rate_of(ends["successful"], runs),
    }


def first_outcome(metric: JudgedMetric, terms: AnalysisTerms, *columns: np.ndarray) -> str:
    """Return what is said first that is not inconclusive."""
    new, old = Sums(), Sums()
    rows = zip(*(column.tolist() for column in columns), strict=True)
    for place, (count, errors, rest, failed) in enumerate(rows):
        new = new.plus(window("new", place, count, errors, 0))
        old = old.plus(window("old", place, rest, failed, 0))
        outcome = score(metric, new, old, terms).outcome
        if outcome != "inconclusive":
            return outcome
    return "inconclusive"


Part = tuple[str, dict[str, Any]]


def right_soon(rollouts: int, runs: int, seed: int) -> Iterator[Part]:
    """Yield how soon a candidate that is worse is stopped, and what becomes of one at the limit."""
    for rate in (0.001, 0.01, 0.05):
        for share in (0.5, 0.05):
            yield "power", power(rate, share, ALPHA, runs, seed)
            planned = AnalysisTerms((ERRORS, SLOW), share, step_alpha(len(SHARES))).alpha_of(ERRORS)
            yield "power_as_planned", power(rate, share, planned, runs, seed)
    yield "margin", at_the_margin(runs, seed)


def wrong_seldom(name: str, *, by_unit: bool = False) -> Callable[[int, int, int], Iterator[Part]]:
    """Return what yields how often equal revisions are stopped in one scenario."""

    def part(rollouts: int, runs: int, seed: int) -> Iterator[Part]:
        yield "false_alarms", false_alarms(name, rollouts, seed, by_unit=by_unit)

    return part


def limits(rollouts: int, runs: int, seed: int) -> Iterator[Part]:
    """Yield the cases that lie at the edge of what is assumed, or beyond."""
    rollouts = max(rollouts // 10, 1)
    setting = {"shares": SHARES, "windows": WINDOWS, "per_window": PER_WINDOW, "window": window}
    for name, count in sticky(rollouts, seed, **setting).items():
        yield (
            "limits",
            {
                "case": f"units that stick, counted {name}",
                "rollouts": rollouts,
                "stopped": rate_of(count, rollouts),
            },
        )
    for margin in (0.0, 0.05):
        slow = JudgedMetric("latency", margin=margin, milliseconds=SLOW_MS)
        count = own_bursts(rollouts, seed, **setting, slow=slow)
        case = f"latency of each revision swings by itself, margin {margin:g}"
        yield "limits", {"case": case, "rollouts": rollouts, "stopped": rate_of(count, rollouts)}


def ab_tests(rollouts: int, runs: int, seed: int) -> Iterator[Part]:
    """Yield how A/B tests end: between equal revisions, at the edge of the effect, beyond it."""
    for name in CASES:
        yield "ab_tests", effects(name, runs, seed, split=rotated, window=window)


PARTS: dict[str, Callable[[int, int, int], Iterator[Part]]] = {
    "power": right_soon,
    **{name: wrong_seldom(name) for name in SCENARIOS},
    "units": wrong_seldom("steady", by_unit=True),
    "limits": limits,
    "ab_tests": ab_tests,
}


def main() -> int:
    """Simulate, write the result down; 1 when a goal is missed."""
    parser = ArgumentParser(description="Simulate rollouts and count wrong verdicts.")
    parser.add_argument("--rollouts", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=PARTS, help="one part of it")
    options = parser.parse_args()
    begun, state = datetime.now(tz=UTC), commit()
    suffix = f"-{options.only}" if options.only else ""
    out = RESULTS / f"analysis-{begun:%Y%m%d-%H%M}-{state[:12]}{suffix}.json"
    result: dict[str, Any] = {
        "what": "false alarms and power of the analysis of rollouts, with a look at every window",
        "date": begun.isoformat(timespec="seconds"),
        "commit": state,
        "seed": options.seed,
        "power": [],
        "power_as_planned": [],
        "margin": [],
        "false_alarms": [],
        "limits": [],
        "ab_tests": [],
    }
    chosen = [PARTS[options.only]] if options.only else PARTS.values()
    for name, found in chain.from_iterable(
        part(options.rollouts, options.runs, options.seed) for part in chosen
    ):
        result[name].append(found)
        result["missed"] = missed(result)
        out.write_text(json.dumps(result, indent=1) + "\n")
        print(name, {k: v for k, v in found.items() if not k.startswith("by_look")}, flush=True)
    return int(bool(result["missed"]))


def missed(result: dict[str, Any]) -> list[str]:
    """Return the goals that are missed by more than three Monte-Carlo errors."""
    found = [
        f"power at {p['stable']:g}, share {p['share']:g}: {p['ratio']}"
        for p in result["power"]
        if p["ratio"] is None or p["ratio"] > 1.5
    ]
    wrong = [(f["scenario"], f["stopped"]) for f in result["false_alarms"]]
    wrong += [
        (f"A/B test, {a['case']}", rate_of(round(a["shown"] * a["runs"]), a["runs"]))
        for a in result["ab_tests"]
        if a["case"] == "equal"
    ]
    wrong += [("margin", m[way]) for m in result["margin"] for way in ("stopped", "passed")]
    return found + [
        f"{name}: {r['rate']:.4f}" for name, r in wrong if r["rate"] > ALPHA + 3 * r["error"]
    ]


if __name__ == "__main__":
    sys.exit(main())
