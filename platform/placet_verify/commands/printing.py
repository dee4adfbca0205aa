"""What every command of the verifier does with lines and with witnesses."""

import argparse
import sys
from collections.abc import Generator
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from placet_verify import times
from placet_verify.errors import Malformed
from placet_verify.log.checkpoint import Checkpoint
from placet_verify.log.cosignature import WitnessKey, quorum

Found = TypeVar("Found")


def say(line: str) -> None:
    """Print one line."""
    sys.stdout.write(line + "\n")


def conclude(sentence: str, root: Path | None, beside: str = "") -> None:
    """Print what a verification comes to. Without a ``root`` that the reader was given all that
    holds may be made up by whoever made up its root: then only that it fits together is said."""
    alone = "signatures hold among themselves; whose they are is not shown without the root key"
    said = sentence if root is not None else f"{alone} that you were given: name it with --root"
    say(f"ok: {said}{beside}")


def say_all(lines: Generator[str, None, Found]) -> Found:
    """Print each line, and return what they come to."""
    while True:
        try:
            say(next(lines))
        except StopIteration as end:
            outcome: Found = end.value
            return outcome


def add_witnesses(command: argparse.ArgumentParser) -> None:
    """Let a command be told which witnesses must have cosigned."""
    command.add_argument(
        "--witness",
        action="append",
        default=[],
        metavar="KEY",
        help="a witness that you know, by its verifier key",
    )
    command.add_argument(
        "--quorum", type=int, metavar="N", help="how many of them must have cosigned (default: all)"
    )


def say_witnesses(head: Checkpoint, options: argparse.Namespace) -> None:
    """Say who cosigned a checkpoint; refuse it when fewer did than was asked for."""
    if not options.witness:
        if options.quorum is not None:
            raise Malformed("--quorum counts the witnesses that are named with --witness")
        return
    known = [WitnessKey.parse(text) for text in options.witness]
    needed = len(known) if options.quorum is None else options.quorum
    for one in quorum(head, known, needed):
        at = times.rfc3339(datetime.fromtimestamp(one.at, tz=UTC))
        say(f"witness {one.witness.name}: the first {head.size} leaves were the newest at {at}")
