"""``make prove``: three verifiers judge random logs and their mutations, and must agree.

Ours in Python, ours in JavaScript (the page that outsiders open, in Chromium), and ``aics-tlog``,
which is nobody's we know and needs Python 3.12. For each log: inclusion and consistency proofs, a
signed checkpoint and a ``.tlog-proof`` file, each as it was made and with something changed; beside
it a serving configuration, which our two alone judge. What
was made must be accepted; of a change alone the agreement counts, and that no changed hash, body
or signature is accepted by anybody. Where the stranger is known to judge by another rule, ``KNOWN``
says so; our two must agree there as well. Prints one JSON object; ends with 1 for any fault.

Usage: python proofs/agreement.py [--logs N] [--seed N] [--keep FILE]
"""

import importlib
import importlib.metadata
import json
import random
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "platform"), str(ROOT)]

from placet_verify import canonical  # noqa: E402
from placet_verify.errors import Refused  # noqa: E402
from placet_verify.log import checkpoint, merkle, tlog_proof  # noqa: E402
from placet_verify.permit import serving  # noqa: E402
from placet_verify.signing.keys import PrivateKey, PublicKey  # noqa: E402
from placet_verify_js import NAME, page  # noqa: E402
from proofs import agreement_serving  # noqa: E402
from proofs.agreement_logs import HARMLESS, MAY_HOLD, ORIGIN, Case, cases  # noqa: E402
from proofs.record import commit  # noqa: E402
from tests.support.processes import chromium_binary  # noqa: E402

BATCH = 250  # logs that are judged at a time
KNOWN = {
    "note: its last line feed missing": "the stranger takes a note without it",
    "note: the signature twice": "the stranger refuses a line that stands there twice",
}


@dataclass
class Result:
    """What came of all cases."""

    logs: int = 0
    cases: int = 0
    accepted: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    faults: list[dict[str, Any]] = field(default_factory=list)
    known: Counter[str] = field(default_factory=Counter)


# --- the three judges -----------------------------------------------------------------------------


def by_python(case: Case, key: PublicKey) -> bool:
    """Ask ``placet_verify``."""
    given = case.given
    if case.kind == "inclusion":
        return merkle.verify_inclusion(
            given["leaf"], given["index"], given["size"], given["path"], given["root"]
        )
    if case.kind == "consistency":
        return merkle.verify_consistency(
            given["old"], given["new"], given["old_root"], given["new_root"], given["path"]
        )
    try:
        if case.kind == "serving":
            serving.check(canonical.loads(given["serving"]))
        elif case.kind == "note":
            checkpoint.verify(given["note"], key)
        else:
            proof = tlog_proof.parse(given["text"])
            tlog_proof.verify(proof, [key], proof.extra)
    except Refused:
        return False
    return True


JUDGE = """async (asked) => {
  const {cases, key} = JSON.parse(asked);
  const unpack = (text) => Uint8Array.fromHex(text);
  const v = placetVerify, keys = [await v.publicKey(unpack(key))];
  const judge = {
    inclusion: (g) => v.verifyInclusion(
      unpack(g.leaf), BigInt(g.index), BigInt(g.size), g.path.map(unpack), unpack(g.root)),
    consistency: (g) => v.verifyConsistency(
      BigInt(g.old), BigInt(g.new), unpack(g.old_root), unpack(g.new_root), g.path.map(unpack)),
    serving: async (g) => {
      v.checkServing(v.parseJson(g.serving));
      return true;
    },
    note: async (g) => Boolean(await v.verifyCheckpoint(g.note, keys)),
    proof: async (g) => {
      const proof = v.readProof(g.text);
      return Boolean(await v.verifyProof(proof, keys, proof.extra));
    },
  };
  return Promise.all(cases.map(async ([kind, given]) => {
    try {
      return await judge[kind](given);
    } catch (fault) {
      if (fault.code === undefined) throw fault;
      return false;
    }
  }));
}"""


def by_javascript(asked: Sequence[Case], key: PublicKey, opened: Page) -> list[bool]:
    """Ask the page."""
    given = [
        (case.kind, {name: _plain(value) for name, value in case.given.items()}) for case in asked
    ]
    asked_at_once = json.dumps({"cases": given, "key": key.raw.hex()})
    answers: list[bool] = opened.evaluate(JUDGE, asked_at_once)
    return answers


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return value.hex() if isinstance(value, bytes) else str(value)


