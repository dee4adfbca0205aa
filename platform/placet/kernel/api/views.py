"""The base of every API view: actor, strict query parameters, pages, ETags."""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from django.conf import settings
from django.db import models
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer, CharField, Field
from rest_framework.views import APIView

from placet.kernel.actor import ANONYMOUS, Actor
from placet.kernel.problems import FieldError, InvalidInput, PreconditionRequired, Stale

M = TypeVar("M", bound=models.Model)
DEFAULT_LIMIT, MAX_LIMIT = 50, 500


class PlacetView(APIView):
    """An API view whose writes are actions and whose reads go through the actor.

    ``query_params`` names what the query string may hold, per method or for all; anything else
    is answered with 400.
    """

    query_params: Sequence[str] = ()

    @property
    def actor(self) -> Actor:
        """Return who is asking."""
        found = self.request.auth
        return found if isinstance(found, Actor) else ANONYMOUS

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse unknown and repeated query parameters before the handler runs."""
        super().initial(request, *args, **kwargs)
        for name in request.query_params:
            if name not in self.query_params:
                raise InvalidInput(errors=[FieldError(name, "Unknown query parameter")])
            if len(request.query_params.getlist(name)) > 1:
                raise InvalidInput(errors=[FieldError(name, "Give it once")])

    def body(self, serializer_class: Callable[..., BaseSerializer[Any]]) -> Any:
        """Validate the request body and return the validated data; unknown fields are refused."""
        serializer = serializer_class(data=self.request.data)
        if isinstance(self.request.data, Mapping) and hasattr(serializer, "fields"):
            writable = {n for n, f in serializer.fields.items() if not f.read_only}
            unknown = sorted(set(self.request.data) - writable)
            if unknown:
                raise InvalidInput(errors=[FieldError(f"/{n}", "Unknown field") for n in unknown])
            fields = serializer.fields.items()
            if odd := [n for n, f in fields if _no_text(f, self.request.data.get(n))]:
                raise InvalidInput(errors=[FieldError(f"/{n}", "Must be a text") for n in odd])
        serializer.is_valid(raise_exception=True)
        return serializer.validated_data

    def page(
        self,
        queryset: models.QuerySet[M],
        render: Callable[[Sequence[M]], list[Any]],
        *,
        order: str = "-pk",
    ) -> Response:
        """Answer one page of ``queryset`` as ``{"items": […], "next_cursor": …}``.

        ``order`` is one unique column, '-' for descending. ``render`` turns the rows of the page
        into JSON values. The cursor is opaque and signed: a forged one is answered with 400.
        """
        limit = self._limit()
        field, descending = order.lstrip("-"), order.startswith("-")
        rows = queryset.order_by(order)
        if (cursor := self.request.query_params.get("cursor")) is not None:
            after = self._open_cursor(cursor)
            rows = rows.filter(**{f"{field}__{'lt' if descending else 'gt'}": after})
        found = list(rows[: limit + 1])
        next_cursor = None
        if len(found) > limit:
            found = found[:limit]
            next_cursor = self._seal_cursor(getattr(found[-1], field))
        response = Response({"items": render(found), "next_cursor": next_cursor})
        if next_cursor:
            query = self.request.query_params.copy()
            query["cursor"] = next_cursor
            response["Link"] = f'<{self.request.path}?{query.urlencode()}>; rel="next"'
        return response

    def _limit(self) -> int:
        text = self.request.query_params.get("limit", str(DEFAULT_LIMIT))
        digits = text.isascii() and text.isdigit() and len(text) <= len(str(MAX_LIMIT))
        if not (digits and 1 <= int(text) <= MAX_LIMIT):
            raise InvalidInput(errors=[FieldError("limit", f"A number from 1 to {MAX_LIMIT}")])
        return int(text)

    def _mac(self, payload: bytes) -> bytes:
        """Bind a cursor to its list, its filters and its reader."""
        asked = self.request.query_params.items()
        filters = sorted((name, value) for name, value in asked if name not in {"cursor", "limit"})
        context = json.dumps(["cursor", self.request.path, self.actor.id, filters]).encode()
        return hmac.digest(settings.SECRET_KEY.encode(), context + payload, "sha256")[:12]

    def _seal_cursor(self, value: Any) -> str:
        payload = json.dumps(value, default=str).encode()
        return base64.urlsafe_b64encode(self._mac(payload) + payload).decode().rstrip("=")

    def _open_cursor(self, cursor: str) -> Any:
        try:
            raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
            mac, payload = raw[:12], raw[12:]
            if not hmac.compare_digest(mac, self._mac(payload)):
                raise ValueError
            return json.loads(payload)
        except (ValueError, binascii.Error):
            raise InvalidInput(
                errors=[FieldError("cursor", "Not a cursor of this list: start without one")]
            ) from None


def etag(*parts: object) -> str:
    """Return a strong ETag over ``parts``, which must change whenever the resource does."""
    digest = hashlib.sha256("\x1f".join(str(p) for p in parts).encode()).hexdigest()
    return f'"{digest[:32]}"'


def require_match(request: Request, current: str) -> None:
    """Check ``If-Match`` against ``current``: 428 when missing, 412 when it names another state."""
    sent = request.headers.get("If-Match")
    if sent is None:
        raise PreconditionRequired
    if sent.strip() != current:
        raise Stale


def _no_text(field: "Field[Any, Any, Any, Any]", value: Any) -> bool:
    """Tell whether a number stands where the document says text: REST framework writes it out."""
    return isinstance(field, CharField) and isinstance(value, int | float)
