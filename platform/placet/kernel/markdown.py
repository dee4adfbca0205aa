"""Markdown that people write, as sanitised HTML: bounded, without raw HTML, script or pictures from
elsewhere."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import nh3
from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.parser_inline import ParserInline
from markdown_it.renderer import RendererHTML
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

_MARKS = "|*_~`[]<>&!\\#\n"
_COSTLY = "[<\n"  # for each the parser tries what it may begin
_TOO_MUCH = "it is too large or too deep to be laid out"
_CELL = len("<td></td>") + 1  # characters of HTML
_LINES = re.compile(r"\r\n?|\n")
_LONG_WORD = re.compile(r"(\S{80})")
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


class TooMuch(Exception):
    """The Markdown costs more than its kind of text should."""


@dataclass(frozen=True, slots=True)
class Bound:
    """How much laying out a text called ``name`` may cost: ``marks`` that Markdown could mean
    something by (``[``, ``<`` and a line count as four each), ``looks`` ahead for where links and
    pictures end, and characters of HTML. A picture that lies in it is a link to nowhere but where
    there may be ``pictures``: of a few bytes each reader's browser may make hundreds of MB."""

    name: str
    marks: int
    looks: int
    html: int
    pictures: bool = False


class _Inline(ParserInline):
    """A parser that looks ahead as often as ``looks`` of its environment says: of many brackets
    each would have it look through all that follows."""

    def skipToken(self, state: StateInline) -> None:
        state.env["looks"] -= 1
        if state.env["looks"] < 0:
            raise TooMuch
        super().skipToken(state)


def render(body: str, bound: Bound, *, heading: int = 2) -> str:
    """Return Markdown as sanitised HTML; ``heading`` is what its ``#`` becomes.

    No script, no raw HTML, no picture from elsewhere (it becomes a link), links ``nofollow``. What
    costs more than ``bound`` is shown as it was written, under a sentence that says so.
    """
    try:
        html = _html(body, bound, heading)
    except TooMuch:
        said = f"This {bound.name} is shown as it was written: {_TOO_MUCH}."
        return f"<p>{said}</p>\n<pre><code>{_breakable(body)}</code></pre>"
    return nh3.clean(
        html,
        tags=set(_TAGS),
        attributes={tag: set(names) for tag, names in _ATTRIBUTES.items()},
        attribute_filter=_filter,
        url_schemes={"http", "https", "mailto", "data"},
        link_rel="nofollow noopener noreferrer",
    )


def texts(body: str, bound: Bound) -> list[str]:
    """Return what Markdown says outside of code, a paragraph, heading or cell each; of what costs
    more than ``bound``, with its marks."""
    try:
        tokens = _tokens(body, bound, 2)
    except TooMuch:
        tokens = _code_alone().parse(body)
    inlines = [token.children or [] for token in tokens if token.type == "inline"]
    return ["".join(t.content if t.type == "text" else " " for t in inline) for inline in inlines]


def _tokens(body: str, bound: Bound, heading: int) -> list[Token]:
    if sum(map(body.count, _MARKS)) + 3 * sum(map(body.count, _COSTLY)) > bound.marks:
        raise TooMuch
    if _CELL * _cells(body) > bound.html:
        raise TooMuch
    return _markdown(heading).parse(body, {"looks": bound.looks})


def _cells(body: str) -> int:
    """Return how many cells tables have at most: short rows are filled up to the first one's
    width. A table ends at an empty line."""
    cells = rows = columns = 0
    for line in [*_LINES.split(body), ""]:
        if line.strip(" \t"):
            rows, columns = rows + 1, max(columns, _columns(line))
        else:
            cells, rows, columns = cells + rows * columns, 0, 0
    return cells


def _columns(line: str) -> int:
    """Return the columns of the table that a line such as ``|-|-|`` begins, 0 for any other."""
    line = line.lstrip(" \t>")
    return sum("-" in part for part in line.split("|")) if set(line) <= set("|-: \t") else 0


def _html(body: str, bound: Bound, heading: int) -> str:
    tokens = _tokens(body, bound, heading)
    if sum(map(_size, tokens)) > bound.html:
        raise TooMuch
    parser = _markdown(heading)
    html: str = parser.renderer.render(tokens, parser.options, {"pictures": bound.pictures})
    return html


def _size(token: Token) -> int:
    """Return about how long a token is as HTML, with the end of what it begins: what a link says
    once is written at each use."""
    own = len(token.content) + sum(len(str(value)) for value in token.attrs.values())
    if token.tag and token.nesting >= 0:
        own += 2 * len(token.tag) + len("<></>")
    return own + sum(map(_size, token.children or ()))


def _filter(tag: str, name: str, value: str) -> str | None:
    if tag == "img" and name == "src":
        return value if value.startswith(_PICTURES) else None
    if tag == "a" and name == "href":
        return value if value.startswith(("http://", "https://", "mailto:", "#")) else None
    if name == "class":
        return value if value.startswith("language-") else None
    return value


@cache
def _markdown(heading: int) -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    inline = _Inline()
    inline.ruler, inline.ruler2 = parser.inline.ruler, parser.inline.ruler2
    parser.inline = inline
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


@cache
def _code_alone() -> MarkdownIt:
    """Return what tells code from the rest, and nothing else: that costs little, whatever it is."""
    return MarkdownIt("zero").enable(["blockquote", "list", "code", "fence", "backticks", "escape"])


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
    """Show a picture that lies in the text itself, where there may be any; anything else becomes a
    link to it."""
    token = tokens[index]
    if env["pictures"] and str(token.attrs.get("src", "")).startswith(_PICTURES):
        return renderer.image(tokens, index, options, env)
    label = renderer.renderInlineAsText(token.children or [], options, env) or "picture"
    token.attrs = {"href": token.attrs.get("src", "")}
    return f"<a{renderer.renderAttrs(token)}>{_breakable(label)}</a>"
