"""How often something may be begun: so many a second, and more of them after a pause."""

import time
from collections.abc import Callable


class Pace:
    """A bucket that fills at ``rate`` a second up to ``most``; each beginning takes one out."""

    def __init__(self, rate: float, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate = rate
        self.most = most
        self.clock = clock
        self.left = float(most)
        self.at = clock()

    def take(self) -> bool:
        """Tell whether one more may be begun now."""
        now = self.clock()
        self.left = min(self.most, self.left + (now - self.at) * self.rate)
        self.at = now
        if self.left < 1:
            return False
        self.left -= 1
        return True
