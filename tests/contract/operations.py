"""The published operations, and how to ask each of them in the permission table's world."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.permissions.world import World

SNAPSHOT = Path(__file__).with_name("openapi.yaml")
METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the snapshot."""

    method: str
    route: str
    document: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.method} {self.route}"

    def names(self, place: str) -> set[str]:
        """Return the names of the parameters in ``place``: query, header or path."""
        return {p["name"] for p in self.document.get("parameters", []) if p["in"] == place}

    @property
    def takes_json(self) -> bool:
        """Tell whether a JSON body with named fields is read."""
        content = self.document.get("requestBody", {}).get("content", {})
        return "$ref" in content.get("application/json", {}).get("schema", {})

    @property
    def is_paged(self) -> bool:
        """Tell whether the answer is one page of a list."""
        return self.method == "GET" and "cursor" in self.names("query")


def operations() -> Iterator[Operation]:
    """Yield every operation of the snapshot."""
    for route, item in yaml.safe_load(SNAPSHOT.read_text())["paths"].items():
        for method in METHODS:
            if method in item:
                yield Operation(method.upper(), route, item[method])


def send(world: World, role: str, method: str, path: str, body: Any = None, **extra: str) -> Any:
    """Send ``body`` (bytes as they are, all else as JSON) and read the answer to its end."""
    client = world.clients[role]
    kind = extra.pop("content_type", "application/json")
    raw = body if isinstance(body, bytes) else b""
    if body is not None and not isinstance(body, bytes):
        raw = client._encode_json(body, kind)
    headers = {name.replace("_", "-"): value for name, value in extra.items()}
    answer = client.generic(method, path, raw, kind, headers=headers)
    if answer.streaming:
        b"".join(answer.streaming_content)  # type: ignore[arg-type]
    return answer


def fault(answer: Any, status: int, code: str = "") -> str:
    """Return what is wrong with a refusal that should be ``status``, '' when nothing is."""
    if answer.status_code != status:
        return f"{answer.status_code}, not {status}: {answer.content[:160]!r}"
    if answer["Content-Type"] != "application/problem+json":
        return f"a refusal as {answer['Content-Type']}"
    body = answer.json()
    if not (body["code"] and body["request_id"]) or body["status"] != status:
        return f"an incomplete problem: {body}"
    if "{" in body["title"]:
        return f"a title that nobody filled in: {body['title']}"
    if answer.headers.get("X-Request-ID") != body["request_id"]:
        return f"X-Request-ID {answer.headers.get('X-Request-ID')} is not {body['request_id']}"
    if code and body["code"] != code:
        return f"code {body['code']}, not {code}"
    return ""
