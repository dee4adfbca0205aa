"""The Bento that is kept holds the worker's own files, whatever ran while BentoML made it."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from workers.builder.assembly import MAX_DESCRIPTION, assemble, without_addresses
from workers.builder.errors import BuildFailed

SOURCE = {
    "placet.json": "{}",
    "service.py": "import placet_model\n",
    "bentofile.yaml": "{}",
    "artifact/model.onnx": "the model",
    "artifact/.git/config": "which BentoML leaves out",
}
COMPILED = {"artifact/__pycache__/a.pyc": "this too"}
DESCRIPTION = {
    "bento.yaml": "service: service:PlacetService\n",
    "README.md": "# A service",
    "apis/openapi.yaml": "paths: {}",
    "env/docker/Dockerfile": "FROM python",
    "env/python/requirements.txt": "bentoml\n",
    "env/python/requirements.lock.txt": "bentoml==1\n",
}
Spoil = Callable[[Path], object]


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
    folder, left_out = tmp_path / "built", shutil.ignore_patterns("__pycache__", ".git")
    shutil.copytree(project, folder / "src", ignore=left_out)
    write(folder, {**DESCRIPTION, "src/bentofile.yaml": "as BentoML writes it"})
    return folder


def put_together(built: Path, project: Path, *, own: bool = False) -> dict[str, str]:
    """Return the files of the Bento that is kept, by name."""
    target = built.with_name("bento")
    assemble(built, project, target, "-i https://example.com\na==1\n", own=own)
    return {
        str(path.relative_to(target)): path.read_text()
        for path in target.rglob("*")
        if not path.is_dir()
    }


def kept(source: dict[str, str]) -> dict[str, str]:
    """Return the files of a Bento with this source, by name."""
    told = {name: text for name, text in DESCRIPTION.items() if "requirements" not in name}
    lock = {"env/python/requirements.txt": "a==1\n"}
    return told | lock | {f"src/{name}": text for name, text in source.items()}


def test_a_service_of_placets_holds_what_its_version_holds(built: Path, project: Path) -> None:
    assert put_together(built, project) == kept(SOURCE)


def test_of_a_project_what_its_build_file_leaves_out_stays_out(built: Path, project: Path) -> None:
    chosen = {name: text for name, text in SOURCE.items() if ".git" not in name}
    assert put_together(built, project, own=True) == kept(chosen)
    write(built / "src", COMPILED)
    shutil.rmtree(built.with_name("bento"))
    assert put_together(built, project, own=True) == kept(chosen)


def exchanged(source: Path) -> None:
    (source / "artifact/model.onnx").write_text("a model")  # as long as it was
    (source / "placet.json").write_text("[]")


def more(source: Path) -> None:
    write(source, {"placet_model.so": "", "__pycache__/service.pyc": "", "artifact/b.py": ""})


def linked(source: Path) -> None:
    (source / "service.py").unlink()
    (source / "service.py").symlink_to("/etc/passwd")
    (source / "etc").symlink_to("/etc")


def piped(source: Path) -> None:
    (source / "placet.json").unlink()
    os.mkfifo(source / "placet.json")


def elsewhere(source: Path) -> None:
    source.rename(source.with_name("apis") / "src")
    source.symlink_to("apis/src")


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("spoil", [exchanged, more, linked, piped])
def test_what_ran_meanwhile_changes_nothing_of_its_source(
    built: Path, project: Path, spoil: Spoil, own: bool
) -> None:
    honest = put_together(built, project, own=own)
    shutil.rmtree(built.with_name("bento"))
    spoil(built / "src")
    assert put_together(built, project, own=own) == honest
    assert (project / "placet.json").read_text() == SOURCE["placet.json"]


def test_a_link_in_place_of_its_source_leads_nowhere(built: Path, project: Path) -> None:
    elsewhere(built / "src")
    held = put_together(built, project)
    assert {k: v for k, v in held.items() if k.startswith("src/")} == {
        f"src/{name}": text for name, text in SOURCE.items()
    }


def test_the_kept_one_is_no_folder_that_the_build_wrote_to(built: Path, project: Path) -> None:
    put_together(built, project)
    made = built.with_name("bento")
    for name in ("bento.yaml", "apis/openapi.yaml"):
        assert not (made / name).samefile(built / name)
    assert (made / "src/artifact/model.onnx").samefile(project / "artifact/model.onnx")


@pytest.mark.parametrize("name", ["models/a/model.yaml", "sitecustomize.py", "src.pth"])
def test_what_bentoml_does_not_write_is_refused(built: Path, project: Path, name: str) -> None:
    write(built, {name: ""})
    with pytest.raises(BuildFailed, match=r"which BentoML does not write"):
        put_together(built, project)


def link_in_place(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/passwd")


def pipe_in_place(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def too_large(path: Path) -> None:
    path.write_bytes(b" " * (MAX_DESCRIPTION + 1))


@pytest.mark.parametrize("spoil", [link_in_place, pipe_in_place, too_large])
@pytest.mark.parametrize("name", ["bento.yaml", "env/docker/Dockerfile"])
def test_of_its_description_plain_files_of_some_size_are_taken(
    built: Path, project: Path, name: str, spoil: Spoil
) -> None:
    (built / name).write_bytes(b" " * MAX_DESCRIPTION)
    put_together(built, project)
    shutil.rmtree(built.with_name("bento"))
    spoil(built / name)
    with pytest.raises(BuildFailed, match=f"{name} is no plain file, or has more than 4 MiB"):
        put_together(built, project)


def test_the_lock_goes_where_nodes_read_it_whatever_lies_there(built: Path, project: Path) -> None:
    python = built / "env/python"
    for name in ("requirements.txt", "requirements.lock.txt"):
        (python / name).unlink()
    (python / "requirements.txt").symlink_to("/etc/passwd")
    write(python, {"requirements.lock.txt/deep/deeper": ""})
    assert put_together(built, project) == kept(SOURCE)


@pytest.mark.parametrize("name", ["env", "env/python"])
def test_without_a_folder_for_it_there_is_no_bento(built: Path, project: Path, name: str) -> None:
    shutil.rmtree(built / name)
    (built / name).write_text("")
    with pytest.raises(BuildFailed, match="no folder env/python"):
        put_together(built, project)


def test_no_address_is_kept() -> None:
    lines = "numpy==1 \\\n    --hash=sha256:0\n"
    options = "--index-url https://example.com\n-i x\n--find-links=/opt\n"
    assert without_addresses(options + lines) == lines
