"""``make prove``: each permission check is taken out in turn, and a test must notice.

The checks are the calls of ``authorize``, ``visible`` and ``demand_fresh``, and the actor's own
questions (``can``, ``can_somewhere``, ``projects_with``) in the apps. ``tests/support/mutants.py``
finds them and takes them out, ``tests/permissions/test_mutants.py`` asks, in every run of the
tests. Here it is written down who noticed: ``proofs/results/mutation.json``.
"""

import json
import os
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "platform"), str(ROOT)]

from proofs.record import RESULTS, commit  # noqa: E402

OUT = RESULTS / "mutation.json"


def tried() -> dict[str, str]:
    """Return who noticed each check that was taken out, '' for nobody."""
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder) / "found.json"
        subprocess.run(
            [
                sys.executable,
                "-m",
                "pytest",
                "-q",
                "--tb=short",
                "--show-capture=no",
                "tests/permissions/test_mutants.py",
            ],
            cwd=ROOT,
            check=False,
            env={**os.environ, "PLACET_MUTANTS_OUT": str(found)},
        )
        text = found.read_text() if found.exists() else "{}"
        noticed: dict[str, str] = json.loads(text.replace(str(ROOT), "…"))
    return noticed


def main() -> int:
    """Try the checks and write the proof; 1 when one was missed by nobody."""
    begun, state = datetime.now(tz=UTC), commit()
    noticed = tried()
    survived = [check for check, by in noticed.items() if not by]
    print(f"{len(noticed)} checks taken out, {len(survived)} missed by nobody")
    if noticed:
        OUT.write_text(
            json.dumps(
                {
                    "what": "each permission check taken out in turn; a question must be answered "
                    "wrongly",
                    "date": begun.isoformat(timespec="seconds"),
                    "commit": state,
                    "summary": {"checks": len(noticed), "survived": survived},
                    "noticed_by": noticed,
                },
                indent=1,
            )
            + "\n"
        )
    return int(bool(survived) or not noticed)


if __name__ == "__main__":
    sys.exit(main())
