"""Is the split what the plan says? A sample ratio that is off means that figures cannot be trusted.

Under the planned share each trial goes to the candidate with that probability. Against it stands a
beta mixture of shares centred on the plan::

    E = B(a + k, b + n − k) / B(a, b) / (share^k · (1 − share)^(n − k)),   a = c · share, b = c − a

which is a martingale under the plan, so it may be looked at after every window (Lindon and Malek,
"Anytime-valid inference for multinomial count data", 2022). Rotation splits more evenly than
chance, so there it is conservative.
"""

from math import lgamma, log

CONCENTRATION = 100.0  # the mixture's weight, in trials


def log_evidence(candidate: float, stable: float, *, share: float) -> float:
    """Return log E against the planned ``share``, for trials that both revisions answered."""
    if not 0 < share < 1:
        return 0.0
    a, b = CONCENTRATION * share, CONCENTRATION * (1 - share)
    return (
        _log_beta(a + candidate, b + stable)
        - _log_beta(a, b)
        - candidate * log(share)
        - stable * log(1 - share)
    )


def _log_beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)
