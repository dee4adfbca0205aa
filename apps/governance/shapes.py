"""Serving configurations as programs write them by mistake: what is wrong, and how to write it.

What may run is judged by ``placet_verify.serving``; here a wrong shape gets a sentence of its own.
"""

import ipaddress
import json
from typing import Any

from placet_verify.serving import MAX_EGRESS, MAX_REPLICAS, egress_faults, variables_faults


def variables_wrong(value: object) -> list[tuple[str, str]]:
    """Return what is wrong with the variables of a release, each with its name, '' for all."""
    if not isinstance(value, dict):
        return [("", 'must be an object {"NAME": "value"}')]
    odd = {str(name): _no_text(given) for name, given in value.items() if _no_text(given)}
    texts = {name: "" if str(name) in odd else given for name, given in value.items()}
    named = dict(variables_faults(texts))
    return [(name[:64], fault) for name, fault in sorted((odd | named).items())]


def _no_text(value: object) -> str:
    if isinstance(value, str):
        return ""
    if isinstance(value, bool | int | float):
        return f'must be a text: write "{json.dumps(value)}"'
    return "must be a text"


def egress_wrong(value: object) -> tuple[list[tuple[int | None, str]], list[str]]:
    """Return what is wrong with the destinations, each with its place, ``None`` for all; and those
    that can be read, in their one form."""
    if not isinstance(value, list):
        return [(None, 'must be a list of texts: ["host:port"]')], []
    if len(value) > MAX_EGRESS:
        return [(None, f"{len(value)} are too many, {MAX_EGRESS} at most")], []
    faults, found = egress_faults(value)
    told: list[tuple[int | None, str]] = []
    for place, detail in faults:
        if place is None:
            told.append((place, detail))
        else:  # with its text: who typed lines into a form does not count them
            text = value[place]
            told.append((place, f"{shown(text)}: {_brackets(text) or detail}"))
    return told, [str(one) for one in found]


def shown(value: Any) -> str:
    """Return a value as whoever wrote it knows it, in 80 characters."""
    return repr(value[:80]) if isinstance(value, str) else json.dumps(value)[:80]


def _brackets(text: object) -> str:
    """Say how an IPv6 address is written before a port, if this is one without brackets."""
    host, _, port = text.rpartition(":") if isinstance(text, str) else ("", "", "")
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        return ""
    return f"an IPv6 address goes in brackets: [{host}]:{port}"


def maximum_wrong(document: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what is wrong with ``max_replicas`` where ``replicas`` is no number to compare with:
    all that is wrong is said at once."""
    replicas, most = document["replicas"], document["max_replicas"]
    if _counts(replicas) or most is replicas or _counts(most):
        return []
    return [("max_replicas", f"must be a whole number from 1 to {MAX_REPLICAS}")]


def _counts(value: object) -> bool:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return whole and 1 <= value <= MAX_REPLICAS  # type: ignore[operator]
