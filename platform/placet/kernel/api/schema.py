"""How a view becomes an OpenAPI operation: stable ids, and problem details for every error."""

from typing import Any

from drf_spectacular.openapi import AutoSchema

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


class PlacetSchema(AutoSchema):
    """drf-spectacular's schema with the error responses that every operation has."""

    def get_operation(self, *args: Any, **kwargs: Any) -> Any:
        """Add ``default: problem+json`` to the operation's responses."""
        operation = super().get_operation(*args, **kwargs)
        if operation:
            operation["responses"]["default"] = {
                "description": "A refusal, as RFC 9457 problem details",
                "content": {"application/problem+json": {"schema": PROBLEM}},
            }
        return operation
