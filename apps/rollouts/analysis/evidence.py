"""Evidence about rates that stays valid however often one looks: e-processes by mixture.

A rate is the chance that a trial (a request, or a unit) is bad. Evidence against a hypothesis is a
number E that starts at 1 and, whenever the hypothesis is true, has an expectation of at most 1 at
every stopping time. By Ville's inequality it then ever reaches 1/α with probability at most α, so
one may look after each window and stop when it does: nothing is lost by peeking.

**Two rates.** Each trial goes to the candidate with the known probability ``share``, else to
stable. For one pair of alternative rates (s₁, c₁) and the hypothesis ``c ≤ s + margin``, let
(s₀, s₀ + margin) be the point of the hypothesis nearest to the alternative::

    s₀ = argmin_x  share · KL(c₁ ‖ x + margin) + (1 − share) · KL(s₁ ‖ x)

and multiply, for each trial, the likelihood ratio of its own group: c₁/c₀ or (1 − c₁)/(1 − c₀) on
the candidate, s₁/s₀ or (1 − s₁)/(1 − s₀) on stable. Because the hypothesis is convex and s₀ the
minimiser, the expected factor ``share · A + (1 − share) · B`` is at most 1 for every pair of rates
in the hypothesis (Turner, Ly and Grünwald, "Generic E-variables for exact sequential k-sample
tests that allow for optional stopping", 2024, theorem 1). The rates may therefore move from one
trial to the next, by the hour of the day for instance, as long as the hypothesis holds at each.

That inequality is about groups in the planned proportion. Where the counts are in another one, the
logarithms of the larger group are shortened to it: E[bᵏ] ≤ (E b)ᵏ for k ≤ 1 (Jensen), so at any
number of trials the expectation stays at most 1, whatever the split was. Rotation keeps the planned
proportion to less than one request, and shortens next to nothing.

**One rate** against a bound b: the factors are p₁/b and (1 − p₁)/(1 − b).

Nobody knows the alternative, so E is the mean over a fixed grid of them (the method of mixtures:
Robbins 1970; Howard, Ramdas, McAuliffe and Sekhon, "Time-uniform, nonparametric, nonasymptotic
confidence sequences", 2021; the view as a bet against the hypothesis: Waudby-Smith and Ramdas,
"Estimating means of bounded random variables by betting", 2024; its use for A/B tests that are
watched: Johari, Koomen, Pekelis and Walsh, "Always valid inference", 2022). A mean of e-processes
is one. The grid takes base rates from 0.01% to 35% and odds from 1.1 to 15 times, so that no
effect size has to be guessed beforehand. Of an outcome that most trials may have (``common``) it
takes base rates up to 99.7% as well.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

BASES = tuple(1e-4 * 1.45**power for power in range(23))  # 0.01% to 35%
COMMON = (0.5, 0.65, 0.78, 0.87, 0.93, 0.97, 0.99, 0.997)
FACTORS = (1.1, 1.25, 1.5, 2.0, 3.0, 6.0, 15.0)  # how many times the odds
BISECTIONS = 40
_EDGE = 1e-12

# What is to be shown: that the candidate is worse than the margin or bound allows, or better.
Direction = Literal["worse", "better"]


@dataclass(frozen=True, slots=True)
class TrialTally:
    """How many trials there were, and how many of them were bad."""

    trials: float = 0
    bad: float = 0

    @property
    def rate(self) -> float | None:
        """The share of bad trials; ``None`` without trials, which is not the same as none."""
        return self.bad / self.trials if self.trials else None

    def times(self, factor: float) -> "TrialTally":
        """Return what there will be when ``factor`` times as much has been seen."""
        return TrialTally(self.trials * factor, self.bad * factor)


@dataclass(frozen=True, slots=True)
class Bet:
    """The logarithms of what one alternative multiplies for each trial, by group and answer."""

    candidate_bad: float
    candidate_good: float
    stable_bad: float = 0.0
    stable_good: float = 0.0

    def log_wealth(self, candidate: TrialTally, stable: TrialTally) -> float:
        """Return the logarithm of what is left of 1 after these trials."""
        return (
            candidate.bad * self.candidate_bad
            + (candidate.trials - candidate.bad) * self.candidate_good
            + stable.bad * self.stable_bad
            + (stable.trials - stable.bad) * self.stable_good
        )


def against_stable(
    candidate: TrialTally,
    stable: TrialTally,
    *,
    share: float,
    margin: float,
    direction: Direction,
    common: bool = False,
) -> float:
    """Return log E against ``c ≤ s + margin`` (``worse``) or ``c ≥ s + margin`` (``better``)."""
    shortened = in_proportion(candidate, stable, share)
    bets = pair_bets(share, margin, direction, common=common)
    return _log_mean(bet.log_wealth(*shortened) for bet in bets)


def in_proportion(
    candidate: TrialTally, stable: TrialTally, share: float
) -> tuple[TrialTally, TrialTally]:
    """Return both tallies with the larger one shortened to the planned proportion."""
    whole = min(candidate.trials / share, stable.trials / (1 - share))
    if not whole:
        return TrialTally(), TrialTally()
    return (
        candidate.times(whole * share / candidate.trials),
        stable.times(whole * (1 - share) / stable.trials),
    )


def against_bound(candidate: TrialTally, *, bound: float, direction: Direction) -> float:
    """Return log E against ``c ≤ bound`` (``worse``) or ``c ≥ bound`` (``better``)."""
    nothing = TrialTally()
    return _log_mean(bet.log_wealth(candidate, nothing) for bet in bound_bets(bound, direction))


@lru_cache(maxsize=256)
def pair_bets(
    share: float, margin: float, direction: Direction, *, common: bool = False
) -> tuple[Bet, ...]:
    """Return the bets that are made against the line ``c = s + margin``, or one side of it."""
    bets = []
    # without a margin only the ratio of the rates matters much, so a few base rates do
    for base in (*(BASES if margin else BASES[::4]), *(COMMON if common else ())):
        stable, candidate = (base, base + margin) if margin >= 0 else (base - margin, base)
        if max(stable, candidate) >= 1 - _EDGE:
            continue
        for alternative in _alternatives(candidate, direction):
            null = nearest_null(alternative, stable, share=share, margin=margin)
            bets.append(_bet(alternative, null + margin, stable, null))
    return tuple(bets)


@lru_cache(maxsize=256)
def bound_bets(bound: float, direction: Direction) -> tuple[Bet, ...]:
    """Return the bets that are made against a rate of ``bound``, or one side of it."""
    return tuple(
        Bet(math.log(rate / bound), math.log((1 - rate) / (1 - bound)))
        for rate in _alternatives(bound, direction)
    )


def nearest_null(candidate: float, stable: float, *, share: float, margin: float) -> float:
    """Return stable's rate at the point of ``c = s + margin`` nearest to (old, new).

    The derivative of the divergence rises in x and is 0 between the two rates, so halving finds
    it; without a margin it is the mean of the two.
    """
    if margin == 0:
        return share * candidate + (1 - share) * stable
    low, high = sorted((stable, candidate - margin))
    low, high = max(low, -margin, 0.0), min(high, 1.0, 1.0 - margin)
    for _ in range(BISECTIONS):
        x = (low + high) / 2
        c = x + margin
        if not (0 < x < 1 and 0 < c < 1):
            break
        slope = (1 - share) * (x - stable) / (x * (1 - x)) + share * (c - candidate) / (c * (1 - c))
        low, high = (x, high) if slope < 0 else (low, x)
    return (low + high) / 2


def _alternatives(rate: float, direction: Direction) -> Iterable[float]:
    for factor in FACTORS:
        odds = rate / (1 - rate) * (factor if direction == "worse" else 1 / factor)
        yield odds / (1 + odds)


def _bet(candidate: float, candidate_null: float, stable: float, stable_null: float) -> Bet:
    return Bet(
        math.log(candidate / candidate_null),
        math.log((1 - candidate) / (1 - candidate_null)),
        math.log(stable / stable_null),
        math.log((1 - stable) / (1 - stable_null)),
    )


def _log_mean(logs: Iterable[float]) -> float:
    values = list(logs)
    top = max(values)
    return top + math.log(math.fsum(math.exp(v - top) for v in values) / len(values))
