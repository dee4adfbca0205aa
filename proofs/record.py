"""Where results are written, and of which commit they are."""

import json
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "proofs" / "results"


def commit() -> str:
    """Return the commit that is checked out, marked when files differ from it."""
    command = ["git", "describe", "--always", "--abbrev=12", "--exclude=*", "--dirty=+changes"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def tell(figures: Mapping[str, Any], to: Path | None) -> None:
    """Print figures as JSON, with when and of which commit they are; write that to a file as well
    where one is named."""
    at = datetime.now(UTC).isoformat(timespec="seconds")
    text = json.dumps({"at": at, "commit": commit(), **figures}, indent=1)
    print(text)
    if to:
        to.write_text(text + "\n")
