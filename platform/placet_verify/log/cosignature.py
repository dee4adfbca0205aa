"""What witnesses sign: that a checkpoint is the newest they saw, and continues all before it.

The format is https://c2sp.org/tlog-cosignature, version 1: a line of a signed note that holds a
POSIX time in 8 bytes and an Ed25519 signature over ``cosignature/v1``, that time, and the
checkpoint's text.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from placet_verify.errors import Malformed, Refused
from placet_verify.log.checkpoint import (
    COSIGNATURE,
    Checkpoint,
    note_key_id,
    read_verifier_key,
    verifier_key,
)
from placet_verify.signing.base64text import encode
from placet_verify.signing.keys import PrivateKey, PublicKey

_TIME = 8
_LAST_SECOND = 253_402_300_799  # of the year 9999: no calendar goes on


@dataclass(frozen=True, slots=True)
class WitnessKey:
    """A witness as its verifiers know it: a name and the one key that cosigns under it."""

    name: str
    public: PublicKey

    @classmethod
    def parse(cls, text: str) -> "WitnessKey":
        """Read ``name+id+base64`` (C2SP signed-note, signature type 0x04)."""
        return cls(*read_verifier_key(text, COSIGNATURE))

    def __str__(self) -> str:
        return verifier_key(self.name, self.public, COSIGNATURE)


@dataclass(frozen=True, slots=True)
class Cosigned:
    """A good cosignature: by which witness, at which POSIX second, and its line of the note."""

    witness: WitnessKey
    at: int
    line: str


def sign(text: str, name: str, signer: PrivateKey, at: int) -> str:
    """Return the line by which the witness ``name`` cosigns a checkpoint's ``text`` at ``at``."""
    key_id = note_key_id(name, signer.public, COSIGNATURE)
    return _line(name, key_id, at.to_bytes(_TIME, "big") + signer.sign(_message(text, at)))


def cosigned(head: Checkpoint, witness: WitnessKey) -> Cosigned | None:
    """Return the newest good cosignature of ``witness`` on ``head``, if there is one."""
    key_id = note_key_id(witness.name, witness.public, COSIGNATURE)
    cosignatures: list[Cosigned] = []
    for entry in head.signatures:
        if (entry.name, entry.key_id) != (witness.name, key_id):
            continue
        at = int.from_bytes(entry.signature[:_TIME], "big")
        signature = entry.signature[_TIME:]
        if at <= _LAST_SECOND and witness.public.verify(signature, _message(head.text, at)):
            cosignatures.append(Cosigned(witness, at, _line(entry.name, key_id, entry.signature)))
    return max(cosignatures, key=lambda one: one.at, default=None)


def quorum(head: Checkpoint, witnesses: Iterable[WitnessKey], needed: int) -> list[Cosigned]:
    """Return the cosignatures of ``witnesses`` on ``head`` when at least ``needed`` are good.

    One key counts once, whatever names it is listed under. Raises ``Refused``.
    """
    known = {witness.public.raw: witness for witness in witnesses}
    if not 0 < needed <= len(known):
        raise Malformed(f"a quorum is a number from 1 to {len(known)}, of different keys")
    good = [one for witness in known.values() if (one := cosigned(head, witness))]
    if len(good) < needed:
        raise Refused(
            "not_witnessed",
            f"the checkpoint over {head.size} leaves has {len(good)} of the {needed} cosignatures"
            " that were asked for",
        )
    return good


def _message(text: str, at: int) -> bytes:
    return f"cosignature/v1\ntime {at}\n{text}".encode()


def _line(name: str, key_id: bytes, signature: bytes) -> str:
    return f"— {name} {encode(key_id + signature)}\n"
