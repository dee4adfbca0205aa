"""The installation's key files: who may load which, how they are made, rotated and revoked.

A folder outside the database holds one file per purpose, ``root.key``, ``root.pub`` and
``keys.json``. ``PLACET_PROCESS`` says what this process is; the code refuses what the process has
no business with, and in production the files' owners make the operating system refuse it too.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Literal

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from placet.kernel.config import config
from placet.kernel.key_files import give_like, locked, write
from placet.kernel.secret_key import SECRET, make_secret, read_keys
from placet_protocol.secret_box import OpeningKeys, SealingKey
from placet_verify.errors import Refused
from placet_verify.signing.keys import (
    OVERLAP,
    KeyPurpose,
    KeyRefused,
    KeyRing,
    PrivateKey,
    PublicKey,
    make_ring,
)

SERVER_PURPOSES: tuple[KeyPurpose, ...] = ("decision", "access", "build", "state", "log")
ACCESS: dict[str, frozenset[str]] = {
    "web": frozenset({"decision", "access", "witness"}),
    "control": frozenset({"state", "log", "secret"}),
    "build": frozenset({"build", "model-signing"}),
    "agent": frozenset(),
    "manage": frozenset({*SERVER_PURPOSES, "model-signing", "witness", "secret"}),
}
MODEL_SIGNING = "model-signing.key"
# Of other logs' checkpoints. It stands in no keys.json: it vouches for nothing of this
# installation, and whoever counts on it was given its public half by name.
WITNESS = "witness"


class KeyUnavailable(Refused):
    """This process may not load the key, or the file is not there or cannot be read."""

    def __init__(self, sentence: str) -> None:
        super().__init__("key_unavailable", sentence)


def signer(purpose: KeyPurpose | Literal["witness"]) -> PrivateKey:
    """Return the private key of ``purpose``; raise ``KeyUnavailable`` when it is not ours."""
    _check_access(purpose)
    path = config().keys / f"{purpose}.key"
    try:
        return _load(path, path.stat().st_mtime_ns)
    except OSError as error:
        raise KeyUnavailable(f"the {purpose} key cannot be read: {error.strerror}") from error


def ring() -> KeyRing:
    """Return the installation's public keys, checked against the root."""
    folder = config().keys
    try:
        stamp = (folder / "keys.json").stat().st_mtime_ns
        return _open(folder, stamp)
    except OSError as error:
        raise KeyUnavailable(f"the list of keys cannot be read: {error.strerror}") from error


def witness_public() -> PublicKey:
    """Return the public half of the key that cosigns other logs' checkpoints."""
    try:
        return PublicKey.load(config().keys / f"{WITNESS}.pub")
    except OSError as error:
        raise KeyUnavailable(
            f"the witness key is not there ({error.strerror}): run `manage.py keys init`"
        ) from error


def keys_document() -> str:
    """Return ``keys.json`` as it is handed to nodes and auditors."""
    ring()
    return (config().keys / "keys.json").read_text("utf-8")


def root_public() -> PublicKey:
    """Return the root's public key, whose fingerprint a join token carries."""
    return ring().root


def model_signing_key() -> Path:
    """Return the file of the P-256 key that signs OpenSSF ``model.sig``."""
    _check_access("model-signing")
    path = config().keys / MODEL_SIGNING
    if not path.is_file():
        raise KeyUnavailable("the model signing key is not there")
    return path


def sealing_key() -> SealingKey:
    """Return the key that secrets are encrypted for, which every process may read."""
    path = config().keys / f"{SECRET}.pub"
    try:
        return _sealing(path, path.stat().st_mtime_ns)
    except (OSError, ValueError) as error:
        raise KeyUnavailable(
            f"secret.pub cannot be read ({_words(error)}): run `manage.py keys init` once"
        ) from None


def opening_keys() -> OpeningKeys:
    """Return the keys that open secrets at rest, those that were rotated too."""
    _check_access(SECRET)
    path = config().keys / f"{SECRET}.key"
    try:
        return _opening(path, path.stat().st_mtime_ns)
    except (OSError, ValueError) as error:
        raise KeyUnavailable(f"secret.key cannot be read: {_words(error)}") from None


