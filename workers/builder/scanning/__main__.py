"""Scans a folder and writes the report as JSON. Runs in a sandbox of its own."""

import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from workers.builder.scanning.files import Scanner
from workers.builder.scanning.known import Verdict


def second_opinion(root: Path, scanner: Scanner) -> None:
    """Let picklescan look too; what it calls dangerous is."""
    from picklescan.scanner import SafetyLevel, scan_file_path

    for path in sorted(root.rglob("*")):
        if not path.is_file() or path.is_symlink():
            continue
        name = path.relative_to(root).as_posix()
        for found in scan_file_path(str(path)).globals:
            if found.safety == SafetyLevel.Dangerous:
                text = f"picklescan: {found.module}.{found.name}"
                scanner.report.note(name, "malicious", ascii(text)[1:-1][:200])


def main(root: Path, answer: Path) -> int:
    """Scan every file under ``root``."""
    scanner = Scanner(root)
    for path in sorted(root.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            continue
        try:
            scanner.scan_file(path)
        except Exception as error:  # whatever goes wrong, the file is not called safe
            verdict: Verdict = "unknown"
            name = path.relative_to(root).as_posix()
            scanner.report.note(name, verdict, f"could not be scanned ({type(error).__name__})")
    try:
        second_opinion(root, scanner)
    except Exception as error:
        scanner.report.note("", "unknown", f"picklescan failed ({type(error).__name__})")
    report: dict[str, Any] = {
        "verdict": scanner.report.verdict(),
        "findings": [f for f in scanner.report.findings if f[2]][:500],
        "files": scanner.report.members,
        "types": sorted(scanner.report.types),
        "picklescan": version("picklescan"),
    }
    answer.write_text(json.dumps(report), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
