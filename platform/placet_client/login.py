"""Where the command line remembers the server and the token, and what it trusts of each server."""

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from placet_client.errors import PlacetError


@dataclass(frozen=True, slots=True)
class Login:
    """A server and a token of it."""

    url: str
    token: str
    ca: str = ""  # a PEM file of who vouches for the server; empty: the usual authorities


@dataclass(frozen=True, slots=True)
class Memory:
    """What is kept of one server between runs, outside that server: its root key and how far its
    log was when it was verified last. Another server's log is another log."""

    url: str

    @property
    def root(self) -> Path:
        """The root's public key (PEM)."""
        return folder() / f"root-{self._name}.pub"

    @property
    def checkpoint(self) -> Path:
        """The newest checkpoint that was verified."""
        return folder() / f"checkpoint-{self._name}.txt"

    @property
    def _name(self) -> str:
        return hashlib.sha256(self.url.rstrip("/").encode()).hexdigest()[:16]

    def keep(self, *, root: bytes, checkpoint: str) -> None:
        """Remember both."""
        write(self.root, root)
        write(self.checkpoint, checkpoint.encode())


def folder() -> Path:
    """Return the folder of our own, ``$XDG_CONFIG_HOME/placet``."""
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "placet"


def write(path: Path, content: bytes) -> None:
    """Replace a file that only its owner may read, whole or not at all."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)
    temporary.touch(mode=0o600)
    temporary.write_bytes(content)
    temporary.replace(path)


def remember(login: Login) -> Path:
    """Write the login; return its file."""
    path = folder() / "config.json"
    write(path, json.dumps(asdict(login)).encode())
    return path


def forget() -> str:
    """Remove the login; return the address of its server, '' where none could be read."""
    try:
        url = _remembered().url
    except PlacetError:
        url = ""
    (folder() / "config.json").unlink(missing_ok=True)
    return url.rstrip("/")


def current() -> Login:
    """Return the login in use: ``PLACET_URL``, ``PLACET_TOKEN`` and ``PLACET_CA``, else what was
    remembered."""
    url, token = os.environ.get("PLACET_URL", ""), os.environ.get("PLACET_TOKEN", "")
    known = _remembered()
    # A remembered token belongs to its server and is sent to no other.
    same = not url or url.rstrip("/") == known.url.rstrip("/")
    ca = os.environ.get("PLACET_CA", "") or (known.ca if same else "")
    login = Login(url or known.url, token or (known.token if same else ""), ca)
    if not login.url or not login.token:
        raise PlacetError(
            0, "not_logged_in", "Run `placet login URL` first, or set PLACET_URL and PLACET_TOKEN"
        )
    return login


def _remembered() -> Login:
    path = folder() / "config.json"
    if not path.exists():
        return Login("", "")
    try:
        known = json.loads(path.read_text("utf-8"))
        return Login(*(str(known.get(name, "")) for name in ("url", "token", "ca")))
    except (ValueError, AttributeError):
        raise PlacetError(
            0, "bad_login", f"{path} is damaged: run `placet login URL` again"
        ) from None
