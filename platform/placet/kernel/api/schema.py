"""How a view becomes an OpenAPI operation: stable ids, and problem details for every error."""

from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter

PROBLEM: dict[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "code", "request_id", "errors"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "request_id": {"type": "string"},
        "instance": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "detail"],
                "properties": {"pointer": {"type": "string"}, "detail": {"type": "string"}},
            },
        },
    },
}


QUERY = {
    "limit": OpenApiParameter(
        "limit",
        {"type": "integer", "minimum": 1, "maximum": 500, "default": 50},
        description="How many items one page has at most",
    ),
    "cursor": OpenApiParameter(
        "cursor", str, description="The next_cursor of the page before, as it is"
    ),
}
IF_MATCH = OpenApiParameter(
    "If-Match",
    str,
    location=OpenApiParameter.HEADER,
    required=True,
    description="The ETag that was read: 428 without it, 412 when it is no longer current",
)


class PlacetSchema(AutoSchema):
    """drf-spectacular's schema with what every operation has: its view's query parameters,
    If-Match where something is changed in place, and the form of a refusal."""

    def get_override_parameters(self) -> list[Any]:
        """Add the parameters that the base view reads; the operation's own go over them."""
        extra: list[OpenApiParameter] = []
        if self.method == "GET":
            for name in getattr(self.view, "query_params", ()):
                extra.append(QUERY.get(name) or OpenApiParameter(name, OpenApiTypes.STR))
        elif self.method in {"PUT", "PATCH", "DELETE"}:
            extra.append(IF_MATCH)
        return [*extra, *super().get_override_parameters()]

    def get_operation(self, *args: Any, **kwargs: Any) -> Any:
        """Add ``default: problem+json`` to the operation's responses."""
        operation = super().get_operation(*args, **kwargs)
        if operation:
            operation["responses"]["default"] = {
                "description": "A refusal, as RFC 9457 problem details",
                "content": {"application/problem+json": {"schema": PROBLEM}},
            }
        return operation


def closed_bodies(result: Any, **kwargs: Any) -> Any:
    """Say of every JSON body that a field it does not name is refused (``PlacetView.body``)."""
    components = result.get("components", {}).get("schemas", {})
    for operation in (o for item in result["paths"].values() for o in item.values()):
        content = operation.get("requestBody", {}).get("content", {})
        reference = content.get("application/json", {}).get("schema", {}).get("$ref", "")
        body = components.get(reference.rpartition("/")[2], {})
        if "properties" in body:
            body.setdefault("additionalProperties", False)
    return result
