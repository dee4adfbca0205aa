"""What the proofs say of tests is so."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TABLES = sorted((ROOT / "proofs/former").glob("*/faults.toml"))
FAULTS = [fault for table in TABLES for fault in tomllib.loads(table.read_text())["fault"]]


def test_every_test_that_holds_a_mended_fault_is_there() -> None:
    named = {name.partition("[")[0] for fault in FAULTS for name in fault["today"]}
    missing = [
        name
        for file, _, name in (test.partition("::") for test in sorted(named))
        if f"\ndef {name}(" not in (ROOT / file).read_text()
    ]
    assert missing == []


def test_every_test_at_the_former_release_stands_for_a_fault() -> None:
    for table in TABLES:
        there = {fault["there"] for fault in tomllib.loads(table.read_text())["fault"]}
        found = {
            f"{path.name}::{name}"
            for path in table.parent.glob("test_*.py")
            for name in re.findall(r"^def (test_\w+)", path.read_text(), re.M)
        }
        assert there == found, table