def ensure_keys(
    folder: Path, *, valid_from: datetime | None = None, root_key: Path | None = None
) -> KeyRing:
    """Make whatever is missing in ``folder`` and return its ring; a second call changes nothing.

    Interrupted at any point and called again it goes on where it stopped: ``keys.json`` comes
    last and lists the files that are there. A purpose that ``keys.json`` does not name yet gets
    its key, for which the root is needed.
    """
    with locked(folder):
        if (folder / "keys.json").exists():
            _finish_rotation(folder)
            _add_missing(folder, root_key)
            _make_witness(folder)
            make_secret(folder)
            return read_ring(folder)
        root = _existing_or_new(folder / "root.key")
        write(folder / "root.pub", root.public.to_pem())
        public_keys = [
            (purpose, _existing_or_new(folder / f"{purpose}.key").public)
            for purpose in SERVER_PURPOSES
        ]
        _make_model_signing(folder)
        _make_witness(folder)
        make_secret(folder)
        start = valid_from or datetime.now(tz=UTC) - OVERLAP
        write(folder / "keys.json", make_ring(root, public_keys, start).encode())
        return read_ring(folder)


def rotate(
    folder: Path, purpose: KeyPurpose, *, root_key: Path | None = None, at: datetime | None = None
) -> KeyRing:
    """Replace the key of ``purpose``; what the old one signed stays valid."""
    with locked(folder):
        _finish_rotation(folder)
        old = read_ring(folder)
        return _succeed(folder, old, purpose, root_of(folder, root_key), at or _now())


def revoke(
    folder: Path,
    key_id: str,
    *,
    compromised_at: datetime,
    root_key: Path | None = None,
    at: datetime | None = None,
) -> KeyRing:
    """Declare a key lost: nothing it signed from ``compromised_at`` on counts.

    A key in use gets a successor in the same step.
    """
    with locked(folder):
        _finish_rotation(folder)
        before = read_ring(folder)
        lost, root = before.get(key_id), root_of(folder, root_key)
        after = before.revoke(key_id, compromised_at)
        if lost.valid_until is None:
            return _succeed(folder, after, lost.purpose, root, at or _now())
        write(folder / "keys.json", after.seal(root).encode())
        return read_ring(folder)


def demand_passkeys(
    folder: Path, environments: Iterable[str], *, root_key: Path | None = None
) -> KeyRing:
    """Have nothing count without passkeys in exactly these environments, of every project."""
    with locked(folder):
        _finish_rotation(folder)
        after = read_ring(folder).pin(environments)
        write(folder / "keys.json", after.seal(root_of(folder, root_key)).encode())
        return read_ring(folder)


def share(folder: Path, process: str, group: int) -> list[Path]:
    """Let ``group`` read the keys that ``process`` loads; return their files.

    For processes that run as users of their own while the folder stays its owner's: an owner may
    give a file to a group of their own, without any privilege.
    """
    if process not in ACCESS or process == "manage":
        known = ", ".join(sorted(set(ACCESS) - {"manage"}))
        raise KeyUnavailable(f"a process that keys are shared with is one of {known}")
    with locked(folder):
        paths = [folder / f"{purpose}.key" for purpose in sorted(ACCESS[process])]
        for path in paths:
            os.chown(path, -1, group)
            path.chmod(0o640)
    return paths


def export(folder: Path, destination: Path) -> list[Path]:
    """Write the public half for auditors: ``keys.json``, ``root.pub`` and each key as PEM."""
    key_ring = read_ring(folder)
    destination.mkdir(parents=True, exist_ok=True)
    files = {
        "keys.json": (folder / "keys.json").read_bytes(),
        "root.pub": key_ring.root.to_pem(),
    } | {f"{entry.purpose}-{entry.id}.pem": entry.public.to_pem() for entry in key_ring}
    for name, content in files.items():
        (destination / name).write_bytes(content)
    return [destination / name for name in files]


@dataclass(frozen=True, slots=True)
class KeyLine:
    """What ``keys list`` shows of one key."""

    id: str
    purpose: str
    valid_from: datetime
    valid_until: datetime | None
    ended: str
    in_use: bool


def lines(folder: Path) -> list[KeyLine]:
    """Return one line for each key that ``keys.json`` names, in its order."""
    now = _now()
    return [
        KeyLine(
            e.id, e.purpose, e.valid_from, e.valid_until, e.ended, not e.ended and e.valid_at(now)
        )
        for e in read_ring(folder)
    ]


