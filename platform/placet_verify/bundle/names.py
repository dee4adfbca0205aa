"""What people call a release of a bundle, its endpoint and its model, beside their ids.

Said from proven bytes alone: the events of the log, and the bill of materials that the verification
summary names. People have no names there: these stay sealed with the installation.
"""

import re
from collections.abc import Iterator
from typing import Any

from placet_verify import canonical
from placet_verify.errors import Refused
from placet_verify.log.events import ProvenEvents
from placet_verify.statements import ProvenanceStatement, RequestStatement

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")  # nothing that a terminal would obey
_LARGEST = 2**53  # numbers below it are exact wherever JSON is read


def said(
    logged: ProvenEvents,
    request: RequestStatement,
    provenance: ProvenanceStatement,
    bill: bytes,
) -> Iterator[str]:
    """Yield a line for each name that is proven; none for what has no name here. ``bill`` is the
    bill of materials of the model, b'' where there is none."""
    for row in logged.rows("governance.release"):
        number = _number(row.columns.get("number"))
        if row.columns.get("id") == request.release and number:
            yield f"name: {request.release} is release {number}, event {row.index}"
            break
    for row in logged.rows("serving.endpoint"):
        name = row.columns.get("name")
        if row.columns.get("id") == request.endpoint and _is_plain(name):
            yield f"name: {request.endpoint} is endpoint {name}, event {row.index}"
            break
    match _component(bill):
        case {"group": group, "name": name, "version": version, "hashes": list(hashes)}:
            bare = request.artifact_digest.removeprefix("sha256:")
            is_it = any(isinstance(one, dict) and one.get("content") == bare for one in hashes)
            if is_it and all(map(_is_plain, (group, name, version))):
                called = f"model {name}, version {version}, of project {group}"
                yield f"name: {provenance.version} is {called}, mlbom.json"


def _component(content: bytes) -> Any:
    """Return what a bill of materials is of; ``None`` where it does not say so."""
    try:
        match canonical.loads(content):
            case {"metadata": {"component": component}}:
                return component
    except Refused:
        pass
    return None


def _is_plain(name: Any) -> bool:
    return isinstance(name, str) and _PLAIN.fullmatch(name) is not None


def _number(value: Any) -> int:
    """Return a whole number of at least one; 0 for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0
    return int(value) if 0 < value < _LARGEST and value == int(value) else 0
