"""Receipts: what nodes signed with their own keys."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.assurance import queries
from apps.assurance.models import Receipt, ReceiptKind
from apps.serving.queries import get_endpoint
from placet.kernel.api.lists import ListView, page_of
from placet.kernel.clock import rfc3339


class ReceiptSerializer(serializers.Serializer[Any]):
    """What a node signed with its own key."""

    id = serializers.CharField()
    kind = serializers.ChoiceField(choices=ReceiptKind.values)
    node = serializers.CharField()
    public_key = serializers.CharField(help_text="Of the node then; Ed25519, base64")
    target = serializers.CharField()
    recall = serializers.CharField(allow_null=True)
    endpoint = serializers.CharField(allow_null=True)
    release = serializers.CharField(allow_null=True)
    revision = serializers.CharField(allow_null=True)
    bento_digest = serializers.CharField(allow_null=True)
    started_at = serializers.DateTimeField(allow_null=True)
    at = serializers.DateTimeField(help_text="It ended, or nothing ran; by the node's clock")
    received_at = serializers.DateTimeField()
    digest = serializers.CharField()
    envelope = serializers.CharField(help_text="DSSE, an in-toto statement")


def receipt_body(row: Receipt) -> dict[str, Any]:
    """Return a receipt as JSON values."""
    return {
        "id": row.pk,
        "kind": row.kind,
        "node": row.node_id,
        "public_key": row.public_key,
        "target": row.target_id,
        "recall": row.recall or None,
        "endpoint": row.endpoint or None,
        "release": row.release or None,
        "revision": row.revision or None,
        "bento_digest": row.bento_digest or None,
        "started_at": rfc3339(row.started_at) if row.started_at else None,
        "at": rfc3339(row.at),
        "received_at": rfc3339(row.received_at),
        "digest": row.digest,
        "envelope": row.envelope,
    }


class RecallReceipts(ListView):
    """What nodes answered."""

    @extend_schema(operation_id="recalls_receipts", responses=page_of(ReceiptSerializer))
    def get(self, request: Request, recall: str) -> Response:
        """List the receipts by which nodes confirmed a recall."""
        rows = queries.receipts_of(queries.get_recall(recall, self.actor))
        return self.page(rows, lambda page: [receipt_body(row) for row in page])


class EndpointReceipts(ListView):
    """What ran behind an endpoint."""

    @extend_schema(operation_id="endpoints_receipts", responses=page_of(ReceiptSerializer))
    def get(self, request: Request, endpoint: str) -> Response:
        """List what nodes signed to have run behind an endpoint, from when to when."""
        rows = queries.receipts_of_endpoint(get_endpoint(endpoint, self.actor))
        return self.page(rows, lambda page: [receipt_body(row) for row in page])
