"""What a page says, as the same lines at every run: ids, hashes and times stand as words."""

import re
from html.parser import HTMLParser

INLINE = re.compile(
    "a|abbr|b|br|button|code|em|i|input|kbd|label|option|select|small|span|strong|svg|time|u"
)
SILENT = frozenset(("script", "style", "svg", "template"))
CHANGING = [
    (re.compile(pattern), word)
    for pattern, word in (
        (r"\b[a-z]{3}_[0-9a-f]{32}\b", "(id)"),
        (r"\b[a-z]{3}_[0-9a-f]{4,8}…", "(id)"),
        (r"\b(sha256:)?[0-9a-f]{4,64}…([0-9a-f]{4})?", "(digest)"),
        (r"\b(sha256:)?[0-9a-f]{64}\b", "(digest)"),
        (r"\b([0-9a-f]{4} ){7,}[0-9a-f]{4}\b", "(digest)"),
        (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}\b", "(uuid)"),
        (r"\b[B-Z]{4}-[B-Z]{4}\b", "(code)"),
        (r"\b\d{4}-\d\d-\d\d(T| )?", "(date) "),
        (r"\b\d\d:\d\d(:\d\d(\.\d+)?)?Z?", "(time)"),
        (r"\b\d+(\.\d+)?\s(s|ms|min|h|d|second|minute|hour|day)s?\b", "(span)"),
        (r"\(span\)( \(span\))+", "(span)"),
        (r"just now|\(span\) ago", "(ago)"),
        (r'"salt": ?"[^"]*"', '"salt": "(bytes)"'),
        (
            r"\b(\d{1,2}\s)?(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*(\s\d{1,4})?\b",
            "(day)",
        ),
        (r"\b[A-Za-z0-9+/_-]{40,}={0,2}", "(bytes)"),
    )
]


class Lines(HTMLParser):
    """Gathers the text of ``<main>``, a line for each block."""

    def __init__(self) -> None:
        super().__init__()
        self.lines, self._words, self._in_main, self._silent = list[str](), list[str](), False, 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a line with each block."""
        if tag == "main":
            self._in_main = True
        self._silent += tag in SILENT
        if not INLINE.fullmatch(tag):
            self._end_line()

    def handle_endtag(self, tag: str) -> None:
        """End a line with each block."""
        self._silent -= tag in SILENT
        if not INLINE.fullmatch(tag):
            self._end_line()
        if tag == "main":
            self._in_main = False

    def handle_data(self, data: str) -> None:
        """Take what people read."""
        if self._in_main and not self._silent:
            self._words += data.split()

    def _end_line(self) -> None:
        if self._words:
            self.lines.append(" ".join(self._words))
        self._words = []


def text_of(html: str) -> str:
    """Return what the main part of a page says, line by line."""
    page = Lines()
    page.feed(html)
    text = "\n".join(page.lines)
    for pattern, word in CHANGING:
        text = pattern.sub(word, text)
    return text
