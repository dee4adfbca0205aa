"""Nobody's program runs on the way into a cell, as whoever we are there, but ours.

At 5a35692 ``setpriv`` was looked up by the tenant's ``PATH``, and its script ran as root with
CAP_SETUID and CAP_SETGID: ``proofs/faults.py`` shows it there.
"""

import os
import subprocess
from pathlib import Path

import pytest

from placet_agent.process import sandbox
from placet_agent.process.sandbox import INSTALLER_UID, Cell

OUR_UID = INSTALLER_UID if os.geteuid() == 0 else os.geteuid()
TELL = """#!/bin/sh
echo "ran as $(/usr/bin/id -u) with $(/usr/bin/grep CapEff /proc/self/status)"
exec /usr/bin/setpriv "$@"
"""


@pytest.mark.parametrize("name", ["setpriv", "env", "prlimit", "sh"])
def test_a_tenants_program_of_the_name_of_ours_never_runs_before_the_drop(
    tmp_path: Path, name: str
) -> None:
    """A wheel may bring a script of any name, and a release set where programs are looked up."""
    (tmp_path / name).write_text(TELL)
    (tmp_path / name).chmod(0o755)
    tmp_path.chmod(0o755)
    cell = Cell(
        uid=INSTALLER_UID,
        read_only={"/runtime/bin": tmp_path},
        variables={"PATH": "/runtime/bin:/usr/bin:/bin"},
    )

    words = sandbox.command(cell, ["/bin/sh", "-c", "/usr/bin/id -u"])
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=30)

    assert done.stdout == f"{OUR_UID}\n", done
