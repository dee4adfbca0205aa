"""Where the command line remembers the server, the token and the newest checkpoint it saw."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from placet_client.client import PlacetError


@dataclass(frozen=True, slots=True)
class Login:
    """A server and a token of it."""

    url: str
    token: str


def folder() -> Path:
    """Return the folder of our own, ``$XDG_CONFIG_HOME/placet``."""
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "placet"


def remember(login: Login) -> Path:
    """Write the login to a file that only its owner may read; return the file."""
    path = folder() / "config.json"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_suffix(".new")
    temporary.unlink(missing_ok=True)
    temporary.touch(mode=0o600)
    temporary.write_text(json.dumps(asdict(login)))
    temporary.replace(path)
    return path


def forget() -> None:
    """Remove the login."""
    (folder() / "config.json").unlink(missing_ok=True)


def current() -> Login:
    """Return the login in use: ``PLACET_URL`` and ``PLACET_TOKEN``, else what was remembered."""
    url, token = os.environ.get("PLACET_URL", ""), os.environ.get("PLACET_TOKEN", "")
    path = folder() / "config.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    kept_url = known.get("url", "")
    # A remembered token belongs to its server and is sent to no other.
    same = not url or url.rstrip("/") == kept_url.rstrip("/")
    found = Login(url or kept_url, token or (known.get("token", "") if same else ""))
    if not found.url or not found.token:
        raise PlacetError(
            0, "not_logged_in", "Run `placet login URL` first, or set PLACET_URL and PLACET_TOKEN"
        )
    return found