def read_ring(folder: Path) -> KeyRing:
    """Read and check ``keys.json`` of ``folder``."""
    root = PublicKey.load(folder / "root.pub")
    return KeyRing.open((folder / "keys.json").read_text("utf-8"), root)


def root_of(folder: Path, elsewhere: Path | None = None) -> PrivateKey:
    """Return the root key, which lies in ``folder`` or ``elsewhere``."""
    path = elsewhere or folder / "root.key"
    if not path.is_file():
        raise KeyUnavailable("the root key is not here: name its file with --root-key")
    return PrivateKey.load(path)


def _check_access(purpose: str) -> None:
    process = os.environ.get("PLACET_PROCESS", "")
    if process not in ACCESS:
        known = ", ".join(sorted(ACCESS))
        raise KeyUnavailable(f"PLACET_PROCESS must be one of {known} before a key is loaded")
    if purpose not in ACCESS[process]:
        raise KeyUnavailable(f"a {process} process has no access to the {purpose} key")


def _succeed(
    folder: Path, before: KeyRing, purpose: KeyPurpose, root: PrivateKey, at: datetime
) -> KeyRing:
    if purpose not in SERVER_PURPOSES:
        raise KeyRefused("not_here", f"there is no {purpose} key to rotate")
    fresh = PrivateKey.generate()
    fresh.save(_next(folder, purpose))
    write(folder / "keys.json", before.add(purpose, fresh.public, at).seal(root).encode())
    _finish_rotation(folder)
    return read_ring(folder)


def _finish_rotation(folder: Path) -> None:
    """Put a successor in place once ``keys.json`` names it; drop one that it never came to name."""
    listed = {entry.id for entry in read_ring(folder)}
    for purpose in SERVER_PURPOSES:
        waiting, current = _next(folder, purpose), folder / f"{purpose}.key"
        if not waiting.exists():
            continue
        if PrivateKey.load(waiting).id not in listed:
            waiting.unlink()
            continue
        if current.exists():
            give_like(waiting, current.stat())
        waiting.replace(current)


def _add_missing(folder: Path, root_key: Path | None) -> None:
    """Make and list a key for each purpose that came after this folder was made."""
    for purpose in SERVER_PURPOSES:
        before = read_ring(folder)
        if before.of(purpose):
            continue
        if not (root_key or folder / "root.key").is_file():
            raise KeyUnavailable(
                f"keys.json names no {purpose} key yet, and the root key is not here to sign one:"
                " run `manage.py keys --root-key FILE init` once"
            )
        fresh = _existing_or_new(folder / f"{purpose}.key")
        after = before.add(purpose, fresh.public, _now()).seal(root_of(folder, root_key))
        write(folder / "keys.json", after.encode())


def _existing_or_new(path: Path) -> PrivateKey:
    if path.exists():
        return PrivateKey.load(path)
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    key = PrivateKey.generate()
    key.save(part)
    part.replace(path)
    return key


def _make_model_signing(folder: Path) -> None:
    """Make the P-256 key: OpenSSF model signing refuses Ed25519."""
    path = folder / MODEL_SIGNING
    if path.exists():
        return
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    write(folder / "model-signing.pub", public)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    write(path, private, mode=0o600)


def _make_witness(folder: Path) -> None:
    """Make the witness key. Another one is another witness, so it is never rotated."""
    if not (folder / f"{WITNESS}.pub").exists():
        key = _existing_or_new(folder / f"{WITNESS}.key")
        write(folder / f"{WITNESS}.pub", key.public.to_pem())


def _next(folder: Path, purpose: KeyPurpose) -> Path:
    return folder / f"{purpose}.key.next"


def _now() -> datetime:
    return datetime.now(tz=UTC)


@lru_cache(maxsize=16)
def _load(path: Path, stamp: int) -> PrivateKey:
    return PrivateKey.load(path)


@lru_cache(maxsize=4)
def _open(folder: Path, stamp: int) -> KeyRing:
    return read_ring(folder)


@lru_cache(maxsize=4)
def _sealing(path: Path, stamp: int) -> SealingKey:
    return SealingKey.read(path.read_text("ascii"))


@lru_cache(maxsize=4)
def _opening(path: Path, stamp: int) -> OpeningKeys:
    return read_keys(path)


def _words(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else "") or str(error)
