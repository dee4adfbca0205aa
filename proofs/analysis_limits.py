"""Where the tests of ``apps.rollouts.analysis`` hold and where they do not: two hard cases.

- *Units that stick*: each unit keeps its revision, sends as many requests as Zipf says, and has an
  error rate of its own. Counted by request the tests are wrong; counted by unit, each by its first
  request of a step, they are right.
- *Bursts of one revision's own*: latency swings slowly in each revision by itself.
"""

import math
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from apps.rollouts.analysis.findings import AnalysisTerms, score
from apps.rollouts.analysis.metrics import JudgedMetric
from apps.rollouts.analysis.records import Sums, Window
from apps.rollouts.analysis.verdicts import step_alpha

UNITS, ZIPF = 3_000, 1.1


def sticky(
    rollouts: int,
    seed: int,
    *,
    shares: tuple[float, ...],
    windows: int,
    per_window: int,
    window: Any,
) -> dict[str, int]:
    """Return how many rollouts between equal revisions are stopped, by request and by unit."""
    chance, stopped = np.random.default_rng([seed, 11]), Counter({"by request": 0, "by unit": 0})
    for _ in range(rollouts):
        rates, place = chance.beta(0.2, 19.8, UNITS), chance.random(UNITS)
        failed: set[str] = set()
        for share in shares:
            terms = AnalysisTerms((JudgedMetric("error_rate"),), share, step_alpha(len(shares)))
            course = unit_windows(chance, rates, place < share, windows, per_window, window)
            failed |= failures(terms, course)
        stopped.update(failed)
    return dict(stopped)


def unit_windows(
    chance: np.random.Generator,
    rates: np.ndarray,
    moved: np.ndarray,
    windows: int,
    per_window: int,
    window: Any,
) -> Iterator[dict[str, tuple[Window, Window]]]:
    """Yield the windows of a step, candidate and stable, counted both ways."""
    weight = 1 / np.arange(1, UNITS + 1) ** ZIPF
    edges, seen = np.cumsum(weight / weight.sum()), np.zeros(UNITS, bool)
    for look in range(windows):
        who = np.searchsorted(edges, chance.random(chance.poisson(per_window)))
        who = np.minimum(who, UNITS - 1)
        bad, first = chance.random(len(who)) < rates[who], np.zeros(len(who), bool)
        first[np.unique(who, return_index=True)[1]] = True
        first &= ~seen[who]
        seen[who] = True
        new = moved[who]

        def counted(
            which: np.ndarray, look: int = look, new: np.ndarray = new, bad: np.ndarray = bad
        ) -> tuple[Window, Window]:
            sides = (("new", which & new), ("old", which & ~new))
            mine, theirs = (
                window(side, look, int(on.sum()), int((on & bad).sum()), 0) for side, on in sides
            )
            return mine, theirs

        yield {"by request": counted(np.ones(len(who), bool)), "by unit": counted(first)}


def failures(terms: AnalysisTerms, course: Iterator[dict[str, tuple[Window, Window]]]) -> set[str]:
    """Return the ways of counting by which one step fails."""
    sums = {name: (Sums(), Sums()) for name in ("by request", "by unit")}
    failed = set()
    for windows in course:
        for name, (mine, theirs) in windows.items():
            sums[name] = sums[name][0].plus(mine), sums[name][1].plus(theirs)
            if name not in failed and is_failed(terms, *sums[name]):
                failed.add(name)
    return failed


def own_bursts(
    rollouts: int,
    seed: int,
    *,
    shares: tuple[float, ...],
    windows: int,
    per_window: int,
    window: Any,
    slow: JudgedMetric,
) -> int:
    """Return how many rollouts are stopped when each revision's latency swings by itself."""
    chance, stopped = np.random.default_rng([seed, 12]), 0
    for _ in range(rollouts):
        loads = [swing(chance, len(shares) * windows) for _ in range(2)]
        stopped += any(
            step_fails(chance, loads, step, share, windows, per_window, window, slow, len(shares))
            for step, share in enumerate(shares)
        )
    return stopped


def step_fails(
    chance: np.random.Generator,
    loads: list[np.ndarray],
    step: int,
    share: float,
    windows: int,
    per_window: int,
    window: Any,
    slow: JudgedMetric,
    steps: int,
) -> bool:
    """Tell whether one step ends as failed."""
    terms = AnalysisTerms((slow,), share, step_alpha(steps))
    new, old = Sums(), Sums()
    for look in range(windows):
        mine = round(per_window * share)
        for side, count in (("new", mine), ("old", per_window - mine)):
            load = loads[side == "old"][step * windows + look]
            late = int(chance.binomial(count, 1 / (1 + math.exp(3 - 0.6 * load))))
            fresh: Window = window(side, look, count, 0, late)
            new, old = (new.plus(fresh), old) if side == "new" else (new, old.plus(fresh))
        if is_failed(terms, new, old):
            return True
    return False


def swing(chance: np.random.Generator, windows: int) -> np.ndarray:
    """Return a load that comes and goes slowly (AR(1), 0.95 from window to window)."""
    load = np.empty(windows)
    load[0] = chance.normal()
    for place in range(1, windows):
        load[place] = 0.95 * load[place - 1] + math.sqrt(1 - 0.95**2) * chance.normal()
    return load


def is_failed(terms: AnalysisTerms, new: Sums, old: Sums) -> bool:
    """Tell whether the first metric is shown to be worse."""
    return score(terms.metrics[0], new, old, terms).outcome == "failed"
