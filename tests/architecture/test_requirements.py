"""The locks install offline, byte for byte, and hold one set of versions."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = ("boot", "server", "dev", "site", "agent", "client")


def entries(name: str) -> dict[str, str]:
    """Return each locked package with its version, marker and hashes."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
    return {re.split(r"==", line)[0].strip() + marker(line): line for line in lines}


def marker(line: str) -> str:
    return ";".join(line.split(" --hash")[0].split(" ; ")[1:])


@pytest.mark.parametrize("name", LOCKS)
def test_every_entry_is_pinned_and_hashed_and_names_no_address(name: str) -> None:
    found = entries(name)
    assert found
    for package, line in found.items():
        assert re.match(r"^[A-Za-z0-9._\[\],-]+==\S+ ", line), package
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", line), package
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    assert "://" not in text
    assert "--index" not in text


@pytest.mark.parametrize("name", ["server", "agent", "client"])
def test_what_is_installed_is_part_of_what_the_tests_ran_with(name: str) -> None:
    installed, dev = ({version(line) for line in entries(n).values()} for n in (name, "dev"))
    assert installed <= dev


def version(line: str) -> str:
    return line.split()[0]


def test_bootstrap_refuses_a_package_that_would_shadow_pythons_platform(tmp_path: Path) -> None:
    for folder in ("bin", "requirements", "platform"):
        (tmp_path / folder).mkdir()
    shutil.copy(ROOT / "bin" / "bootstrap", tmp_path / "bin")
    (tmp_path / "requirements" / "server.txt").write_text("")
    (tmp_path / "platform" / "__init__.py").write_text("")
    done = subprocess.run(
        [tmp_path / "bin" / "bootstrap", "server"], capture_output=True, text=True, timeout=20
    )
    assert done.returncode == 1
    assert "platform/__init__.py" in done.stderr
    assert not (tmp_path / ".boot").exists()
