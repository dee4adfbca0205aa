"""How long to wait, when to give up, and what to write down. Standard library only."""

MAX_LOSSES = 5
MAX_DELAY = 300.0
MAX_ERROR = 2000


def backoff(attempt: int) -> float:
    """Return the seconds to wait after the failed ``attempt`` (from 1): 2, 4, 8, … up to 300."""
    return min(MAX_DELAY, 2.0 ** min(attempt, 20))


def in_words(error: BaseException) -> str:
    """Return ``error`` as the sentence that a person reads at the job; what has one of its own (a
    ``detail``) needs no name of a class before it."""
    detail, name = str(getattr(error, "detail", "")).strip(), type(error).__name__
    text = str(error).strip()
    words = detail or (f"{name}: {text}" if text else name)
    return words if len(words) <= MAX_ERROR else words[: MAX_ERROR - 1] + "…"
