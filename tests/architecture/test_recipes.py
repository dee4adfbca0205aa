"""The recipes of docs/develop are real: followed in a copy of the tree they lint and pass."""

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from django.template import engines

from tests.architecture.test_layout import tracked
from tests.support.blocks import ROOT, Block, every

RECIPES = "docs/develop/recipes/"
NAMED = re.compile(r"(?:# |<!-- |--- )(\S+)(?: -->)?\n")  # the first line of a block
SHELL = re.compile(
    r"make [a-z]+|\.venv/bin/python -m pytest( --?[a-z]+( \d+)?)*( tests/\S+)+"
    r"|sed -i 's/[^/']+/[^/']+/g' tests/\S+"
)
RECORDED = "tests/contract/test_recorded_documents.py"  # of what a gate and a metric change
COPIED = (
    "apps",
    "benchmarks",
    "platform",
    "proofs",
    "templates",
    "tests",
    "workers",
    "pyproject.toml",
)
ENDINGS = (".py", ".js", ".toml", ".txt", ".html", ".in", ".json", ".yaml")


def path_of(block: Block) -> str:
    """Return the file that a block is, or changes."""
    named = NAMED.match(block.text)
    assert named, f"{block}: it does not begin with a path: {block.text[:40]!r}"
    return named[1]


def body_of(block: Block) -> str:
    """Return what stands below the path."""
    return block.text.partition("\n")[2]


def follow(block: Block, tree: Path) -> None:
    """Do in ``tree`` what a block says."""
    path = tree / path_of(block)
    if block.language != "diff":
        assert not path.exists(), f"{block}: {path_of(block)} is there already"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(body_of(block))
        return
    text = path.read_text()
    for place in body_of(block).split("@@\n"):
        lines = [(line[:1], line[1:] + "\n") for line in place.splitlines()]
        before = "".join(line for sign, line in lines if sign != "+")
        after = "".join(line for sign, line in lines if sign != "-")
        assert text.count(before) == 1, (
            f"{block}: {path_of(block)} should have this once, and has it {text.count(before)} "
            f"times. If the file is right, move the recipe along with it:\n{before}"
        )
        text = text.replace(before, after)
    path.write_text(text)


def blocks(*languages: str) -> list[Block]:
    """Return the blocks of all recipes that are in one of these languages, in order."""
    return [block for block in every(*languages) if block.page.startswith(RECIPES)]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of the tree in which every recipe was followed."""
    copy = tmp_path_factory.mktemp("followed")
    for path in tracked(*COPIED):
        if path.suffix in ENDINGS:
            place = copy / path.relative_to(ROOT)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)
    for block in blocks("python", "html", "diff"):
        follow(block, copy)
    for line in shell():
        if line.startswith("sed "):
            subprocess.run(shlex.split(line), cwd=copy, check=True)
    yield copy
    shutil.rmtree(copy)


def run(tree: Path, *words: str) -> None:
    done = subprocess.run([sys.executable, "-m", *words], cwd=tree, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def touched() -> list[str]:
    return sorted(
        {path_of(block) for block in blocks("python", "diff") if path_of(block).endswith(".py")}
    )


def test_there_is_a_recipe_for_each_thing() -> None:
    pages = sorted(f"{RECIPES}{path.name}" for path in (ROOT / RECIPES).glob("[0-9]*.md"))
    assert len(pages) == 11
    assert {block.page for block in blocks("sh")} == set(pages)


def test_another_gate_may_be_there_already(tmp_path: Path) -> None:
    """Who followed the recipe of a gate leaves a tree that it can be followed in once more."""
    own = [b for b in blocks("python", "diff") if b.page == f"{RECIPES}01-gate.md"]
    for path in {path_of(block) for block in own if block.language == "diff"}:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, tmp_path / path)
    for block in own:
        renamed = block.text.replace("replicas", "copies").replace("Replicas", "Copies")
        follow(replace(block, text=renamed), tmp_path)
        follow(block, tmp_path)


def test_what_is_followed_is_clean(tree: Path) -> None:
    run(tree, "ruff", "check", "--no-cache", *touched())
    run(tree, "ruff", "format", "--no-cache", "--check", *touched())


def test_what_is_followed_passes_its_quick_tests(tree: Path) -> None:
    """Those that it changes, without a database and without simulations, which it does not."""
    changed = [path for path in touched() if path.startswith("tests/unit")]
    assert len(changed) >= 5
    words = ("-q", "-n0", "-p", "no:cacheprovider", "-k", "not revisions and not z_test")
    run(tree, "pytest", *words, "tests/architecture/test_crash_points.py", RECORDED, *changed)


def shell() -> list[str]:
    return [line for block in blocks("sh") for line in block.text.splitlines()]


@pytest.mark.parametrize("line", shell())
def test_a_command_is_one_that_there_is(line: str) -> None:
    assert SHELL.fullmatch(line), line
    written = {path_of(block) for block in blocks("python")}
    for path in re.findall(r"tests/\S+", line):
        assert (ROOT / path).exists() or path in written, path


@pytest.mark.parametrize("block", blocks("html"), ids=str)
def test_a_template_is_one(block: Block) -> None:
    engines["django"].from_string(body_of(block))
