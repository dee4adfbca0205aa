"""What happens in a simulated rollout of two equal revisions, window by window."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from proofs.analysis_limits import swing

PER_WINDOW = 400  # requests


@dataclass(frozen=True, slots=True)
class Course:
    """What happens in one rollout, window by window: requests, and both shares of bad ones."""

    requests: np.ndarray
    errors: np.ndarray
    slow: np.ndarray


Draw = Callable[[np.random.Generator, int], Course]


def steady(chance: np.random.Generator, windows: int) -> Course:
    """The same rates all the time."""
    return Course(
        chance.poisson(PER_WINDOW, windows), np.full(windows, 0.01), np.full(windows, 0.05)
    )


def autocorrelated(chance: np.random.Generator, windows: int) -> Course:
    """Load comes and goes slowly (AR(1), 0.95 from window to window) and slows both revisions."""
    load = swing(chance, windows)
    return Course(
        chance.poisson(PER_WINDOW, windows),
        0.01 * np.exp(0.8 * load - 0.32),
        1 / (1 + np.exp(3 - 1.2 * load)),
    )


def daily(chance: np.random.Generator, windows: int) -> Course:
    """Requests, errors and latency follow the hour of the day: a day is 120 windows."""
    hour = np.sin(2 * math.pi * (np.arange(windows) / 120 + chance.random()))
    return Course(
        chance.poisson(PER_WINDOW * (1 + 0.9 * hour)),
        0.01 * np.exp(1.5 * hour),
        0.05 * np.exp(1.2 * hour),
    )


SCENARIOS: dict[str, Draw] = {
    "steady": steady,
    "autocorrelated": autocorrelated,
    "daily": daily,
}
