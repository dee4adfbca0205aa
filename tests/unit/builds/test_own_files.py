"""A Bento holds the worker's own files as they were written, whatever ran while it was made."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from workers.builder import own_files
from workers.builder.bento import _own_lock
from workers.builder.errors import BuildFailed

FILES = {"placet.json": '{"v": 1}', "placet_entry.py": "import placet_http\n"}


def bento(tmp_path: Path) -> tuple[Path, dict[str, own_files.OwnFile]]:
    """Return a Bento as BentoML makes it of a project, and what the worker wrote into that."""
    project, folder = tmp_path / "project", tmp_path / "bento"
    project.mkdir()
    for name, text in {**FILES, "service.py": "", "bentofile.yaml": "{}"}.items():
        (project / name).write_text(text)
    shutil.copytree(project, folder / "src")
    (folder / "src/bentofile.yaml").write_text("as BentoML writes it")
    (folder / "env/python").mkdir(parents=True)
    return folder, own_files.written(project, own=True)


def test_a_bento_that_holds_them_is_taken(tmp_path: Path) -> None:
    folder, ours = bento(tmp_path)
    assert ours.keys() == FILES.keys()
    (folder / "src/service.py").write_text("the version's own")
    own_files.hold(folder, ours)


def test_of_a_service_that_placet_made_each_file_is_its_own(tmp_path: Path) -> None:
    bento(tmp_path)
    ours = own_files.written(tmp_path / "project", own=False)
    assert ours.keys() == {*FILES, "service.py"}


def rewritten(path: Path) -> None:
    path.write_text('{"v": 2}')  # as long as it was


def longer(path: Path) -> None:
    path.write_text(FILES["placet.json"] + " ")


def folder_in_place(path: Path) -> None:
    path.unlink()
    path.mkdir()


def link_in_place(path: Path) -> None:
    path.rename(path.with_name("other.json"))
    path.symlink_to("other.json")


def pipe_in_place(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    "change", [rewritten, longer, Path.unlink, folder_in_place, link_in_place, pipe_in_place]
)
def test_one_that_does_not_is_refused_by_name(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    folder, ours = bento(tmp_path)
    change(folder / "src/placet.json")
    with pytest.raises(BuildFailed, match=r"src/placet\.json is not the file that Placet wrote"):
        own_files.hold(folder, ours)


COMPILED = "__pycache__/placet_entry.cpython-313.pyc"


@pytest.mark.parametrize(
    "name", ["placet_entry", "placet_entry.cpython-313.so", "placet_http.py", COMPILED]
)
def test_what_python_would_import_in_their_place_is_refused(tmp_path: Path, name: str) -> None:
    folder, ours = bento(tmp_path)
    (folder / "src" / name).mkdir(parents=True)
    with pytest.raises(BuildFailed, match="belongs to Placet"):
        own_files.hold(folder, ours)


def test_a_link_to_another_folder_is_not_looked_into(tmp_path: Path) -> None:
    folder, ours = bento(tmp_path)
    (folder / "src").rename(tmp_path / "elsewhere")
    (folder / "src").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BuildFailed, match="no folder src"):
        own_files.hold(folder, ours)


def test_the_lock_goes_where_nodes_read_it_or_there_is_no_bento(tmp_path: Path) -> None:
    folder, _ = bento(tmp_path)
    lock = folder / "env/python/requirements.txt"
    (lock / "deep").mkdir(parents=True)
    _own_lock(folder, "a==1\n")
    assert lock.read_text() == "a==1\n"
    (folder / "env").rename(tmp_path / "elsewhere")
    (folder / "env").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BuildFailed, match="no folder env/python"):
        _own_lock(folder, "a==2\n")
