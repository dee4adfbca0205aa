"""What people read about a guard. Standard library only."""

from placet_protocol.guard import GuardEntry

ABORTED = "The node gave all requests back to the old revision by itself"


def sentences(guard: GuardEntry) -> list[str]:
    """Return the rules of a guard in words, as what it stops at."""
    rules = []
    if (row := guard.get("consecutive_failures")) is not None:
        rules.append(f"{row} server errors in a row")
    if (rate := guard.get("error_rate")) is not None:
        rules.append(
            f"more than {100 * rate['at_most']:g}% server errors in {rate['window_seconds']} s "
            f"(of at least {rate['minimum_requests']:,} answers)"
        )
    if (latency := guard.get("latency")) is not None:
        rules.append(
            f"more than {100 * (1 - latency['quantile']):.3g}% of the answers over "
            f"{latency['at_most_ms']:,} ms in {latency['window_seconds']} s "
            f"(of at least {latency['minimum_requests']:,})"
        )
    return rules


def reason(detail: str) -> str:
    """Return why a rollout ends that its node has aborted; '' when it has not."""
    return f"{ABORTED}: {detail}" if detail else ""
