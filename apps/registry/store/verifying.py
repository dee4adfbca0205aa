"""Reading bytes that cannot be read twice, and giving the last of them only when all are right."""

import hashlib
from collections.abc import Callable
from io import RawIOBase
from typing import Any, Protocol

from apps.registry.errors import BlobCorrupt
from apps.registry.store.backend import PIECE


class Body(Protocol):
    """Bytes that come over a connection."""

    def read(self, size: int, /) -> bytes:
        """Return at most ``size`` bytes, b'' at the end."""

    def close(self) -> None:
        """Give the connection back."""


class Verifying(RawIOBase):
    """Hashes what it reads and stays one piece behind: the last piece is given once it is known
    that the whole has ``digest``; otherwise :class:`BlobCorrupt`, and never an end."""

    def __init__(self, body: Body, digest: str, read: Callable[[Body, int], bytes]) -> None:
        self._body, self._digest, self._read = body, digest, read
        self._hasher = hashlib.sha256()
        self._given, self._ahead = memoryview(b""), b""
        self._started = False

    def readable(self) -> bool:
        """Say that bytes can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill ``buffer`` with the next bytes; 0 only after the digest was right."""
        if not self._given:
            self._given = memoryview(self._next())
        target = memoryview(buffer).cast("B")
        count = min(len(target), len(self._given))
        target[:count] = self._given[:count]
        self._given = self._given[count:]
        return count

    def _next(self) -> bytes:
        if not self._started:
            self._started, self._ahead = True, self._fetch()
        piece = self._ahead
        self._ahead = self._fetch() if piece else b""
        if not self._ahead and self._hasher.hexdigest() != self._digest:
            raise BlobCorrupt(f"The bytes of {self._digest} in the artifact store are damaged")
        return piece

    def _fetch(self) -> bytes:
        piece = self._read(self._body, PIECE)
        self._hasher.update(piece)
        return piece

    def close(self) -> None:
        """Give the connection back."""
        if not self.closed:
            self._body.close()
        super().close()
