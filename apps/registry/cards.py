"""Model cards: Markdown with YAML front matter, as on Hugging Face, and their rendering."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from placet.kernel import yaml_text
from placet.kernel.problems import FieldError

MAX_CARD_BYTES, MAX_FRONT_MATTER_BYTES, MAX_DEPTH = 200_000, 20_000, 10
_FENCE = "---"
_TAGS = frozenset({
    "a", "blockquote", "br", "code", "del", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "img",
    "li", "ol", "p", "pre", "s", "strong", "sub", "sup", "table", "tbody", "td", "th", "thead",
    "tr", "ul",
})  # fmt: skip
_ATTRIBUTES = {"a": {"href", "title"}, "img": {"src", "alt"}, "ol": {"start"}, "code": {"class"}}
_PICTURES = ("data:image/png;", "data:image/jpeg;", "data:image/gif;", "data:image/webp;")


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
    found: dict[str, Any] = data
    return found


def render(card: str, *, heading: int = 2) -> str:
    """Return the card's Markdown as sanitised HTML; ``heading`` is what its ``#`` becomes.

    No script, no raw HTML, no picture from elsewhere (it becomes a link), links ``nofollow``. A
    card that cannot be parsed is shown as plain Markdown: it was refused when it came, so this
    is only ever an old one.
    """
    try:
        body = parse(card).body
    except CardError:
        body = card
    html = _markdown(heading).render(body)
    return nh3.clean(
        html,
        tags=set(_TAGS),
        attributes={tag: set(names) for tag, names in _ATTRIBUTES.items()},
        attribute_filter=_filter,
        url_schemes={"http", "https", "mailto", "data"},
        link_rel="nofollow noopener noreferrer",
    )


def _filter(tag: str, name: str, value: str) -> str | None:
    if tag == "img" and name == "src":
        return value if value.startswith(_PICTURES) else None
    if tag == "a" and name == "href":
        return value if value.startswith(("http://", "https://", "mailto:", "#")) else None
    if name == "class":
        return value if value.startswith("language-") else None
    return value


def _markdown(heading: int) -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    parser.add_render_rule("image", _image)
    shift = heading - 1

    def lower(renderer: RendererHTML, tokens: Sequence[Token], index: int, *rest: Any) -> str:
        token = tokens[index]
        token.tag = f"h{min(6, int(token.tag[1]) + shift)}"
        return renderer.renderToken(tokens, index, *rest[:2])

    for rule in ("heading_open", "heading_close"):
        parser.add_render_rule(rule, lower)
    return parser


def _image(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType
) -> str:
    """Show a picture that lies in the card itself; anything else becomes a link to it."""
    token = tokens[index]
    if str(token.attrs.get("src", "")).startswith(_PICTURES):
        return renderer.image(tokens, index, options, env)
    label = renderer.renderInlineAsText(token.children or [], options, env) or "picture"
    token.attrs = {"href": token.attrs.get("src", "")}
    return f"<a{renderer.renderAttrs(token)}>{nh3.clean_text(label)}</a>"
