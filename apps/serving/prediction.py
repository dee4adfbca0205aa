"""A trial call of an endpoint, for the page's "try it"; clients call the URL itself."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from apps.identity.queries import authorize
from apps.serving.actions.deletion import refuse_deleted
from apps.serving.errors import PredictFailed
from apps.serving.models import Endpoint
from apps.serving.queries import endpoint_url, no_address, status
from placet.kernel.actor import Actor
from placet.kernel.api.parsers import strict_loads
from placet.kernel.config import config
from placet.kernel.outbound import OutboundFailed, post
from placet.kernel.problems import Problem, TooManyRequests

TIMEOUT = 20.0
EACH = 2  # trial calls of one person at a time


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the endpoint answered, whatever the status."""

    status: int
    seconds: float
    revision: str
    release: str
    model: str
    body: Any


class Turns:
    """How many trial calls are under way in this process, by who answers for them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._under_way: Counter[str] = Counter()

    @contextmanager
    def taken(self, person: str) -> Iterator[None]:
        """Be one of them, or raise :class:`TooManyRequests`."""
        most = max(1, config().web_threads // 4)
        with self._lock:
            if self._under_way[person] >= EACH or self._under_way.total() >= most:
                raise TooManyRequests("Other trial calls are under way: try again when one ended")
            self._under_way[person] += 1
        try:
            yield
        finally:
            with self._lock:
                self._under_way[person] -= 1
                self._under_way += Counter()  # those of nobody go


turns = Turns()


def predict(endpoint: Endpoint, body: Any, *, actor: Actor, api_key: str = "") -> Prediction:
    """Call the endpoint's ``/predict`` with ``body``, or the API that its live version names.

    Needs ``endpoint.predict``. Goes only to the address that the target is configured with,
    and follows no redirect. Raises :class:`TooManyRequests` while the person has two under way, or
    all together have a quarter of the threads of this process: whoever waits for a model holds one.
    """
    authorize(actor, "endpoint.predict", endpoint, view="endpoint.view")
    refuse_deleted(endpoint)
    with turns.taken(actor.accountable):
        return _call(endpoint, body, api_key)


def _call(endpoint: Endpoint, body: Any, api_key: str) -> Prediction:
    address = endpoint_url(endpoint)
    if not address:
        raise PredictFailed(no_address(endpoint.target.name))
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    if api_key:
        headers["X-API-Key"] = api_key
    try:
        answer = post(
            f"{address}/{_api(endpoint)}",
            body=json.dumps(body, allow_nan=False).encode(),
            headers=headers,
            timeout=TIMEOUT,
            whole=TIMEOUT,
        )
    except OutboundFailed as error:
        raise PredictFailed(str(error)) from error
    return Prediction(
        status=answer.status,
        seconds=round(answer.seconds, 4),
        revision=answer.headers.get("x-placet-revision", ""),
        release=answer.headers.get("x-placet-release", ""),
        model=answer.headers.get("x-placet-model", ""),
        body=_json_or_text(answer.body),
    )


def _api(endpoint: Endpoint) -> str:
    serving = status(endpoint).serving
    return serving.revision.bento.version.api if serving else "predict"


def _json_or_text(raw: bytes) -> Any:
    """What a model answers is data from outside: text, unless it is JSON that we could send on."""
    try:
        return strict_loads(raw)
    except Problem:
        return raw.decode("utf-8", errors="replace")[:10_000]
