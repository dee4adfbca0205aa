"""A format is one record: whatever it names is there, and nothing of it stands anywhere else."""

import ast
import io
import pkgutil
import sys
import tomllib
from pathlib import Path, PurePosixPath

import pytest

from apps.registry import formats
from apps.registry.errors import FormatUnknown
from apps.registry.formats import ACCELERABLE, FORMATS, PROJECTS, Files, Format
from workers.builder.acceleration import PROGRAMS
from workers.builder.generate import TEMPLATES
from workers.builder.scanning import kinds

ROOT = Path(__file__).resolve().parents[3]
HELPERS = {"base", "json_stream", "protobuf", "column_checks"}
FOLLOWED = {
    ".joblib",
    ".pickle",
    ".pkl",
    ".skops",
}  # pickles and zips, which the scan knows by content
TABLES = {"numpy", "pandas"}  # what rows are made of, in every service
EVERY = pytest.mark.parametrize("kind", FORMATS.values(), ids=FORMATS)


def test_each_module_but_the_helpers_is_one_format() -> None:
    modules = {module.name for module in pkgutil.iter_modules(formats.__path__)}
    assert len(FORMATS) == len(modules - HELPERS)
    assert modules > HELPERS


def test_names_that_versions_are_frozen_with_stay() -> None:
    assert {"sklearn", "skops", "xgboost", "lightgbm", "onnx", "mlflow", "bentoml"} <= set(FORMATS)
    assert {"sklearn", "skops", "xgboost", "lightgbm"} <= set(ACCELERABLE)
    assert PROJECTS == ("bentoml",)


@EVERY
def test_what_is_no_model_at_all_is_answered_with_what_could_be_one(kind: Format) -> None:
    with pytest.raises(FormatUnknown) as refusal:
        formats.detect(Files({}, lambda path, limit: b"", lambda path: pytest.fail(path)))
    assert kind.upload in refusal.value.errors[0].detail
    assert kind.title in kind.upload
    assert all(part in kind.upload for part in kind.endings or (kind.root,))


@EVERY
def test_a_format_is_told_by_endings_or_by_a_file_at_the_root(kind: Format) -> None:
    assert bool(kind.endings) != bool(kind.root)
    assert all(ending.startswith(".") and ending == ending.lower() for ending in kind.endings)


@EVERY
def test_its_templates_are_there_unless_it_is_a_service_itself(kind: Format) -> None:
    own = TEMPLATES / f"model_{kind.name}.py"
    assert own.is_file() != kind.project
    assert all((TEMPLATES / name).is_file() for name in kind.shared)
    assert set(kind.instead) <= set(kind.packages)
    assert kind.onnx is None or (PROGRAMS / f"of_{kind.onnx.by}.py").is_file()


@EVERY
def test_authors_can_read_of_it(kind: Format) -> None:
    told = (ROOT / "docs" / "models.md").read_text("utf-8")
    assert f"\n| `{kind.name}` |" in told
    [line] = [line for line in told.splitlines() if line.startswith("| `format` |")]
    assert f"`{kind.name}`" in line


@EVERY
def test_the_scan_can_tell_what_its_files_are(kind: Format) -> None:
    """What nothing reads is ``unknown``, and no policy allows that: it never serves."""
    unread = [
        ending
        for ending in kind.endings
        if kinds.reader(PurePosixPath(f"m{ending}"), b"", f"m{ending}", io.BytesIO()) is None
    ]
    assert kind.text or set(unread) <= FOLLOWED, (
        f"nothing scans {unread}: say text=True in the record, or write a reader in "
        "workers/builder/scanning/readers.py and name the ending in kinds.py"
    )


@EVERY
def test_its_libraries_are_among_what_web_and_workers_never_import(kind: Format) -> None:
    """As its templates name them, whether they are installed here or not."""
    files = [TEMPLATES / name for name in (f"model_{kind.name}.py", *kind.shared)]
    if kind.onnx:
        files.append(PROGRAMS / f"of_{kind.onnx.by}.py")
    imported = {name for path in files if path.is_file() for name in imports(path)}
    libraries = {name for name in imported if not name.startswith("placet_")} - TABLES
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    [never] = [c["forbidden_modules"] for c in contracts["contracts"] if "unpickle" in c["name"]]
    assert libraries - sys.stdlib_module_names <= {*never}, "name it in pyproject.toml"


def imports(path: Path) -> set[str]:
    """Return the top-level modules that a file imports, wherever it does."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").partition(".")[0])
    return found


def test_nothing_else_asks_for_a_format_by_its_name() -> None:
    """``bentoml`` is a program too; the scan knows kinds of files, whatever formats there are."""
    names = set(FORMATS) - set(PROJECTS)
    apart = ("apps/registry/formats/", "workers/builder/templates/", "workers/builder/scanning/")
    asked = [
        f"{path}:{node.lineno}"
        for place in ("apps", "workers")
        for path in sorted(ROOT.glob(f"{place}/**/*.py"))
        if not path.relative_to(ROOT).as_posix().startswith(apart)
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in names
    ]
    assert asked == []


def test_the_form_in_onnx_knows_which_libraries_give_raw_values() -> None:
    """Bentos hold this template, so that the names stand in it."""
    tree = ast.parse((TEMPLATES / "model_accelerated.py").read_text("utf-8"))
    [boosted] = [
        ast.literal_eval(line.value)
        for line in tree.body
        if isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == "BOOSTED"
    ]
    assert boosted == {n for n in ACCELERABLE if "placet_boosted.py" in FORMATS[n].shared}
