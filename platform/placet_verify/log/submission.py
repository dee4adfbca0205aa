"""What a log sends to a witness: https://c2sp.org/tlog-witness, ``add-checkpoint``.

A line ``old N``, the consistency proof from there in base64, an empty line, the signed checkpoint.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from placet_verify.errors import Malformed
from placet_verify.signing.base64text import decode, encode

SIZE_TYPE = "text/x.tlog.size"  # of the answer 409 that says which size the witness knows
MAX_BYTES = 1 << 16
MOST_HASHES = 63
_OLD = re.compile(r"old (0|[1-9][0-9]{0,18})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Submission:
    """A request as it was read: nothing of it is verified yet."""

    old: int
    hashes: tuple[bytes, ...]
    note: str


def write(old: int, hashes: Sequence[bytes], note: str) -> bytes:
    """Return the body that asks for a cosignature of ``note``, whose log had ``old`` leaves."""
    return "\n".join([f"old {old}", *map(encode, hashes), "", note]).encode("utf-8")


def parse(body: bytes) -> Submission:
    """Read a request's body; raise ``Malformed`` when it is not exactly of the format."""
    if len(body) > MAX_BYTES:
        raise Malformed("a submission has at most 64 KiB")
    try:
        head, gap, note = body.decode("utf-8").partition("\n\n")
    except UnicodeDecodeError:
        raise Malformed("a submission is UTF-8 text") from None
    first, *lines = head.split("\n")
    match = _OLD.fullmatch(first)
    if match is None or not gap:
        raise Malformed("a submission begins with 'old', a space and a size, and has a checkpoint")
    if len(lines) > MOST_HASHES:
        raise Malformed(f"a submission has at most {MOST_HASHES} hashes")
    hashes = tuple(decode(line, "the submission") for line in lines)
    if any(len(step) != 32 for step in hashes):
        raise Malformed("a hash of the submission is not 32 bytes")
    return Submission(int(match[1]), hashes, note)
