"""What the pages for developers name is there: files, functions, tests, targets, variables.

Their links are looked at with those of the guides.
"""

import ast
import pkgutil
import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    *sorted((ROOT / "docs" / "develop").rglob("*.md")),
    ROOT / "CONTRIBUTING.md",
    ROOT / "SECURITY.md",
    ROOT / "tests" / "README.md",
]
SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
LINK = re.compile(r"\]\(([^)\s]+)\)")
# With a folder in front, or a dot and an ending that files of the tree have.
FILE = re.compile(r"[\w.*-]+/[\w./*-]*|[\w.-]+\.(?:py|md|toml|txt|in|yml|yaml|html|js)|Makefile")
DOTTED = re.compile(
    r"(?:apps|workers|placet|placet_agent|placet_client|placet_protocol|placet_verify|tests\.support)"
    r"(?:\.\w+)+(?<!\.py)"
)
ANY = re.compile(r"((?<![A-Za-z])[A-Z]{3,}(?![A-Za-z])(?!\.md))")  # stands for any name
# Words for what each app has: `models.py`.
OF_EVERY_APP = re.compile(r"[a-z_]+\.py|(?:actions|queries|api)/")


def spans(page: Path) -> list[str]:
    """Return what stands in backticks, outside fenced blocks."""
    text = re.sub(r"^ *```.*?^ *```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return SPAN.findall(text)


def cases(pattern: re.Pattern[str]) -> list[tuple[str, str]]:
    """Return each span that the pattern fits, once, with the page that it stands on."""
    found = {(str(page.relative_to(ROOT)), span) for page in PAGES for span in spans(page)}
    return sorted((page, span) for page, span in found if pattern.fullmatch(span.split("::")[0]))


@cache
def tracked() -> list[str]:
    """Return every file of the tree that is under version control, or about to be."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return listed.splitlines()


def there(path: str) -> bool:
    """Tell whether a file or folder is there; a word in capitals stands for any name."""
    known = "".join("[^/]+" if ANY.fullmatch(p) else re.escape(p) for p in ANY.split(path))
    loose = known.replace(r"\*", "[^/]*")
    fits = re.compile(loose.rstrip("/") + "(?:/.*)?")
    return any(fits.fullmatch(name) for name in tracked())


def names_in(path: Path) -> set[str]:
    """Return the functions and classes of a file, and the methods as ``Class::method``."""
    found = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
            inside = node.body if isinstance(node, ast.ClassDef) else []
            found |= {f"{node.name}::{n.name}" for n in inside if isinstance(n, ast.FunctionDef)}
    return found


@pytest.mark.parametrize(("on", "span"), cases(FILE))
def test_a_file_that_is_named_is_there(on: str, span: str) -> None:
    path, _, name = span.partition("::")
    home = str(Path(on).parent)
    places = [path, f"{home}/{path}", *([f"{home}/support/{path}"] if home == "tests" else [])]
    places += [f"apps/*/{path}"] if OF_EVERY_APP.fullmatch(path) else []
    assert any(map(there, places)), f"{on} names {path}"
    assert not name or name in names_in(ROOT / path), f"{on} names {span}"


@pytest.mark.parametrize(("on", "span"), cases(DOTTED))
def test_a_function_that_is_named_is_there(on: str, span: str) -> None:
    try:
        pkgutil.resolve_name(span)
    except (ImportError, AttributeError) as error:
        pytest.fail(f"{on} names {span}: {error}")


@pytest.mark.parametrize(("on", "span"), cases(re.compile(r"make [a-z]+")))
def test_a_target_of_make_is_there(on: str, span: str) -> None:
    target = span.removeprefix("make ")
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE), on


@pytest.mark.parametrize(("on", "span"), cases(re.compile(r"PLACET_[A-Z_]+(?:=\S*)?")))
def test_a_variable_that_is_named_is_read(on: str, span: str) -> None:
    name = span.partition("=")[0]
    setting = f"{name.removeprefix('PLACET_').lower()}:"
    config = (ROOT / "platform/placet/kernel/config.py").read_text()
    files = [ROOT / path for path in tracked() if path.startswith("tests/") and path[-3:] == ".py"]
    assert setting in config or any(f'"{name}"' in file.read_text() for file in files), on


def test_every_module_of_support_and_every_folder_of_tests_is_described() -> None:
    said = set(spans(ROOT / "tests" / "README.md"))
    modules = {path.name for path in (ROOT / "tests" / "support").glob("*.py")}
    folders = {f"{name.split('/')[1]}/" for name in tracked() if re.match(r"tests/\w+/", name)}
    assert modules - said == set()
    assert folders - said == set()


def test_the_example_of_a_test_stands_in_the_tree() -> None:
    text = (ROOT / "tests" / "README.md").read_text()
    shown = re.findall(r"^```python\n# (\S+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert shown
    assert all(body in (ROOT / path).read_text() for path, body in shown)


def test_every_decision_and_recipe_is_in_its_list() -> None:
    for folder in ("decisions", "recipes"):
        home = ROOT / "docs" / "develop" / folder
        linked = set(LINK.findall((home / "index.md").read_text()))
        assert {page.name for page in home.glob("[0-9]*.md")} <= linked


def test_each_app_has_its_place_on_a_floor() -> None:
    said = set(spans(ROOT / "docs" / "develop" / "architecture.md"))
    apps = {f"{path.parent.relative_to(ROOT)}/" for path in (ROOT / "apps").glob("*/__init__.py")}
    assert apps - said == set()


@pytest.mark.parametrize(
    ("path", "exists"),
    [
        ("apps/jobs/models.py", True),
        ("apps/jobs/", True),
        ("apps/APP/models.py", True),
        ("apps/jobs/model.py", False),
        ("apps/APP/nothing.py", False),
        ("tests/README.md", True),
        ("apps/job", False),
    ],
)
def test_what_is_there_is_told_from_what_is_not(path: str, exists: bool) -> None:
    assert there(path) is exists
