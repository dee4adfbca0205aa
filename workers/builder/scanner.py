"""The scan step: runs the scanner in a sandbox, and trusts only a whole answer."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from packaging.version import Version

from apps.registry.formats import FORMATS
from workers.builder.sandbox import Limits, Sandbox, never
from workers.builder.spec import Finding, Scan
from workers.builder.untrusted_files import told_by

VERDICTS = ("safe", "code-carrying", "malicious", "unknown")
SCANNER = {"name": "placet", "version": "2"}
SAFE_FROM = {name: least for kind in FORMATS.values() for name, least in kind.safe_from.items()}


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


def loaded_by(scan: Scan, versions: Mapping[str, str]) -> Scan:
    """Return what a verdict is worth where libraries of these versions, by name, load the files:
    ``safe`` is not said of what an older one does with them."""
    older = [
        Finding("", f"{name} {version} loads it: require {name}>={least}", "code-carrying")
        for name, version in versions.items()
        if (least := SAFE_FROM.get(name)) and Version(version) < Version(least)
    ]
    if scan.verdict != "safe" or not older:
        return scan
    return replace(scan, verdict="code-carrying", findings=(*scan.findings, *older))


def read_report(text: str) -> Scan:
    """Read the scanner's report."""
    report = json.loads(text)
    if report["verdict"] not in VERDICTS:
        raise ValueError("no verdict")
    findings = tuple(Finding(str(p), str(w), v) for p, v, w in report["findings"])
    about = {**SCANNER, "picklescan": str(report["picklescan"])}
    types = tuple(str(name) for name in report["types"])
    return Scan(report["verdict"], findings, about, int(report["files"]), types)
