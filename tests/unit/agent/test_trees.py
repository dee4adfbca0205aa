"""What others wrote is walked so far and no further, and closed to whoever wrote it."""

from pathlib import Path

import pytest

from placet_agent.downloads import trees
from tests.unit.agent.test_leftovers import deep


def test_all_is_yielded_a_folder_before_what_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "a")

    paths = [str(Path(entry.path).relative_to(tmp_path)) for entry in trees.walk(tmp_path)]

    assert sorted(paths) == ["a", "a/b", "a/b/file", "link"]
    assert [name for name in paths if name != "link"] == ["a", "a/b", "a/b/file"]


def test_a_path_that_is_longer_than_paths_can_be_is_an_error_and_leaves_nothing_open(
    tmp_path: Path,
) -> None:
    deep(tmp_path / "left", trees.MOST_LEVELS + 1)
    before = len([*Path("/proc/self/fd").iterdir()])

    with pytest.raises(OSError, match="File name too long"):
        trees.bound(tmp_path / "left")

    assert len([*Path("/proc/self/fd").iterdir()]) == before


def test_folders_in_folders_are_followed_to_a_bound(tmp_path: Path) -> None:
    (tmp_path / "/".join("d" * (trees.MOST_LEVELS - 1))).mkdir(parents=True)
    trees.bound(tmp_path)
    (tmp_path / "/".join("d" * trees.MOST_LEVELS)).mkdir(parents=True)
    with pytest.raises(trees.TooMuch, match="folders more than 200 deep"):
        trees.bound(tmp_path)


def test_so_many_files_are_looked_at_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trees, "MOST_ENTRIES", 9)
    for number in range(9):
        (tmp_path / str(number)).touch()
    trees.bound(tmp_path)
    (tmp_path / "one more").touch()
    with pytest.raises(trees.TooMuch, match="more than 9 files and folders"):
        trees.bound(tmp_path)


def test_nobody_may_write_what_is_sealed_and_what_a_link_names_stays(tmp_path: Path) -> None:
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    (home / "closed").mkdir(parents=True)
    for path, mode in (
        (home / "closed" / "program", 0o777),
        (home / "text", 0o666),
        (elsewhere, 0o666),
    ):
        path.touch()
        path.chmod(mode)
    (home / "link").symlink_to(elsewhere)
    (home / "closed").chmod(0o700)

    trees.seal(home)

    modes = {path.name: path.lstat().st_mode & 0o777 for path in (home, *home.rglob("*"))}
    assert modes == {"home": 0o755, "closed": 0o755, "program": 0o755, "text": 0o644, "link": 0o777}
    assert elsewhere.stat().st_mode & 0o777 == 0o666
