"""Carries requests: the token, the Idempotency-Key, and when a request is sent again."""

import contextlib
import random
import ssl
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from placet_client.errors import InvalidRequest, NotFound, Unreachable, refusal

ATTEMPTS = 4
LONGEST_PAUSE = 60.0
IN_PROGRESS = "idempotency_in_progress"  # the first request with this key is still running
Json = dict[str, Any]


class Transport:
    """One server and one token; without one it asks what is open to strangers.

    GET, HEAD, and POST (which carries an ``Idempotency-Key``) are sent again when the connection
    broke or the server was unavailable (503): after a growing pause, or after ``Retry-After``. The
    same key makes sure that nothing is done twice. PUT, PATCH and DELETE are not: a repeat of one
    that went through would only meet an ``If-Match`` of the past. What was refused because a quota
    is used up (429) was not done, and is sent again whatever it is.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        timeout: float = 60.0,
        ca: str = "",
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.url = url.rstrip("/")
        self.wait = sleep
        try:
            self._http = httpx.Client(
                base_url=self.url + "/api/v1",
                headers={"User-Agent": "placet-client"}
                | ({"Authorization": f"Bearer {token}"} if token else {}),
                timeout=timeout,
                verify=_trusted(ca),
                transport=transport,
            )
        except (httpx.InvalidURL, UnicodeEncodeError) as error:
            raise Unreachable(0, "bad_address", f"{url!r} or its token: {error}") from None

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        content: bytes | None = None,
        headers: dict[str, str] | None = None,
        params: dict[str, Any] | None = None,
        form: dict[str, Any] | None = None,
    ) -> httpx.Response:
        """Send one request and return the answer; raise :class:`PlacetError` for a refusal.

        ``form`` is what ``multipart/form-data`` is made of: its ``data`` and its ``files``."""
        sent = dict(headers or {})
        if method == "POST":
            sent.setdefault("Idempotency-Key", uuid.uuid4().hex)
        body = form or {"json": json, "content": content}
        response = self._send(method, path, headers=sent, params=params, **body)
        if response.status_code >= 300:
            raise refusal(response)
        return response

    def _send(
        self, method: str, path: str, *, stream: bool = False, **options: Any
    ) -> httpx.Response:
        """Return the answer, whatever it is, once it is no longer worth a repeat."""
        repeatable = method in ("GET", "HEAD", "POST")
        try:
            request = self._http.build_request(method, path, **options)
        except ValueError as error:  # NaN, or half a character of a file name
            raise InvalidRequest(0, "not_json", f"This cannot be sent: {error}") from None
        except httpx.InvalidURL as error:
            raise Unreachable(0, "bad_address", f"{self.url}: {error}") from None
        for attempt in range(ATTEMPTS):
            last = attempt == ATTEMPTS - 1
            try:
                response = self._http.send(request, stream=stream)
            except httpx.TransportError as error:
                if last or not repeatable:
                    raise Unreachable(0, "unreachable", f"{self.url}: {error}") from None
                self.wait(pause(attempt))
                continue
            except httpx.TooManyRedirects as error:
                raise Unreachable(0, "bad_address", f"{self.url}: {error}") from None
            if last or not _worth_a_repeat(response, repeatable):
                break
            response.close()
            self.wait(pause(attempt, response.headers.get("Retry-After", "")))
        return response

    def tag(self, path: str, *, missing: bool = False) -> str:
        """Return the ETag of what is at ``path``; with ``missing`` '' for what is not there."""
        try:
            return str(self.request("HEAD", path).headers.get("ETag", ""))
        except NotFound:
            if missing:
                return ""
            raise

    @contextlib.contextmanager
    def stream(
        self, path: str, params: Json | None = None, headers: dict[str, str] | None = None
    ) -> Iterator[httpx.Response]:
        """Open a body of any length, to be read piece by piece."""
        try:
            with contextlib.closing(
                self._send("GET", path, params=params, headers=headers, stream=True)
            ) as response:
                if response.status_code >= 300:
                    raise refusal(response)
                yield response
        except httpx.TransportError as error:
            raise Unreachable(0, "unreachable", f"{self.url}: {error}") from None


def _trusted(ca: str) -> ssl.SSLContext | bool:
    """Return who may vouch for the server: the authorities in the file ``ca``, else the usual."""
    if not ca:
        return True
    try:
        return ssl.create_default_context(cafile=ca)
    except OSError as error:
        raise Unreachable(0, "bad_ca", f"{ca} holds no certificate authority: {error}") from None


def pause(attempt: int, retry_after: str = "") -> float:
    """Return the seconds to wait: what the server asked for, else twice as long each time."""
    seconds = _seconds(retry_after)
    # Jitter keeps many pipelines that failed together from coming back together.
    return min(
        seconds if seconds is not None else 0.25 * 2**attempt * (1 + _jitter()), LONGEST_PAUSE
    )


def _jitter() -> float:
    return random.random()  # noqa: S311 - no secret


def _seconds(text: str) -> float | None:
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(tz=UTC)).total_seconds())
    except (ValueError, TypeError):
        return None


def _worth_a_repeat(response: httpx.Response, repeatable: bool) -> bool:
    if response.status_code == 429:
        return True
    busy = response.status_code == 503
    running = response.status_code == 409 and f'"{IN_PROGRESS}"'.encode() in response.read()
    return repeatable and (busy or running)
