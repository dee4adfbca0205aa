"""Which addresses a chat has, what it is told, and that the library writes it and does no more."""

import json
import logging
import os
import socket
import sys
import traceback
import unicodedata
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from apps.integrations.chat_messages import MOST, SPACE, ChatMessage, dead, message
from apps.integrations.chat_requests import MODULES, Paper, Unsent, chat_request
from apps.integrations.chats import CHATS, SERVICES, chat_parts
from apps.integrations.models import WebhookService
from apps.integrations.rules import WebhookTerms, webhook_faults
from placet.kernel.outbound import OutboundFailed

SECRET = "Zx9SecretSecretSecret"
TEAMS = (
    "https://prod-1.westeurope.logic.azure.com:443/workflows/abc/triggers/manual/paths/invoke"
    f"?api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig={SECRET}"
)
AUTOMATE = (
    "https://x.environment.api.powerplatform.com:443/powerautomate/automations/direct/workflows/abc"
    f"/triggers/manual/paths/invoke?api-version=1&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig={SECRET}"
)
GOOD = {
    "slack": f"https://hooks.slack.com/services/T0/B0/{SECRET}",
    "teams": TEAMS,
    "mattermost": f"https://chat.example:8443/mm/hooks/{SECRET}",
    "rocketchat": f"https://chat.example/hooks/abc123/{SECRET}",
    "discord": f"https://discord.com/api/webhooks/123/{SECRET}",
    "google_chat": f"https://chat.googleapis.com/v1/spaces/AA/messages?token={SECRET}%3D&key=K-1",
}
EVERY = sorted(GOOD.items())
TEXT = "Placet · Risk · Approved the release by Alma"
LINK = "https://placet.example/releases/rel_1/"
TOLD = ChatMessage(TEXT, LINK)


def faults(service: str, url: str) -> list[tuple[str, str]]:
    found = webhook_faults(WebhookTerms(url, (), service), ())
    return [(fault.field, fault.detail) for fault in found]


def test_every_chat_has_an_address_here_and_a_name_on_the_pages() -> None:
    assert sorted(GOOD) == sorted(CHATS)
    assert list(SERVICES) == WebhookService.values
    assert {name: WebhookService(name).label for name in CHATS} == {
        name: chat.title for name, chat in CHATS.items()
    }


@pytest.mark.parametrize(("service", "url"), [*EVERY, ("teams", AUTOMATE)])
def test_what_a_chat_gives_is_taken_and_is_where_the_message_goes(service: str, url: str) -> None:
    assert faults(service, url) == []
    asked = urlsplit(chat_request(service, url, TOLD).url)
    given = urlsplit(url)
    assert (asked.scheme, asked.netloc, asked.path) == (given.scheme, given.netloc, given.path)
    assert parse_qs(asked.query) == parse_qs(given.query)


def test_the_government_s_slack_is_one_too() -> None:
    url = GOOD["slack"].replace("slack.com", "slack-gov.com")
    assert chat_request("slack", url, TOLD).url == url


@pytest.mark.parametrize(
    "option",
    [
        *("verify=no", "redirect=yes", "retry=9", "wait=9", "cto=99", "rto=99", "to=%23other"),
        *("template=file:///etc/passwd", "format=text", "overflow=split", "store=yes", "tz=UTC"),
        *("channel=x", "mode=bot", "icon_url=https://evil.example/x.png", "ping=everyone"),
        *("thread=1", "footer=yes", "image=yes", ":app_body=x", "emojis=yes", "href=https://e.vil"),
    ],
)
@pytest.mark.parametrize(("service", "url"), EVERY)
def test_an_address_has_nothing_more_than_the_chat_gave(
    service: str, url: str, option: str
) -> None:
    more = f"{url}&{option}" if "?" in url else f"{url}?{option}"
    ((field, said),) = faults(service, more)
    assert field == "url"
    assert CHATS[service].title in said and SECRET not in said
    with pytest.raises(OutboundFailed):
        chat_request(service, more, TOLD)


