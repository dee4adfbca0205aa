"""What the server refused, and what kept the client from reaching it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx


@dataclass(frozen=True, slots=True)
class FieldError:
    """One field at fault: ``pointer`` says which (a JSON pointer, or a parameter's name)."""

    pointer: str
    detail: str


class PlacetError(Exception):
    """A refusal, as its problem details (RFC 9457) say it.

    ``status`` is the HTTP status, 0 when no server answered. ``code`` is the stable word for
    programs, ``request_id`` what the server's own log calls the request, ``errors`` the fields.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        errors: Sequence[FieldError] = (),
        request_id: str = "",
    ) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail
        self.errors, self.request_id = tuple(errors), request_id

    def __str__(self) -> str:
        return "\n".join([self.detail, *(f"  {e.pointer}: {e.detail}" for e in self.errors)])


class Unreachable(PlacetError):
    """No answer came: the name, the network, or the server's process."""


class BadAnswer(PlacetError):
    """Something answered that does not speak this API: a proxy, or another program."""


class InvalidRequest(PlacetError):
    """400, 413, 415, 422: the request must change; ``errors`` name the fields."""


class NotSignedIn(PlacetError):
    """401: the token is missing, unknown, expired or revoked."""


class Denied(PlacetError):
    """403: the token's owner sees it, but may not do this."""


class NotFound(PlacetError):
    """404: there is no such thing, or its owner may not see it."""


class Conflict(PlacetError):
    """409: it exists already, or stands in another state than this needs."""


class Stale(Conflict):
    """412, 428: it was changed since it was read; read it again."""


class TooManyRequests(PlacetError):
    """429, still after waiting as long as the server asked for."""


class ServerFault(PlacetError):
    """500 and above: the server's own fault; ``request_id`` finds it in its log."""


KINDS: dict[int, type[PlacetError]] = {
    401: NotSignedIn,
    403: Denied,
    404: NotFound,
    409: Conflict,
    412: Stale,
    428: Stale,
    429: TooManyRequests,
}


def refusal(response: httpx.Response) -> PlacetError:
    """Return what a 4xx or 5xx answer says, as the exception of its kind."""
    status = response.status_code
    kind = KINDS.get(status) or (ServerFault if status >= 500 else InvalidRequest)
    try:
        body: Any = json.loads(response.read())
        errors = [
            FieldError(str(e.get("pointer", "")), str(e.get("detail", "")))
            for e in body.get("errors") or ()
        ]
        sentence, code = str(body["detail"]), str(body.get("code", ""))
        return kind(status, code, sentence, errors, str(body.get("request_id", "")))
    except (ValueError, KeyError, AttributeError, TypeError):
        where = response.request.url.copy_with(query=None)
        sentence = f"{where} answered {status} {response.reason_phrase}, and not as Placet does"
        return kind(
            status, "unknown", sentence, request_id=response.headers.get("X-Request-ID", "")
        )
