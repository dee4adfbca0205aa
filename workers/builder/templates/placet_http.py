"""The HTTP contract of every served model: ``POST /predict`` and problem details."""

import json
import logging
import os
import re
import time
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from anyio import CapacityLimiter, to_thread
from placet_inputs import BadInput, Inputs

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
MAX_BODY = 16 * 1024 * 1024
SMALL_BODY = 4096  # bytes: one row of it is no more work than another
DESCRIPTION = "Answers rows that are sent to /predict."
ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
ENCODER = json.JSONEncoder(allow_nan=False, separators=(",", ":"))
log = logging.getLogger("placet")


class Refusal(Exception):
    """An answer that is not a prediction."""

    def __init__(self, status: int, code: str, title: str, errors: Any = ()) -> None:
        super().__init__(title)
        self.status, self.code, self.title, self.errors = status, code, title, list(errors)


class Pace:
    """Tells whether predictions of one small row are so short that a thread of their own, which
    takes longer to be woken than most models to answer, is not worth it.

    Decided by what this model took here, in threads, for its first ``TRIED`` small rows. One that
    blocks the event loop ``FORGIVEN`` times after all goes back to threads for good.
    """

    TRIED = 64
    SHORT = 0.0005  # seconds that nine of ten may take
    BLOCKED = 0.01  # seconds for which probes and others may wait
    FORGIVEN = 3  # times: a busy host stops a process for longer, now and then

    def __init__(self) -> None:
        self.short = False
        self._took: list[float] = []
        self._blocked = 0

    def tried(self, seconds: float) -> None:
        """Learn how long the prediction of one small row took in a thread."""
        if self.short or self._blocked >= self.FORGIVEN:  # it is decided
            return
        self._took.append(seconds)
        if len(self._took) == self.TRIED:
            self.short = sorted(self._took)[self.TRIED * 9 // 10] <= self.SHORT
            self._took.clear()

    def blocked(self, seconds: float) -> None:
        """Learn for how long one kept the event loop, whatever became of it."""
        self._blocked += seconds > self.BLOCKED
        if self._blocked >= self.FORGIVEN:
            self.short = False
            log.warning("Predictions take %.0f ms now: in threads again", seconds * 1000)


class PredictApp:
    """An ASGI application with one route.

    Prediction is one vectorised call per request, in a worker thread unless it is short, so that
    probes are answered meanwhile; requests are not held back to be joined into batches.
    """

    def __init__(self, info: dict[str, Any], capture: Any) -> None:
        self.model: Any = None
        self._capture = capture
        self._inputs = Inputs(info["signature"]["inputs"])
        self._limiter: CapacityLimiter | None = None
        self._pace = Pace()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        try:
            status, value = 200, await self._predict(scope, receive)
        except Refusal as refusal:
            status, value = refusal.status, _problem(refusal)
        except BadInput as bad:
            title = "The input does not fit the model's signature"
            status = 400
            value = _problem(Refusal(400, "invalid_input", title, bad.errors))
        except Exception:
            log.exception("prediction failed")
            status = 500
            value = _problem(Refusal(500, "prediction_failed", "The model could not predict this"))
        await _answer(send, status, value)

    async def _predict(self, scope: Message, receive: Receive) -> Any:
        if scope["path"].rstrip("/") != "/predict":
            raise Refusal(404, "not_found", "There is nothing here but /predict")
        if scope["method"] != "POST":
            raise Refusal(405, "method_not_allowed", "Send rows with POST")
        body, began = await _body(receive), time.perf_counter()
        rows, one = self._inputs.read(body)
        predictions = await self._predictions(rows, small=one and len(body) <= SMALL_BODY)
        if len(predictions) != len(rows):
            raise RuntimeError(f"{len(predictions)} predictions for {len(rows)} rows")
        self._keep(scope["headers"], body, rows, predictions, time.perf_counter() - began)
        return {"prediction": predictions[0]} if one else {"predictions": predictions}

    async def _predictions(self, rows: Any, *, small: bool) -> Any:
        if not small:
            return await self._in_thread(self.model.predict, rows)
        if not self._pace.short:
            predictions, took = await self._in_thread(self._timed, rows)
            self._pace.tried(took)
            return predictions
        began = time.perf_counter()
        try:
            return self.model.predict(rows)
        finally:
            self._pace.blocked(time.perf_counter() - began)

    async def _in_thread(self, call: Callable[[Any], Any], rows: Any) -> Any:
        if self._limiter is None:
            self._limiter = CapacityLimiter(4)
        return await to_thread.run_sync(call, rows, limiter=self._limiter)

    def _timed(self, rows: Any) -> tuple[Any, float]:
        began = time.perf_counter()
        return self.model.predict(rows), time.perf_counter() - began

    def _keep(self, headers: Any, body: bytes, rows: Any, predictions: Any, took: float) -> None:
        """Have a share of the predictions written down; whatever fails there fails no request."""
        prediction = prediction_id(headers)
        if not self._capture.wants(prediction):
            return
        try:
            self._capture.write(prediction, headers, body, rows, predictions, took)
        except Exception:
            log.exception("capture failed")


def prediction_id(headers: Any) -> str:
    """Return the id that the proxy gave the request, which is the last one; else a new one."""
    given = [value for name, value in headers if name.lower() == b"x-request-id"]
    text = given[-1].decode("ascii", "replace").lower() if given else ""
    return text if ID.fullmatch(text) else str(uuid.uuid4())


def release_headers(name: str) -> dict[str, str]:
    """Return the headers that say which version, release and revision answers."""
    return {
        "X-Placet-Model": name,
        "X-Placet-Release": os.environ.get("PLACET_RELEASE", ""),
        "X-Placet-Revision": os.environ.get("PLACET_REVISION", ""),
    }


class Gate:
    """Puts the headers that say what answered, and the prediction id, on every response."""

    def __init__(self, app: Any, headers: dict[str, str]) -> None:
        self._app = app
        self._headers = [
            (name.lower().encode(), value.encode("ascii", "replace"))
            for name, value in headers.items()
            if value
        ]

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        prediction = prediction_id(scope["headers"]).encode()
        own = [*self._headers, (b"x-placet-prediction", prediction)]
        asked = {**scope, "headers": [*scope["headers"], (b"x-request-id", prediction)]}

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *own]
            await send(message)

        await self._app(asked, receive, with_headers)


async def _body(receive: Receive) -> bytes:
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refusal(400, "bad_request", "The request was cut off")
        part = message.get("body", b"")
        size += len(part)
        if size > MAX_BODY:
            raise Refusal(413, "too_large", f"The body may have at most {MAX_BODY} bytes")
        parts.append(part)
        if not message.get("more_body"):
            return b"".join(parts)


def _problem(refusal: Refusal) -> dict[str, Any]:
    return {
        "type": f"urn:placet:problem:{refusal.code}",
        "title": refusal.title,
        "status": refusal.status,
        "detail": refusal.errors[0]["detail"] if refusal.errors else refusal.title,
        "code": refusal.code,
        "errors": refusal.errors,
    }


async def _answer(send: Send, status: int, value: Any) -> None:
    body = ENCODER.encode(value).encode()
    kind = b"application/json" if status == 200 else b"application/problem+json"
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
    if status == 405:
        headers.append((b"allow", b"POST"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