@pytest.mark.parametrize(("service", "url"), EVERY)
def test_no_other_address_is_taken_for_a_chat_s(service: str, url: str) -> None:
    host = urlsplit(url).netloc
    wrong = [
        "",
        "slack://T0/B0/x",
        url.replace("https://", "http://"),
        url.replace("https://", "ftp://"),
        url.replace("https://", "HTTPS://"),
        url.replace(host, f"user:pass@{host}"),
        url.replace(host, f"evil.example\\@{host}"),
        url.replace(host, f"evil.example#{host}"),
        url.replace(host, "[::1]"),
        url.replace(host, "a.example:99999"),
        url.replace(host, "a.example:0"),
        url.replace(host, ".."),
        url + "/",
        url + "#x",
        url + "\n",
        url + "/../../x",
        url.replace(SECRET, ""),
        url.replace(SECRET, "%0d%0aX:y"),
        url.replace(SECRET, "ä"),
        url.replace(SECRET, "x" * 600),
        f"{url}&sig=x&key=x&token=x",
        f" {url}",
    ]
    for one in wrong:
        assert [field for field, _ in faults(service, one)] == ["url"], one
        assert chat_parts(service, one) is None


@pytest.mark.parametrize("service", ["", "telegram", "mailto", "json", "SLACK", "syslog"])
def test_another_service_is_refused_with_a_list_of_those_that_there_are(service: str) -> None:
    assert faults(service, GOOD["slack"]) == [("service", f"One of {', '.join(SERVICES)}")]


def body_of(service: str, told: ChatMessage = TOLD) -> Any:
    return json.loads(chat_request(service, GOOD[service], told).body)


def test_each_chat_is_told_in_its_own_way() -> None:
    plain = f"{TEXT}\n\n[Open in Placet]({LINK})"
    anchored = f"{TEXT}\n<{LINK}|Open in Placet>"
    section = {"type": "section", "text": {"type": "mrkdwn", "text": anchored}}
    assert body_of("slack") == {"attachments": [{"blocks": [section], "color": "#3AA3E3"}]}
    assert body_of("google_chat") == {"text": anchored}
    assert body_of("mattermost") == {"text": plain, "username": "Placet"}
    assert body_of("rocketchat") == {"text": plain}
    assert body_of("discord") == {
        "content": plain,
        "flags": 4,
        "tts": False,
        "wait": True,
        "allowed_mentions": {"parse": []},
    }
    (card,) = body_of("teams")["attachments"]
    assert card["content"]["body"] == [
        {"type": "TextBlock", "text": plain, "style": "default", "wrap": True, "id": "body"}
    ]
    assert card["content"]["msteams"] == {"width": "full"}


