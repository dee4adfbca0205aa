"""Calling a webhook: one POST, signed or as a chat has it, and what came of it. Never inside
a transaction."""

import time
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from apps.integrations.chat_messages import ChatMessage
from apps.integrations.hiding import hidden
from apps.integrations.models import WebhookFault
from apps.integrations.rules import wished
from apps.integrations.senders import MOST_ANSWER, TEST, TIMEOUT, Patience
from apps.integrations.signing import signed
from apps.integrations.webhook_secrets import OpenedWebhook
from placet.kernel.clock import now
from placet.kernel.config import config
from placet.kernel.outbound import OutboundFailed, post

MEDIA = "application/cloudevents+json; charset=utf-8"
KEPT_ANSWER = 1024  # characters of an answer
UNKEPT = "webhook-signature"  # of the headers, which are kept


@dataclass(frozen=True, slots=True)
class Call:
    """One message to one webhook: the body, or what a chat is told."""

    message: str
    body: bytes | ChatMessage
    test: bool = False


@dataclass(frozen=True, slots=True)
class Called:
    """What came of a call: ``fault``, a :class:`WebhookFault`, is empty where it was taken.
    ``status`` is HTTP's, 0 without an answer, ``wished`` the seconds that its Retry-After asks
    for."""

    seconds: float
    headers: dict[str, str]
    status: int = 0
    answer: str = ""
    fault: str = ""
    detail: str = ""
    wished: float | None = None

    @classmethod
    def failed(cls, failure: OutboundFailed, seconds: float, headers: dict[str, str]) -> "Called":
        """Return what came of a call that nothing was answered to."""
        return cls(seconds, headers, fault=failure.fault, detail=failure.detail)


def call(to: OpenedWebhook, what: Call) -> Called:
    """Send ``what``, as it is at this moment; whatever goes wrong is an answer too."""
    at, began = now(), time.monotonic()
    try:
        url, headers, body = _request(to, what, at)
    except OutboundFailed as failure:
        return Called.failed(failure, 0.0, {})
    kept = {name: value for name, value in headers.items() if name != UNKEPT}
    patience = TEST if what.test else Patience(TIMEOUT, TIMEOUT + 2)
    try:
        answer = post(
            url,
            body=body,
            headers=headers,
            timeout=patience.silent,
            whole=patience.whole,
            limit=MOST_ANSWER,
            cut=True,  # whatever else it says, its status says whether it was taken
            public=(urlsplit(url).hostname or "") not in config().private_webhook_hosts,
        )
    except OutboundFailed as failure:
        return Called.failed(failure, time.monotonic() - began, kept)
    # More than is kept: it is cut once more when all that it repeats of the address is hidden.
    text = answer.body[: 4 * KEPT_ANSWER].decode("utf-8", "replace").rstrip("\ufffd")
    return Called(
        time.monotonic() - began,
        kept,
        answer.status,
        _plain(hidden(text, to.url))[:KEPT_ANSWER],
        "" if 200 <= answer.status < 300 else WebhookFault.ANSWERED,
        wished=wished(answer.headers.get("retry-after", ""), at),
    )


def _request(to: OpenedWebhook, what: Call, at: datetime) -> tuple[str, dict[str, str], bytes]:
    """Return address, headers and body, signed for a program and as the chat has it for a chat."""
    if isinstance(what.body, ChatMessage):
        from apps.integrations.chat_requests import chat_request  # the library, where one is sent

        asked = chat_request(to.service, to.url, what.body)
        return asked.url, asked.headers, asked.body
    headers = {"Content-Type": MEDIA, "User-Agent": "placet"} | signed(
        to.keys, message=what.message, timestamp=int(at.timestamp()), body=what.body
    )
    return to.url, headers, what.body


def _plain(text: str) -> str:
    """Return a text as pages show it: of one of two bytes each what they tell without the NULs."""
    text = text.replace("\0", "")
    return "".join(c if c.isprintable() or c == "\n" else " " for c in text)
