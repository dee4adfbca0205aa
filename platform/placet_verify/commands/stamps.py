"""``timestamp``: check when a checkpoint existed, by the word of a time-stamping authority."""

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from placet_verify import times
from placet_verify.errors import Malformed, Refused
from placet_verify.log import checkpoint
from placet_verify.log.checkpoint import Checkpoint
from placet_verify.signing.keys import KeyRing
from placet_verify.time import timestamp
from placet_verify.time.chains import Certificates, read_pinned

_NAME = re.compile(r"([0-9]{1,18})-[a-z0-9-]{1,40}\.tsr")


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    stamp = commands.add_parser("timestamp", help="verify a time stamp (RFC 3161) of a checkpoint")
    stamp.add_argument("file", type=Path, help="the stamp, as it is kept: SIZE-AUTHORITY.tsr")
    stamp.add_argument("--checkpoint", type=Path, required=True, help="what was stamped: SIZE.txt")
    stamp.add_argument(
        "--tsa",
        type=Path,
        required=True,
        action="append",
        help="the certificate (PEM) of an authority that you know",
    )
    stamp.set_defaults(run=verify_stamp)


def verify_stamp(options: argparse.Namespace) -> bool:
    """Verify one stamp over the very bytes of a checkpoint. Whose checkpoint, ``log`` tells."""
    line = _said(options.file, options.checkpoint.read_bytes(), _pinned(options.tsa))
    sys.stdout.write(f"{line}\nok: those very bytes existed at that time\n")
    return True


def notes(folder: Path, pinned: Sequence[Path]) -> list[Path]:
    """Return the checkpoints that were stamped, which the log has to agree with as well."""
    return sorted(folder.glob("*.txt")) if pinned and folder.is_dir() else []


def of_folder(
    folder: Path, pinned: Sequence[Path], ring: KeyRing, newest: Checkpoint
) -> Iterator[str]:
    """Check the stamps of an export that lead to a certificate in ``pinned``; yield a line each.

    The caller has compared the log with what :func:`notes` returns. Raises :class:`Refused` at the
    first that does not hold, and when none leads to a pinned certificate.
    """
    files = sorted(folder.glob("*.tsr")) if folder.is_dir() else []
    if not pinned:
        if files:
            yield f"{len(files)} time stamps were not checked: name their authority with --tsa"
        return
    anchors, checked = _pinned(pinned), 0
    for file in files:
        if line := _checked(file, anchors, ring, newest):
            checked += 1
            yield line
    if not checked:
        raise Refused("no_stamp", "no time stamp of this log is by an authority named with --tsa")
    if left := len(files) - checked:
        yield f"{left} time stamps are by authorities that were not named with --tsa"


def _checked(file: Path, anchors: Certificates, ring: KeyRing, newest: Checkpoint) -> str:
    """Return what a stamp says; '' when it is by another authority than those that are pinned."""
    name = _NAME.fullmatch(file.name)
    if name is None:
        raise Malformed(f"{file.name} is not named SIZE-AUTHORITY.tsr")
    note = file.with_name(f"{name[1]}.txt").read_bytes()
    head = checkpoint.verify(note.decode("utf-8", "replace"), checkpoint.log_keys(ring))
    if head.origin != newest.origin or head.size > newest.size or head.size != int(name[1]):
        raise Refused("other_log", f"{file.name} is not over a checkpoint that this log covers")
    try:
        return _said(file, note, anchors)
    except Refused as refusal:
        if refusal.code == "untrusted":
            return ""
        raise Refused(refusal.code, f"{file.name}: {refusal.sentence}") from None


def _said(file: Path, message: bytes, anchors: Certificates) -> str:
    stamp = timestamp.verify(timestamp.token_in(file.read_bytes()), message, anchors)
    exact = f" (within {stamp.accuracy.total_seconds():g} s)" if stamp.accuracy else ""
    return (
        f"time stamp {file.name}: existed at {times.rfc3339(stamp.at)}{exact}, says"
        f" {stamp.signer}, serial {stamp.serial}, policy {stamp.policy}"
    )


def _pinned(files: Sequence[Path]) -> Certificates:
    return [one for file in files for one in read_pinned(file)]