@pytest.mark.parametrize("service", sorted(GOOD))
def test_a_chat_whose_library_would_send_by_itself_is_refused(
    service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    class Sending(Paper):
        @staticmethod
        def post(url: str, **ways: object) -> Any:
            asked.append(url)
            raise Unsent

    for module in MODULES:
        monkeypatch.setattr(module, "requests", Sending)
    with pytest.raises(OutboundFailed):
        chat_request(service, GOOD[service], TOLD)
    assert asked == []


@pytest.mark.parametrize("service", sorted(GOOD))
def test_headers_say_who_writes_and_hold_no_secret(service: str) -> None:
    headers = chat_request(service, GOOD[service], TOLD).headers
    assert headers["User-Agent"] == "Placet"
    assert headers["Content-Type"].startswith("application/json")
    assert SECRET not in str(headers) and "Authorization" not in headers


NAMES = [
    *("@channel", "@here", "@everyone", "@all", "@alma", "<!here>", "<!channel|x>", "<@U123>"),
    *("<@123>", "<@&123>", "<#C123>", "<users/all>", "<at>Alma</at>", "&lt;!here&gt;", "#general"),
    *("**bold**", "*bold*", "__bold__", "_it_", "~~gone~~", "~gone~", "`code`", "```x```"),
    *("||spoiler||", "[x](https://evil.example)", "![x](https://evil.example/x.png)", "> quote"),
    *("<https://evil.example|x>", "https://evil.example", "evil.example", "www.evil.example"),
    *(
        "http://10.0.0.1/",
        "mailto:a@evil.example",
        "a@evil.example",
        ":tada:",
        ":100:",
        "$$x$$",
        r"\(x\)",
    ),
    *("# Title", "- item", "1. item", "-# small", "| a | b |", "&#64;channel", "x\n\n# Title"),
    *("www.evil.example/login", "www...evil.example", "203.0.113.9/login", "\u0915\u0940.com"),
    *("\U0001f4a9.la", "a@\u0915\u0940.com", "http:203.0.113.9/x", "http:3405803785", "tel:+1"),
    *("+15551234567", "+(1)5551234567", "www\ufe0f.evil.example", "evil\uff61example"),
    *(
        "evil\u3002example",
        "\u202egnp.exe",
        "a\u200bb",
        "<t:0:R>",
        "slack://x",
        "//evil.example",
        "tel:123",
    ),
    *("TEL:3", "http:3", "risk/https:12", "localhost:80", "ms-word:1", "churn:5551234567"),
    *("www.churn:3", "//x:3", "a:100:", "x@churn:3", "churn:3/x", "churn:3.evil", "[churn:3](x)"),
    *("203.0.113.9", "1.2.3", "http:10.5", "//10.5", "10.5/x", "10.5:80", "10.5@x", "x.10.5"),
    *("10.5.evil.example", "churn\u200b.evil:3", "\uff11.5", "+1.5", "10.5%2Eexample"),
]


DOT = "."
IDNA_DOTS = "\u3002\uff0e\uff61"  # all that UTS 46 maps to a full stop


@pytest.mark.parametrize("name", NAMES)
def test_nothing_that_a_chat_makes_something_of_is_left(name: str) -> None:
    told = message([name, "Approved the release by " + name], LINK).text
    assert told.startswith("Placet · ")
    assert not set("*~`<>[]|\\$\n\r") & set(told)
    for sign in "@#&:+":
        assert all(rest[:1] in ("", " ", SPACE) for rest in told.split(sign)[1:]), told
    for at, sign in enumerate(told):
        if DOT in unicodedata.normalize("NFKC", sign) or sign in IDNA_DOTS:
            assert not (told[at - 1 : at].strip() and told[at + 1 : at + 2].strip()), told
        if sign == "_":
            assert told[at - 1].isalnum() and told[at + 1].isalnum()
        assert sign == SPACE or unicodedata.category(sign) not in ("Cc", "Cf")


@pytest.mark.parametrize("service", sorted(GOOD))
@pytest.mark.parametrize("name", ["<!here> @everyone", "[x](https://e.vil)", "<at>A</at>", "R&D"])
def test_a_name_is_text_in_every_chat(service: str, name: str) -> None:
    told = message([name, "Approved the release"], LINK)
    whole = json.dumps(body_of(service, told), ensure_ascii=False)
    for live in ("<!", "@everyone", "https://e", "](https://e", "<at>", "mentioned"):
        assert live not in whole
    assert whole.count("Open in Placet") == 1


@pytest.mark.parametrize("name", ["fraud_detector", "Credit risk", "x (2)", "a-b", "é", "A. B."])
def test_what_is_usual_reads_as_it_is(name: str) -> None:
    assert dead(name) == name


@pytest.mark.parametrize(
    "name",
    [
        *(
            "churn:3",
            "risk/churn:12",
            "fraud_detector:3",
            "release 9 of churn:3, by Alma (churn:3)",
        ),
        *(
            "10.5 %",
            "10.5\u202f%",
            "10.5%",
            "Cut to -0.25.",
            "1,234.5 s",
            "from 0.5 to 1.5; churn:3",
        ),
    ],
)
def test_versions_and_numbers_read_as_they_are(name: str) -> None:
    assert dead(name) == name


def test_no_sign_that_stands_for_a_dot_is_one_to_who_reads_addresses() -> None:
    told = dead("www.evil.example")
    assert told == "www·evil·example"
    assert unicodedata.normalize("NFKC", told) == told
    assert told.encode("idna").startswith(b"xn--") and b"." not in told.encode("idna")


def test_what_is_long_is_cut_after_a_word() -> None:
    told = message(["word " * 200], LINK).text
    assert len(told) <= MOST + 1 and told.endswith("word…")
    assert len(message(["x" * 2000], LINK).text) == MOST + 1


def test_a_link_is_one_address_whatever_stands_in_it() -> None:
    told = ChatMessage("x", "https://placet.example/models/a(b)/<c>|d/")
    for service in GOOD:
        whole = json.dumps(body_of(service, told))
        assert "https://placet.example/models/a%28b%29/%3Cc%3E%7Cd/" in whole


class Seen:
    """What a process does while it is looked at."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.looking = False

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        outside = ("open", "os.", "socket.", "subprocess.", "urllib.", "http.", "ssl.", "shutil.")
        if self.looking and event.startswith(outside):
            self.events.append(f"{event} {args}")


SEEN = Seen()
sys.addaudithook(SEEN)


@contextmanager
def looking() -> Iterator[list[str]]:
    """Look at what is done outside."""
    SEEN.events, SEEN.looking = [], True
    try:
        yield SEEN.events
    finally:
        SEEN.looking = False


class Read(dict[str, str]):
    """An environment that says what was read of it."""

    def __init__(self, values: MutableMapping[str, str]) -> None:
        super().__init__(values)
        self.asked: list[str] = []

    def __getitem__(self, name: str) -> str:
        self.asked.append(name)
        return super().__getitem__(name)

    def get(self, name: str, *default: Any) -> Any:
        self.asked.append(name)
        return super().get(name, *default)


@pytest.mark.parametrize(("service", "url"), EVERY)
def test_the_library_writes_and_never_sends(
    service: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = Read(os.environ)
    with monkeypatch.context() as patch, looking() as seen:
        patch.setattr(os, "environ", environment)
        chat_request(service, url, TOLD)
    assert seen == []
    assert environment.asked == []


def test_a_look_would_see_a_connection_and_a_file() -> None:
    with looking() as seen, Path(os.devnull).open(), socket.socket() as wire:
        wire.connect_ex(("127.0.0.1", 9))
    assert [event.split()[0] for event in seen] == ["open", "socket.__new__", "socket.connect"]


def test_no_plugin_has_the_library_that_sends() -> None:
    for module in MODULES:
        assert vars(module)["requests"] is Paper
        other = {"urllib3", "httpx", "aiohttp", "http", "socket", "smtplib", "subprocess"}
        assert not other & set(vars(module))
    assert not hasattr(Paper, "get") and not hasattr(Paper, "Session")


@pytest.mark.parametrize("more", [{"files": {"x": b""}}, {"auth": ("a", "b")}])
def test_no_file_and_no_password_is_written_down(more: dict[str, Any]) -> None:
    with pytest.raises(OSError, match="no chat is sent"):
        Paper.post("https://chat.example", data="", headers={}, **more)


@pytest.mark.parametrize(("service", "url"), EVERY)
def test_nothing_is_logged_and_no_fault_holds_the_address(
    service: str, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("apprise").setLevel(logging.DEBUG)
    asked = chat_request(service, url, TOLD)
    with pytest.raises(OutboundFailed) as refused:
        chat_request(service, url + "?verify=no", TOLD)
    assert SECRET not in caplog.text and TEXT not in caplog.text
    assert SECRET not in str(refused.value) and SECRET not in repr(asked)


@pytest.mark.parametrize("fault", [TypeError(SECRET), OSError(SECRET), KeyError("x")])
def test_a_library_that_fails_is_told_in_our_words(
    fault: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object, **more: object) -> None:
        raise fault

    monkeypatch.setattr(Paper, "request", fail)
    with pytest.raises(OutboundFailed) as refused:
        chat_request("slack", GOOD["slack"], TOLD)
    assert SECRET not in "".join(traceback.format_exception(refused.value))
