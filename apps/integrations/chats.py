"""Chats that can be told of events, and which addresses are theirs. Standard library only.

An address is what the chat gives whoever makes an incoming webhook there. Each is taken apart by
one pattern that allows nothing else: no option of a library or of a chat is in it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

STANDARD = "standard"  # no chat: a program, which is told by Standard Webhooks
MAX_ADDRESS = 500
HOST = (
    r"https://(?P<host>[A-Za-z0-9][A-Za-z0-9-]*(?:\.[A-Za-z0-9-]+)*)"
    r"(?::(?P<port>[1-9][0-9]{0,4}))?"
)
# What may stand in a query, by its name. Two say the same for everybody.
VALUES = {
    "api-version": re.compile(r"[0-9A-Za-z-]+"),
    "sp": re.compile(r"/triggers/manual/run"),
    "sv": re.compile(r"1\.0"),
    "sig": re.compile(r"[A-Za-z0-9_-]+"),
    "key": re.compile(r"[A-Za-z0-9_-]+"),
    "token": re.compile(r"[A-Za-z0-9_-]+={0,2}"),
}


@dataclass(frozen=True, slots=True)
class Chat:
    """A chat: its name, how its addresses look, and what must stand in their query."""

    title: str
    example: str
    address: re.Pattern[str]
    query: tuple[str, ...] = ()


CHATS: Mapping[str, Chat] = {
    "slack": Chat(
        "Slack",
        "https://hooks.slack.com/services/T…/B…/…",
        re.compile(
            r"https://hooks\.slack(?P<gov>-gov)?\.com/services/"
            r"(?P<token_a>[A-Z0-9]+)/(?P<token_b>[A-Z0-9]+)/(?P<token_c>[A-Za-z0-9]+)"
        ),
    ),
    "teams": Chat(
        "Microsoft Teams",
        "https://….logic.azure.com:443/workflows/…/triggers/manual/paths/invoke?api-version=…&sp=…"
        "&sv=…&sig=…",
        re.compile(
            HOST + r"(?P<automate>/powerautomate/automations/direct(?:/cu/(?P<route>[0-9]+))?)?"
            r"/workflows/(?P<workflow>[A-Za-z0-9_-]+)/triggers/manual/paths/invoke"
        ),
        ("api-version", "sp", "sv", "sig"),
    ),
    "mattermost": Chat(
        "Mattermost",
        "https://mattermost.example/hooks/…",
        re.compile(HOST + r"(?P<path>(?:/[A-Za-z0-9_-]+){0,4})/hooks/(?P<token>[A-Za-z0-9]+)"),
    ),
    "rocketchat": Chat(
        "Rocket.Chat",
        "https://chat.example/hooks/…/…",
        re.compile(HOST + r"/hooks/(?P<hook>[A-Za-z0-9]+/[A-Za-z0-9]+)"),
    ),
    "discord": Chat(
        "Discord",
        "https://discord.com/api/webhooks/…/…",
        re.compile(r"https://discord\.com/api/webhooks/(?P<id>[0-9]+)/(?P<token>[A-Za-z0-9_-]+)"),
    ),
    "google_chat": Chat(
        "Google Chat",
        "https://chat.googleapis.com/v1/spaces/…/messages?key=…&token=…",
        re.compile(r"https://chat\.googleapis\.com/v1/spaces/(?P<space>[A-Za-z0-9_-]+)/messages"),
        ("key", "token"),
    ),
}
SERVICES = (STANDARD, *CHATS)


def service_fault(service: str) -> str:
    """Return why there is no such service, '' when there is."""
    return "" if service in SERVICES else f"One of {', '.join(SERVICES)}"


def chat_fault(service: str, url: str) -> str:
    """Return why ``url`` is no address of a chat, '' when it is one."""
    if chat_parts(service, url) is not None:
        return ""
    chat = CHATS[service]
    return f"Paste the address that {chat.title} gives, such as {chat.example}, as it is"


def chat_parts(service: str, url: str) -> dict[str, str] | None:
    """Return what stands in an address of a chat, ``None`` in place of one that is none."""
    if len(url) > MAX_ADDRESS:
        return None
    chat = CHATS[service]
    address, mark, query = url.partition("?")
    match = chat.address.fullmatch(address)
    if match is None or bool(mark) != bool(chat.query):
        return None
    pairs = parse_qsl(query, keep_blank_values=True)
    told = dict(pairs)
    if sorted(name for name, _ in pairs) != sorted(chat.query):
        return None
    if not all(VALUES[name].fullmatch(value) for name, value in pairs):
        return None
    parts = {name: part for name, part in match.groupdict().items() if part is not None}
    return None if int(parts.get("port", "443")) > 65535 else parts | told
