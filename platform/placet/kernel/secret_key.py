"""The file of the key that secrets at rest are encrypted for, and its public half."""

from collections.abc import Callable
from pathlib import Path

from placet.kernel.key_files import give_like, locked, write
from placet_protocol.secret_box import OpeningKeys, SealingKey

SECRET = "secret"  # noqa: S105 (the name of a file)


def make_secret(folder: Path) -> None:
    """Make the key that secrets are encrypted for, and its public half, where one is missing."""
    path, public = folder / f"{SECRET}.key", folder / f"{SECRET}.pub"
    if path.exists() and public.exists():
        return
    if not path.exists():
        write(path, OpeningKeys.generate().write().encode(), mode=0o600)
    write(public, read_keys(path).public.write().encode())


def rotate_secret(folder: Path) -> SealingKey:
    """Have secrets encrypted for a new key from now on; the old one opens what it was given.

    Interrupted before its end it leaves the old public key, whose private half is still there.
    """
    with locked(folder):
        path = folder / f"{SECRET}.key"
        fresh = OpeningKeys.generate(read_keys(path))
        _replace(path, fresh)
        write(folder / f"{SECRET}.pub", fresh.public.write().encode())
        return fresh.public


def retire_secret(folder: Path, check: Callable[[SealingKey], None]) -> int:
    """Forget the keys before the one in use; return how many these were.

    ``check`` is told the one in use, for which everything is encrypted from then on if it was not
    before, and raises where something still needs another.
    """
    with locked(folder):
        path = folder / f"{SECRET}.key"
        keys = read_keys(path)
        write(folder / f"{SECRET}.pub", keys.public.write().encode())  # a rotation was cut off
        check(keys.public)
        _replace(path, OpeningKeys(keys.keys[:1]))
        return len(keys.keys) - 1


def _replace(path: Path, keys: OpeningKeys) -> None:
    """Write ``keys`` in place of those there are, for the same owner and group."""
    waiting = path.with_name(f"{path.name}.next")
    write(waiting, keys.write().encode(), mode=0o600)
    give_like(waiting, path.stat())
    waiting.replace(path)


def read_keys(path: Path) -> OpeningKeys:
    """Read the file of private keys. Raises ``OSError``, and ``ValueError`` for any other file."""
    return OpeningKeys.read(path.read_text("ascii"))
