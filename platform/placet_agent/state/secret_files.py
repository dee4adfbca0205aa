"""Values of secrets on this node: sealed on disk for a key that it made for this alone, opened when
a replica is started, and in the clear in memory only."""

import os
import re
from pathlib import Path
from typing import Any

from placet_agent.state import files
from placet_protocol.node_secrets import SecretPlace
from placet_protocol.secret_box import OpeningKeys, SecretUnreadable

FOLDER, KEY = "secrets", "secrets.key"
_VALUE = re.compile(r"sev_[0-9a-f]{32}")


class SecretMissing(RuntimeError):
    """A value is not here, or does not open here; the sentence says which."""


def ensure_key(home: Path) -> OpeningKeys:
    """Return the key of this node that secrets are sealed for, made at the first call.

    One that cannot be read is made anew: the platform seals for what the next report says.
    """
    path = home / KEY
    try:
        return OpeningKeys.read(path.read_text("ascii"))
    except (FileNotFoundError, ValueError):
        keys = OpeningKeys.generate()
        files.write_bytes(path, keys.write().encode())
        return keys


def public_key(home: Path) -> str:
    """Return its public half, as the node reports it."""
    return ensure_key(home).public.write().strip()


class SecretFiles:
    """The sealed values of one node, each in a file with the id of the value."""

    def __init__(self, home: Path) -> None:
        self.home, self.folder = home, home / FOLDER
        self._node = ""

    @property
    def node(self) -> str:
        """The id of this node, which everything is sealed for."""
        if not self._node:
            stored: Any = files.read_json(self.home / "node.json") or {}
            self._node = str(stored.get("node", ""))
        return self._node

    def has(self, place: SecretPlace) -> bool:
        """Whether the value lies here, sealed."""
        return bool(_VALUE.fullmatch(place.value)) and self._path(place).exists()

    def keep(self, place: SecretPlace, sealed: str) -> None:
        """Keep a value that came, if it opens here. Raises :class:`SecretMissing`."""
        if not _VALUE.fullmatch(place.value):
            raise SecretMissing(f"the secret {place.name} has a value of another form")
        self._open(place, sealed)
        files.make_folder(self.folder)
        files.write_bytes(self._path(place), sealed.encode())

    def open(self, place: SecretPlace) -> bytes:
        """Return a value in the clear. Raises :class:`SecretMissing`."""
        try:
            sealed = self._path(place).read_text("ascii")
        except (OSError, ValueError) as error:
            raise SecretMissing(f"the secret {place.name} does not lie here") from error
        return self._open(place, sealed)

    def handle(self, place: SecretPlace) -> int:
        """Return a descriptor of memory that holds the value, and is at its beginning."""
        value = self.open(place)
        number = os.memfd_create("secret", os.MFD_CLOEXEC)
        try:
            with os.fdopen(number, "wb", closefd=False) as memory:
                memory.write(value)
            os.lseek(number, 0, os.SEEK_SET)
        except BaseException:
            os.close(number)
            raise
        return number

    def forget_others(self, values: set[str]) -> None:
        """Remove every value but these."""
        if not self.folder.exists():
            return
        for path in self.folder.iterdir():
            if path.name not in values:
                path.unlink(missing_ok=True)

    def hide(self, text: str, places: list[SecretPlace]) -> str:
        """Return a text without those of these values that stand in it."""
        for place in places:
            try:
                value = self.open(place).decode()
            except SecretMissing:
                continue
            for line in {value, *value.splitlines()}:
                text = text.replace(line, f"[secret {place.name}]") if line.strip() else text
        return text

    def _path(self, place: SecretPlace) -> Path:
        return self.folder / place.value

    def _open(self, place: SecretPlace, sealed: str) -> bytes:
        try:
            text = ensure_key(self.home).open(sealed, place=place.on(self.node))
        except SecretUnreadable as error:
            why = f"the secret {place.name} does not open with this node's key"
            raise SecretMissing(why) from error
        return text.encode()
