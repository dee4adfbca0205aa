"""Runtimes: a Python version and its locked wheels, resolved, fetched, installed and compiled.

Only wheels are ever taken: resolving, fetching and installing run no code of a package. Whatever
starts the runtime's interpreter runs in the sandbox, because a wheel's ``.pth`` file is code.
"""

import fcntl
import hashlib
import json
import os
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Protocol
from uuid import uuid4

from placet.kernel.faults import crash_point
from placet.kernel.sizes import spell_size
from placet_agent.downloads import wheels as wheel_files
from placet_agent.downloads.leftovers import remove
from placet_verify.canonical import digest
from workers.builder import package_index
from workers.builder.errors import BuildCancelled, BuildFailed
from workers.builder.requirements import gather
from workers.builder.sandbox import Limits, Sandbox, interpreter

WHEELS = ".wheels"
Log = Callable[[str], None]


class Blobs(Protocol):
    """The content-addressed store, as far as the builder uses it."""

    def path(self, sha256: str) -> Path | None:
        """Return the file that ``sha256`` lies in; None when the store is no folder."""

    def open(self, sha256: str) -> IO[bytes]:
        """Open the bytes of ``sha256``, for somebody who hashes them."""

    def holds(self, sha256: str) -> bool:
        """Tell whether they are there and stay there."""

    def put_stream(
        self, stream: IO[bytes], expected: str | None = None, limit: int | None = None
    ) -> tuple[str, int]:
        """Store the bytes of ``stream``; return their SHA-256 and size."""


@dataclass(frozen=True, slots=True)
class RuntimeWheel:
    """One wheel of a runtime, kept in the store by hash."""

    name: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class RuntimeSpec:
    """What makes a runtime: equal Python and lock are the same runtime."""

    digest: str
    python_version: str
    lock: str
    wheels: tuple[RuntimeWheel, ...]


