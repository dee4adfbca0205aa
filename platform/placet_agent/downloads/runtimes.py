"""Runtimes on this node: a Python and its locked packages, installed offline from our own wheels.

A runtime is made in the sandbox at ``/runtime`` and seen there by every replica, so its paths are
the same for ever. A runtime may be installed before anybody approved what is in it, and nothing of
it runs then: wheels are unpacked, and compiled by this host's own Python, never by the runtime's,
which starts with what the wheels say; wheels that would make it another Python are refused. The
installer has no network, sees its wheels alone, and has a user and control groups of its own.
"""

import importlib.util
import logging
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from placet_agent.client import Client
from placet_agent.downloads import trees, wheels
from placet_agent.downloads.leftovers import remove
from placet_agent.downloads.pythons import Interpreter, Interpreters
from placet_agent.faults import crash_point
from placet_agent.process import limits, sandbox
from placet_agent.process.sandbox import INSTALLER_UID, Cell
from placet_agent.state import files
from placet_protocol.fields import hex_digest
from placet_protocol.runtimes import RuntimeManifest, RuntimeRef
from placet_verify import canonical

log = logging.getLogger(__name__)
INSTALL_SECONDS = 1800
INSIDE = "/runtime"
TMP_BYTES = 8 << 30  # where wheels are unpacked first; it counts as memory
MEMORY_MB = (TMP_BYTES >> 20) + 2048


class RuntimeFailed(Exception):
    """The runtime cannot be installed here."""


@dataclass(frozen=True)
class InstalledRuntime:
    """A runtime that is ready to use."""

    folder: Path
    interpreter: Interpreter

    @property
    def binds(self) -> dict[str, Path]:
        """What must be visible where its interpreter runs."""
        return {**interpreter_binds(self.interpreter), INSIDE: self.folder}


def interpreter_binds(interpreter: Interpreter) -> dict[str, Path]:
    """Return the folders of an interpreter that is not the system's; it may lie under a home."""
    binds = {}
    for folder in (interpreter.prefix, interpreter.path.parent.parent):
        if not folder.is_relative_to("/usr"):
            binds[str(folder)] = folder
    return binds


class RuntimeFolder:
    """The folder of runtimes: ``<hex>/home`` beside ``<hex>/lock.txt``."""

    def __init__(self, folder: Path, client: Client, interpreters: Interpreters) -> None:
        self.folder = folder
        self.client = client
        self.interpreters = interpreters
        self._checked: set[str] = set()  # what is as it was installed

    def has(self, digest: str) -> bool:
        """Whether the runtime is installed; a half-made one never has this name."""
        return (self.folder / hex_digest(digest) / "home").is_dir()

    def get(self, ref: RuntimeRef) -> InstalledRuntime:
        """Return an installed runtime."""
        interpreter = self.interpreters.find(ref.python_version)
        return InstalledRuntime(self.folder / hex_digest(ref.digest) / "home", interpreter)

    def lock(self, digest: str) -> str:
        """Return the lock that the runtime was installed from."""
        return (self.folder / hex_digest(digest) / "lock.txt").read_text()

    def install(self, digest: str, python_version: str = "") -> None:
        """Make sure that the runtime is installed; raise ``NoInterpreter`` without its Python.

        One that is not as it was installed, a power cut may have left it so, is installed anew.
        """
        if self.has(digest) and self._whole(digest, python_version):
            return
        if python_version:
            self.interpreters.find(python_version)
        manifest = self.client.manifest(digest)
        named = {"python_version": manifest["python_version"], "lock": manifest["lock"]}
        if canonical.digest(named) != f"sha256:{hex_digest(digest)}":
            raise RuntimeFailed("the runtime that came has another digest than the one wanted")
        interpreter = self.interpreters.find(manifest["python_version"])
        name = hex_digest(digest)
        with files.making(self.folder, name) as making:
            for folder in ("wheels", "home"):
                files.make_folder(making / folder, 0o755)
            self._fetch_wheels(manifest, making)
            self._install(interpreter, making)
            self._compile(interpreter, making)
            remove(making / "wheels")
            trees.seal(making / "home")
            making.chmod(0o755)
            (making / "listing").write_text(_listing(making / "home"))
            files.sync_tree(making)
            remove(self.folder / name)
            crash_point("agent.before_runtime_rename")
            making.rename(self.folder / name)
        files.sync_folder(self.folder)
        crash_point("agent.after_runtime_rename")

    def _whole(self, digest: str, python_version: str) -> bool:
        """Tell whether lock and files are those that were installed: once while an agent runs.

        An agent of an earlier release wrote no listing: there the lock alone speaks.
        """
        if digest in self._checked:
            return True
        folder = self.folder / hex_digest(digest)
        try:
            named = {"python_version": python_version, "lock": self.lock(digest)}
            fits = not python_version or canonical.digest(named) == f"sha256:{hex_digest(digest)}"
            listing = folder / "listing"
            if listing.exists():
                fits &= listing.read_text() == _listing(folder / "home")
        except (FileNotFoundError, UnicodeDecodeError):
            fits = False
        if fits and python_version:
            self._checked.add(digest)
        if not fits:
            log.warning("the runtime %s is not as it was installed: it is installed anew", digest)
        return fits

    def _fetch_wheels(self, manifest: RuntimeManifest, making: Path) -> None:
        lock = making / "lock.txt"
        lock.write_text(manifest["lock"])
        lock.chmod(0o644)
        for wheel in manifest["wheels"]:
            path = making / "wheels" / wheel["name"]
            self.client.download(wheel["sha256"], wheel["size"], path)
            path.chmod(0o644)

    def _install(self, interpreter: Interpreter, making: Path) -> None:
        """Make the virtual environment and install the wheels, each checked against the lock."""
        python, home = str(interpreter.path), making / "home"
        program, binds = _installer()
        words = "--no-index --find-links /wheels --require-hashes --no-deps --quiet -r /lock.txt"
        self._run(interpreter, making, [python, "-I", "-m", "venv", "--without-pip", INSIDE])
        shape_before = wheels.shape(home)
        check = Path(wheels.__file__).read_text()
        self._run(interpreter, making, [python, "-I", "-S", "-c", check, "/wheels"])
        self._run(interpreter, making, [*program, *words.split()], binds)
        trees.bound(home)  # before anything reads all names of a folder
        if wheels.shape(home) != shape_before:
            raise RuntimeFailed("a wheel put something in the place of the runtime's Python")

    def _compile(self, interpreter: Interpreter, making: Path) -> None:
        """Compile all bytecode once: a Bento is then ready in 3 s instead of 10 to 14.

        ``-S``: what was just installed is not started. (It passes that on to its workers.)
        """
        words = [str(interpreter.path), "-I", "-S", "-m", "compileall", "-q", "-q", "-j", "2"]
        words += ["--invalidation-mode", "unchecked-hash", f"{INSIDE}/lib"]
        # Files that no Python 3 can compile (templates, old tests) make it end with status 1.
        self._run(interpreter, making, words, accept=(0, 1))

    def _run(
        self,
        interpreter: Interpreter,
        making: Path,
        program: list[str],
        binds: Mapping[str, Path] = MappingProxyType({}),
        accept: tuple[int, ...] = (0,),
    ) -> None:
        if sandbox.isolation() != "bwrap":
            raise RuntimeFailed(sandbox.NO_BWRAP)
        # Another agent of this host may install the same runtime at the same time.
        limiter, group = limits.limiter(), f"install-{os.getpid()}{making.name}"
        try:
            cell = _cell(interpreter, making, binds, limiter, group)
            done = subprocess.run(
                sandbox.command(cell, program),
                capture_output=True,
                text=True,
                errors="replace",
                timeout=INSTALL_SECONDS,
                check=False,
                env={},
            )
        finally:
            limiter.remove_soon(group)  # its first process may be just ending
        if done.returncode not in accept:
            tail = " ".join((done.stdout + done.stderr).split())[-1500:]
            raise RuntimeFailed(f"installing the runtime failed: {tail}")


