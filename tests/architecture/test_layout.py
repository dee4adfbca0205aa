"""The shape of the code base: what the layers' checker cannot see."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NAMES_NOT_USED = {"utils", "common", "core", "helpers", "services", "misc", "base_utils"}
MAX_LINES, MAX_FUNCTION = 400, 40


def tracked(*patterns: str) -> list[Path]:
    """Return the files that match: those under version control, and new ones that will be."""
    return _listed("--cached", "--others", "--exclude-standard", *patterns)


def _listed(*words: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", *words], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    return [ROOT / line for line in listed.splitlines() if (ROOT / line).is_file()]


def product_files() -> list[Path]:
    return [
        path
        for path in tracked("apps/*.py", "platform/*.py", "workers/*.py")
        if "migrations" not in path.parts
    ]


def test_a_new_file_is_looked_at_before_it_is_added(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    for name in ("new.py", "ignored.py", "folder/inner.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / ".gitignore").write_text("ignored.py\n")
    (tmp_path / "linked.py").symlink_to("folder")
    assert tracked("*.py") == [tmp_path / "folder/inner.py", tmp_path / "new.py"]


def test_no_file_is_a_drawer_for_everything() -> None:
    found = [p for p in product_files() if NAMES_NOT_USED & {p.stem, *p.relative_to(ROOT).parts}]
    assert found == []


def test_files_stay_short_enough_to_read() -> None:
    long = {
        str(p.relative_to(ROOT)): n
        for p in product_files()
        if (n := len(p.read_text().splitlines())) > MAX_LINES
    }
    assert long == {}


def test_functions_stay_short_enough_to_read() -> None:
    long = []
    for path in product_files():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > MAX_FUNCTION:
                    long.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.name} {length}")
    assert long == []


def test_the_formatter_has_the_last_word() -> None:
    skip = re.compile(r"#\s*fmt:\s*(skip|off)")
    assert [str(p) for p in tracked("*.py", "*.pyi") if skip.search(p.read_text())] == []


LOADING = """
import importlib, sys
before = {*sys.modules}
importlib.import_module(sys.argv[1])
print(*{*sys.modules} - before)
"""


def test_what_says_that_it_needs_the_standard_library_alone_loads_nothing_else() -> None:
    said = re.compile(r"standard library only", re.IGNORECASE)
    own = {"apps", "placet", "placet_agent", "placet_protocol", "placet_verify", "workers"}
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'platform'}"}
    found = {}
    for path in product_files():
        if "templates" in path.parts or not said.search(docstring(path)):
            continue
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removeprefix("platform.")
        words = [sys.executable, "-c", LOADING, name.removesuffix(".__init__")]
        done = subprocess.run(words, check=True, capture_output=True, text=True, env=environment)
        loaded = {module.partition(".")[0] for module in done.stdout.split()}
        found[name] = loaded - sys.stdlib_module_names - own
    assert len(found) > 10
    assert {name: others for name, others in found.items() if others} == {}


def docstring(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text())) or ""


def test_rules_and_gates_know_no_django_and_no_celery() -> None:
    pure = [
        p
        for p in tracked("apps/*.py")
        if p.name in ("rules.py", "states.py")
        or {"gates", "rules"} & set(p.relative_to(ROOT).parts)
    ]
    assert pure
    for path in pure:
        for node in ast.walk(ast.parse(path.read_text())):
            names = (
                [a.name for a in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
            for name in names:
                assert name.split(".")[0] not in {"django", "celery", "rest_framework"}, path


ROWS = {"objects", "_default_manager", "filter", "exclude", "all"}
ROW_WRITES = {
    *("create", "bulk_create", "get_or_create", "update_or_create"),
    *("update", "bulk_update", "delete"),
}


def writes(*folders: str) -> list[str]:
    """Return where rows are written: by ``save()`` or ``delete()``, or by a query set."""
    places = []
    for path in tracked(*folders):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            name, before = node.func.attr, ast.walk(node.func.value)
            rows = {n.attr for n in before if isinstance(n, ast.Attribute)} & ROWS
            alone = name == "save" or (name == "delete" and not node.args)
            if alone or (rows and name in ROW_WRITES):
                places.append(f"{path.relative_to(ROOT)}: {ast.unparse(node)}")
    return places


@pytest.mark.parametrize("folder", ["apps/console", "workers", "apps/operations/management"])
def test_pages_workers_and_commands_write_through_actions_alone(folder: str) -> None:
    assert writes(f"{folder}/*.py") == []


def test_what_strangers_left_is_removed_in_one_way_alone() -> None:
    """``rmtree`` needs memory quadratic in the depth, outside every limit of who made the tree."""
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in tracked("workers/*.py", "platform/placet_agent/*.py")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if re.search(r"\brmtree\(", line)
    ]
    assert found == []


OUTWARD = re.compile(
    r"\b(create_connection|getaddrinfo|urlopen|HTTPS?Connection)\(|\bhttpx\.(Client|get|post|stream)\("
)
OUTWARD_KNOWN = {
    "apps/console/queries/endpoint_parts.py": "an example that people copy",
    "apps/operations/demo/people.py": "the trial itself",
    "apps/operations/demo/story.py": "the trial itself",
    "platform/placet/embedded/supervisor.py": "what runs on this machine",
    "platform/placet/kernel/connecting.py": "the way",
    "platform/placet/kernel/outbound.py": "HTTP by that way",
}


def test_others_are_called_in_one_way_that_ends_in_time() -> None:
    """A time-out of a library is for each address of a name, and for each piece of an answer."""
    found = {
        str(path.relative_to(ROOT))
        for path in tracked("apps/*.py", "platform/placet/*.py")
        if OUTWARD.search(path.read_text())
    }
    assert found - set(OUTWARD_KNOWN) == set()


HEARTBEAT = "Node.objects.filter(pk=node.pk).update(last_seen_at=now())"


def test_api_views_write_through_actions_alone() -> None:
    """But for when a node was last heard: of that the log says nothing."""
    found = writes("apps/*/api/*.py", "apps/*/agent_api/*.py")
    assert found == [f"apps/serving/agent_api/views.py: {HEARTBEAT}"]


def test_the_roles_that_decide_are_named_in_one_place() -> None:
    """What else needs them asks ``ROLE_OF``."""
    files = [p for p in tracked("apps/governance/*.py") if "migrations" not in p.parts]
    roles = re.compile('"(?:reviewer|approver)"')
    named = [str(p.relative_to(ROOT)) for p in files if roles.search(p.read_text())]
    assert named == ["apps/governance/rules.py"]


def test_an_api_has_one_file_for_each_noun() -> None:
    """What a noun takes, answers and does stands together: in ``api/<noun>.py``, or a package."""
    files = tracked("apps/*/api/*.py")
    assert len(files) > 50
    by_kind = re.compile(r"(?:\b|_)(?:views?|serializers?)\b")
    assert [p for p in files if by_kind.search(str(p.relative_to(ROOT)))] == []


def test_what_a_list_takes_and_what_a_page_is_is_said_once() -> None:
    own = re.compile(r'^    query_params = .*"cursor"|next_cursor = serializers\.', re.MULTILINE)
    assert [p for p in tracked("apps/*/api/*.py") if own.search(p.read_text())] == []


def test_nothing_committed_names_this_machine_or_a_registry() -> None:
    forbidden = re.compile(
        r"(?:^|[^A-Za-z0-9_.])/(?:work|root)/|files\.pythonhosted|pypi\.org/simple"
        r"|registry\.npmjs|deb\.debian"
    )
    found = []
    for path in _listed("--cached"):
        if path.suffix in {".png", ".woff2", ".css", ".js"} or path == Path(__file__):
            continue
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        found += [
            f"{path.relative_to(ROOT)}:{n}"
            for n, line in enumerate(text.splitlines(), 1)
            if forbidden.search(line)
        ]
    assert found == []


def test_platform_is_a_source_root_and_never_a_package() -> None:
    assert not (ROOT / "platform" / "__init__.py").exists()
    assert "/platform/__init__.py" in (ROOT / ".gitignore").read_text()
