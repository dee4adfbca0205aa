"""A folder that keeps notes as ``<size>.txt``: mount there what nobody here can take back."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from apps.audit.models import Witness
from apps.audit.witnesses.answers import PushFailed
from apps.audit.witnesses.shelf import ShelvedNote
from placet.kernel.config import config

_NAME = re.compile(r"(0|[1-9][0-9]{0,18})\.txt", re.ASCII)
_MOST_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class WitnessFolder:
    """One folder below ``PLACET_WITNESS_DIR``, made by whoever set it up."""

    path: Path

    @classmethod
    def of(cls, witness: Witness) -> "WitnessFolder":
        """Return the folder of a witness."""
        return cls(config().witnesses / witness.address)

    def newest(self) -> Iterator[ShelvedNote]:
        """Yield the notes, the largest first."""
        try:
            names = [match[1] for p in self.path.iterdir() if (match := _NAME.fullmatch(p.name))]
            for size in sorted(map(int, names), reverse=True):
                path = self.path / f"{size}.txt"
                with path.open("rb") as stream:
                    note = stream.read(_MOST_BYTES).decode("utf-8", "replace")
                yield ShelvedNote(size, note, datetime.fromtimestamp(path.stat().st_mtime, tz=UTC))
        except OSError as error:
            raise PushFailed(f"The folder cannot be read: {error.strerror}") from None

    def add(self, size: int, note: str) -> None:
        """Write ``<size>.txt``, whole or not at all."""
        path = self.path / f"{size}.txt"
        draft = self.path / f".{size}.{os.getpid()}"
        try:
            with draft.open("w", encoding="utf-8") as stream:
                stream.write(note)
                stream.flush()
                os.fsync(stream.fileno())
            os.link(draft, path)  # unlike a rename it replaces nothing
        except OSError as error:
            raise PushFailed(f"{path.name} cannot be written: {error.strerror}") from None
        finally:
            draft.unlink(missing_ok=True)
