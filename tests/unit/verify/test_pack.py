"""The verifier as one file, where nothing of ours and only ``cryptography`` is installed."""

import os
import subprocess
import sys
from pathlib import Path

import cryptography
import pytest

from placet_verify.commands.pack import packed

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / "docs/examples"


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the file, and one with ``cryptography`` and what that needs itself."""
    folder = tmp_path_factory.mktemp("alone")
    (folder / "placet-verify.pyz").write_bytes(packed())
    packages = folder / "packages"
    packages.mkdir()
    for path in Path(cryptography.__file__).parents[1].iterdir():
        if path.name.startswith(("cryptography", "cffi", "_cffi_backend")):
            (packages / path.name).symlink_to(path)
    return folder


def run(alone: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-S", *map(str, arguments)]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(alone / "packages")}
    return subprocess.run(
        command, cwd=alone, env=environment, capture_output=True, text=True, check=False
    )


def test_one_file_checks_a_release_where_only_cryptography_is_installed(alone: Path) -> None:
    assert run(alone, "-c", "import rfc8785").returncode == 1
    assert run(alone, "-c", "import placet_verify").returncode == 1
    where = [EXAMPLE / "release-bundle.zip", "--root", EXAMPLE / "root.pub"]
    done = run(alone, "placet-verify.pyz", "bundle", *where)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("ok: this release was approved")


def test_it_says_no_as_well(alone: Path) -> None:
    (alone / "broken.zip").write_bytes(b"no zip")
    done = run(alone, "placet-verify.pyz", "bundle", "broken.zip", "--root", EXAMPLE / "root.pub")
    assert (done.returncode, done.stdout) == (1, "REFUSED: broken.zip is no zip that can be read\n")


def test_the_same_code_gives_the_same_bytes(tmp_path: Path) -> None:
    archive = tmp_path / "placet-verify.pyz"
    environment = os.environ | {"PYTHONPATH": str(ROOT / "platform")}
    subprocess.run(
        [sys.executable, "-m", "placet_verify", "pack", str(archive)], env=environment, check=True
    )
    assert archive.read_bytes() == packed()
