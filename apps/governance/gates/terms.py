"""Takes a CEL condition apart just far enough to show the values it used."""

import re
from collections.abc import Iterator, Sequence

_TOKEN = re.compile(
    r"""(?P<text>[rRbB]{0,2}(?:'{3}.*?'{3}|"{3}.*?"{3}|'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"))
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<number>[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?u?)
      | (?P<sign>&&|\|\||[<>=!]=|[^\s])
      | (?P<space>\s+)""",
    re.VERBOSE | re.DOTALL,
)
_COMPARE = frozenset({">=", "<=", "==", "!=", ">", "<"})
_OPEN, _CLOSE = frozenset("([{"), frozenset(")]}")

Token = tuple[str, str]


def _tokens(source: str) -> list[Token]:
    return [(str(m.lastgroup), m.group()) for m in _TOKEN.finditer(source)]


def comparisons(source: str) -> list[tuple[str, str, str]]:
    """Return ``(left, sign, right)`` of each comparison joined by ``&&``, ``||`` and ``!``.

    A condition with ``?:`` or a macro is shown without values: nothing is guessed.
    """
    return list(_walk(_tokens(source)))


def _walk(tokens: list[Token]) -> Iterator[tuple[str, str, str]]:
    tokens = _trim(tokens)
    if any(kind == "sign" and text == "?" for kind, text in _top(tokens)):
        return
    for join in ("||", "&&"):
        parts = _split(tokens, {join})
        if len(parts) > 1:
            for _, part in parts:
                yield from _walk(part)
            return
    if _wrapped(tokens):
        yield from _walk(tokens[1:-1])
        return
    if tokens and tokens[0][1] == "!" and _wrapped(tokens[1:]):
        yield from _walk(tokens[2:-1])
        return
    sides = _split(tokens, _COMPARE)
    if len(sides) == 2:
        yield _join(sides[0][1]), sides[1][0], _join(sides[1][1])


def _top(tokens: Sequence[Token]) -> Iterator[Token]:
    depth = 0
    for token in tokens:
        depth -= token[1] in _CLOSE and token[0] == "sign"
        if depth == 0:
            yield token
        depth += token[1] in _OPEN and token[0] == "sign"


def _split(tokens: list[Token], signs: frozenset[str] | set[str]) -> list[tuple[str, list[Token]]]:
    """Split at ``signs`` outside brackets; each part comes with the sign before it."""
    parts: list[tuple[str, list[Token]]] = [("", [])]
    depth = 0
    for kind, text in tokens:
        if kind == "sign":
            depth += (text in _OPEN) - (text in _CLOSE)
            if depth == 0 and text in signs:
                parts.append((text, []))
                continue
        parts[-1][1].append((kind, text))
    return parts


def _trim(tokens: list[Token]) -> list[Token]:
    while tokens and tokens[0][0] == "space":
        tokens = tokens[1:]
    while tokens and tokens[-1][0] == "space":
        tokens = tokens[:-1]
    return tokens


def _wrapped(tokens: list[Token]) -> bool:
    if len(tokens) < 2 or tokens[0] != ("sign", "(") or tokens[-1] != ("sign", ")"):
        return False
    depth = 0
    for position, (kind, text) in enumerate(tokens):
        if kind == "sign":
            depth += (text in _OPEN) - (text in _CLOSE)
        if depth == 0:
            return position == len(tokens) - 1
    return False


def _join(tokens: Sequence[Token]) -> str:
    return "".join(text for _, text in tokens).strip()


def paths(source: str, roots: Sequence[str]) -> list[tuple[str, ...]]:
    """Return the facts an expression names, e.g. ``("evidence", "metrics", "auc")``."""
    tokens = [t for t in _tokens(source) if t[0] != "space"]
    found: list[tuple[str, ...]] = []
    position = 0
    while position < len(tokens):
        kind, text = tokens[position]
        after_dot = position > 0 and tokens[position - 1][1] == "."
        position += 1
        if kind != "name" or text not in roots or after_dot:
            continue
        path, position = _path(tokens, position, text)
        if path not in found:
            found.append(path)
    return found


def _path(tokens: list[Token], position: int, root: str) -> tuple[tuple[str, ...], int]:
    path = [root]
    while position + 1 < len(tokens):
        if tokens[position][1] == "." and tokens[position + 1][0] == "name":
            if position + 2 < len(tokens) and tokens[position + 2][1] == "(":
                break  # a method, not a member
            path.append(tokens[position + 1][1])
            position += 2
        elif _indexed(tokens, position):
            path.append(tokens[position + 1][1][1:-1])
            position += 3
        else:
            break
    return tuple(path), position


def _indexed(tokens: list[Token], position: int) -> bool:
    return (
        tokens[position][1] == "["
        and tokens[position + 1][0] == "text"
        and position + 2 < len(tokens)
        and tokens[position + 2][1] == "]"
    )
