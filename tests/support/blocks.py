"""The fenced blocks of README, guides and recipes, and the command lines in them."""

import re
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).resolve().parents[2]
PAGES = (
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "tests/README.md",
    "examples/README.md",
    "docs/*.md",
)
MARK = re.compile(r"<!-- (\w+) -->\s*")
SUBSTITUTED = re.compile(r"\$\(([^()]*)\)")
ASSIGNED = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
KEYWORDS = {"do", "then", "{", "export"}  # what comes after them is looked at
LOOPS = {"for", "done", "}", "set"}  # what comes after them is not


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block, without its indentation; ``mark`` is a comment's word right before it."""

    page: str
    line: int
    language: str
    text: str
    mark: str = ""

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


@dataclass(frozen=True, slots=True)
class Command:
    """One program with its words, and the variables that are set for it, or alone."""

    words: tuple[str, ...]
    variables: tuple[tuple[str, str], ...] = ()


@cache
def pages() -> list[Path]:
    """Return every page that has blocks, as git knows them."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *PAGES],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return [ROOT / name for name in listed.splitlines() if (ROOT / name).exists()]


def blocks(page: Path, *languages: str) -> list[Block]:
    """Return the blocks of ``page``, in order: all, or those in one of ``languages``."""
    return [block for block in _read(page) if not languages or block.language in languages]


@cache
def _read(page: Path) -> list[Block]:
    found, mark = [], ""
    for token in MarkdownIt("commonmark").enable("table").parse(page.read_text()):
        if token.type in ("fence", "code_block"):
            line = (token.map or [0])[0] + 1
            found.append(
                Block(str(page.relative_to(ROOT)), line, token.info.strip(), token.content, mark)
            )
        said = MARK.fullmatch(token.content) if token.type == "html_block" else None
        mark = said[1] if said else ""
    return found


def every(*languages: str) -> list[Block]:
    """Return the blocks of all pages."""
    return [block for page in pages() for block in blocks(page, *languages)]


def lines(block: Block) -> list[str]:
    """Return what somebody types: of a ``console`` block what stands behind ``$``."""
    text = re.sub(r"\\\n\s*", " ", block.text)
    typed = text.splitlines()
    if block.language == "console":
        typed = [line.removeprefix("$ ") for line in typed if line.startswith("$ ")]
    return [line for line in typed if line.strip()]


def commands(line: str) -> Iterator[Command]:
    """Yield the commands of a line of shell, those inside ``$( )`` first.

    Enough of the shell for guides: pipes, lists, groups, loops, redirections; no functions.
    """
    for inner in SUBSTITUTED.findall(line):
        yield from commands(inner)
    lexer = shlex.shlex(SUBSTITUTED.sub("VALUE", line), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words: list[str] = []
    for token in [*lexer, ";"]:
        if not set(token) <= set(";|&"):
            words.append(token)
        else:
            yield from _command(words)
            words = []


def _command(words: list[str]) -> Iterator[Command]:
    """Take keywords, variables and redirections off one command."""
    if words and words[0] in KEYWORDS:
        words = words[1:]
    if not words or words[0] in LOOPS:
        return
    variables: list[tuple[str, str]] = []
    while words and (said := ASSIGNED.fullmatch(words[0])):
        variables.append((said[1], said[2]))
        words = words[1:]
    for sign in ("<", ">", ">>"):
        while sign in words:
            at = words.index(sign)
            words = words[:at] + words[at + 2 :]
    if words or variables:
        yield Command(tuple(words), tuple(variables))
