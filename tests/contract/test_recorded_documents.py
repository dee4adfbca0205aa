"""Documents that people wrote, as they were read when they were recorded, in ``recorded/``.

What is made of a plan, a serving configuration or a policy is stored, signed and counted by its
digest, so readers may be written anew, and what they make of a document stays the same, to a byte.
So do the sentences about what is wrong, and the places that they name. A line is added by hand, and
none is changed but with a reason.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from apps.governance import policies
from apps.governance.plan import DocumentFault, Plan, written
from placet_verify import canonical
from tests.support.documents import plan_document, serving_document

RECORDED = Path(__file__).parent / "recorded"


def policy(source: str) -> Mapping[str, Any]:
    """Read a policy; its digest is that of the document."""
    found = policies.parse(source)
    assert found.digest == canonical.digest(found.document)
    return found.document


READERS: dict[str, Callable[[Any], Mapping[str, Any]]] = {
    "plans": plan_document,
    "serving": serving_document,
    "policies": policy,
}


def rows(kind: str) -> list[dict[str, Any]]:
    """Return what was recorded: ``given``, and the ``document`` or the ``faults`` that it made."""
    found: list[dict[str, Any]] = json.loads((RECORDED / f"{kind}.json").read_text())
    return found


def made(kind: str, given: Any) -> dict[str, Any]:
    """Return what is made of a document today."""
    try:
        return {"document": READERS[kind](given)}
    except DocumentFault as fault:
        return {"faults": sorted([pointer, detail] for pointer, detail in fault.faults)}
    except policies.PolicyFault as fault:
        return {"faults": sorted(map(str, fault.faults))}


def text(result: Mapping[str, Any]) -> str:
    """Write a result so that 1, 1.0 and true are three things, as they are in the database."""
    return json.dumps(result, sort_keys=True)


@pytest.mark.parametrize("kind", READERS)
def test_documents_are_read_as_they_were_to_a_byte(kind: str) -> None:
    differing = []
    for row in rows(kind):
        given = row.pop("given")
        now = made(kind, given)
        then = {name: sorted(value) if name == "faults" else value for name, value in row.items()}
        same_bytes = [canonical.dumps(result.get("document")) for result in (now, then)]
        if text(now) != text(then) or len(set(same_bytes)) != 1:
            differing.append({"given": given, "then": then, "now": now})
    assert differing == []


@pytest.mark.parametrize("kind", ["plans", "serving"])
def test_a_whole_document_stays_as_it_is(kind: str) -> None:
    for row in rows(kind):
        if "document" in row:
            assert text(made(kind, row["document"])) == text({"document": row["document"]})


def test_a_rollout_carries_out_the_steps_that_were_approved() -> None:
    for row in rows("plans"):
        if "document" in row:
            steps = [written(step) for step in Plan.stored(row["document"]).steps]
            assert text({"steps": steps}) == text({"steps": row["document"]["steps"]})
