"""The base of every API view: actor, strict query parameters, ETags."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rest_framework.request import Request
from rest_framework.serializers import BaseSerializer, CharField, Field
from rest_framework.views import APIView

from placet.kernel.actor import ANONYMOUS, Actor
from placet.kernel.problems import FieldError, InvalidInput, PreconditionRequired, Stale


class PlacetView(APIView):
    """An API view whose writes are actions and whose reads go through the actor.

    ``query_params`` names what the query string may hold, per method or for all; anything else
    is answered with 400.
    """

    query_params: Sequence[str] = ()

    @property
    def actor(self) -> Actor:
        """Return who is asking."""
        auth = self.request.auth
        return auth if isinstance(auth, Actor) else ANONYMOUS

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
