"""The file of the key that secrets at rest are encrypted for, and its public half."""

from pathlib import Path

from placet.kernel.key_files import give_like, locked, write
from placet.kernel.secret_box import OpeningKeys, SealingKey

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
        before, fresh = path.stat(), OpeningKeys.generate(read_keys(path))
        waiting = path.with_name(f"{path.name}.next")
        write(waiting, fresh.write().encode(), mode=0o600)
        give_like(waiting, before)
        waiting.replace(path)
        write(folder / f"{SECRET}.pub", fresh.public.write().encode())
        return fresh.public


def read_keys(path: Path) -> OpeningKeys:
    """Read the file of private keys. Raises ``OSError``, and ``ValueError`` for any other file."""
    return OpeningKeys.read(path.read_text("ascii"))
