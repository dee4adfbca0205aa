"""Model cards: Markdown with YAML front matter, as on Hugging Face, and their rendering."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import nh3
from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from placet.kernel import yaml_text
from placet.kernel.problems import FieldError

MAX_CARD_BYTES, MAX_FRONT_MATTER_BYTES, MAX_DEPTH = 200_000, 20_000, 10
MAX_MARKS, MAX_HTML = 16_000, 1_000_000  # a server lays it out in 0.2 s; a line counts as four
_MARKS = "|*_~`[]<>&!\\#"
_AS_WRITTEN = "This card is shown as it was written: it is too large or too deep to be laid out."
_LONG_WORD = re.compile(r"(\S{80})")
_FENCE = "---"
_TAGS = frozenset(
    {
        "a",
        "blockquote",
        "br",
        "code",
        "del",
        "em",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "img",
        "li",
        "ol",
        "p",
        "pre",
        "s",
        "strong",
        "sub",
        "sup",
        "table",
        "tbody",
        "td",
        "th",
        "thead",
        "tr",
        "ul",
        "wbr",
    }
)
_ATTRIBUTES = {"a": {"href", "title"}, "img": {"src", "alt"}, "ol": {"start"}, "code": {"class"}}
_PICTURES = ("data:image/png;", "data:image/jpeg;", "data:image/gif;", "data:image/webp;")


class _TooMuch(Exception):
    """The Markdown costs more than a card should."""


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
    """Return the card's Markdown as sanitised HTML; ``heading`` is what its ``#`` becomes.

    No script, no raw HTML, no picture from elsewhere (it becomes a link), links ``nofollow``. A
    card that cannot be parsed is shown as plain Markdown: it was refused when it came, so this
    is only ever an old one.
    """
    try:
        body = parse(card).body
    except CardError:
        body = card
    try:
        html = _html(body, heading)
    except _TooMuch:
        return f"<p>{_AS_WRITTEN}</p>\n<pre><code>{_breakable(body)}</code></pre>"
    return nh3.clean(
        html,
        tags=set(_TAGS),
        attributes={tag: set(names) for tag, names in _ATTRIBUTES.items()},
        attribute_filter=_filter,
        url_schemes={"http", "https", "mailto", "data"},
        link_rel="nofollow noopener noreferrer",
    )


def _html(body: str, heading: int) -> str:
    """Return Markdown as HTML. Raises :class:`_TooMuch` for what costs more than a card should."""
    if 4 * body.count("\n") + sum(map(body.count, _MARKS)) > MAX_MARKS:
        raise _TooMuch
    parser, env = _markdown(heading), dict[str, Any]()
    tokens = parser.parse(body, env)
    if sum(map(_size, tokens)) > MAX_HTML:
        raise _TooMuch
    html: str = parser.renderer.render(tokens, parser.options, env)
    return html


def _size(token: Token) -> int:
    """Return about how long a token is as HTML: what a link says once is written at each use."""
    own = len(token.content) + sum(len(str(value)) for value in token.attrs.values())
    return own + sum(map(_size, token.children or ()))


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
    parser.options["highlight"] = lambda content, *_: _breakable(content)
    parser.add_render_rule("image", _image)
    for rule, tags in (("text", ""), ("code_inline", "code"), ("code_block", "pre code")):
        parser.add_render_rule(rule, _text(*tags.split()))
    shift = heading - 1

    def lower(renderer: RendererHTML, tokens: Sequence[Token], index: int, *rest: Any) -> str:
        token = tokens[index]
        token.tag = f"h{min(6, int(token.tag[1]) + shift)}"
        return renderer.renderToken(tokens, index, *rest[:2])

    for rule in ("heading_open", "heading_close"):
        parser.add_render_rule(rule, lower)
    return parser


def _text(*tags: str) -> Callable[..., str]:
    """Return what writes a token's text inside ``tags``."""
    opened = "".join(f"<{tag}>" for tag in tags)
    closed = "".join(f"</{tag}>" for tag in reversed(tags))

    def write(_: RendererHTML, tokens: Sequence[Token], index: int, *rest: Any) -> str:
        return f"{opened}{_breakable(tokens[index].content)}{closed}"

    return write


def _breakable(text: str) -> str:
    """Return text as HTML in which long words may be broken: where the next place for that is far
    away, a browser looks for one over and over (14 s for a word of 200,000 W)."""
    parts = map(escapeHtml, _LONG_WORD.split(text))
    return "".join(f"{part}<wbr>" if number % 2 else part for number, part in enumerate(parts))


def _image(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType
) -> str:
    """Show a picture that lies in the card itself; anything else becomes a link to it."""
    token = tokens[index]
    if str(token.attrs.get("src", "")).startswith(_PICTURES):
        return renderer.image(tokens, index, options, env)
    label = renderer.renderInlineAsText(token.children or [], options, env) or "picture"
    token.attrs = {"href": token.attrs.get("src", "")}
    return f"<a{renderer.renderAttrs(token)}>{_breakable(label)}</a>"
