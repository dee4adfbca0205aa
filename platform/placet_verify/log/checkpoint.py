"""Signed tree heads: C2SP tlog-checkpoint in a C2SP signed note, with Ed25519."""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from placet_verify.errors import Malformed, Refused
from placet_verify.signing.base64text import decode, encode
from placet_verify.signing.keys import KeyRing, PrivateKey, PublicKey

ED25519 = b"\x01"  # the signature types of a signed note that Placet reads
COSIGNATURE = b"\x04"
_NAME = re.compile(r"[^\s+]{1,200}")
_SIGNATURE = re.compile(r"— ([^\s+]+) ([A-Za-z0-9+/=]+)")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")  # a line feed alone may stand in a note
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


class CheckpointRefused(Refused):
    """The checkpoint is not signed by a key that may sign it, or is about another log."""


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line of a note."""

    name: str
    key_id: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A tree head: how many leaves, and the root over them. ``text`` is what is signed."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...]
    text: str
    signatures: tuple[NoteSignature, ...]


def make(
    origin: str, size: int, root: bytes, signer: PrivateKey, extensions: Sequence[str] = ()
) -> str:
    """Return the signed note of a tree head; ``origin`` names the log and its key."""
    if not origin or re.search(r"[\s+]", origin):
        raise ValueError("an origin has no spaces and no plus sign")
    head = encode(root)
    text = "".join(f"{line}\n" for line in (origin, str(size), head, *extensions))
    signature = signer.sign(text.encode("utf-8"))
    blob = encode(note_key_id(origin, signer.public) + signature)
    return f"{text}\n— {origin} {blob}\n"


def parse(note: str) -> Checkpoint:
    """Read a note without checking its signatures; raise ``Malformed`` when it is none."""
    text, gap, tail = note.rpartition("\n\n")
    lines = text.split("\n")
    if not gap or len(lines) < 3 or not all(lines) or not tail.endswith("\n"):
        raise Malformed("a checkpoint has an origin, a size, a root and a signature")
    if _CONTROL.search(note):
        raise Malformed("the checkpoint holds a control character")
    origin, size, head, *extensions = lines
    if not _SIZE.fullmatch(size):
        raise Malformed("the checkpoint's origin or size is not well formed")
    root = decode(head, "the checkpoint")
    if len(root) != 32:
        raise Malformed("the checkpoint's root is not 32 bytes")
    signatures = tuple(_signature(line) for line in tail[:-1].split("\n"))
    return Checkpoint(origin, int(size), root, tuple(extensions), text + "\n", signatures)


def verify(note: str, verifier: PublicKey | Iterable[PublicKey], origin: str = "") -> Checkpoint:
    """Return the checkpoint when one of the keys signed it (and it is of ``origin``, if given).

    One bad signature in the name of one of the keys voids the note, as C2SP signed-note asks for.
    """
    keys = [verifier] if isinstance(verifier, PublicKey) else list(verifier)
    checkpoint = parse(note)
    if origin and checkpoint.origin != origin:
        raise CheckpointRefused(
            "other_log", f"the checkpoint is of the log {checkpoint.origin}, not of {origin}"
        )
    message = checkpoint.text.encode("utf-8")
    ours = [
        key.verify(signature.signature, message)
        for key in keys
        for signature in checkpoint.signatures
        if (signature.name, signature.key_id)
        == (checkpoint.origin, note_key_id(checkpoint.origin, key))
    ]
    if not ours or not all(ours):
        raise CheckpointRefused(
            "bad_signature", "the checkpoint is not signed by a key of this log"
        )
    return checkpoint


def log_keys(ring: KeyRing) -> list[PublicKey]:
    """Return the keys whose checkpoints count: every log key, past ones too, but no lost one.

    A note carries no time, so nothing that a lost key signed can be told apart.
    """
    return [entry.public for entry in ring.of("log") if entry.ended != "lost"]


def note_key_id(name: str, public: PublicKey, kind: bytes = ED25519) -> bytes:
    """Return C2SP's key id: SHA-256(name ‖ 0x0A ‖ kind ‖ key), first 4 bytes."""
    return hashlib.sha256(name.encode("utf-8") + b"\n" + kind + public.raw).digest()[:4]


def verifier_key(name: str, public: PublicKey, kind: bytes = ED25519) -> str:
    """Return the key as C2SP writes it (signed-note, verifier keys): ``name+id+base64``."""
    return f"{name}+{note_key_id(name, public, kind).hex()}+{encode(kind + public.raw)}"


def read_verifier_key(text: str, kind: bytes = ED25519) -> tuple[str, PublicKey]:
    """Read what :func:`verifier_key` wrote; raise ``Malformed`` when it is not of ``kind``."""
    name, _, rest = text.partition("+")
    _, _, raw = rest.partition("+")  # base64 may have plus signs of its own
    blob = decode(raw, "the verifier key")
    if not _NAME.fullmatch(name) or len(blob) != 33:
        raise Malformed("a verifier key is written name+id+base64, with an Ed25519 key")
    if blob[:1] != kind:
        what = "a witness" if kind == COSIGNATURE else "a log"
        raise Malformed(f"this is not the verifier key of {what}")
    public = PublicKey(blob[1:])
    if verifier_key(name, public, kind) != text:
        raise Malformed("the id in the verifier key is not that of its name and key")
    return name, public


def _signature(line: str) -> NoteSignature:
    match = _SIGNATURE.fullmatch(line)
    if match is None:
        raise Malformed("a signature line of the checkpoint is not well formed")
    raw = decode(match[2], "the checkpoint")
    if len(raw) < 5:
        raise Malformed("a signature of the checkpoint is too short")
    return NoteSignature(match[1], raw[:4], raw[4:])
