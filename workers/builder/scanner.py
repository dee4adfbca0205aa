"""The scan step: runs the scanner in a sandbox, and trusts only a whole answer."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from apps.registry.formats import FORMATS
from workers.builder.sandbox import Limits, Sandbox, never
from workers.builder.spec import Finding, Scan, Verdict
from workers.builder.untrusted_files import Spent, told_by

VERDICTS = ("safe", "code-carrying", "malicious", "unknown")
SCANNER = {"name": "placet", "version": "2"}
Tried = Mapping[str, Mapping[str, str]]  # by module and library, the oldest version


def scan(
    artifact: Path,
    sandbox: Sandbox,
    *,
    memory_mb: int = 2048,
    seconds: float = 300,
    unpacked: int = 0,
    cancelled: Callable[[], bool] = never,
) -> Scan:
    """Scan every file under ``artifact``; a scanner that hangs or dies makes it ``unknown``, unless
    it had found something malicious. Archives are read as far as ``unpacked`` bytes; 0 leaves that
    to the scanner."""
    limits = Limits(memory_mb=memory_mb, seconds=seconds)
    texts = [ending for kind in FORMATS.values() if kind.text for ending in kind.endings]
    try:
        report = told_by(
            "workers.builder.scanning",
            artifact,
            sandbox,
            limits,
            str(unpacked),
            *texts,
            name="the scanner",
            early=True,
            cancelled=cancelled,
        )
        return read_report(report)
    except (OSError, ValueError, KeyError, TypeError) as error:
        finding = Finding("", f"The scan did not finish: {error}"[:300], "unknown")
        spent = isinstance(error, Spent)
        return Scan("unknown", (finding,), SCANNER, finished=False, spent=spent)


def loaded_by(
    scan: Scan,
    model_format: str,
    runtime: Path,
    sandbox: Sandbox,
    *,
    cancelled: Callable[[], bool] = never,
) -> Scan:
    """Return what a verdict is worth where the libraries of a runtime load the files: ``safe`` is
    not said of what an older one, or another build of one, does with them. Those of the format
    are looked at, or every one where it may be any."""
    if scan.verdict != "safe":
        return scan
    limits = Limits(memory_mb=1024, seconds=60)
    own = FORMATS[model_format].safe_from
    tried = own or _of_a_folder(scan)
    try:
        told = told_by(
            "workers.builder.libraries",
            runtime,
            sandbox,
            limits,
            *sorted(tried),
            name="the list of libraries",
            cancelled=cancelled,
        )
        if not isinstance(found := json.loads(told), list):
            raise TypeError("its list is none")
        why = [*untried(found, tried), *unseen(found, own)]
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        why = [f"What loads it cannot be told: {error}"[:200]]
    others = [Finding("", one, "code-carrying") for one in why]
    verdict: Verdict = "code-carrying" if others else "safe"
    return replace(scan, verdict=verdict, findings=(*others, *scan.findings))


def _of_a_folder(scan: Scan) -> Tried:
    """Return what may load files of which nobody knows what does: of what is loaded by its types
    only where the scan read any, since MLflow installs scikit-learn for every folder."""
    kinds = [kind for kind in FORMATS.values() if scan.types or not kind.trusts_types]
    return {module: tried for kind in kinds for module, tried in kind.safe_from.items()}


def unseen(libraries: Iterable[Sequence[str]], tried: Tried) -> Iterator[str]:
    """Yield the modules that must load the files and come from nowhere that can be told: a file of
    paths, or a folder of the machine's, may bring them all the same."""
    brought = {module for _, _, module in libraries}
    for module in sorted({module for module, versions in tried.items() if versions} - brought):
        library, least = next(iter(tried[module].items()))
        yield f"No package of the runtime brings {module}: require {library}, {least} or newer"


def untried(libraries: Iterable[Sequence[str]], tried: Tried) -> Iterator[str]:
    """Yield why files were not tried with a library, of each that has name, version and module."""
    found = [(canonicalize_name(name), version, module) for name, version, module in libraries]
    several = Counter(module for _, _, module in found)
    for name, version, module in found:
        why = _not_tried(name, version, tried[module])
        if several[module] > 1 and not why:
            why = f"another package brings {module} as well, and files were tried with one alone"
        if why:
            yield f"{ascii(f'{name[:60]} {version[:60]}')[1:-1]} is in the runtime: {why}"


def _not_tried(name: str, version: str, tried: Mapping[str, str]) -> str:
    """Return what to use instead of a library; '' where files were tried with it."""
    if not tried:
        return "leave it out, it stands in the place of a library that is tried"
    if (least := tried.get(name)) is None:
        return f"leave it out, and use {next(iter(tried))}, with which files were tried"
    try:
        found = Version(version)
    except InvalidVersion:
        return f"use a release of {name} from {least} on"
    if found.is_prerelease or found.local or found.epoch:
        return f"use a release of {name} from {least} on"
    return "" if found >= Version(least) else f"use {name} {least} or newer"


def read_report(text: str) -> Scan:
    """Read the scanner's report."""
    report = json.loads(text)
    if report["verdict"] not in VERDICTS:
        raise ValueError("no verdict")
    findings = tuple(Finding(str(p), str(w), v) for p, v, w in report["findings"])
    about = {**SCANNER, "picklescan": str(report["picklescan"])}
    types = tuple(str(name) for name in report["types"])
    finished = report["verdict"] == "malicious" or not report["cut"]  # what was found, was found
    return Scan(report["verdict"], findings, about, int(report["files"]), types, finished)
