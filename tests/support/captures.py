"""Captured predictions as a service writes them and its node sends them."""

import json
import zlib
from typing import Any
from uuid import uuid4

from placet.kernel.clock import now
from tests.support.nodes import SimulatedNode

FILE = "a" * 32 + "-000000.jsonl"


def line(revision: str, unit: str = "u1", *, ago: float = 5, **changes: Any) -> dict[str, Any]:
    """Return a line as a service writes it."""
    made = {
        "v": 1,
        "id": str(uuid4()),
        "at": round(now().timestamp() - ago, 3),
        "revision": revision,
        "unit": unit,
        "rows": 1,
        "inputs": '[{"age":41}]',
        "outputs": "[1]",
        "ms": 2.5,
        "dropped": 0,
    }
    return made | changes


def text(*lines: dict[str, Any]) -> bytes:
    """Return lines as they stand in a file."""
    return b"".join(json.dumps(item).encode() + b"\n" for item in lines)


def send(
    node: SimulatedNode, revision: str, raw: bytes, offset: int = 0, file: str = FILE
) -> tuple[int, int]:
    """Post lines as the agent does; return status and the offset that was answered."""
    path = f"/agent/v1/captures?revision={revision}&file={file}&offset={offset}"
    answer = node.call("POST", path, zlib.compress(raw))
    return answer.status_code, answer.json().get("offset", -1)
