"""The recipes of docs/develop are real: followed in a copy of the tree they lint and pass."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.template import engines

ROOT = Path(__file__).resolve().parents[2]
RECIPES = ROOT / "docs" / "develop" / "recipes"
FENCED = re.compile(r"^( *)```(\w+)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"(?:# |<!-- |--- )(\S+)(?: -->)?\n")  # the first line of a block
SHELL = re.compile(r"make [a-z]+|\.venv/bin/python -m pytest( --?[a-z]+( \d+)?)*( tests/\S+)+")
COPIED = (
    "apps", "benchmarks", "platform", "proofs", "templates", "tests", "workers", "pyproject.toml",
)  # fmt: skip
ENDINGS = (".py", ".toml", ".txt", ".html", ".in", ".json")


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block of a recipe."""

    page: str
    language: str
    text: str

    @property
    def path(self) -> str:
        """The file that it is, or changes."""
        named = NAMED.match(self.text)
        assert named, f"{self.page}: a block does not begin with a path: {self.text[:40]!r}"
        return named[1]

    @property
    def body(self) -> str:
        """What stands below the path."""
        return self.text.partition("\n")[2]

    def follow(self, tree: Path) -> None:
        """Do in ``tree`` what it says."""
        path = tree / self.path
        if self.language != "diff":
            assert not path.exists(), f"{self.page}: {self.path} is there already"
            path.parent.mkdir(exist_ok=True)
            path.write_text(self.body)
            return
        text = path.read_text()
        for place in self.body.split("@@\n"):
            lines = [(line[:1], line[1:] + "\n") for line in place.splitlines()]
            before = "".join(line for sign, line in lines if sign != "+")
            after = "".join(line for sign, line in lines if sign != "-")
            assert text.count(before) == 1, f"{self.page}: {self.path} has not once:\n{before}"
            text = text.replace(before, after)
        path.write_text(text)


def blocks(*languages: str) -> list[Block]:
    """Return the blocks of all recipes that are in one of these languages, in order."""
    return [
        Block(page.name, language, re.sub(rf"^{indent}", "", text, flags=re.MULTILINE))
        for page in sorted(RECIPES.glob("*.md"))
        for indent, language, text in FENCED.findall(page.read_text())
        if language in languages
    ]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of the tree in which every recipe was followed."""
    copy = tmp_path_factory.mktemp("followed")
    listed = subprocess.run(
        ["git", "ls-files", *COPIED], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    for line in listed.splitlines():
        if line.endswith(ENDINGS) and (ROOT / line).exists():
            (copy / line).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / line, copy / line)
    for block in blocks("python", "html", "diff"):
        block.follow(copy)
    yield copy
    shutil.rmtree(copy)


def run(tree: Path, *words: str) -> None:
    done = subprocess.run([sys.executable, "-m", *words], cwd=tree, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def touched() -> list[str]:
    return sorted({block.path for block in blocks("python", "diff") if block.path.endswith(".py")})


def test_there_is_a_recipe_for_each_thing() -> None:
    pages = sorted(path.name for path in RECIPES.glob("[0-9]*.md"))
    assert len(pages) == 10
    assert {block.page for block in blocks("sh")} == set(pages)


def test_what_is_followed_is_clean(tree: Path) -> None:
    run(tree, "ruff", "check", "--no-cache", *touched())
    run(tree, "ruff", "format", "--no-cache", "--check", *touched())


def test_what_is_followed_passes_its_quick_tests(tree: Path) -> None:
    """Those that it changes, without a database and without simulations, which it does not."""
    changed = [path for path in touched() if path.startswith("tests/unit")]
    assert len(changed) >= 5
    words = ("-q", "-n0", "-p", "no:cacheprovider", "-k", "not revisions and not z_test")
    run(tree, "pytest", *words, "tests/architecture/test_crash_points.py", *changed)


def shell() -> list[str]:
    return [line for block in blocks("sh") for line in block.text.splitlines()]


@pytest.mark.parametrize("line", shell())
def test_a_command_is_one_that_there_is(line: str) -> None:
    assert SHELL.fullmatch(line), line
    written = {block.path for block in blocks("python")}
    for path in re.findall(r"tests/\S+", line):
        assert (ROOT / path).exists() or path in written, path


@pytest.mark.parametrize("block", blocks("html"), ids=lambda block: block.path)
def test_a_template_is_one(block: Block) -> None:
    engines["django"].from_string(block.body)