def by_stranger(case: Case, key: PublicKey) -> bool | None:
    """Ask ``aics-tlog``; ``None`` where it is not installed or knows no such thing."""
    if case.kind in ("proof", "serving") or not stranger_version():
        return None
    theirs, given = importlib.import_module("aics_tlog"), case.given
    if case.kind == "inclusion":
        return bool(
            theirs.verify_inclusion(
                given["leaf"], given["index"], given["size"], given["path"], given["root"]
            )
        )
    if case.kind == "consistency":
        return bool(
            theirs.verify_consistency(
                given["old"], given["new"], given["old_root"], given["new_root"], given["path"]
            )
        )
    try:
        note = theirs.parse_note(given["note"])
        return bool(theirs.verify_checkpoint(note, theirs.vkey_from_ed25519(ORIGIN, key.raw)).ok)
    except ValueError:
        return False


# --- comparing ------------------------------------------------------------------------------------


def compare(logs: int, seed: int, opened: Page) -> Iterator[Result]:
    """Judge so many random logs and what was made of them; yield what is known by then, often."""
    found = Result()
    for start in range(0, logs, BATCH):
        key, numbers = PrivateKey.generate(), range(start, min(start + BATCH, logs))
        asked = [case for n in numbers for case in _cases(random.Random(f"{seed} {n}"), key)]
        answers = by_javascript(asked, key.public, opened)
        for case, javascript in zip(asked, answers, strict=True):
            _judge(found, case, javascript, key.public)
        found.logs += len(numbers)
        yield found


def _cases(chance: random.Random, key: PrivateKey) -> Iterator[Case]:
    yield from cases(chance, key)
    yield from agreement_serving.cases(chance)


def _judge(found: Result, case: Case, javascript: bool, key: PublicKey) -> None:
    python, stranger = by_python(case, key), by_stranger(case, key)
    found.cases += 1
    (found.accepted if python else found.refused)[case.name] += 1
    fault = python != javascript
    if stranger is not None and stranger != python:
        if case.name in KNOWN:
            found.known[case.name] += 1
        else:
            fault = True
    must_hold = not case.change or case.name in HARMLESS | agreement_serving.HARMLESS
    if python != must_hold and case.name not in MAY_HOLD | agreement_serving.MAY_HOLD:
        fault = True
    if fault and len(found.faults) < 20:
        given = {name: _plain(value) for name, value in case.given.items()}
        said = {"python": python, "javascript": javascript, "stranger": stranger}
        found.faults.append({"case": case.name, **said, "given": given})


@cache
def stranger_version() -> str:
    """Return the version of ``aics-tlog``; '' where it is not installed."""
    try:
        return importlib.metadata.version("aics-tlog")
    except importlib.metadata.PackageNotFoundError:
        return ""


def figures(found: Result, seed: int, judges: Sequence[str]) -> dict[str, Any]:
    """Return what is printed and kept."""
    return {
        "seed": seed,
        "logs": found.logs,
        "cases": found.cases,
        "judges": judges,
        "faults": found.faults,
        "stranger_differs_as_known": dict(sorted(found.known.items())),
        "accepted": dict(sorted(found.accepted.items())),
        "refused": dict(sorted(found.refused.items())),
    }


def main() -> int:
    """Compare, print, keep what is known after every batch."""
    parser = ArgumentParser(description="Three verifiers judge random logs and must agree.")
    parser.add_argument("--logs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="the file to keep the figures in")
    options = parser.parse_args()
    head: dict[str, Any] = {
        "date": datetime.now(tz=UTC).isoformat(timespec="seconds"),
        "commit": commit(),
    }
    clock, text, found = time.monotonic(), "", Result()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        chromium = playwright.chromium
        browser = chromium.launch(executable_path=chromium_binary(), args=["--no-sandbox"])
        judges = ["placet_verify", f"{NAME} in Chromium {browser.version}"]
        judges += [f"aics-tlog {version}"] if (version := stranger_version()) else []
        file = Path(folder) / NAME
        file.write_bytes(page())
        opened = browser.new_page()
        opened.goto(file.as_uri())
        for found in compare(options.logs, options.seed, opened):
            head["seconds"] = round(time.monotonic() - clock)
            text = json.dumps(head | figures(found, options.seed, judges), indent=1)
            if options.keep:
                options.keep.write_text(text + "\n")
        browser.close()
    print(text)
    unasked = not version and sys.version_info >= (3, 12)
    return int(bool(found.faults) or unasked or not found.cases)


if __name__ == "__main__":
    sys.exit(main())
