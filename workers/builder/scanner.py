"""The scan step: runs the scanner in a sandbox, and trusts only a whole answer."""

import json
from collections.abc import Callable
from pathlib import Path

from apps.registry.formats import FORMATS
from workers.builder.sandbox import Limits, Sandbox, never
from workers.builder.spec import Finding, Scan
from workers.builder.untrusted_files import told_by

VERDICTS = ("safe", "code-carrying", "malicious", "unknown")
SCANNER = {"name": "placet", "version": "2"}


def scan(
    artifact: Path,
    sandbox: Sandbox,
    *,
    memory_mb: int = 2048,
    seconds: float = 300,
    cancelled: Callable[[], bool] = never,
) -> Scan:
    """Scan every file under ``artifact``; a scanner that hangs or dies makes it ``unknown``."""
    limits = Limits(memory_mb=memory_mb, seconds=seconds)
    texts = [ending for kind in FORMATS.values() if kind.text for ending in kind.endings]
    try:
        report = told_by(
            "workers.builder.scanning",
            artifact,
            sandbox,
            limits,
            *texts,
            name="the scanner",
            cancelled=cancelled,
        )
        return read_report(report)
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
