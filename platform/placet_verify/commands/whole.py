"""The commands that check something whole: a release's bundle, a recall's report."""

import argparse
from collections.abc import Mapping
from pathlib import Path

from placet_verify.bundle import bundle, recall_report
from placet_verify.bundle.narrative import CONFIRMED, NEVER_RAN
from placet_verify.commands.printing import add_witnesses, conclude, say, say_all, say_witnesses
from placet_verify.log import checkpoint
from placet_verify.signing.keys import KeyRing, PublicKey


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add these commands."""
    command = commands.add_parser("bundle", help="verify a release's bundle: folder or zip")
    command.add_argument("path", type=Path)
    command.add_argument("--bento", type=Path, help="the Bento's archive, to be compared")
    command.set_defaults(run=verify_bundle_at)
    recall = commands.add_parser("recall", help="verify reports of recalls: folders or zips")
    recall.add_argument("paths", type=Path, nargs="+", metavar="FILE")
    recall.add_argument(
        "--confirmed", action="store_true", help="fail unless every release that ran is confirmed"
    )
    recall.set_defaults(run=verify_recalls_at)
    for one in (command, recall):
        one.add_argument("--root", type=Path, help="the root key you were given (default: its own)")
        add_witnesses(one)


def verify_bundle_at(options: argparse.Namespace) -> bool:
    """Verify a release's bundle, saying line by line what was proven and what was not."""
    files = bundle.read(options.path)
    recalled = say_all(bundle.verify(files, _ring(files, options), options.bento))
    for note in bundle.notes(files):
        say_witnesses(checkpoint.parse(note), options)
    since = "; a recall took it away, and it must not run" if recalled else ""
    approved = "this release was approved as its policy demands, and all of it is in the log"
    conclude(approved, options.root, since)
    return True


def verify_recalls_at(options: argparse.Namespace) -> bool:
    """Verify reports of recalls, saying for each release whether its node has confirmed it."""
    done = True
    for path in options.paths:
        files = bundle.read(path, recall_report.MAX_FILES)
        counts = say_all(recall_report.verify(files, _ring(files, options)))
        for note in bundle.notes(files):
            say_witnesses(checkpoint.parse(note), options)
        done = done and not any(
            count for state, count in counts.items() if state not in (CONFIRMED, NEVER_RAN)
        )
        conclude(f"{path.name} is genuine: this is what was signed", options.root)
    if options.confirmed and not done:
        say("FAULT: not every release that ran is confirmed")
    return done or not options.confirmed


def _ring(files: Mapping[str, bytes], options: argparse.Namespace) -> KeyRing:
    """Return the keys that came along, when the root signed them."""
    pem = options.root.read_bytes() if options.root else files.get(bundle.ROOT, b"")
    if options.root is None:
        say("the root key came with the bundle: compare its fingerprint with the one you know")
    root = PublicKey.from_pem(pem)
    ring = KeyRing.open(files.get(bundle.KEYS, b""), root)
    say(f"root key: {root.fingerprint}")
    say(f"keys.json: number {ring.number}, signed by the root")
    return ring
