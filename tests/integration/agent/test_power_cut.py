"""What the disk holds when the power goes right after something was installed, and what follows."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from placet_agent.client import Client
from placet_agent.downloads.bentos import BentoFolder, BentoRefused
from placet_agent.downloads.pythons import Interpreters
from placet_agent.downloads.runtimes import RuntimeFolder
from tests.integration.agent.conftest import NodeUnderTest
from tests.integration.agent.control import Platform
from tests.support import disk


def sizes(folder: Path) -> dict[str, int]:
    """Return how long each file below ``folder`` is."""
    found = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return {str(path.relative_to(folder)): path.stat().st_size for path in found}


@pytest.fixture
def client(joined: NodeUnderTest) -> Iterator[Client]:
    """The node's connection to its platform."""
    member = joined.home.membership()
    made = Client(member.url, joined.home.key, member.node)
    yield made
    made.close()


def stores(client: Client, folder: Path) -> tuple[BentoFolder, RuntimeFolder]:
    """Return where Bentos and runtimes are kept, in this folder."""
    for name in ("bentos", "runtimes"):
        (folder / name).mkdir()
    bentos = BentoFolder(folder / "bentos", client)
    return bentos, RuntimeFolder(folder / "runtimes", client, Interpreters([]))


def empty(folder: Path) -> None:
    """Have every file below ``folder`` be what a power cut leaves of it."""
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            path.write_bytes(b"")


def test_what_has_the_name_of_a_whole_one_is_whole_on_the_disk(
    platform: Platform, client: Client, tmp_path: Path
) -> None:
    digest = platform.build("one")
    with disk.of_its_own(tmp_path / "disk") as image:
        folder = tmp_path / "disk"
        bentos, runtimes = stores(client, folder)
        bentos.fetch(digest, None)
        with disk.after_a_power_cut(image, tmp_path / "fetched") as cut:
            assert sizes(cut / "bentos") == sizes(folder / "bentos") != {}
        runtimes.install(platform.runtime)
        with disk.after_a_power_cut(image, tmp_path / "installed") as cut:
            assert sizes(cut / "runtimes") == sizes(folder / "runtimes") != {}


@pytest.mark.parametrize("kept", ["bentos", "runtimes", "nothing"])
def test_a_node_that_an_earlier_power_cut_left_with_empty_files_serves_again(
    platform: Platform, joined: NodeUnderTest, kept: str
) -> None:
    platform.serve(platform.revision(1, platform.build("one"), weight=10_000))
    joined.start()
    platform.wait_phase("rev_1", "serving")
    joined.clean()
    for name in {"bentos", "runtimes"} - {kept}:
        empty(joined.home.folder / name)
    platform.reports.clear()

    joined.start()

    platform.wait_phase("rev_1", "serving")
    assert joined.who() == "one"


@pytest.mark.parametrize("gone", ["pyvenv.cfg", "bin/activate"])
def test_a_runtime_that_lacks_something_is_installed_anew(
    platform: Platform, client: Client, tmp_path: Path, gone: str
) -> None:
    runtimes = stores(client, tmp_path)[1]
    runtimes.install(platform.runtime, platform.python_version)
    home = runtimes.folder / platform.runtime.removeprefix("sha256:") / "home"
    whole = sizes(home)
    (home / gone).write_bytes(b"")
    later = RuntimeFolder(runtimes.folder, runtimes.client, runtimes.interpreters)

    later.install(platform.runtime)

    assert sizes(home) == whole


def test_a_runtime_of_an_earlier_agent_is_judged_by_its_lock(
    platform: Platform, client: Client, tmp_path: Path, runtime: Path
) -> None:
    runtimes = stores(client, tmp_path)[1]
    earlier = runtimes.folder / runtime.name
    shutil.copytree(runtime, earlier, symlinks=True)
    (earlier / "listing").unlink()
    platform.served.clear()

    runtimes.install(platform.runtime, platform.python_version)

    assert platform.served == []
    (earlier / "lock.txt").write_bytes(b"")
    later = RuntimeFolder(runtimes.folder, runtimes.client, runtimes.interpreters)
    later.install(platform.runtime, platform.python_version)
    assert sizes(earlier).keys() == sizes(runtime).keys()
    assert (earlier / "lock.txt").read_text() == (runtime / "lock.txt").read_text()


def test_a_bento_whose_list_of_files_is_empty_is_removed(
    platform: Platform, client: Client, tmp_path: Path
) -> None:
    bentos, digest = stores(client, tmp_path)[0], platform.build("one")
    bentos.fetch(digest, None)
    (bentos.path(digest).parent / "files.json").write_bytes(b"")

    with pytest.raises(BentoRefused, match="fetched anew"):
        bentos.check(digest)

    assert not bentos.has(digest)
