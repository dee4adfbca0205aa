"""What can be said of a median after some rounds."""

from math import comb


def interval(ratios: list[float]) -> tuple[float, float]:
    """Return the interval of the median that holds with 95 %: by the order of the values, so that
    nothing is supposed of their distribution (the sign test's; Conover, Practical Nonparametric
    Statistics, 3.2)."""
    found, count = sorted(ratios), len(ratios)
    below, outside = 0, 0.0
    while below < count // 2:
        outside += 2 * comb(count, below) / 2**count
        if outside > 0.05:
            break
        below += 1
    return found[max(below - 1, 0)], found[min(count - below, count - 1)]
