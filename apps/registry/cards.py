"""Model cards: Markdown with YAML front matter, as on Hugging Face, and their rendering."""

from dataclasses import dataclass
from typing import Any

from placet.kernel import markdown, yaml_text
from placet.kernel.problems import FieldError

MAX_CARD_BYTES, MAX_FRONT_MATTER_BYTES, MAX_DEPTH = 200_000, 20_000, 10
BOUND = markdown.Bound(  # a server lays it out in 0.2 s
    "card", marks=16_000, looks=50_000, html=1_000_000, pictures=True
)
_FENCE = "---"


class CardError(ValueError):
    """A card that cannot be read; ``line`` counts from 1."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(f"Line {line}: {message}")
        self.line = line


@dataclass(frozen=True, slots=True)
class Card:
    """A parsed card: its front matter as plain values, and its Markdown."""

    data: dict[str, Any]
    body: str


def parse(text: str) -> Card:
    """Split ``text`` into front matter and Markdown. Raises :class:`CardError`."""
    if len(text.encode("utf-8", "surrogatepass")) > MAX_CARD_BYTES:
        raise CardError(1, f"a card may have at most {MAX_CARD_BYTES // 1000} kB")
    lines = text.replace("\r\n", "\n").split("\n")
    _refuse_controls(lines)
    if lines[0].rstrip() != _FENCE:
        return Card({}, text)
    for end in range(1, len(lines)):
        if lines[end].rstrip() == _FENCE:
            return Card(_front_matter("\n".join(lines[1:end])), "\n".join(lines[end + 1 :]))
    raise CardError(1, "the front matter that starts here is not closed by a line '---'")


def card_faults(text: str, pointer: str = "/card") -> list[FieldError]:
    """Return what is wrong with a card."""
    try:
        parse(text)
    except CardError as error:
        return [FieldError(pointer, str(error))]
    return []


def _refuse_controls(lines: list[str]) -> None:
    for position, line in enumerate(lines, start=1):
        if any((c < " " and c != "\t") or "\ud800" <= c <= "\udfff" for c in line):
            raise CardError(position, "a control character")


def _front_matter(text: str) -> dict[str, Any]:
    if len(text) > MAX_FRONT_MATTER_BYTES:
        raise CardError(2, f"front matter may have at most {MAX_FRONT_MATTER_BYTES // 1000} kB")
    try:
        data = yaml_text.read(text, max_depth=MAX_DEPTH).value
    except yaml_text.YamlFault as error:
        name = f"{error.path[-1]!r} " if error.path else ""
        raise CardError(error.line + 1, f"not valid YAML: {name}{error.detail}") from None
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise CardError(2, "front matter is a mapping: lines of 'name: value'")
    members: dict[str, Any] = data
    return members


def render(card: str, *, heading: int = 2) -> str:
    """Return the card's Markdown as sanitised HTML (:func:`placet.kernel.markdown.render`).

    A card that cannot be parsed is shown as plain Markdown: it was refused when it came, so this
    is only ever an old one.
    """
    try:
        body = parse(card).body
    except CardError:
        body = card
    return markdown.render(body, BOUND, heading=heading)
