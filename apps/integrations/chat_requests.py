"""What is posted to a chat: the library ``apprise`` writes it, and never sends it.

Its plugins call ``requests`` by the name that stands in their modules. There stands what only
writes down what they ask for: no plugin has a connection, so none can follow a redirect, try again
or reach another host. What was written down goes out as all that leaves Placet does
(``apps.integrations.calling``). Nothing of an address is given to the library as its own kind of
address, which has options: each plugin is made of the parts that ``apps.integrations.chats`` found.
"""

import json
import logging
import sys
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode

from apprise import AppriseAsset, NotifyFormat, NotifyType
from apprise.plugins import discord, google_chat, mattermost, rocketchat, slack, workflows

from apps.integrations.chat_messages import ChatMessage
from apps.integrations.chats import chat_parts
from apps.integrations.models import WebhookFault
from apps.integrations.rules import origin_of
from placet.kernel.outbound import OutboundFailed

NO_PREVIEW = 4  # a flag of Discord's messages: what a link leads to is not fetched and shown
ANCHORED = ("slack", "google_chat")  # write a link as an anchor, and & as an entity
ASSET = AppriseAsset(
    app_id="Placet",
    app_desc="Placet",
    image_url_mask="",
    image_url_logo="",
    http_redirects=False,
    default_service_retry=0,
    allow_templates=False,
)


@dataclass(frozen=True, slots=True, repr=False)
class ChatRequest:
    """What is to be posted, and where."""

    url: str
    headers: dict[str, str]
    body: bytes


_written: ContextVar[list[ChatRequest]] = ContextVar("chat_requests")


class Unsent(OSError):
    """What plugins take for an error of their library."""


class _Answer:
    """What plugins are told of everything: it was taken."""

    status_code, content, headers = 200, b"ok", {}  # type: ignore[var-annotated]


class Paper:
    """Stands for ``requests`` in the modules of plugins, and writes down what they post."""

    RequestException = Unsent
    codes = type("codes", (), {one.name.lower(): one.value for one in HTTPStatus})

    @staticmethod
    def post(
        url: str,
        *,
        data: str,
        headers: dict[str, str],
        params: Mapping[str, str] | None = None,
        files: None = None,
        **ways: object,
    ) -> _Answer:
        """Write down a request; ``ways`` are how the library would have sent it."""
        if files or "auth" in ways:
            raise Unsent("no chat is sent files, or a password")
        query = f"?{urlencode(params)}" if params else ""
        _written.get().append(ChatRequest(url + query, dict(headers), data.encode()))
        return _Answer()

    @classmethod
    def request(cls, method: str, url: str, **asked: Any) -> _Answer:
        """Write down a request of any method, of which there is one."""
        if method != "post":
            raise Unsent("chats are posted to")
        return cls.post(url, **asked)


MODULES = (discord, google_chat, mattermost, rocketchat, slack, workflows)
for _module in MODULES:
    vars(_module)["requests"] = Paper
# It writes addresses, which are secrets, and whole messages.
logging.getLogger("apprise").addFilter(lambda record: False)


def chat_request(service: str, url: str, what: ChatMessage) -> ChatRequest:
    """Return what is to be posted to tell a chat, or raise :class:`OutboundFailed`."""
    parts = chat_parts(service, url)
    if parts is None:
        raise _unwritten()
    kept = _written.set([])
    try:
        plugin = PLUGINS[service](parts)
        if vars(sys.modules[type(plugin).__module__])["requests"] is not Paper:
            raise Unsent("it would be sent past what rules all that leaves Placet")
        plugin.send(_body(service, what), notify_type=NotifyType.INFO, body_format=FORMAT)
        written = _written.get()
    except Exception:  # its text may hold the address
        raise _unwritten() from None
    finally:
        _written.reset(kept)
    if len(written) != 1 or origin_of(written[0].url).lower() != origin_of(url).lower():
        raise _unwritten()
    return _quiet(written[0]) if service == "discord" else written[0]


def _unwritten() -> OutboundFailed:
    return OutboundFailed(WebhookFault.NO_CHAT.label, WebhookFault.NO_CHAT, "")


FORMAT = NotifyFormat.MARKDOWN


def _body(service: str, what: ChatMessage) -> str:
    link = quote(what.link, safe="/:.-_~?=%[]")
    if service in ANCHORED:
        return f"{what.text.replace('&', '&amp;')}\n<{link}|Open in Placet>"
    return f"{what.text}\n\n[Open in Placet]({link})"


def _quiet(request: ChatRequest) -> ChatRequest:
    """Return it with an order to Discord to notify nobody, whatever stands in it."""
    payload = json.loads(request.body) | {"allowed_mentions": {"parse": []}}
    return replace(request, body=json.dumps(payload).encode())


def _made(plugin: Any, **given: Any) -> Any:
    """Return a plugin that has no option but what it is given."""
    return plugin(asset=ASSET, store="no", **given)


def _at(parts: Mapping[str, str]) -> dict[str, Any]:
    """Return where a chat of somebody's own is."""
    return {"host": parts["host"], "port": parts.get("port"), "secure": True}


def _slack(parts: Mapping[str, str]) -> Any:
    return _made(
        slack.NotifySlack,
        **{name: parts[name] for name in ("token_a", "token_b", "token_c")},
        mode=slack.SlackMode.WEBHOOK_GOV if "gov" in parts else slack.SlackMode.WEBHOOK,
        use_blocks=True,
        include_image=False,
        include_footer=False,
    )


def _teams(parts: Mapping[str, str]) -> Any:
    return _made(
        workflows.NotifyWorkflows,
        workflow=parts["workflow"],
        signature=parts["sig"],
        include_image=False,
        power_automate="automate" in parts,
        routing_id=parts.get("route"),
        version=parts["api-version"],
        **_at(parts),
    )


def _mattermost(parts: Mapping[str, str]) -> Any:
    return _made(
        mattermost.NotifyMattermost,
        token=parts["token"],
        fullpath=parts.get("path", ""),
        include_image=False,
        mode=mattermost.MattermostMode.WEBHOOK,
        **_at(parts),
    )


def _rocketchat(parts: Mapping[str, str]) -> Any:
    return _made(
        rocketchat.NotifyRocketChat,
        webhook=parts["hook"],
        mode=rocketchat.RocketChatAuthMode.WEBHOOK,
        avatar=False,
        **_at(parts),
    )


def _discord(parts: Mapping[str, str]) -> Any:
    return _made(
        discord.NotifyDiscord,
        webhook_id=parts["id"],
        webhook_token=parts["token"],
        avatar=False,
        fields=False,
        flags=NO_PREVIEW,
    )


def _google_chat(parts: Mapping[str, str]) -> Any:
    return _made(
        google_chat.NotifyGoogleChat,
        workspace=parts["space"],
        webhook_key=parts["key"],
        webhook_token=parts["token"],
    )


PLUGINS: Mapping[str, Callable[[Mapping[str, str]], Any]] = {
    "slack": _slack,
    "teams": _teams,
    "mattermost": _mattermost,
    "rocketchat": _rocketchat,
    "discord": _discord,
    "google_chat": _google_chat,
}
