"""The Bento that is kept holds the worker's own files, whatever ran while BentoML made it."""

import os
import shutil
from collections.abc import Callable, Collection
from pathlib import Path, PurePosixPath

import pytest

from workers.builder.assembly import MAX_DESCRIPTION, assemble, without_addresses
from workers.builder.errors import BuildFailed

SOURCE = {
    "placet.json": "{}",
    "service.py": "import placet_model\n",
    "bentofile.yaml": "{}",
    "artifact/model.onnx": "the model",
    "artifact/.git/config": "which BentoML leaves out",
    "artifact/my__pycache__/a": "",
}
COMPILED = {"artifact/__pycache__/a.pyc": "what Python would run in place of a.py"}
DESCRIPTION = {
    "bento.yaml": "service: service:PlacetService\n",
    "README.md": "# A service",
    "apis/openapi.yaml": "paths: {}",
    "env/docker/Dockerfile": "FROM python",
    "env/python/requirements.txt": "bentoml\n",
    "env/python/requirements.lock.txt": "bentoml==1\n",
}
Spoil = Callable[[Path], object]
BUILT = PurePosixPath("home", "bentos", "name", "1-abc")


def write(folder: Path, files: dict[str, str]) -> None:
    """Write these files into a folder."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a project as the worker writes it."""
    write(tmp_path / "project", {**SOURCE, **COMPILED})
    return tmp_path / "project"


@pytest.fixture
def built(tmp_path: Path, project: Path) -> Path:
    """Return what BentoML makes of it."""
    folder, left_out = tmp_path / BUILT, shutil.ignore_patterns("__pycache__", ".git")
    shutil.copytree(project, folder / "src", ignore=left_out)
    write(folder, {**DESCRIPTION, "src/bentofile.yaml": "as BentoML writes it"})
    return folder


def put_together(project: Path, included: Collection[str] | None = None) -> dict[str, str]:
    """Return the files of the Bento that is kept, by name."""
    root = project.parent
    shutil.rmtree(target := root / "bento", ignore_errors=True)
    assemble(root, BUILT, project, target, "-i https://example.com\na==1\n", included=included)
    return {
        str(path.relative_to(target)): path.read_text()
        for path in target.rglob("*")
        if not path.is_dir()
    }


def kept(source: dict[str, str], description: dict[str, str] = DESCRIPTION) -> dict[str, str]:
    """Return the files of a Bento with this source, by name."""
    told = {name: text for name, text in description.items() if not name.startswith("env/")}
    lock = {"env/python/requirements.txt": "a==1\n"}
    return told | lock | {f"src/{name}": text for name, text in source.items()}


@pytest.mark.usefixtures("built")
def test_a_service_of_placets_holds_what_its_version_holds(project: Path) -> None:
    assert put_together(project) == kept(SOURCE)


@pytest.mark.usefixtures("built")
def test_of_a_project_what_its_build_file_leaves_out_stays_out(project: Path) -> None:
    chosen = {name: text for name, text in SOURCE.items() if ".git" not in name}
    assert put_together(project, {*chosen, *COMPILED, "gone.py"}) == kept(chosen)


def exchanged(built: Path) -> None:
    (built / "src/artifact/model.onnx").write_text("a model")
    (built / "src/placet.json").write_text("[]")


def removed(built: Path) -> None:
    (built / "src/placet.json").unlink()
    (built / "src/service.py").unlink()


def no_source(built: Path) -> None:
    shutil.rmtree(built / "src")


def more(built: Path) -> None:
    write(built, {"src/placet_model.so": "", "src/__pycache__/service.pyc": "", "src/a/b.py": ""})
    write(built, {"apis/hidden.py": "", "env/docker/x.so": "", "models/m/1/model.yaml": ""})


def linked(built: Path) -> None:
    (built / "src/service.py").unlink()
    (built / "src/service.py").symlink_to("/etc/passwd")
    (built / "src/etc").symlink_to("/etc")
    (built / "env/etc").symlink_to("/etc")


def piped(built: Path) -> None:
    (built / "src/placet.json").unlink()
    os.mkfifo(built / "src/placet.json")
    os.mkfifo(built / "env/pipe")


def elsewhere(built: Path) -> None:
    (built / "src").rename(built / "apis/src")
    (built / "src").symlink_to("apis/src")


@pytest.mark.parametrize("included", [None, {*SOURCE}])
@pytest.mark.parametrize("spoil", [exchanged, removed, no_source, more, linked, piped, elsewhere])
def test_what_ran_meanwhile_changes_nothing_of_it(
    built: Path, project: Path, spoil: Spoil, included: Collection[str] | None
) -> None:
    spoil(built)
    assert put_together(project, included) == kept(SOURCE)
    assert (project / "placet.json").read_text() == SOURCE["placet.json"]


def test_the_kept_one_is_nothing_that_the_build_wrote_to(built: Path, project: Path) -> None:
    put_together(project)
    made = project.with_name("bento")
    for name in ("bento.yaml", "apis/openapi.yaml"):
        assert not (made / name).samefile(built / name)
    assert (made / "src/artifact/model.onnx").samefile(project / "artifact/model.onnx")


def link_in_place(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/passwd")


def pipe_in_place(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def too_large(path: Path) -> None:
    path.write_bytes(b" " * (MAX_DESCRIPTION + 1))


def link_on_the_way(path: Path) -> None:
    path.parent.rename(path.parent.with_name("moved"))
    path.parent.symlink_to(path.parent.with_name("moved"))


@pytest.mark.parametrize("spoil", [link_in_place, pipe_in_place, too_large, link_on_the_way])
@pytest.mark.parametrize("name", ["bento.yaml", "apis/openapi.yaml"])
def test_of_its_description_plain_files_of_some_size_are_taken(
    built: Path, project: Path, name: str, spoil: Spoil
) -> None:
    (built / name).write_bytes(b" " * MAX_DESCRIPTION)
    put_together(project)
    spoil(built / name)
    with pytest.raises(BuildFailed, match=f"{name} is no plain file, or has more than 4 MiB"):
        put_together(project)


def test_what_bentoml_did_not_write_is_missing_but_its_manifest(built: Path, project: Path) -> None:
    shutil.rmtree(built / "env")
    (built / "apis/openapi.yaml").unlink()
    few = {"bento.yaml": DESCRIPTION["bento.yaml"], "README.md": DESCRIPTION["README.md"]}
    assert put_together(project) == kept(SOURCE, few)
    (built / "bento.yaml").unlink()
    with pytest.raises(BuildFailed, match="left no Bento behind"):
        put_together(project)


def test_no_address_is_kept() -> None:
    lines = "numpy==1 \\\n    --hash=sha256:0\n"
    options = "--index-url https://example.com\n-i x\n--find-links=/opt\n"
    assert without_addresses(options + lines) == lines
