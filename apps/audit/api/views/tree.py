"""The tree over REST: what a verifier needs, whatever events it may read."""

from dataclasses import asdict

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.audit.api import serializers as s
from apps.audit.api.views.parameters import number
from apps.audit.models import ArchivedLeaf, Event
from apps.audit.queries import consistency, latest_checkpoint, log_size
from apps.audit.queries.archived import in_order
from apps.audit.queries.events import readable
from apps.audit.queries.proofs import full_tile, latest_cosigned
from placet.kernel.api.lists import limit_of
from placet.kernel.api.views import PlacetView
from placet.kernel.keystore import keys_document, root_public
from placet.kernel.problems import NotFound
from placet_verify.commands.pack import packed
from placet_verify_js import NAME, page

INDEX = {"type": "integer", "minimum": 0}


class Leaves(PlacetView):
    """The leaves of the log, in order."""

    query_params = ("from", "limit")

    @extend_schema(
        operation_id="audit_leaves",
        parameters=[
            OpenApiParameter("from", INDEX, description="The first index (default 0)"),
        ],
        responses=s.LeavesSerializer,
    )
    def get(self, request: Request) -> Response:
        """List leaves: index and leaf hash for everybody, the body where you may read it and it was
        not archived."""
        start, size = number(request, "from", 0), log_size()
        end = min(start + limit_of(request), size)
        events = Event.objects.filter(index__gte=start, index__lt=end)
        mine = set(events.filter(readable(self.actor)).values_list("index", flat=True))
        old = ArchivedLeaf.objects.filter(index__gte=start, index__lt=end).order_by("index")
        leaves = in_order(events.order_by("index"), old)
        items = [s.leaf(leaf, visible=leaf.index in mine) for leaf in leaves]
        return Response({"items": items, "next": end if end < size else None, "size": size})


class NewestCheckpoint(PlacetView):
    """The newest signed tree head."""

    @extend_schema(operation_id="audit_checkpoint", responses=s.CheckpointSerializer)
    def get(self, request: Request) -> Response:
        """Read the newest checkpoint, and the newest that witnesses cosigned; 404 before the first.

        Witnesses follow within seconds: the second has their cosignatures in its note, and is
        ``null`` while there are none.
        """
        cosigned, head = latest_cosigned(), latest_checkpoint()  # so that none is ahead of the head
        if head is None:
            raise NotFound("There is no checkpoint yet")
        return Response(s.checkpoint(head, cosigned))


class Consistency(PlacetView):
    """The proof that the log only grew."""

    query_params = ("old", "new")

    @extend_schema(
        operation_id="audit_consistency",
        parameters=[
            OpenApiParameter("old", INDEX, required=True),
            OpenApiParameter("new", INDEX, description="Default: the newest checkpoint"),
        ],
        responses=s.ConsistencySerializer,
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


class Keys(PlacetView):
    """The public keys of this installation."""

    @extend_schema(
        operation_id="keys_read", responses={(200, "application/json"): OpenApiTypes.OBJECT}
    )
    def get(self, request: Request) -> HttpResponse:
        """Read ``keys.json``, signed by the root key."""
        return HttpResponse(keys_document(), content_type="application/json")


class Verifier(PlacetView):
    """The offline verifier."""

    @extend_schema(
        operation_id="verifier_read",
        responses={(200, "application/zip"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request) -> HttpResponse:
        """Download the verifier: one file that needs Python and ``cryptography`` alone.

        Whoever does not trust this server takes it from elsewhere: the same code gives the same
        bytes.
        """
        response = HttpResponse(packed(), content_type="application/zip")
        response["Content-Disposition"] = 'attachment; filename="placet-verify.pyz"'
        return response


class VerifierPage(PlacetView):
    """The verifier for browsers."""

    @extend_schema(
        operation_id="verifier_page", responses={(200, "text/html"): OpenApiTypes.BINARY}
    )
    def get(self, request: Request) -> HttpResponse:
        """Download the verifier for browsers: one HTML file, to be opened from your own disk.

        Written independently of the other in another language; it loads nothing and sends
        nothing. The same sources give the same bytes.
        """
        response = HttpResponse(page(), content_type="text/html; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="{NAME}"'
        return response


class RootKey(PlacetView):
    """The public root key, which signs ``keys.json``."""

    @extend_schema(
        operation_id="keys_root", responses={(200, "application/x-pem-file"): OpenApiTypes.STR}
    )
    def get(self, request: Request) -> HttpResponse:
        """Read the root key as PEM. Compare its fingerprint with the one you were given."""
        return HttpResponse(root_public().to_pem(), content_type="application/x-pem-file")
