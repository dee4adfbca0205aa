"""Bentos on this node: fetched by digest, unpacked strictly, looked through before every start."""

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from placet_agent.client import Client
from placet_agent.downloads import trees
from placet_agent.downloads.leftovers import remove
from placet_agent.faults import crash_point
from placet_agent.state import files
from placet_protocol import service_facts
from placet_protocol.fields import hex_digest
from placet_verify import archive
from placet_verify.permit.variables import declaration_faults

LOCK_PATH = "env/python/requirements.txt"  # the lock that the Bento was built and approved with
MAX_LOCK = 16 << 20  # 2,000 packages with 100 hashes each
NOT_OURS = f"{service_facts.PATH} in the Bento is nothing that a build of Placet writes"


class BentoRefused(Exception):
    """The bytes on disk are not the Bento that was approved."""


@dataclass(frozen=True)
class Facts:
    """What a build wrote down for whoever starts its service."""

    variables: Any = field(default_factory=list)  # as they stand there
    wipe_memory: bool = False  # memory that it gives back must not be read again, by it either
    generated: bool = False  # a build wrote the service, not its author

    def declared(self) -> list[str]:
        """Return the names of variables that the version reads.

        Raises ``BentoRefused`` when what stands there is nothing that a version can declare.
        """
        for index, detail in declaration_faults(self.variables):
            number = "" if index is None else f" {index + 1}"
            raise BentoRefused(f"what the Bento declares: variable{number} {detail}")
        return [*self.variables]


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
            return self._read(digest, LOCK_PATH, MAX_LOCK).decode()
        except FileNotFoundError:
            raise BentoRefused("the Bento holds no lock of its runtime") from None

    def facts(self, digest: str) -> Facts:
        """Return what its build wrote down; nothing where there is no such file.

        To be asked once a start. Code of the version may have written it, while a worker of before
        built it: what no build writes, or would fill the agent's memory, is refused. Without facts
        the service would start, and its memory would not be wiped.
        """
        try:
            raw = self._read(digest, service_facts.PATH, service_facts.MAX_BYTES)
            if not service_facts.fit(raw):
                raise BentoRefused(NOT_OURS)
            facts = json.loads(raw)
        except FileNotFoundError:
            return Facts()
        except (RecursionError, ValueError):
            raise BentoRefused(NOT_OURS) from None
        if not isinstance(facts, dict):
            raise BentoRefused(NOT_OURS)
        return Facts(facts.get("variables", []), facts.get("wipe_memory") is True, generated=True)

    def _read(self, digest: str, name: str, limit: int) -> bytes:
        """Return a file of a Bento whole: nothing of one is read in part, or without a bound."""
        with (self.path(digest) / name).open("rb") as stream:
            raw = stream.read(limit + 1)
        if len(raw) > limit:
            raise BentoRefused(f"{name} in the Bento has more than {limit >> 20} MiB")
        return raw

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
