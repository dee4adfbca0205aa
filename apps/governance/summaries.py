"""What pages say of a piece of evidence in a line is made of this alone; so much of it is kept with
decisions. Pure.

Data is as whoever reported it wrote it, or an earlier release measured it: nothing of it is taken
to be of the type that it should be.
"""

import math
from collections.abc import Mapping
from typing import Any

LETTERS = 200  # of a text; a line has fewer
_WHOLE = 2**53  # larger ones have no place in canonical JSON
TAKEN: dict[str, tuple[str, ...]] = {  # members that are taken as they are
    "scan": ("verdict", "what_loads_them"),
    "smoke_test": (
        "result",
        "equal",
        "rows",
        "isolation",
        "cold_start_seconds",
        "slim_cold_start_seconds",
    ),
    "sbom": ("components",),
    "model_signature": ("result", "key"),
    "acceleration": ("verdict", "equal", "rows"),
    "fairness": ("attribute",),
    "explainability": ("method",),
    "load_test": ("requests", "failed"),
    "document": ("title",),
    "model_card": ("sha256",),
}
COUNTED = {"fairness": "metrics", "explainability": "importances"}


def mappings(value: Any) -> list[Mapping[str, Any]]:
    """Return those of a list that have members; none where it is no list."""
    listed = value if isinstance(value, list) else ()
    return [one for one in listed if isinstance(one, Mapping)]


def failed(checks: list[Mapping[str, Any]]) -> int:
    """Return how many checks of the quality of data did not pass."""
    return sum(check.get("passed") is not True for check in checks)


def summary_of(
    kind: str, data: Mapping[str, Any], signers: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return what of evidence is said in a line, and tells how good it is. ``signers`` are the
    labels of the keys by which models are signed."""
    taken = {name: _plain(data[name]) for name in TAKEN.get(kind, ()) if name in data}
    if kind == "scan":
        return taken | {"findings": len(mappings(data.get("findings")))}
    if kind == "model_signature":
        return taken | {"signer": (signers or {}).get(str(data.get("key", "")), "")}
    if kind == "data_quality":
        checks = mappings(data.get("checks"))
        return {"checks": len(checks), "failed": failed(checks)}
    if many := COUNTED.get(kind):
        members = data.get(many)
        return taken | {many: len(members) if isinstance(members, Mapping) else 0}
    return taken if kind in TAKEN else {"members": len(data)}


def _plain(value: Any) -> Any:
    """Return a value as canonical JSON can hold it, a long text cut."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return value[:LETTERS]
    if isinstance(value, int | float) and math.isfinite(value) and abs(value) < _WHOLE:
        return value
    return str(value)[:LETTERS] if isinstance(value, int | float) else "…"
