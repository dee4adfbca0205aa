"""What a chat is told of an event: one sentence, and a link to its page. Pure.

Whatever people named stands in it as text. The chats write bold, links, mentions and pictures in
six ways: what would be any of them in one of them is taken apart here for all.
"""

import re
import unicodedata
from dataclasses import dataclass

MOST = 500  # characters of what is told
SPACE = "\u200b"  # of no width: what stands before and behind it is not one word
HIDDEN = ("Cc", "Cf", "Co", "Cs", "Cn")  # categories of characters that nobody sees
# Signs that set text apart, bring links about or hide it, and others that look alike.
ALIKE = str.maketrans(
    {
        "*": "\u2217",
        "~": "\u223c",
        "`": "\u02cb",
        "<": "\u2039",
        ">": "\u203a",
        "[": "(",
        "]": ")",
        "|": "\u00a6",
        "\\": "\u2216",
        "$": "\uff04",
    }
)
# What a chat makes a mention, a channel, a picture, an address or a phone number of with what
# follows it, whatever that is: `http:3405803785` is a host too.
LEADS = re.compile(r"(?<=[@#&:+])(?=\S)")
# Of a host, a file or a number: all that is read as a full stop (UTS 46, NFKC), and a sign that is
# not. A space of no width behind it would not do: who reads an address drops that.
DOT = re.compile("(?<=\\S)[.\u2024\u3002\ufe52\uff0e\uff61](?=\\S)")
NO_DOT = "\u00b7"
# Schemes of addresses that some client opens by a number alone, and hosts without a full stop.
OPENED = (
    "about|aim|bitcoin|blob|callto|data|facetime|file|ftps?|geo|https?|im|imap|intent|ircs?|jabber"
    "|javascript|ldaps?|localhost|magnet|mailto|maps|market|mms|ms-[a-z-]+|msteams|news|nntp|rtsp"
    "|sftp|sips?|skype|slack|sms|smsto|spotify|ssh|steam|tel|telnet|tg|urn|vbscript|viber"
    "|view-source|webcal|whatsapp|wss?|xmpp"
)
# What is read in every chat as it is written: `churn:3` and `10.5 %`, where they stand alone.
ORDINARY = re.compile(
    r"(?<![^\s(])("
    rf"(?:[A-Za-z0-9_-]+/)?(?!(?i:{OPENED}):)[A-Za-z0-9_-]+:[0-9]{{1,6}}"
    r"|-?[0-9][0-9,]{0,14}\.[0-9]{1,9}"
    r")(?=%?[,;.)]?(?:\s|$))"
)
EDGE = re.compile(r"(?<![^\W_])_|_(?![^\W_])")  # not within a word, as in fraud_detector


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """What is told, as text that means nothing to a chat, and where its page is."""

    text: str
    link: str


def message(said: list[str], link: str) -> ChatMessage:
    """Return what a chat is told: these parts, those that are empty left out, in one line."""
    line = " · ".join(" ".join(part.split()) for part in ["Placet", *said] if part)
    return ChatMessage(dead(cut(line)), link)


def cut(line: str) -> str:
    """Return ``line``, or as many of its first words as there is room for."""
    if len(line) <= MOST:
        return line
    words = line[:MOST].rpartition(" ")[0]
    return f"{words if len(words) > MOST // 2 else line[:MOST]}…"


def dead(text: str) -> str:
    """Return ``text`` as something that no chat makes anything of."""
    seen = "".join(
        " " if one in "\r\n\t" else one
        for one in text
        if one in "\r\n\t" or unicodedata.category(one) not in HIDDEN
    )
    parts = ORDINARY.split(EDGE.sub("\uff3f", seen.translate(ALIKE)))
    parts[::2] = (LEADS.sub(SPACE, DOT.sub(NO_DOT, part)) for part in parts[::2])
    return "".join(parts)
