"""What strangers left is removed whatever its form, in little memory, or set aside once."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from placet_agent.downloads.leftovers import ASIDE, remove
from tests.support.trees import deep
from tests.support.users import as_user

LIMIT_MB, USER = 300, 60999
PLATFORM = Path(__file__).resolve().parents[3] / "platform"
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="needs two users")


def removed(path: Path, *before: str) -> str:
    """Remove ``path`` in a process of its own; return what it says of that."""
    code = (
        "import sys; from pathlib import Path; "
        "from placet_agent.downloads.leftovers import remove; "
        "print(remove(Path(sys.argv[1])))"
    )
    done = subprocess.run(
        [*before, sys.executable, "-c", code, path],
        env={"PYTHONPATH": str(PLATFORM)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_a_tree_of_any_depth_is_removed_in_little_memory(tmp_path: Path) -> None:
    bounds = ("prlimit", f"--as={LIMIT_MB << 20}", "--nofile=32:32")
    deep(tmp_path / "left")
    assert removed(tmp_path / "left", *bounds) == "True"
    assert [*tmp_path.iterdir()] == []


def test_a_wide_tree_is_removed(tmp_path: Path) -> None:
    for number in range(1500):
        (tmp_path / "left" / f"d{number}" / "inner").mkdir(parents=True)
        (tmp_path / "left" / f"f{number}").touch()
        (tmp_path / "left" / "d0" / f"f{number}").touch()
    assert remove(tmp_path / "left")
    assert [*tmp_path.iterdir()] == []


def test_a_link_is_removed_and_not_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").touch()
    (tmp_path / "left").mkdir()
    for link in (tmp_path / "left" / "link", tmp_path / "link"):
        link.symlink_to(tmp_path / "kept")
    assert remove(tmp_path / "left")
    assert remove(tmp_path / "link")
    assert [path.name for path in tmp_path.rglob("*")] == ["kept", "file"]


def test_what_is_not_there_and_a_plain_file_are_removed_as_well(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert remove(tmp_path / "file")
    assert remove(tmp_path / "file")
    assert [*tmp_path.iterdir()] == []


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that an ordinary user can reach, whatever pytest does with its own."""
    folder = Path(tempfile.mkdtemp(prefix="placet-leftovers-"))
    yield folder
    remove(folder)


@root_only
def test_folders_that_their_owner_closed_are_removed_without_root(place: Path) -> None:
    (place / "left" / "closed" / "shut" / "in").mkdir(parents=True)
    (place / "left" / "readable" / "in").mkdir(parents=True)
    for path in (place, *place.rglob("*")):
        os.chown(path, USER, USER)
    for name, mode in (
        ("readable/in", 0o500),
        ("readable", 0o500),
        ("closed/shut/in", 0),
        ("closed/shut", 0),
        ("closed", 0),
        ("", 0),
    ):
        (place / "left" / name).chmod(mode)

    assert removed_as_user(place / "left")
    assert [*place.iterdir()] == []


@root_only
def test_what_cannot_be_removed_is_set_aside_once(place: Path) -> None:
    (place / "left" / "of root").mkdir(parents=True)
    (place / "left" / "of root" / "file").touch()
    for path in (place, place / "left"):
        os.chown(path, USER, USER)

    assert not removed_as_user(place / "left")
    assert [path.name for path in place.iterdir()] == [ASIDE]
    (aside,) = (place / ASIDE).iterdir()
    assert (aside / "of root" / "file").exists()
    assert removed_as_user(place / "left")
    assert not removed_as_user(aside)
    assert [*(place / ASIDE).iterdir()] == [aside]


def removed_as_user(path: Path) -> bool:
    """Remove ``path`` as an ordinary user; tell what ``remove`` does."""
    return as_user(USER, lambda: str(remove(path))) == "True"
