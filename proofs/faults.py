"""``make prove``: shows at the former release each fault mended since, by a test that fails there.

Takes that release's code from git, lays the tests of ``proofs/former`` among its own, and runs
them: they are written against its API. Each must fail, by its own assertion, with the words that
the ``faults.toml`` beside it expects. Then the tests of today that it names for each must pass
here. The result is written to ``proofs/results/faults-DATE-COMMIT.json``, that of one part alone
(``--part inputs``) with its name behind.

It needs root: the agents of both releases give each replica a user of its own. The former release
runs in a network of its own, so that what its replicas reach is nobody's.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from argparse import ArgumentParser
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]

from proofs.record import RESULTS, commit  # noqa: E402

FORMER = "5a35692"  # where the faults were found
TESTS = ROOT / "proofs" / "former"
# Has an address that is not the loopback's (RFC 5737): OUTSIDE in tenants/test_networks.py.
NETWORK = 'ip link set lo up && ip address add 198.51.100.7 dev lo && exec "$0" "$@"'
OUTCOMES = {"failure": "failed", "error": "error", "skipped": "skipped"}  # by pytest's element
ASSERTION = re.compile(r"AssertionError\b|assert |Failed: DID NOT RAISE ")


@dataclass
class Fault:
    """A fault, the test that fails of it at the former release, and those that hold it today."""

    point: int
    what: str
    there: str
    says: str
    today: list[str]
    said: dict[str, str] = field(default_factory=dict)  # there, by case
    missed: list[str] = field(default_factory=list)  # what is not as it should be


@dataclass
class Part:
    """Faults that were mended together; their tests lie in a folder of this name."""

    name: str
    what: str
    among: str  # where its tests are laid there, below what they share fixtures with
    faults: list[Fault]

    @property
    def missed(self) -> list[str]:
        """Return all that is not as it should be."""
        return [line for fault in self.faults for line in fault.missed]


@dataclass(frozen=True)
class Case:
    """What became of one test with its parameters."""

    name: str  # as pytest names it: file::test[parameters]
    outcome: str  # passed, failed, error or skipped
    message: str

    @property
    def test(self) -> str:
        """Its name without parameters."""
        return self.name.partition("[")[0]


def parts() -> dict[str, Part]:
    """Read the tables, by the names of their folders."""
    found = {}
    for path in sorted(TESTS.glob("*/faults.toml")):
        table, name = tomllib.loads(path.read_text()), path.parent.name
        faults = [Fault(**row) for row in table["fault"]]
        found[name] = Part(name, table["what"], table["among"], faults)
    return found


def cases(report: Path) -> list[Case]:
    """Read pytest's report, which names a file by its dots."""
    found = []
    for row in ElementTree.parse(report).iter("testcase"):
        file = row.get("classname", "").replace(".", "/") + ".py"
        other = next((child for child in row if child.tag in OUTCOMES), None)
        outcome = "passed" if other is None else OUTCOMES[other.tag]
        message = "" if other is None else other.get("message", "")
        found.append(Case(f"{file}::{row.get('name')}", outcome, message))
    return found


def pytest(root: Path, words: list[str], *before: str) -> list[Case]:
    """Run tests of the release at ``root`` with this interpreter; return what became of them."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PLACET_", "PYTHONPATH"))}
    with tempfile.TemporaryDirectory(prefix="placet-faults-") as folder:
        report = Path(folder, "report.xml")
        command = [*before, sys.executable, "-m", "pytest", f"--junitxml={report}", *words]
        done = subprocess.run(command, cwd=root, env=clean, stdin=subprocess.DEVNULL, check=False)
        if done.returncode not in (0, 1):  # 1: some failed
            raise SystemExit(f"pytest ended with {done.returncode} in {root}")
        return cases(report)


def former(folder: Path, chosen: list[Part]) -> list[Case]:
    """Run the tests of these parts among those of the former release."""
    archive = subprocess.run(["git", "archive", FORMER], cwd=ROOT, capture_output=True)
    if archive.returncode:
        raise SystemExit(f"{FORMER} is not in this clone: fetch the whole history")
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive.stdout, check=True)
    for part in chosen:
        shutil.copytree(TESTS / part.name, folder / part.among)
    words = ["-vv", "--tb=no", "--no-summary"]  # -vv: messages are not shortened
    words += [part.among for part in chosen]
    return pytest(folder, words, "unshare", "--net", "/bin/sh", "-c", NETWORK)


def show(part: Part, fault: Fault, found: list[Case]) -> None:
    """Hold what happened at the former release against what the fault says."""
    tried = [case for case in found if case.test == f"{part.among}/{fault.there}"]
    if not tried:
        fault.missed.append(f"there is no {fault.there}")
    for case in tried:
        fault.said[case.name.rpartition("::")[2]] = (case.message.splitlines() or [""])[0]
        shown = case.outcome == "failed" and ASSERTION.match(case.message)
        if not shown or fault.says not in case.message:
            fault.missed.append(f"at {FORMER}: {case.name} {case.outcome}: {case.message[:500]}")


def hold(fault: Fault, found: list[Case]) -> None:
    """Demand that each test of today passes, whatever its parameters."""
    for name in fault.today:
        tried = [case for case in found if name in (case.name, case.test)]
        wrong = [f"{case.name} {case.outcome}" for case in tried if case.outcome != "passed"]
        fault.missed += wrong if tried else [f"there is no {name}"]


def unnamed(chosen: list[Part], found: list[Case]) -> list[str]:
    """Return tests that ran at the former release and stand for no fault."""
    named = {f"{part.among}/{fault.there}" for part in chosen for fault in part.faults}
    return sorted({case.test for case in found} - named)


def tell(fault: Fault) -> None:
    """Print a fault, what its test said of each case, and what holds it today."""
    print(f"{fault.point}: {fault.what}\n   then {fault.there}")
    for case, message in fault.said.items():
        print(f"        {case}: {message}")
    print(*(f"   now  {name}" for name in fault.today), sep="\n")


def main() -> int:
    """Show it; 1 when any fault is not shown there, or not held today."""
    known = parts()
    parser = ArgumentParser(description="Show at the former release what was mended since.")
    parser.add_argument("--part", choices=known, help="this one alone")
    part = parser.parse_args().part
    if os.geteuid() != 0:
        raise SystemExit("faults.py needs root: each replica gets a user of its own")
    begun, state = datetime.now(tz=UTC), commit()
    chosen = [known[part]] if part else list(known.values())
    with tempfile.TemporaryDirectory(prefix="placet-former-", ignore_cleanup_errors=True) as folder:
        there = former(Path(folder), chosen)
    named = {name for part in chosen for fault in part.faults for name in fault.today}
    here = pytest(ROOT, ["-q", *sorted(named)])
    for one in chosen:
        print(one.what)
        for fault in one.faults:
            show(one, fault, there)
            hold(fault, here)
            tell(fault)
    missed = [line for one in chosen for line in one.missed] + [
        f"{test} stands for no fault" for test in unnamed(chosen, there)
    ]
    report = {
        "what": "faults of the former release",
        "date": begun.isoformat(timespec="seconds"),
        "commit": state,
        "former": FORMER,
        "parts": [asdict(one) for one in chosen],
        "tests_there": len(there),
        "tests_here": len(here),
        "missed": missed,
        "good": not missed,
    }
    kind = f"-{part}" if part else ""
    out = RESULTS / f"faults-{begun:%Y%m%d-%H%M}-{state[:12]}{kind}.json"
    out.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    print(f"{sum(len(one.faults) for one in chosen)} faults", *missed, sep="\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
