"""Speaks HTTP to a Placet server: sign-in by token, problem details, pages, uploads, waiting."""

import hashlib
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx

TRIES = 3
CHUNK = 4 * 1024 * 1024
Json = dict[str, Any]


class PlacetError(Exception):
    """A refusal of the server, as its problem details say it.

    ``status`` is the HTTP status (0 when the server was not reached), ``code`` the stable word for
    programs, ``errors`` a list of ``{"pointer", "detail"}``.
    """

    def __init__(self, status: int, code: str, detail: str, errors: list[Json] | None = None):
        super().__init__(detail)
        self.status, self.code, self.detail, self.errors = status, code, detail, errors or []

    def __str__(self) -> str:
        lines = [self.detail]
        lines += [f"  {e.get('pointer', '')}: {e.get('detail', '')}" for e in self.errors]
        return "\n".join(lines)


class Client:
    """One server, one token.

    Every POST carries an ``Idempotency-Key``, so that a request whose answer was lost may be sent
    again: connection errors are retried twice with the same key. What was refused because the quota
    of the minute is used up (429) is sent again when the server says that it may be.
    """

    def __init__(self, url: str, token: str, *, timeout: float = 60.0) -> None:
        self.url = url.rstrip("/")
        self._http = httpx.Client(
            base_url=self.url + "/api/v1",
            headers={"Authorization": f"Bearer {token}", "User-Agent": "placet-client"},
            timeout=timeout,
        )

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *exc: object) -> None:
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
    ) -> httpx.Response:
        """Send one request and return the answer. Raises :class:`PlacetError` for a refusal."""
        sent = dict(headers or {})
        if method == "POST":
            sent.setdefault("Idempotency-Key", uuid.uuid4().hex)
        for attempt in range(TRIES):
            last = attempt == TRIES - 1
            try:
                response = self._http.request(
                    method, path, json=json, content=content, headers=sent, params=params
                )
            except httpx.TransportError as error:
                if last or method == "PATCH":
                    raise PlacetError(0, "unreachable", f"{self.url}: {error}") from None
                time.sleep(0.2 * (attempt + 1))
                continue
            if response.status_code != 429 or last:
                break
            time.sleep(_pause(response))
        if response.status_code >= 400:
            raise _refusal(response)
        return response

    def get(self, path: str, **params: Any) -> Json:
        """Read one thing."""
        found: Json = self.request("GET", path, params=_given(params)).json()
        return found

    def post(self, path: str, body: Any = None) -> Json:
        """Do one thing; an empty answer is ``{}``."""
        response = self.request("POST", path, json={} if body is None else body)
        result: Json = response.json() if response.content else {}
        return result

    def change(self, method: str, path: str, body: Any = None) -> Json:
        """PUT, PATCH or DELETE what was just read: reads the ETag first and sends ``If-Match``."""
        etag = self.request("GET", path).headers.get("ETag", "")
        response = self.request(method, path, json=body, headers={"If-Match": etag})
        result: Json = response.json() if response.content else {}
        return result

    def put_new_or_change(self, path: str, body: Any) -> Json:
        """PUT what may not exist yet: new without a condition, else with the ETag just read."""
        try:
            return self.change("PUT", path, body)
        except PlacetError as error:
            if error.status != 404:
                raise
        made: Json = self.request("PUT", path, json=body).json()
        return made

    def every(self, path: str, **params: Any) -> Iterator[Json]:
        """Yield the items of a list, following its pages."""
        query = _given(params)
        while True:
            page = self.get(path, **query)
            yield from page["items"]
            if not page.get("next_cursor"):
                return
            query["cursor"] = page["next_cursor"]

    def upload(
        self,
        version: str,
        file: Path,
        path: str,
        *,
        archive: bool = False,
        progress: Callable[[int, int], None] | None = None,
    ) -> Json:
        """Upload ``file`` to the version at API path ``version`` as ``path``.

        Bytes the server has already are not sent again; an interrupted upload goes on where it
        stopped. ``progress`` is called with bytes sent and bytes in all.
        """
        size, digest = file.stat().st_size, _sha256(file)
        body = {"path": path, "size": size, "sha256": digest, "archive": archive}
        result = self.post(f"{version}/uploads", body)
        upload = result.get("upload")
        if upload is None:
            return result
        offset = int(upload["received"])
        with file.open("rb") as stream:
            while offset < size or size == 0:
                stream.seek(offset)
                chunk = stream.read(CHUNK)
                headers = {
                    "Upload-Offset": str(offset),
                    "Content-Type": "application/offset+octet-stream",
                }
                response = self.request(
                    "PATCH", f"/uploads/{upload['id']}", content=chunk, headers=headers
                )
                offset += len(chunk)
                if progress:
                    progress(offset, size)
                if response.status_code == 200:
                    done: Json = response.json()
                    return done
        return result

    def wait(
        self, path: str, until: Callable[[Json], bool], *, seconds: float = 600, every: float = 0.5
    ) -> Json:
        """Read ``path`` until ``until`` says so. Raises ``TimeoutError`` after ``seconds``."""
        end = time.monotonic() + seconds
        while True:
            found = self.get(path)
            if until(found):
                return found
            if time.monotonic() > end:
                raise TimeoutError(f"{path} is still {found.get('state', 'unfinished')}")
            time.sleep(every)


def _pause(response: httpx.Response) -> float:
    """Return how long the server asks to wait: a minute at most, a second when it does not say."""
    text = response.headers.get("Retry-After", "")
    return min(float(text), 60.0) if text.isascii() and text.isdigit() else 1.0


def _refusal(response: httpx.Response) -> PlacetError:
    try:
        body = response.json()
        return PlacetError(
            response.status_code, body.get("code", ""), body["detail"], body.get("errors")
        )
    except (ValueError, KeyError, AttributeError):
        return PlacetError(response.status_code, "unknown", response.text[:500])


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _given(params: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in params.items() if v is not None}