def _listing(home: Path) -> str:
    """Return what tells the files of a runtime, by name and size, from any others."""
    rows = sorted(
        (os.path.relpath(entry.path, home), entry.stat(follow_symlinks=False).st_size)
        for entry in _files(home)
    )
    return canonical.digest([list(row) for row in rows])


def _files(folder: Path) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _files(Path(entry.path))
            else:
                yield entry


def _cell(
    interpreter: Interpreter,
    making: Path,
    binds: Mapping[str, Path],
    limiter: limits.Limiter,
    group: str,
) -> Cell:
    """Return what the installer sees; the folder that it fills becomes its own."""
    uid = sandbox.user(INSTALLER_UID)
    if uid is not None:
        os.chown(making / "home", uid, uid)
    return Cell(
        uid=uid,
        read_only={
            **interpreter_binds(interpreter),
            **binds,
            "/wheels": making / "wheels",
            "/lock.txt": making / "lock.txt",
        },
        writable={INSIDE: making / "home"},
        variables={"UV_NO_CONFIG": "1", "UV_CACHE_DIR": "/tmp/uv", "UV_OFFLINE": "1"},  # noqa: S108
        tmp_bytes=TMP_BYTES,
        limits=(*Cell(uid=None).limits, *limiter.words(MEMORY_MB)),
        groups=limiter.make(group, MEMORY_MB),
    )


def _installer() -> tuple[list[str], dict[str, Path]]:
    """Return the program that installs and what it needs to be visible: uv, else pip."""
    uv = shutil.which("uv") or _packaged_uv()
    python = f"{INSIDE}/bin/python"
    if uv is not None:
        words = ["/uv", "pip", "install", "--offline", "--link-mode", "copy", "--python", python]
        return words, {"/uv": Path(uv).resolve()}
    pip = importlib.util.find_spec("pip")
    if pip is None or pip.origin is None:
        raise RuntimeFailed("there is neither uv nor pip beside this agent")
    return [python, "-I", "/pip", "install", "--no-cache-dir"], {"/pip": Path(pip.origin).parent}


def _packaged_uv() -> str | None:
    try:
        from uv import find_uv_bin

        return str(find_uv_bin())
    except (ImportError, FileNotFoundError):
        return None
