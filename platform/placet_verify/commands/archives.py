"""``archive``: check a file of archived events, and read one of them."""

import argparse
from pathlib import Path

from placet_verify.commands.printing import conclude, say
from placet_verify.log import archived_events
from placet_verify.signing.keys import PublicKey


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    archive = commands.add_parser("archive", help="verify a file of archived events")
    archive.add_argument("file", type=Path)
    archive.add_argument(
        "--root", type=Path, help="the root key you were given (default: the archive's)"
    )
    archive.add_argument("--event", type=int, metavar="INDEX", help="also write this event's body")
    archive.set_defaults(run=verify_archive)


def verify_archive(options: argparse.Namespace) -> bool:
    """Verify that every event of an archive is in the signed log, and say what it holds."""
    if options.root is None:
        say("the root key came with the archive: compare its fingerprint with the one you know")
    root = PublicKey.load(options.root) if options.root else None
    archive = archived_events.verify(options.file, root)
    about = archive.about
    say(f"root key: {archive.ring.root.fingerprint}")
    say(f"checkpoint: {archive.head.size} leaves of {archive.head.origin}, signature good")
    say(f"{about.count} events, {about.first} to {about.last}, {about.leaves}")
    if options.event is not None:
        say(archived_events.body_of(options.file, options.event))
    conclude("every event of this archive is in the log that the checkpoint signs", options.root)
    return True
