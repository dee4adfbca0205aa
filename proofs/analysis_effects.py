"""A/B tests: how often an effect is said to be there that is not, and how soon one is found.

Windows go through the functions that judge real tests, with a look after every one; a run ends as
the reconciler would end it. Rates are of errors; half of the requests go to the candidate.
"""

import math
import statistics
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from apps.rollouts.analysis.findings import AnalysisTerms, score
from apps.rollouts.analysis.metrics import JudgedMetric
from apps.rollouts.analysis.records import Sums
from apps.rollouts.analysis.verdicts import split_is_off

STABLE, MINIMUM, ALPHA, SHARE = 0.05, 0.01, 0.05, 0.5
LOOKS, PER_WINDOW = 100, 400
# name → the candidate's rate
CASES = {"equal": STABLE, "at the edge": STABLE - MINIMUM, "twice": STABLE - 2 * MINIMUM}
Z_ALPHA, Z_POWER = 1.6448536270, 0.8416212336  # one-sided 5 %, power 80 %
Split = Callable[[np.ndarray, float, np.random.Generator], np.ndarray]


def terms() -> AnalysisTerms:
    """Return what is declared: less errors, and latency as its guard."""
    guard = JudgedMetric("latency", margin=0.05, milliseconds=250)
    return AnalysisTerms((JudgedMetric("error_rate").seeking(MINIMUM), guard), SHARE, ALPHA)


def ab_test(
    new: float, chance: np.random.Generator, *, split: Split, window: Any
) -> tuple[str, int]:
    """Return how one test ends, and after how many requests of the candidate."""
    declared, fresh, old = terms(), Sums(), Sums()
    requests = chance.poisson(PER_WINDOW, LOOKS)
    mine = split(requests, SHARE, chance)
    bad, other = chance.binomial(mine, new), chance.binomial(requests - mine, STABLE)
    rows = zip(mine.tolist(), bad.tolist(), (requests - mine).tolist(), other.tolist(), strict=True)
    for place, (count, errors, rest, failed) in enumerate(rows):
        fresh = fresh.plus(window("new", place, count, errors, count // 20))
        old = old.plus(window("old", place, rest, failed, rest // 20))
        if split_is_off(fresh, old, declared):
            return "split", fresh.requests
        effect, guard = (score(metric, fresh, old, declared).outcome for metric in declared.metrics)
        if guard == "failed":
            return "guard", fresh.requests
        if effect in ("successful", "failed"):
            return effect, fresh.requests
    return "not enough", fresh.requests


def effects(name: str, runs: int, seed: int, *, split: Split, window: Any) -> dict[str, Any]:
    """Return how ``runs`` tests end, and the median of their requests to an effect."""
    chance = np.random.default_rng([seed, 23, list(CASES).index(name)])
    ends = [ab_test(CASES[name], chance, split=split, window=window) for _ in range(runs)]
    said = Counter(end for end, _ in ends)
    until = [count if end == "successful" else math.inf for end, count in ends]
    median = statistics.median(until)
    return {
        "case": name,
        "stable": STABLE,
        "candidate": CASES[name],
        "minimum_effect": MINIMUM,
        "alpha": ALPHA,
        "looks": LOOKS,
        "runs": runs,
        "ends": dict(said),
        "shown": said["successful"] / runs,
        "median": round(median) if math.isfinite(median) else None,
        "fixed_size": round(fixed_size(CASES["twice"])) if name == "twice" else None,
    }


def fixed_size(new: float) -> float:
    """Return how many requests of the candidate a z-test against the minimum needs, asked once."""
    spread = new * (1 - new) / SHARE + STABLE * (1 - STABLE) / (1 - SHARE)
    return (Z_ALPHA + Z_POWER) ** 2 * spread / (STABLE - MINIMUM - new) ** 2 * SHARE
