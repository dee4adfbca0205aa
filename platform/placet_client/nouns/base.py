"""What the methods of every noun are made of: paths, single answers, lists, changes, files."""

import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from placet_client.downloads import fetch
from placet_client.errors import BadAnswer
from placet_client.records import Record
from placet_client.records.base import Json
from placet_client.transport import Transport

R = TypeVar("R", bound=Record)
PAGE = 100


def at(*parts: object) -> str:
    """Return an API path of names; whatever a name holds, it stays one part of the path."""
    return "".join(f"/{quote(str(part), safe='')}" for part in parts)


def given(**values: Any) -> Json:
    """Return what was given: ``None`` and an empty filter mean 'not given'."""
    return {name: value for name, value in values.items() if value is not None and value != ""}


def changed(body: Mapping[str, Any]) -> Json:
    """Return the members to change; here empty text is a value like any other."""
    return {name: value for name, value in body.items() if value is not None}


def moment(time: datetime | str | None) -> str | None:
    return time.isoformat() if isinstance(time, datetime) else time


class Listing(Generic[R]):
    """A list of the server's, read page by page while it is iterated, to its very end.

    ``limit`` ends it earlier. It may be iterated again: it asks the server anew.
    """

    def __init__(
        self,
        http: Transport,
        record: type[R],
        path: str,
        *,
        limit: int | None = None,
        query: Json | None = None,
        paged: bool = True,
    ) -> None:
        self._http, self._record, self._path = http, record, path
        self._limit, self._query, self._paged = limit, query or {}, paged

    def __iter__(self) -> Iterator[R]:
        return islice(self._every(), self._limit)

    def first(self) -> R | None:
        """Return the first item, or ``None`` when there is none."""
        return next(iter(islice(self._every(1), 1)), None)

    def _every(self, size: int = PAGE) -> Iterator[R]:
        query = dict(self._query)
        if self._paged:
            query["limit"] = min(size, self._limit or size)
        while True:
            page: Any = answer(self._http.request("GET", self._path, params=query))
            for item in page["items"]:
                yield self._record.read(item)
            if not page.get("next_cursor"):
                return
            query["cursor"] = page["next_cursor"]


class Noun:
    """The methods of one noun. What they take and answer is theirs; how it is asked is here."""

    def __init__(self, http: Transport) -> None:
        self._http = http

    def _read(self, record: type[R], path: str, **query: Any) -> R:
        response = self._http.request("GET", path, params=query or None)
        return record.read(answer(response), response.headers.get("ETag", ""))

    def _list(self, record: type[R], path: str, limit: int | None, **query: Any) -> Listing[R]:
        return Listing(self._http, record, path, limit=limit, query=given(**query))

    def _do(self, record: type[R], path: str, body: Json | None = None, key: str = "") -> R:
        """POST. ``key`` is the Idempotency-Key; without one, this call has one of its own."""
        headers = {"Idempotency-Key": key} if key else None
        response = self._http.request("POST", path, json=body or {}, headers=headers)
        return record.read(answer(response), response.headers.get("ETag", ""))

    def _send_form(
        self, record: type[R], path: str, body: Json, files: Mapping[str, bytes], key: str
    ) -> R:
        """POST a form with ``files``, by their names. What was sent with the same ``key`` is not
        done again: it stands in the form, for an Idempotency-Key counts for JSON alone."""
        kept = [("files", (name, raw, "application/octet-stream")) for name, raw in files.items()]
        form = {"data": body | {"once": key or uuid.uuid4().hex}, "files": kept}
        response = self._http.request("POST", path, form=form)
        return record.read(answer(response), response.headers.get("ETag", ""))

    def _change(
        self,
        record: type[R],
        method: str,
        path: str,
        body: Json,
        if_match: str,
        *,
        new: bool = False,
    ) -> R:
        """PUT or PATCH what ``if_match`` names; without it, what is there now."""
        tag = if_match or self._http.tag(path, missing=new)
        headers = {"If-Match": tag} if tag else None
        response = self._http.request(method, path, json=body, headers=headers)
        return record.read(answer(response), response.headers.get("ETag", ""))

    def _delete(self, path: str, if_match: str) -> None:
        self._http.request("DELETE", path, headers={"If-Match": if_match or self._http.tag(path)})

    def _bytes(self, path: str, **query: Any) -> bytes:
        return self._http.request("GET", path, params=query or None).content

    def _save(
        self,
        path: str,
        to: Path,
        *,
        progress: Callable[[int, int], None] | None = None,
        **query: Any,
    ) -> int:
        """Write a body of any length to ``to``, which appears whole or not at all."""
        with tempfile.NamedTemporaryFile(dir=to.absolute().parent, delete=False) as out:
            try:
                fetch(self._http, path, query or None, out, progress)
                out.close()
                Path(out.name).replace(to)
            except BaseException:
                Path(out.name).unlink(missing_ok=True)
                raise
        return to.stat().st_size


def answer(response: Any) -> Any:
    """Return the JSON of an answer; a page of some proxy is none."""
    try:
        return response.json()
    except ValueError:
        where = response.request.url.copy_with(query=None)
        raise BadAnswer(0, "bad_answer", f"{where} did not answer with JSON") from None
