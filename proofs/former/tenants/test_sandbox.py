"""Nobody's program runs on the way into a cell, as whoever the agent is there, but ours."""

import subprocess
from pathlib import Path

import pytest

from placet_agent import sandbox
from placet_agent.sandbox import INSTALLER_UID, Cell

TELL = """#!/bin/sh
echo "uid $(/usr/bin/id -u) {name}"
(: >> /proc/sys/kernel/core_pattern) 2> /dev/null && echo "core_pattern opens for writing"
exec /usr/bin/setpriv "$@"
"""  # opened to add something, which nobody does


def entered(cell: Cell, script: str) -> str:
    """Return what a shell script prints in a cell, and whatever ran before it."""
    words = sandbox.command(cell, ["/bin/sh", "-c", script])
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=30)
    return done.stdout + done.stderr


@pytest.fixture
def cell(tmp_path: Path) -> Cell:
    """A cell of a release whose wheel has a script of a name of ours, found first by ``PATH``."""
    tmp_path.chmod(0o755)
    (tmp_path / "setpriv").write_text(TELL.format(name="is who runs the tenant's setpriv"))
    (tmp_path / "setpriv").chmod(0o755)
    return Cell(
        uid=INSTALLER_UID,
        read_only={"/runtime/bin": tmp_path},
        variables={"PATH": "/runtime/bin:/usr/bin:/bin"},
    )


def test_a_tenants_setpriv_does_not_run_before_the_drop(cell: Cell) -> None:
    assert entered(cell, "/usr/bin/id -u") == f"{INSTALLER_UID}\n"


def test_a_tenants_setpriv_does_not_open_what_the_kernel_runs(cell: Cell) -> None:
    assert "core_pattern opens for writing" not in entered(cell, "/usr/bin/true")


@pytest.mark.parametrize("name", ["LD_PRELOAD", "LOCPATH", "BASH_ENV"])
def test_no_variable_of_a_tenant_is_there_before_the_drop(name: str) -> None:
    words = sandbox.command(Cell(INSTALLER_UID, variables={name: "/tenants"}), ["/usr/bin/true"])
    assert [word for word in words[: words.index("--")] if "/tenants" in word] == []


def test_inside_no_capability_can_be_had_again() -> None:
    said = entered(Cell(uid=INSTALLER_UID), "/usr/bin/grep CapBnd /proc/self/status")
    assert said == f"CapBnd:\t{'0' * 16}\n"


def test_the_kernels_settings_are_covered() -> None:
    said = entered(Cell(uid=INSTALLER_UID), "/usr/bin/grep -c ' /proc/sys ro' /proc/self/mountinfo")
    assert said == "1\n"
