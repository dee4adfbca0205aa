"""The Python interpreters of this host; a runtime needs one of its own version."""

import json
import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_PROBE = (
    "import json,sys,os;print(json.dumps([list(sys.version_info[:3]),sys.base_prefix,"
    "os.path.realpath(sys.executable)]))"
)
_MINORS = range(9, 20)
_PROBES = 3  # so often one is asked that does not answer
# What a shell says where there is no such program: shims of versions that are not installed do.
_NO_PROGRAM = (126, 127)


@dataclass(frozen=True)
class Interpreter:
    """One interpreter, and the folder that must be visible where it runs."""

    path: Path
    version: tuple[int, int, int]
    prefix: Path

    @property
    def short(self) -> str:
        """``3.13``."""
        return f"{self.version[0]}.{self.version[1]}"


class NoInterpreter(Exception):
    """This node has no Python of the version that a runtime needs."""


class Interpreters:
    """The interpreters that were found, or that the operator named."""

    def __init__(self, named: list[Path]) -> None:
        by_version: dict[str, Interpreter] = {}
        for path in [*named, *_candidates()]:
            interpreter = probe(path)
            if interpreter is not None:
                by_version.setdefault(interpreter.short, interpreter)
        self._found = by_version

    @property
    def versions(self) -> list[str]:
        """``["3.11", "3.13"]``."""
        return sorted(self._found, key=lambda text: [int(part) for part in text.split(".")])

    def find(self, wanted: str) -> Interpreter:
        """Return the interpreter for ``3.13`` or ``3.13.5``."""
        short = ".".join(wanted.split(".")[:2])
        if short not in self._found:
            has = ", ".join(self.versions) or "none"
            raise NoInterpreter(f"no Python {short} on this node (it has {has})")
        return self._found[short]


def _candidates() -> list[Path]:
    """Return where Pythons may lie. A shim of pyenv's takes most of a second to lead to one of its
    versions, or to say that it has none: the versions are looked at instead.
    """
    names = [f"python3.{minor}" for minor in _MINORS]
    folders = [*map(Path, os.get_exec_path()), Path("/usr/bin")]
    shims = [folder for folder in folders if _is_of_pyenv(folder)]
    roots = [Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")]
    roots += [folder.parent / "versions" for folder in shims]
    roots.append(Path.home() / ".local/share/uv/python")
    for root in roots:
        folders += [folder / "bin" for folder in sorted(root.glob("*3.*"), reverse=True)]
    paths = [Path(sys.executable)]
    paths += [folder / name for folder in folders if folder not in shims for name in names]
    return [path for path in dict.fromkeys(paths) if path.exists()]


def _is_of_pyenv(folder: Path) -> bool:
    return folder.name == "shims" and (folder.parent / "versions").is_dir()


@cache
def _answer(path: Path) -> bytes:
    """Return what an interpreter says of itself; nothing where there is none. Answers are kept."""
    words = [str(path), "-I", "-S", "-c", _PROBE]
    done = subprocess.run(words, capture_output=True, timeout=20)
    if done.returncode in _NO_PROGRAM:
        return b""
    done.check_returncode()
    return done.stdout


def _asked(path: Path) -> bytes:
    """A host that is only busy, or short of something now, has its Pythons all the same."""
    for _ in range(_PROBES - 1):
        with suppress(OSError, subprocess.TimeoutExpired):
            return _answer(path)
    return _answer(path)


def probe(path: Path) -> Interpreter | None:
    """Ask an interpreter who it is; ``None`` if it does not answer."""
    try:
        version, prefix, real = json.loads(_asked(path))
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    major, minor, micro = version
    base = Path(prefix)
    # A virtual environment's program is a link into its base, which is what must be visible.
    executable = Path(real)
    return Interpreter(executable, (major, minor, micro), base)
