"""How much of a processor something takes, whoever else uses it."""

import gc
import time
from collections.abc import Callable
from typing import Any

TRIES = 4


def seconds(act: Callable[[], Any], enough: float) -> float:
    """Return how many seconds of a processor ``act`` takes: the least of a few tries, or the first
    below ``enough``. A processor that others share counts more for the same work, and so does a
    collector of garbage that goes through what all tests before have left."""
    gc.collect()
    gc.freeze()
    try:
        least = float("inf")
        for _ in range(TRIES):
            begun = time.process_time()
            act()
            least = min(least, time.process_time() - begun)
            if least < enough:
                break
        return least
    finally:
        gc.unfreeze()
