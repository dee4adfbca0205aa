"""Plain YAML from people and uploads: no alias, no tag, no name twice, bounded in nodes and depth.

An alias makes a few hundred bytes as large as memory (each level ten times the one before) or a
value that contains itself; a tag asks a loader to call something. Neither is needed to write a
policy, a card or what a model's folder says, so both are refused before any value is made.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, Literal

import yaml

MAX_NODES, MAX_DEPTH = 20_000, 20
MAX_NUMBER = 100  # characters; what is longer costs more than its length to read
LARGEST = 2**53  # beyond it JSON readers differ
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same events, in a tenth of time
_PLAIN = {f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null")}
# An escape can write what no text may hold: PostgreSQL stores no null, UTF-8 no half of a pair.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
MAX_DIRECTIVES = 20  # libyaml holds each against all before
_DIRECTIVE = re.compile("(?:^|[\r\n\x85\u2028\u2029])%")
DIRECTIVES = f"has more than {MAX_DIRECTIVES} directives"
MARK_INSIDE = "holds a byte order mark, which two readers read differently: take it out"
_MERGE = "tag:yaml.org,2002:merge"

Path = tuple[str | int, ...]


class YamlFault(ValueError):
    """The text is not plain YAML: ``line`` counts from 1, ``path`` leads to the member."""

    def __init__(self, line: int, detail: str, path: Path = ()) -> None:
        super().__init__(f"line {line}: {detail}")
        self.line, self.detail, self.path = line, detail, path


@dataclass(frozen=True, slots=True)
class YamlDocument:
    """What a text says, names as text, and the line on which each member stands."""

    value: Any
    lines: Mapping[Path, int]


def read(
    text: str,
    *,
    special: Literal["text", "refuse"] = "text",
    max_depth: int = MAX_DEPTH,
    max_nodes: int = MAX_NODES,
) -> YamlDocument:
    """Return the document in ``text``, ``None`` when it is empty. Raises :class:`YamlFault`.

    Dates and other special values stay the text that was written, unless ``special`` refuses them.
    How long a text may be is the caller's to say.
    """
    if line := mark_inside(text):
        raise YamlFault(line, MARK_INSIDE)
    if has_many_directives(text):
        raise YamlFault(1, DIRECTIVES)
    try:
        _refuse_risky(text, max_depth, max_nodes)
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        raise _unreadable(error, text, max_depth) from None
    except UnicodeError:
        raise YamlFault(1, "holds an unacceptable character") from None
    except yaml.YAMLError as error:
        raise YamlFault(1, f"is not YAML: {str(error).splitlines()[0][:120]}") from None
    lines: dict[Path, int] = {}
    return YamlDocument(None if node is None else _Builder(special, lines).build(node, ()), lines)


def has_many_directives(text: str) -> bool:
    """Tell whether more lines begin as directives do than anybody writes."""
    return len(_DIRECTIVE.findall(text)) > MAX_DIRECTIVES


def mark_inside(text: str) -> int:
    """Return the line of a byte order mark that does not begin the text, 0 without one.

    At the start of any line libyaml passes over it; Python's own reader, which MLflow takes, reads
    it as a part of the text, and so another document.
    """
    offset = text.find("\ufeff", 1)
    return text.count("\n", 0, offset) + 1 if offset > 0 else 0


def _unreadable(error: yaml.MarkedYAMLError, text: str, max_depth: int) -> YamlFault:
    mark = error.problem_mark or error.context_mark
    last = text.rstrip().count("\n")  # libyaml notices at the end what is open on the last line
    detail = str(error.problem or error.context)[:120]
    if "nesting depth" in detail:  # its own bound, met while it looks ahead
        detail = f"is nested deeper than {max_depth} levels"
    return YamlFault(min(mark.line, last) + 1 if mark else 1, detail)


def _refuse_risky(text: str, max_depth: int, max_nodes: int) -> None:
    """Look at the events before any tree is built."""
    depth = nodes = 0
    for event in yaml.parse(text, Loader=_Loader):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise YamlFault(line, "uses an anchor or alias: write it out")
        if getattr(event, "tag", None):
            raise YamlFault(line, "uses a tag: plain YAML only")
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        nodes += isinstance(event, yaml.NodeEvent)
        if depth > max_depth:
            raise YamlFault(line, f"is nested deeper than {max_depth} levels")
        if nodes > max_nodes:
            raise YamlFault(line, f"has more than {max_nodes} names and values")


@dataclass(frozen=True, slots=True)
class _Builder:
    special: str
    lines: dict[Path, int]

    def build(self, node: yaml.Node, path: Path) -> Any:
        self.lines[path] = node.start_mark.line + 1
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(value, (*path, i)) for i, value in enumerate(node.value)]
        return self._scalar(node, path)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode) or not key.value or key.tag == _MERGE:
                raise YamlFault(line, "has a member without a plain name", path)
            if _CONTROL.search(key.value):
                raise YamlFault(line, "has a name that holds a control character", path)
            if key.value in mapping:
                raise YamlFault(line, "stands twice", (*path, key.value))
            mapping[key.value] = self.build(value, (*path, key.value))
            self.lines[*path, key.value] = line
        return mapping

    def _scalar(self, node: yaml.Node, path: Path) -> Any:
        line, kind = node.start_mark.line + 1, node.tag.rpartition(":")[2]
        if _CONTROL.search(node.value):
            raise YamlFault(line, "holds a control character", path)
        if node.tag not in _PLAIN:
            if self.special == "text":
                return str(node.value)
            detail = "is a date or another special value: quote it to make it text"
            raise YamlFault(line, detail, path)
        if kind in {"int", "float"} and len(node.value) > MAX_NUMBER:
            raise YamlFault(line, "is too large a number", path)
        try:
            value = yaml.constructor.SafeConstructor().construct_object(node)
        except (ValueError, OverflowError):
            raise YamlFault(line, "is not a value that can be read", path) from None
        if isinstance(value, float) and not isfinite(value):
            raise YamlFault(line, "is no number that JSON knows", path)
        if isinstance(value, int) and abs(value) >= LARGEST:
            raise YamlFault(line, "is too large a number", path)
        return value
