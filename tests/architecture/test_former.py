"""What runs at the former release speaks of what there is there.

``proofs/former`` is laid among the tests of that release, and ``proofs/upgrade.py`` has its code
run some lines. No test of today imports them: a rename that goes over the whole tree reaches them
too, and only proofs that run for an hour would notice.
"""

import ast
import io
import re
import subprocess
import tarfile
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from proofs import faults, recorded, upgrade

ROOT = Path(__file__).resolve().parents[2]
OWN = ("apps", "platform", "tests", "workers")
OF_PYTEST = {"monkeypatch", "request", "tmp_path", "tmp_path_factory"}
OF_EVERY_MODULE = {"__file__", "__name__"}
FIXTURE = re.compile(r"^@pytest\.fixture.*\n(?:@.*\n)*def (\w+)", re.M)
LINES = "lines of upgrade.py"


def module(path: str) -> str:
    """Return the name that a file is imported by."""
    name = path.removeprefix("platform/").removesuffix(".py").removesuffix("/__init__")
    return name.replace("/", ".")


@cache
def there() -> dict[str, str]:
    """Return the text of each module of the former release."""
    command = ["git", "archive", upgrade.PREVIOUS, *(f":(glob){top}/**/*.py" for top in OWN)]
    packed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        files = {entry.name: archive.extractfile(entry) for entry in archive}
        return {module(name): file.read().decode() for name, file in files.items() if file}


@cache
def laid() -> dict[str, str]:
    """Return what is laid among its tests, by the names that it has there, and the lines."""
    among = {recorded.TESTS: recorded.AMONG}
    for table in faults.TESTS.glob("*/faults.toml"):
        among[table.parent] = tomllib.loads(table.read_text())["among"]
    files = {
        module(f"{where}/{path.name}"): path.read_text()
        for folder, where in among.items()
        for path in folder.glob("*.py")
    }
    return files | {LINES: upgrade.PEOPLE}


@cache
def tree(name: str) -> ast.Module | None:
    """Return what stands in a module there; ``None`` for one that has no text, or is not there."""
    text = laid().get(name, there().get(name))
    return None if text is None else ast.parse(text)


@cache
def packages() -> set[str]:
    """Return the names of all modules there, and of the packages that they are in."""
    parts = [name.split(".") for name in [*there(), *laid()]]
    return {".".join(each[:end]) for each in parts for end in range(1, len(each) + 1)}


def bound(node: ast.AST) -> set[str]:
    """Return the names that a module binds, in whatever block but a function or a class."""
    found = set()
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.ClassDef):
            found.add(child.name)
        elif isinstance(child, ast.alias):
            found.add((child.asname or child.name).partition(".")[0])
        elif isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store):
            found.add(child.id)
        else:
            found |= bound(child)
    return found


@cache
def names(name: str) -> set[str]:
    """Return what a module there binds."""
    found = tree(name)
    return OF_EVERY_MODULE | (bound(found) if found else set())


def imports(parsed: ast.Module) -> dict[str, tuple[str, str]]:
    """Return what is imported, by the name that it gets: the module, and what of it."""
    found = {}
    for node in ast.walk(parsed):
        if isinstance(node, ast.ImportFrom):
            found |= {
                each.asname or each.name: (str(node.module), each.name) for each in node.names
            }
        elif isinstance(node, ast.Import):
            found |= {each.asname or each.name: (each.name, "") for each in node.names}
    return found


def asked_for(parsed: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield each module that is asked for, and each name of one: imports, attributes of modules."""
    known = imports(parsed)
    yield from known.values()
    for node in ast.walk(parsed):
        if isinstance(node, ast.Attribute):
            whole = ".".join(known.get(ast.unparse(node.value), ("",))).rstrip(".")
            if whole in packages():
                yield whole, node.attr


def test_every_name_that_is_imported_there_is_defined_there() -> None:
    tops = {name.partition(".")[0] for name in there()}
    asked = {(who, *each) for who, text in laid().items() for each in asked_for(ast.parse(text))}
    missing = {
        f"{who}: {name} of {where}"
        for who, where, name in asked
        if where.partition(".")[0] in tops
        and (where not in packages() or name not in {"", *names(where)})
        and f"{where}.{name}" not in packages()
    }
    assert missing == set()


def takers(text: str) -> Iterator[tuple[str, set[str]]]:
    """Yield each argument of a test or a fixture, with the words of its decorators, such as the
    names of parameters."""
    made = FIXTURE.findall(text)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef) and (
            node.name.startswith("test_") or node.name in made
        ):
            given = set(re.findall(r"\w+", " ".join(map(ast.unparse, node.decorator_list))))
            for each in node.args.args:
                yield each.arg, given


def test_every_fixture_that_is_asked_for_there_is_one_there() -> None:
    texts = [*there().values(), *laid().values()]
    fixtures = OF_PYTEST | {name for text in texts for name in FIXTURE.findall(text)}
    missing = {
        f"{who}: {name}"
        for who, text in laid().items()
        for name, given in takers(text)
        if name not in fixtures | given
    }
    assert missing == set()


def test_every_test_that_is_run_there_is_there() -> None:
    missing = []
    for test in recorded.OTHERS:
        path, *parts = test.split("::")
        parsed = tree(module(f"tests/integration/{path}"))
        found = {getattr(node, "name", "") for node in ast.walk(parsed)} if parsed else set()
        if not parsed or not set(parts) <= found:
            missing.append(test)
    assert missing == []
