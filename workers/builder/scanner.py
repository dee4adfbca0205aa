"""The scan step: runs the scanner in a sandbox, and trusts only a whole answer."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.metadata import distributions
from pathlib import Path

from packaging.utils import canonicalize_name
from packaging.version import Version

from apps.registry.formats import FORMATS
from workers.builder.sandbox import Limits, Sandbox, never
from workers.builder.spec import Finding, Scan, Verdict
from workers.builder.untrusted_files import told_by

VERDICTS = ("safe", "code-carrying", "malicious", "unknown")
SCANNER = {"name": "placet", "version": "2"}
SAFE_FROM = {name: least for kind in FORMATS.values() for name, least in kind.safe_from.items()}
MODULES = {name for kind in FORMATS.values() for name in list(kind.safe_from)[:1]}


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


def loaded_by(scan: Scan, runtime: Path) -> Scan:
    """Return what a verdict is worth where the libraries of a runtime load the files: ``safe`` is
    not said of what an older one, or another build of one, does with them."""
    if scan.verdict != "safe":
        return scan
    others = [
        Finding("", f"{name} {version} loads it: {why}", "code-carrying")
        for name, version, module in _libraries(runtime)
        if (why := _not_tried(canonicalize_name(name), version, module))
    ]
    verdict: Verdict = "code-carrying" if others else "safe"
    return replace(scan, verdict=verdict, findings=(*scan.findings, *others))


def _libraries(runtime: Path) -> Iterator[tuple[str, str, str]]:
    """Yield name and version of each package that brings a module which loads files, by the list
    of what was installed with it: its name may be any (``ort-nightly`` is ONNX Runtime too)."""
    for site in runtime.glob("lib/python*/site-packages"):
        for package in distributions(path=[str(site)]):
            installed = (package.read_text("RECORD") or "").splitlines()
            brings = {re.split("[/.,]", line, maxsplit=1)[0] for line in installed}
            for module in sorted(brings & MODULES):
                yield package.name, package.version, module


def _not_tried(name: str, version: str, module: str) -> str:
    """Return what to require instead of a library; '' where files were tried with it."""
    least, found = SAFE_FROM.get(name), Version(version)
    if least is None:
        return f"require {module}, with which files were tried"
    tried = found >= Version(least) and not found.is_prerelease and not found.local
    return "" if tried else f"require {name}>={least}"


def read_report(text: str) -> Scan:
    """Read the scanner's report."""
    report = json.loads(text)
    if report["verdict"] not in VERDICTS:
        raise ValueError("no verdict")
    findings = tuple(Finding(str(p), str(w), v) for p, v, w in report["findings"])
    about = {**SCANNER, "picklescan": str(report["picklescan"])}
    types = tuple(str(name) for name in report["types"])
    return Scan(report["verdict"], findings, about, int(report["files"]), types)
