"""What the agent gives replicas: files and folders that are bound into their sandboxes, and counts.

All of one replica's begins with its name. What is bound is filled or written in place, never
replaced: a sandbox that stands already would go on showing what was there before.
"""

import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from placet_agent import inside, loopback
from placet_agent.downloads import trees
from placet_agent.downloads.leftovers import remove
from placet_agent.state import files
from placet_verify.permit.serving import Destination

_SUFFIXES = (".hosts", ".egress", ".link", ".bento", ".capture")


class Given:
    """The folder ``given`` of a node."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def prepare(self) -> None:
        """Have the folder stand, and what replicas run in it."""
        files.make_folder(self.folder, 0o700)
        server = Path(inside.__file__).read_bytes()
        if not self.server.exists() or self.server.read_bytes() != server:
            files.write_bytes(self.server, server, mode=0o644)  # read as a user of its own

    @property
    def server(self) -> Path:
        """The program that serves a Bento inside."""
        return self.folder / "inside.py"

    def counts(self, name: str, what: str) -> Path:
        """Return where what stands beside a replica counts, ``egress`` or ``link``."""
        return self.folder / f"{name}.{what}" / "counts.json"

    def hosts(self, name: str, destinations: Iterable[Destination]) -> Path:
        """Write the hosts file of a replica with a network of its own."""
        path = self.folder / f"{name}.hosts"
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        with os.fdopen(handle, "wb") as stream:
            os.fchmod(stream.fileno(), 0o644)  # whatever the umask says
            stream.write(loopback.hosts_file(destinations).encode())
        return path

    def empty_bento(self, name: str) -> Path:
        """Make the folder in which the Bento of a warm process is to appear."""
        return files.make_folder(self.folder / f"{name}.bento", 0o755)

    def lay_bento(self, name: str, bento: Path) -> None:
        """Have a Bento appear there, file by file the same one. Raises ``OSError``, ``TooMuch``."""
        laid = self.folder / f"{name}.bento"
        for entry in trees.walk(bento):
            path = laid / os.path.relpath(entry.path, bento)
            if entry.is_dir(follow_symlinks=False):
                files.make_folder(path, 0o755)
            else:
                _link(Path(entry.path), path)

    def capture_folder(self, name: str) -> Path:
        """Make the folder in which a warm process is to write what it captures; its own once it
        is taken, and nobody's before."""
        return files.make_folder(self.folder / f"{name}.capture")

    def clear(self, name: str) -> None:
        """Remove all that was given to a replica that is gone."""
        for suffix in _SUFFIXES:
            path = self.folder / f"{name}{suffix}"
            if suffix == ".hosts":
                path.unlink(missing_ok=True)
            elif path.exists():
                remove(path)

    def names(self) -> set[str]:
        """Return the replicas that something was given to."""
        return {path.stem for path in self.folder.glob("*") if path.suffix in _SUFFIXES}


def _link(file: Path, path: Path) -> None:
    """Make ``path`` the same file, or a copy where the file system gives it no second name."""
    with suppress(OSError):
        os.link(file, path, follow_symlinks=False)
        return
    shutil.copy2(file, path, follow_symlinks=False)
