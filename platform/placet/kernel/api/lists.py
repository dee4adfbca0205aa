"""Lists: how a part of one is asked for, and the page that is answered."""

import base64
import binascii
import hmac
import json
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, TypeVar

from django.conf import settings
from django.db import models
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from placet.kernel.api.views import PlacetView
from placet.kernel.problems import FieldError, InvalidInput

M = TypeVar("M", bound=models.Model)
DEFAULT_LIMIT, MAX_LIMIT = 50, 500


class ListView(PlacetView):
    """A view whose ``get`` answers a list a page at a time.

    It takes ``limit``, ``cursor``, and what ``filters`` names. A page holds ``most`` items at most,
    whatever is asked for.
    """

    filters: Sequence[str] = ()
    most = MAX_LIMIT

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Let the query string hold what a page is asked for by, and the filters."""
        super().__init_subclass__(**kwargs)
        cls.query_params = ("limit", "cursor", *cls.filters)

    def narrowed(self, rows: models.QuerySet[M]) -> models.QuerySet[M]:
        """Keep the rows whose columns hold what the query string says, where it names a filter."""
        query = self.request.query_params
        return rows.filter(**{name: query[name] for name in self.filters if query.get(name)})

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
        limit = min(limit_of(self.request), self.most)
        field, descending = order.lstrip("-"), order.startswith("-")
        rows = queryset.order_by(order)
        if (cursor := self.request.query_params.get("cursor")) is not None:
            after = self._open_cursor(cursor)
            rows = rows.filter(**{f"{field}__{'lt' if descending else 'gt'}": after})
        page_rows = list(rows[: limit + 1])
        next_cursor = None
        if len(page_rows) > limit:
            page_rows = page_rows[:limit]
            next_cursor = self._seal_cursor(getattr(page_rows[-1], field))
        response = Response({"items": render(page_rows), "next_cursor": next_cursor})
        if next_cursor:
            query = self.request.query_params.copy()
            query["cursor"] = next_cursor
            response["Link"] = f'<{self.request.path}?{query.urlencode()}>; rel="next"'
        return response

    def _mac(self, payload: bytes) -> bytes:
        """Bind a cursor to its list, its filters and its reader."""
        parameters = self.request.query_params.items()
        filters = sorted(
            (name, value) for name, value in parameters if name not in {"cursor", "limit"}
        )
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


def limit_of(request: Request) -> int:
    """Return how many items are asked for."""
    text = request.query_params.get("limit", str(DEFAULT_LIMIT))
    digits = text.isascii() and text.isdigit() and len(text) <= len(str(MAX_LIMIT))
    if not (digits and 1 <= int(text) <= MAX_LIMIT):
        raise InvalidInput(errors=[FieldError("limit", f"A number from 1 to {MAX_LIMIT}")])
    return int(text)


@cache  # a second class of the same name would be a second component of the document
def page_of(
    item: type[serializers.Serializer[Any]], says: str | None = None
) -> type[serializers.Serializer[Any]]:
    """Return the serializer of a page of ``item``, for the OpenAPI document, which ``says`` this.

    A view answers with :meth:`ListView.page`; nothing is written by this serializer.
    """
    name = item.__name__.removesuffix("Serializer") + "Page"
    fields = {"items": item(many=True), "next_cursor": serializers.CharField(allow_null=True)}
    return type(name, (serializers.Serializer,), {"__doc__": says, **fields})


def many(item: type[serializers.Serializer[Any]]) -> Callable[[Sequence[Any]], list[Any]]:
    """Return the function that turns the rows of a page into JSON values."""
    return lambda rows: list(item(rows, many=True).data)
