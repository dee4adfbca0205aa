"""The node's folder: its key, what it pinned, what it must never forget.

::

    node.key      the node's private key, 0600        node.json   where it joined, what it pinned
    secrets.key   what secrets are sealed for, 0600   secrets/    their values, sealed
    keys.json     the list of keys, signed by root    state.json  the last verified state
    memory.json   floors that never go down           lock        held by the running agent
    reported.json  the number of the last report
    aborts.json   what it took back by itself         kept.json   endpoints that go on as they were
    recalls.json  what was ever recalled              receipts.json  what ran, and is to be said
    bentos/  runtimes/  replicas/  logs/  haproxy/  capture/
"""

import threading
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from placet_agent.state import files
from placet_verify.errors import Malformed
from placet_verify.signing.keys import PrivateKey, PublicKey


class NotJoined(Exception):
    """The folder belongs to no node yet."""


@dataclass(frozen=True)
class Membership:
    """Where this node joined, and the root that it pinned then."""

    url: str
    node: str
    target: str
    target_name: str
    root_public: str  # base64
    port: int
    runtime_pythons: list[str]
    ca: str = ""  # the file of who may vouch for the platform's certificate; empty: the usual ones

    @property
    def root(self) -> PublicKey:
        """The pinned root key."""
        return PublicKey.from_base64(self.root_public)


@dataclass
class Remembered:
    """What must survive every restart, so that nothing old is taken for new."""

    epoch: int = 0
    number: int = 0
    keys_number: int = 0
    report_number: int = 0  # of an agent that had no file for it
    checkpoint: str | None = None
    # "project environment" → the highest policy number that let something start here
    policy_floors: dict[str, int] = field(default_factory=dict)
    # releases that were let in: the passing of time and newer policies do not stop them
    admitted: dict[str, str] = field(default_factory=dict)  # release → Bento digest
    # whose each address is: the permit names the endpoint by its id, clients by its path
    paths: dict[str, str] = field(default_factory=dict)  # path → endpoint id
    # endpoints whose address another one has since they were deleted: none of them comes back
    ended: list[str] = field(default_factory=list)


class Home:
    """The folder of one node."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._memory: Remembered | None = None
        self._others: dict[str, Any] = {}  # that a newer agent remembered
        self._unstored = False  # whether more is remembered than the disk has
        self._reported = 0

    def make(self) -> None:
        """Make the folder and what stands in it."""
        files.make_folder(self.folder)
        for name in ("replicas", "logs", "bentos", "runtimes", "capture"):
            files.make_folder(self.folder / name, 0o700)
        # HAProxy's user passes through it while it runs: who starts HAProxy says who may
        (self.folder / "haproxy").mkdir(mode=0o700, exist_ok=True)

    @property
    def key(self) -> PrivateKey:
        """The node's private key."""
        try:
            return PrivateKey.load(self.folder / "node.key")
        except Malformed as error:
            raise files.Unreadable(self.folder / "node.key") from error

    def ensure_key(self) -> PrivateKey:
        """Return the node's key, made at the first call; a repeated join uses the same one."""
        path = self.folder / "node.key"
        if not path.exists():
            PrivateKey.generate().save(path)
        return self.key

    def membership(self) -> Membership:
        """Return where this node joined."""
        stored = files.read_json(self.folder / "node.json")
        if stored is None:
            raise NotJoined(f"{self.folder} belongs to no node: run `placet-agent join` first")
        return Membership(**_known(stored, Membership)[0])

    def join(self, membership: Membership) -> None:
        """Record where this node joined."""
        files.write_json(self.folder / "node.json", asdict(membership))

    def begin_anew(self) -> None:
        """Forget what another platform, or another target, had this node remember.

        What was recalled stays recalled. The state goes first: whenever this is cut short, no
        state is older than what is remembered.
        """
        for name in ("state.json", "kept.json", "aborts.json", "keys.json"):
            (self.folder / name).unlink(missing_ok=True)
        with self._lock:
            self._others = {}
            self._write(memory := Remembered())
            self._memory = memory

    def read_text(self, name: str) -> str | None:
        """Return a file's text, ``None`` when it is absent."""
        path = self.folder / name
        return path.read_text() if path.exists() else None

    def write_text(self, name: str, text: str) -> None:
        """Replace a file in one step."""
        files.write_bytes(self.folder / name, text.encode())

    @property
    def fresh(self) -> bool:
        """Whether this node has never taken a state."""
        return self.remembered().epoch == 0 and self.remembered().number == 0

    @property
    def reported(self) -> int:
        """The number of the last report: a hint, for the platform names it whenever ours is old."""
        if not self._reported:
            stored = files.read_hint(self.folder / "reported.json")
            self._reported = stored if isinstance(stored, int) else self.remembered().report_number
        return self._reported

    @reported.setter
    def reported(self, number: int) -> None:
        self._reported = number
        with suppress(OSError):  # a full disk keeps no report back
            files.write_json(self.folder / "reported.json", number, durable=False)

    def remembered(self) -> Remembered:
        """Return what is remembered; change it with ``remember`` only."""
        with self._lock:
            return self._load()

    def _load(self) -> Remembered:
        if self._memory is None:
            stored: dict[str, Any] = files.read_json(self.folder / "memory.json") or {}
            known, self._others = _known(stored, Remembered)
            self._memory = Remembered(**known)
        return self._memory

    def remember(self, **changes: Any) -> None:
        """Change what is remembered, on disk before anything follows from it.

        Raises ``OSError``, and nothing has changed, where the disk does not take it.
        """
        with self._lock:
            memory = replace(self._load(), **changes)
            self._write(memory)
            self._memory = memory

    def note(self, **changes: Any) -> str:
        """Change what is remembered, on disk if it can be; return why it is not there."""
        with self._lock:
            self._memory, self._unstored = replace(self._load(), **changes), True
        try:
            self.store()
        except OSError as error:
            return str(error)[:500]
        return ""

    @property
    def stored(self) -> bool:
        """Whether the disk has all that is remembered."""
        return not self._unstored

    def store(self) -> None:
        """Write down what the disk did not take before. Raises ``OSError``."""
        with self._lock:
            if self._unstored:
                self._write(self._load())

    def _write(self, memory: Remembered) -> None:
        known = asdict(memory)
        if not memory.ended:  # an agent that is put back starts with what it knows alone
            del known["ended"]
        files.write_json(self.folder / "memory.json", self._others | known)
        self._unstored = False


def _known(stored: dict[str, Any], kind: type) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what of a file this release knows, and what a newer one has added."""
    names = {one.name for one in fields(kind)}
    known = {name: value for name, value in stored.items() if name in names}
    return known, {name: value for name, value in stored.items() if name not in names}
