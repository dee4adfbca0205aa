"""Names as a sentence has them."""

from collections.abc import Sequence

NAMED = 3  # people by name, then how many others


def a_few(names: Sequence[str], most: int = NAMED) -> str:
    """Return the first of ``names`` and how many others there are: ``Ann, Ben, Cem and 2 others``;
    '' for none."""
    more = len(names) - most
    rest = [f"{more} others" if more > 1 else "one other"] if more > 0 else []
    told = [*names[:most], *rest]
    return " and ".join(filter(None, (", ".join(told[:-1]), *told[-1:])))
