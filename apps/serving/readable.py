"""Runs the agent's own reader over a state before it is signed: a node then refuses nothing of it.

What the reader would refuse is left out: a revision by itself, an endpoint by itself. What it says
is what the node would have said.
"""

from collections.abc import Callable
from typing import Any, TypedDict, TypeVar

from placet_protocol.fields import ProtocolError
from placet_protocol.state import (
    EndpointEntry,
    StateContent,
    read_endpoint,
    read_endpoints,
    read_heard,
    read_prefetch,
    read_revision,
)
from placet_verify import canonical
from placet_verify.errors import Refused

T = TypeVar("T")
MAX_SENTENCE = 500
OURS = "left out of what is signed"  # said before each sentence: no node did


class LeftOutPart(TypedDict):
    """Something that could not be put into a state, as a node would have told of it."""

    code: str  # revision_refused, endpoint_refused, prefetch_refused, recall_refused
    detail: str


def split(content: StateContent) -> tuple[StateContent, list[LeftOutPart]]:
    """Return what of a state its node can read, and what is left out of it.

    A recall that cannot be read stays out too, and stops no other: a node could not heed it.
    """
    left_out = list[LeftOutPart]()
    kept = content.copy()
    kept["recalls"] = _good(
        content.get("recalls", []), _heard, left_out, "recall_refused", lambda item: "a recall"
    )
    kept["prefetch"] = _good(
        content["prefetch"],
        read_prefetch,
        left_out,
        "prefetch_refused",
        lambda item: f"Bento {item['bento_digest']}",
    )
    kept["endpoints"] = _without_twins(
        [
            _with_good_revisions(endpoint, left_out)
            for endpoint in _good(
                content["endpoints"],
                _frame,
                left_out,
                "endpoint_refused",
                lambda item: f"endpoint {item['id']}",
            )
        ],
        left_out,
    )
    return kept, left_out


def _good(
    items: list[T],
    read: Callable[[Any], object],
    left_out: list[LeftOutPart],
    code: str,
    named: Callable[[T], str],
) -> list[T]:
    """Return the items that ``read`` takes in the form in which they reach a node."""
    good = []
    for item in items:
        try:
            read(canonical.loads(canonical.dumps(item)))
        except (ProtocolError, Refused) as error:
            left_out.append(_said(code, f"{named(item)}: {error}"))
        else:
            good.append(item)
    return good


def _said(code: str, detail: str) -> LeftOutPart:
    return LeftOutPart(code=code, detail=f"{OURS}: {detail}"[:MAX_SENTENCE])


def _heard(item: Any) -> None:
    for error in read_heard({"recalls": [item], "recalled": []}).errors:
        raise ProtocolError(error["detail"])


def _frame(endpoint: Any) -> None:
    read_endpoint({**endpoint, "revisions": []})


def _with_good_revisions(endpoint: EndpointEntry, left_out: list[LeftOutPart]) -> EndpointEntry:
    kept = endpoint.copy()
    kept["revisions"] = _good(
        endpoint["revisions"],
        read_revision,
        left_out,
        "revision_refused",
        lambda item: f"revision {item['id']}",
    )
    return kept


def _without_twins(
    entries: list[EndpointEntry], left_out: list[LeftOutPart]
) -> list[EndpointEntry]:
    """Leave out what names the same endpoint, path or revision: the database allows none."""
    read, twins = read_endpoints(canonical.loads(canonical.dumps(entries)))
    left_out += [_said("endpoint_refused", f"endpoint {one.id}: {one.reason}") for one in twins]
    refused = {one.id: one.reason for endpoint in read for one in endpoint.refused}
    left_out += [_said("revision_refused", f"revision {pk}: {why}") for pk, why in refused.items()]
    names = {endpoint.id for endpoint in read}
    accepted = []
    for entry in entries:
        if entry["id"] in names:
            kept = entry.copy()
            kept["revisions"] = [r for r in entry["revisions"] if r["id"] not in refused]
            accepted.append(kept)
    return accepted
