"""One event and the proof that it is in the log, in a file of its own (C2SP tlog-proof).

The format is https://c2sp.org/tlog-proof, version 1: the index, the inclusion proof and the signed
checkpoint. The event's body travels as ``extra``, which nothing signs: what makes it count is that
its hash leads to the signed root.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from placet_verify.errors import Malformed, Refused
from placet_verify.log import checkpoint, merkle
from placet_verify.log.checkpoint import Checkpoint
from placet_verify.signing.base64text import decode, encode
from placet_verify.signing.keys import PublicKey

HEADER = "c2sp.org/tlog-proof@v1"
MAX_BYTES = 1 << 24
_INDEX = re.compile(r"index (0|[1-9][0-9]{0,18})", re.ASCII)
_HASH = 32


@dataclass(frozen=True, slots=True)
class TlogProof:
    """A proof as it was read: nothing of it is verified yet."""

    index: int
    hashes: tuple[bytes, ...]
    note: str
    extra: bytes = b""


def write(index: int, hashes: Sequence[bytes], note: str, extra: bytes = b"") -> str:
    """Return the proof that leaf ``index`` is in the tree whose signed checkpoint is ``note``."""
    lines = [HEADER]
    if extra:
        lines.append(f"extra {encode(extra)}")
    lines += [f"index {index}", *map(encode, hashes), "", note]
    return "\n".join(lines)


def parse(text: str) -> TlogProof:
    """Read a proof; raise ``Malformed`` when it is not exactly of the format."""
    if len(text) > MAX_BYTES:
        raise Malformed("the proof is larger than 16 MiB")
    head, gap, note = text.partition("\n\n")
    first, *lines = head.split("\n")
    if first != HEADER or not gap or not lines:
        raise Malformed(f"a proof begins with {HEADER}, and has an index and a checkpoint")
    extra = b""
    if lines[0].startswith("extra "):
        extra = decode(lines.pop(0).removeprefix("extra "), "the proof")
        if not extra:
            raise Malformed("the line extra of the proof is empty")
    match = _INDEX.fullmatch(lines[0]) if lines else None
    if match is None:
        raise Malformed("the proof does not say the index of its event")
    hashes = tuple(decode(line, "the proof") for line in lines[1:])
    if any(len(step) != _HASH for step in hashes):
        raise Malformed("a hash of the proof is not 32 bytes")
    return TlogProof(int(match[1]), hashes, note, extra)


def verify(
    proof: TlogProof, keys: Iterable[PublicKey], body: bytes, origin: str = ""
) -> Checkpoint:
    """Return the signed checkpoint under which ``body`` is the event at ``proof.index``.

    Raises ``Refused`` when none of ``keys`` signed the checkpoint, it is not of ``origin`` (if
    given), or the body does not lead to its root.
    """
    signed = checkpoint.verify(proof.note, keys, origin)
    leaf = merkle.leaf_hash(body)
    if not merkle.verify_inclusion(leaf, proof.index, signed.size, proof.hashes, signed.root):
        raise Refused(
            "not_in_log",
            f"this body is not event {proof.index} of the {signed.size} that the checkpoint signs",
        )
    return signed