def platform_python() -> str:
    """Return ``major.minor`` of the Python that builds run on."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def check_python(wanted: str) -> str:
    """Return the Python version to build for; refuse one that is not on this machine."""
    here = platform_python()
    if wanted and ".".join(wanted.split(".")[:2]) != here:
        raise BuildFailed(
            f"The version asks for Python {wanted}, but this build worker has Python {here} only"
        )
    return here


def runtime_digest(python_version: str, lock: str) -> str:
    """Return the identity of the runtime with this Python and lock."""
    return str(digest({"python_version": python_version, "lock": lock}))


@dataclass(slots=True)
class RuntimeCache:
    """The runtimes of one worker, under ``<root>/<digest>``, and the locks it resolved before."""

    root: Path
    store: Blobs
    sandbox: Sandbox
    lock_age: float = 86_400.0  # seconds that a resolved lock is used again

    def resolve(
        self,
        requirements: tuple[str, ...],
        model_format: str,
        python_version: str,
        *,
        log: Log,
        cancelled: Callable[[], bool],
        accelerate: bool = False,
    ) -> str:
        """Return the lock: every package with its version and hashes, and no address."""
        check_python(python_version)
        inputs = gather(requirements, model_format, accelerate=accelerate)
        about = [platform_python(), sys.platform, os.uname().machine, inputs]
        key = hashlib.sha256(json.dumps(about).encode()).hexdigest()
        cached = self.root / "locks" / f"{key}.txt"
        if cached.exists() and time.time() - cached.stat().st_mtime < self.lock_age:
            log("The same requirements were resolved before: using that lock")
            return cached.read_text()
        log(f"Resolving {len(inputs)} requirements for Python {platform_python()}")
        lock = package_index.lock(inputs, cancelled)
        _write_whole(cached, lock)
        log(f"Locked {len(package_index.pinned(lock))} packages with their hashes")
        return lock

    def provide(self, lock: str, *, log: Log, cancelled: Callable[[], bool]) -> RuntimeSpec:
        """Return the installed runtime of ``lock``, making it first when it is not there.

        Two builds that want the same one: the second waits for the first. A worker that died in
        the middle left nothing under the final name.
        """
        name = runtime_digest(platform_python(), lock)
        with _locked(self.root / f".{short(name)}.lock", cancelled):
            if (spec := self._installed(name, lock)) is not None:
                log(f"The runtime {short(name)} is there already ({len(spec.wheels)} wheels)")
                return spec
            return self._make(name, lock, log, cancelled)

    def folder(self, name: str) -> Path:
        """Return where the runtime ``name`` is installed."""
        return self.root / short(name)

    def python(self, name: str) -> Path:
        """Return the runtime's interpreter."""
        return self.folder(name) / "bin" / "python"

    def _installed(self, name: str, lock: str) -> RuntimeSpec | None:
        manifest = self.folder(name) / "placet-runtime.json"
        if not manifest.exists():
            return None
        wheels = tuple(RuntimeWheel(**w) for w in json.loads(manifest.read_text())["wheels"])
        for wheel in wheels:
            if not self.store.holds(wheel.sha256):
                kept = self.folder(name) / WHEELS / wheel.name
                if not kept.exists():
                    return None
                with kept.open("rb") as stream:
                    self.store.put_stream(stream, expected=wheel.sha256)
        os.utime(manifest)  # used now: see collect()
        return RuntimeSpec(name, platform_python(), lock, wheels)

    def collect(self, unused_seconds: float) -> int:
        """Remove the runtimes that no build used for so long; return how many."""
        removed = 0
        for manifest in self.root.glob("*/placet-runtime.json"):
            home = manifest.parent
            with _locked(self.root / f".{home.name}.lock", lambda: False):
                if not manifest.exists() or time.time() - manifest.stat().st_mtime < unused_seconds:
                    continue
                gone = self.root / f".making-{home.name}-{uuid4().hex[:8]}"
                home.rename(gone)  # whoever dies now leaves nothing under the name
            remove(gone)
            removed += 1
        return removed

    def _make(self, name: str, lock: str, log: Log, cancelled: Callable[[], bool]) -> RuntimeSpec:
        for left in self.root.glob(f".making-{short(name)}-*"):
            remove(left)
        making = self.root / f".making-{short(name)}-{uuid4().hex[:8]}"
        making.mkdir(parents=True)
        try:
            wheels = self._fetch(lock, making / "wheels", log, cancelled)
            self._install(making, self.folder(name), lock, log, cancelled)
            manifest = {
                "v": 1,
                "python_version": platform_python(),
                "digest": name,
                "wheels": [asdict(w) for w in wheels],
            }
            home = making / "home"
            with (home / "placet-runtime.json").open("x") as file:
                json.dump(manifest, file)
            self._keep_wheels(making / "wheels", home / WHEELS, wheels)
            remove(self.folder(name))
            crash_point("builds.before_runtime_rename")
            home.rename(self.folder(name))
            crash_point("builds.after_runtime_rename")
        finally:
            remove(making)
        return RuntimeSpec(name, platform_python(), lock, wheels)

    def _keep_wheels(self, fetched: Path, kept: Path, wheels: tuple[RuntimeWheel, ...]) -> None:
        """Keep the wheels beside the runtime, as second names of the store's bytes if possible.

        A store that lost them (restored from an old copy) is filled again from here.
        """
        kept.mkdir()
        for wheel in wheels:
            stored = self.store.path(wheel.sha256)
            try:
                if stored is not None:
                    (kept / wheel.name).hardlink_to(stored)
                    continue
            except OSError:
                pass
            (fetched / wheel.name).rename(kept / wheel.name)

    def _fetch(
        self, lock: str, folder: Path, log: Log, cancelled: Callable[[], bool]
    ) -> tuple[RuntimeWheel, ...]:
        """Fetch every wheel of the lock by hash and keep it in the store."""
        folder.mkdir()
        (folder.parent / "lock.txt").write_text(lock)
        log("Fetching wheels by hash")
        package_index.download(folder.parent / "lock.txt", folder, cancelled)
        wheels = []
        for file in sorted(folder.iterdir()):
            with file.open("rb") as stream:
                sha256, size = self.store.put_stream(stream)
            wheels.append(RuntimeWheel(file.name, sha256, size))
        log(f"{len(wheels)} wheels, {spell_size(sum(w.size for w in wheels))}, kept by hash")
        return tuple(wheels)

    def _install(
        self, making: Path, final: Path, lock: str, log: Log, cancelled: Callable[[], bool]
    ) -> None:
        """Install offline in the sandbox and compile the bytecode once; nothing of a wheel runs
        meanwhile, as on a node (``placet_agent.downloads.wheels``)."""
        home, uv, base = making / "home", package_index.uv_program(), str(interpreter())
        home.mkdir()

        def run(what: str, words: list[str], accept: tuple[int, ...] = (0,)) -> None:
            # the folder is a mount of its own: what runs inside cannot put a link in its place
            result = self.sandbox.run(
                words,
                env={"UV_CACHE_DIR": str(home / ".uv-cache"), "UV_NO_CONFIG": "1"},
                binds_ro=[uv, making / "wheels", making / "lock.txt"],
                binds_rw=[home],
                limits=Limits(seconds=package_index.FETCH_SECONDS, disk_mb=20_000, files=500_000),
                cancelled=cancelled,
                on_line=log,
            )
            good = result.reason == "exited" and result.returncode in accept
            _require(good, result.reason, result.sentence(what))

        log("Installing the wheels offline in the sandbox")
        run("Making the runtime's folder", [base, "-I", "-m", "venv", "--without-pip", str(home)])
        shape_before = wheel_files.shape(home)
        check = Path(wheel_files.__file__).read_text()
        run("Looking at the wheels", [base, "-I", "-S", "-c", check, str(making / "wheels")])
        options = shlex.split("pip install --offline --no-index --require-hashes --no-deps --quiet")
        where = ["--find-links", str(making / "wheels"), "--python", str(home / "bin/python")]
        lock_file = ["-r", str(making / "lock.txt")]
        run("Installing the runtime", [str(uv), *options, *where, *lock_file])
        if wheel_files.shape(home) != shape_before:
            raise BuildFailed("A wheel put something in the place of the runtime's Python")
        remove(home / ".uv-cache")
        log("Compiling bytecode once")
        site = home / "lib" / f"python{platform_python()}" / "site-packages"
        options = shlex.split("-I -S -m compileall -q -q -j 2 --invalidation-mode unchecked-hash")
        where = ["-s", str(home), "-p", str(final), str(site)]
        # files that no Python 3 can compile (templates, old tests) make it end with status 1
        run("Compiling bytecode", [base, *options, *where], accept=(0, 1))


def _require(good: bool, reason: str, sentence: str) -> None:
    if reason == "cancelled":
        raise BuildCancelled
    if not good:
        raise BuildFailed(sentence)


def short(name: str) -> str:
    """Return a digest without its algorithm, as folders are named."""
    return name.removeprefix("sha256:")


def _write_whole(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{uuid4().hex[:8]}")
    part.write_text(text)
    crash_point("builds.before_lock_rename")
    part.rename(path)
    crash_point("builds.after_lock_rename")


@contextmanager
def _locked(path: Path, cancelled: Callable[[], bool]) -> Iterator[None]:
    """Hold an exclusive file lock; it ends with the process, however that ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if cancelled():
                    raise BuildCancelled from None
                time.sleep(0.1)
        yield
