"""``make prove``: random moves on PostgreSQL; nothing is served that no quorum approved.

``tests/properties/test_moves.py`` makes them, in sequences of at most 50, and says what must hold
after each. A few sequences are part of every run of the tests; here ``--sequences`` of them are
drawn by ``--seed``, and what was let through and refused is written to
``proofs/results/moves-DATE-COMMIT-seedN.json``. ``--total`` runs nothing: it adds up what is
kept, and ends with 1 unless every kind of move was let through at least once.
"""

import json
import os
import subprocess
import sys
import tempfile
from argparse import ArgumentParser
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "platform"), str(ROOT)]

from proofs.record import RESULTS, commit  # noqa: E402
from tests.properties.moves.forgeries import FORGERIES  # noqa: E402

# What a run of any length must have come to, or it showed nothing.
ADMITTED = {"admitted", "admitted, tables forged"}  # by the node: that is no move
WANTED = ADMITTED | {
    "confirm a break-glass",
    "end a break-glass",
    "recall",
    *(f"forge {number}" for number in range(len(FORGERIES))),
}


def moved(sequences: int, seed: int) -> dict[str, Any]:
    """Make the moves; return what was counted, nothing when a promise was broken."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "moves.json"
        subprocess.run(
            [
                sys.executable,
                "-m",
                "pytest",
                "-q",
                "--show-capture=no",
                f"--hypothesis-seed={seed}",
                "tests/properties/test_moves.py",
            ],
            cwd=ROOT,
            check=False,
            env={**os.environ, "PLACET_SEQUENCES": str(sequences), "PLACET_MOVES_OUT": str(out)},
        )
        counts: dict[str, Any] = json.loads(out.read_text()) if out.exists() else {}
    return counts


def total(files: list[Path]) -> dict[str, Any]:
    """Add up the runs in these files."""
    runs = [json.loads(path.read_text()) for path in files]
    through, refused = Counter[str](), Counter[str]()
    for run in runs:
        through.update(run["let_through"])
        refused.update(run["refused"])
    return {
        "seeds": sorted(run["seed"] for run in runs),
        "sequences": sum(run["sequences"] for run in runs),
        "moves": refused.total() + sum(n for name, n in through.items() if name not in ADMITTED),
        "let_through": dict(sorted(through.items())),
        "refused": dict(sorted(refused.items())),
        "never_let_through": sorted(WANTED - set(through)),
    }


def main() -> int:
    """Make the moves and write them down; 1 when a promise was broken."""
    parser = ArgumentParser(description="Make random moves; nothing unapproved may be served.")
    parser.add_argument("--sequences", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--total", action="store_true", help="run nothing: add up what was run")
    options = parser.parse_args()
    if options.total:
        found = total(sorted(RESULTS.glob("moves-*.json")))
        print(json.dumps(found, indent=1))
        return int(bool(found["never_let_through"]))
    begun, state = datetime.now(tz=UTC), commit()
    counts = moved(options.sequences, options.seed)
    if not counts:
        return 1
    name = f"moves-{begun:%Y%m%d-%H%M}-{state[:12]}-seed{options.seed}.json"
    (RESULTS / name).write_text(
        json.dumps(
            {
                "what": "random moves of people, a superuser and whoever writes the tables; after "
                "each, nothing is served that no quorum approved",
                "date": begun.isoformat(timespec="seconds"),
                "commit": state,
                "seed": options.seed,
                "sequences": options.sequences,
                **counts,
            },
            indent=1,
        )
        + "\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
