"""The scan step: runs the scanner in a sandbox, and trusts only a whole answer."""

import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from workers.builder.errors import BuildCancelled
from workers.builder.leavings import read_plain
from workers.builder.sandbox import Limits, Sandbox, never
from workers.builder.spec import Finding, Scan

ROOT = Path(__file__).resolve().parents[2]
VERDICTS = ("safe", "code-carrying", "malicious", "unknown")
MAX_REPORT = 16 * 1024 * 1024
SCANNER = {"name": "placet", "version": "1"}


def scan(
    artifact: Path,
    sandbox: Sandbox,
    *,
    memory_mb: int = 2048,
    seconds: float = 300,
    cancelled: Callable[[], bool] = never,
) -> Scan:
    """Scan every file under ``artifact``; a scanner that hangs or dies makes it ``unknown``."""
    with tempfile.TemporaryDirectory(prefix="placet-scan-") as folder:
        answer = Path(folder, "report.json")
        result = sandbox.run(
            [sys.executable, "-m", "workers.builder.scanning", str(artifact), str(answer)],
            binds_ro=[Path(sys.prefix), ROOT / "workers", artifact],
            binds_rw=[Path(folder)],
            env={"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
            limits=Limits(memory_mb=memory_mb, seconds=seconds),
            cancelled=cancelled,
        )
        if result.reason == "cancelled":
            raise BuildCancelled
        try:
            if not result.ok:
                raise ValueError(result.sentence("the scanner"))
            return read_report(read_plain(answer, MAX_REPORT).decode())
        except (OSError, ValueError, KeyError, TypeError) as error:
            finding = Finding("", f"The scan did not finish: {error}"[:300], "unknown")
            return Scan("unknown", (finding,), SCANNER)


def read_report(text: str) -> Scan:
    """Read the scanner's report."""
    report = json.loads(text)
    if report["verdict"] not in VERDICTS:
        raise ValueError("no verdict")
    findings = tuple(Finding(str(p), str(w), v) for p, v, w in report["findings"])
    about = {**SCANNER, "picklescan": str(report["picklescan"])}
    types = tuple(str(name) for name in report["types"])
    return Scan(report["verdict"], findings, about, int(report["files"]), types)
