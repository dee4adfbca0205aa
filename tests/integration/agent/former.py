"""The node agent of an earlier release, taken from git: what a node runs before it is upgraded."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
FORMER = "5a35692"  # the last one whose replicas listen on ports of the host


def former_code(folder: Path) -> Path:
    """Unpack the earlier release's agent and its tests' replicas; return its root."""
    words = ["git", "archive", FORMER, "platform", "tests"]
    packed = subprocess.run(words, cwd=ROOT, capture_output=True, check=True)
    folder.mkdir()
    subprocess.run(["tar", "-x", "-C", folder], input=packed.stdout, check=True)
    return folder


def former_agent(code: Path, home: Path) -> "subprocess.Popen[bytes]":
    """Run the earlier agent on a node's folder."""
    script = code / "tests/integration/agent/run_agent.py"
    with (home / "agent.log").open("ab") as output:
        return subprocess.Popen(
            [sys.executable, str(script), str(home)],
            env={"PATH": "/usr/bin:/bin:/usr/sbin", "PYTHONPATH": f"{code / 'platform'}:{code}"},
            stdout=output,
            stderr=output,
        )
