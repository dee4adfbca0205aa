"""The scan step: runs the scanner in a sandbox, and trusts only a whole answer."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from apps.registry.formats import FORMATS
from workers.builder.sandbox import Limits, Sandbox, never
from workers.builder.spec import Finding, Scan, Verdict
from workers.builder.untrusted_files import told_by

VERDICTS = ("safe", "code-carrying", "malicious", "unknown")
SCANNER = {"name": "placet", "version": "2"}
SAFE_FROM = {name: least for kind in FORMATS.values() for name, least in kind.safe_from.items()}
# LightGBM looks beside its own folder for its compiled library first (``lightgbm/libpath.py``).
BESIDE = "lib_lightgbm"
MODULES = {name for kind in FORMATS.values() for name in list(kind.safe_from)[:1]} | {BESIDE}


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


def loaded_by(
    scan: Scan, runtime: Path, sandbox: Sandbox, *, cancelled: Callable[[], bool] = never
) -> Scan:
    """Return what a verdict is worth where the libraries of a runtime load the files: ``safe`` is
    not said of what an older one, or another build of one, does with them."""
    if scan.verdict != "safe":
        return scan
    limits = Limits(memory_mb=1024, seconds=60)
    try:
        told = told_by(
            "workers.builder.libraries",
            runtime,
            sandbox,
            limits,
            *sorted(MODULES),
            name="the list of libraries",
            cancelled=cancelled,
        )
        if not isinstance(found := json.loads(told), list):
            raise TypeError("its list is none")
        why = list(untried(found))
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        why = [f"What loads it cannot be told: {error}"[:200]]
    others = [Finding("", one, "code-carrying") for one in why]
    verdict: Verdict = "code-carrying" if others else "safe"
    return replace(scan, verdict=verdict, findings=(*others, *scan.findings))


def untried(libraries: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield why files were not tried with a library, of each that has name, version and module."""
    for name, version, module in libraries:
        why = _not_tried(canonicalize_name(name), version, module)
        if why:
            yield f"{ascii(f'{name[:60]} {version[:60]}')[1:-1]} is in the runtime: {why}"


def _not_tried(name: str, version: str, module: str) -> str:
    """Return what to require instead of a library; '' where files were tried with it."""
    if module == BESIDE:
        return "leave it out, it stands in the place of LightGBM's own library"
    if (least := SAFE_FROM.get(name)) is None:
        return f"require {module}, with which files were tried"
    try:
        found = Version(version)
    except InvalidVersion:
        return f"require a release of {name} from {least} on"
    if found.is_prerelease or found.local or found.epoch:
        return f"require a release of {name} from {least} on"
    return "" if found >= Version(least) else f"require {name}>={least}"


def read_report(text: str) -> Scan:
    """Read the scanner's report."""
    report = json.loads(text)
    if report["verdict"] not in VERDICTS:
        raise ValueError("no verdict")
    findings = tuple(Finding(str(p), str(w), v) for p, v, w in report["findings"])
    about = {**SCANNER, "picklescan": str(report["picklescan"])}
    types = tuple(str(name) for name in report["types"])
    return Scan(report["verdict"], findings, about, int(report["files"]), types)
