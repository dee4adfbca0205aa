"""The tree over REST: what a verifier needs, whatever events it may read."""

from dataclasses import asdict
from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.audit.models import Checkpoint
from apps.audit.queries import consistency, latest_checkpoint, log_size
from apps.audit.queries.leaves import ShownLeaf, shown_leaves
from apps.audit.queries.proofs import cosigned_note, full_tile, latest_cosigned
from placet.kernel.api.lists import limit_of
from placet.kernel.api.views import PlacetView
from placet.kernel.problems import FieldError, InvalidInput, NotFound

INDEX = {"type": "integer", "minimum": 0}


class LeafSerializer(serializers.Serializer[Any]):
    """A leaf; ``body`` is missing where the reader may not see it."""

    index = serializers.IntegerField()
    leaf_hash = serializers.CharField()
    body = serializers.CharField(allow_null=True)


class LeavesSerializer(serializers.Serializer[Any]):
    """Consecutive leaves; ``next`` is where the next ones begin, ``null`` at the end."""

    items = LeafSerializer(many=True)
    next = serializers.IntegerField(allow_null=True)
    size = serializers.IntegerField()


class CosignedSerializer(serializers.Serializer[Any]):
    """A signed tree head, as a C2SP note with the cosignatures of its witnesses."""

    size = serializers.IntegerField()
    root = serializers.CharField()  # type: ignore[assignment]  # the member is called so
    note = serializers.CharField()
    created_at = serializers.DateTimeField()


class CheckpointSerializer(CosignedSerializer):
    """The newest signed tree head, and the newest that witnesses cosigned."""

    cosigned = CosignedSerializer(allow_null=True)


class ConsistencySerializer(serializers.Serializer[Any]):
    """The proof that a larger log continues a smaller one (RFC 6962)."""

    old = serializers.IntegerField()
    new = serializers.IntegerField()
    old_root = serializers.CharField()
    new_root = serializers.CharField()
    hashes = serializers.ListField(child=serializers.CharField())


def leaf_body(leaf: ShownLeaf) -> dict[str, Any]:
    """Return a leaf, with its body where it may be read."""
    return {"index": leaf.index, "leaf_hash": leaf.leaf_hash.hex(), "body": leaf.body}


def checkpoint_body(head: Checkpoint, cosigned: Checkpoint | None) -> dict[str, Any]:
    """Return the newest checkpoint and the newest cosigned one."""
    body = _note(head) | {"cosigned": _note(cosigned) if cosigned else None}
    return dict(CheckpointSerializer(body).data)


def _note(head: Checkpoint) -> dict[str, Any]:
    return {
        "size": head.size,
        "root": bytes(head.root).hex(),
        "note": cosigned_note(head),
        "created_at": head.created_at,
    }


def number(request: Request, name: str, default: int | None = None) -> int:
    """Return a whole number of the query string."""
    text = request.query_params.get(name)
    if text is None and default is not None:
        return default
    if text is None or not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise InvalidInput(errors=[FieldError(name, "A whole number")])
    return int(text)


class Leaves(PlacetView):
    """The leaves of the log, in order."""

    query_params = ("from", "limit")

    @extend_schema(
        operation_id="audit_leaves",
        parameters=[
            OpenApiParameter("from", INDEX, description="The first index (default 0)"),
        ],
        responses=LeavesSerializer,
    )
    def get(self, request: Request) -> Response:
        """List leaves: index and leaf hash for everybody, the body where you may read it and it was
        not archived. Fewer than ``limit`` come where their bodies are long: go on at ``next``."""
        start, size = number(request, "from", 0), log_size()
        leaves, end = shown_leaves(start, min(start + limit_of(request), size), self.actor)
        items = [leaf_body(leaf) for leaf in leaves]
        return Response({"items": items, "next": end if end < size else None, "size": size})


class NewestCheckpoint(PlacetView):
    """The newest signed tree head."""

    @extend_schema(operation_id="audit_checkpoint", responses=CheckpointSerializer)
    def get(self, request: Request) -> Response:
        """Read the newest checkpoint, and the newest that witnesses cosigned; 404 before the first.

        Witnesses follow within seconds: the second has their cosignatures in its note, and is
        ``null`` while there are none.
        """
        cosigned, head = latest_cosigned(), latest_checkpoint()  # so that none is ahead of the head
        if head is None:
            raise NotFound("There is no checkpoint yet")
        return Response(checkpoint_body(head, cosigned))


class Consistency(PlacetView):
    """The proof that the log only grew."""

    query_params = ("old", "new")

    @extend_schema(
        operation_id="audit_consistency",
        parameters=[
            OpenApiParameter("old", INDEX, required=True),
            OpenApiParameter("new", INDEX, description="Default: the newest checkpoint"),
        ],
        responses=ConsistencySerializer,
    )
    def get(self, request: Request) -> Response:
        """Prove that the tree of ``new`` leaves continues the tree of ``old`` leaves."""
        head = latest_checkpoint()
        new = number(request, "new", head.size if head else 0)
        return Response(asdict(consistency(number(request, "old"), new)))


class TileDetail(PlacetView):
    """A full tile of the tree (C2SP tlog-tiles)."""

    @extend_schema(
        operation_id="audit_tiles_read",
        responses={(200, "application/octet-stream"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, level: int, index: int) -> HttpResponse:
        """Read the 256 hashes of a tile; 404 until it is full."""
        hashes = full_tile(level, index) if level < 8 and index < 2**55 else None
        if hashes is None:
            raise NotFound
        response = HttpResponse(hashes, content_type="application/octet-stream")
        response["Cache-Control"] = "private, max-age=31536000, immutable"
        return response
