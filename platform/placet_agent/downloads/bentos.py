"""Bentos on this node: fetched by digest, unpacked strictly, looked through before every start."""

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from placet_agent.client import Client
from placet_agent.downloads import trees
from placet_agent.downloads.leftovers import remove
from placet_agent.faults import crash_point
from placet_agent.state import files
from placet_protocol.fields import hex_digest
from placet_verify import archive
from placet_verify.permit.variables import declaration_faults

FACTS_PATH = "src/placet.json"
MAX_FACTS = 64 << 20
LOCK_PATH = "env/python/requirements.txt"  # the lock that the Bento was built and approved with


class BentoRefused(Exception):
    """The bytes on disk are not the Bento that was approved."""


class BentoFolder:
    """The folder of Bentos: ``<hex>/bento`` beside ``<hex>/files.json``."""

    def __init__(self, folder: Path, client: Client) -> None:
        self.folder = folder
        self.client = client

    def path(self, digest: str) -> Path:
        """Return where the Bento is unpacked."""
        return self.folder / hex_digest(digest) / "bento"

    def has(self, digest: str) -> bool:
        """Whether the Bento lies here whole; a half-made one never has this name."""
        return self.path(digest).is_dir()

    def listed(self) -> list[str]:
        """Return the digests of all Bentos that lie here."""
        return sorted(f"sha256:{p.parent.name}" for p in self.folder.glob("*/bento"))

    def fetch(self, digest: str, size: int | None) -> None:
        """Make sure that the Bento lies here."""
        if self.has(digest):
            return
        name = hex_digest(digest)
        with files.making(self.folder, name) as making:
            self._make(making, digest, size)
            remove(self.folder / name)
            crash_point("agent.before_bento_rename")
            making.rename(self.folder / name)
        files.sync_folder(self.folder)
        crash_point("agent.after_bento_rename")

    def _make(self, making: Path, digest: str, size: int | None) -> None:
        packed = making / "archive"
        self.client.download(digest, size, packed)
        archive.extract(packed, making / "bento")
        packed.unlink()
        trees.seal(making / "bento")
        listing = dict(hashes(making / "bento"))
        files.write_json(making / "files.json", listing)
        making.chmod(0o755)
        files.sync_tree(making)

    def check(self, digest: str) -> None:
        """Hash every file again; anything changed, missing or added removes the Bento."""
        folder = self.path(digest)
        expected = files.read_hint(folder.parent / "files.json")
        if dict(hashes(folder)) != expected:
            remove(folder.parent)
            raise BentoRefused(
                "the files of the Bento on this node were changed; it is fetched anew"
            )

    def lock(self, digest: str) -> str:
        """Return the lock inside the Bento, which its digest covers."""
        try:
            return (self.path(digest) / LOCK_PATH).read_text()
        except FileNotFoundError:
            raise BentoRefused("the Bento holds no lock of its runtime") from None

    def declared(self, digest: str) -> list[str]:
        """Return the names of variables that the version reads, as its build wrote them down.

        Raises ``BentoRefused`` when what stands there is nothing that a version can declare.
        """
        names = self._facts(digest).get("variables", [])
        for index, detail in declaration_faults(names):
            number = "" if index is None else f" {index + 1}"
            raise BentoRefused(f"what the Bento declares: variable{number} {detail}")
        return [*names]

    def wipes_memory(self, digest: str) -> bool:
        """Whether memory that the service gives back must not be read again, by it either."""
        return self._facts(digest).get("wipe_memory") is True

    def _facts(self, digest: str) -> dict[str, Any]:
        """Return what its build wrote down for the service; {} where it is no build of Placet's."""
        try:
            with (self.path(digest) / FACTS_PATH).open("rb") as stream:
                facts = json.loads(stream.read(MAX_FACTS))
        except (FileNotFoundError, ValueError, RecursionError):
            return {}
        return facts if isinstance(facts, dict) else {}

    def needs_port(self, digest: str) -> bool:
        """Whether it was found here that the Bento cannot serve on a socket handed over."""
        return (self.path(digest).parent / "needs-port").exists()

    def note_port(self, digest: str) -> None:
        """Remember that the Bento has to be started with a port."""
        files.write_bytes(self.path(digest).parent / "needs-port", b"")


def hashes(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield path and SHA-256 of every file; a folder or link is yielded by its kind."""
    for root, folders, names in os.walk(folder):
        for name in sorted([*folders, *names]):
            path = Path(root, name)
            inside = path.relative_to(folder).as_posix()
            if path.is_symlink():
                yield inside, "link"
            elif path.is_dir():
                yield inside, "folder"
            else:
                with path.open("rb") as stream:
                    yield inside, hashlib.file_digest(stream, "sha256").hexdigest()
