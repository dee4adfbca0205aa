"""``bin/site``: the same sources make the same wheels, and a guide's bad link fails the check."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
BAD = """
[no page](nothing.md) [no heading](nodes.md#no-such) [no file](../no/such.py) [none here](#nowhere)

![no picture](screenshots/none.webp)
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What the site is made of, elsewhere, with what a run leaves behind; the tools are there."""
    for name in ("bin", "docs", "requirements", "benchmarks", "platform", "proofs"):
        shutil.copytree(ROOT / name, tmp_path / name)
    (tmp_path / "tests").mkdir()
    for name in ("CONTRIBUTING.md", "README.md", "SECURITY.md", "tests/README.md"):  # linked to
        shutil.copyfile(ROOT / name, tmp_path / name)
    left = tmp_path / "platform" / "placet_agent" / "__pycache__"
    left.mkdir(exist_ok=True)
    (left / "left.pyc").write_bytes(b"left")
    (tmp_path / ".site").mkdir()
    (tmp_path / ".site" / "tools").symlink_to(ROOT / ".site" / "tools")
    return tmp_path


def site(clone: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [clone / "bin" / "site", *words], capture_output=True, text=True, timeout=120, cwd="/"
    )


def test_the_same_sources_make_the_same_wheels_and_a_bad_link_fails_the_check(clone: Path) -> None:
    first = site(clone, "check")
    assert (first.returncode, first.stderr) == (0, "")
    made = {path.name: path.read_bytes() for path in (clone / ".site" / "wheels").iterdir()}
    assert made == {path.name: path.read_bytes() for path in (ROOT / ".site" / "wheels").iterdir()}

    page = clone / ".site" / "docs" / "pages.html"
    before = page.stat().st_ino
    assert site(clone, "check").returncode == 0
    assert page.stat().st_ino == before, "nothing changed, so nothing is built"

    with (clone / "docs" / "pages.md").open("a") as text:
        text.write(BAD)
    assert site(clone).returncode == 0, "a start does not fail for it"
    assert page.stat().st_ino != before
    refused = site(clone, "check")
    assert refused.returncode == 1
    for named in ("nothing.md", "no-such", "no/such.py", "nowhere", "none.webp"):
        assert named in refused.stderr
