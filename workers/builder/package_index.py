"""Our own tools that ask the package index: what resolves requirements and what fetches wheels."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from workers.builder.errors import BuildCancelled, BuildFailed
from workers.builder.sandbox import interpreter

HASH_LINE = re.compile(r"^\s+--hash=sha256:[0-9a-f]{64}\s*\\?$")
NAME_LINE = re.compile(
    r"^[A-Za-z0-9][A-Za-z0-9._-]*(\[[A-Za-z0-9,._-]+\])?==[^\s;]+( ; [^\\]+)? \\$"
)
FETCH_SECONDS = 1800


def lock(inputs: list[str], cancelled: Callable[[], bool]) -> str:
    """Return every package that ``inputs`` need, with its version and hashes, and no address.

    Raises ``BuildFailed`` with the resolver's reason, and ``BuildCancelled``.
    """
    options = shlex.split(
        "pip compile --quiet --only-binary :all: --generate-hashes --no-emit-index-url"
        " --no-emit-find-links --no-header --no-annotate --no-config --python"
    )
    command = [str(uv_program()), *options, str(interpreter()), "-"]
    done = _outside(command, cancelled, text="\n".join(inputs) + "\n")
    if done.returncode:
        raise BuildFailed(f"The requirements cannot be resolved: {_because(done.stdout)}")
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    for line in lines:
        if not (NAME_LINE.match(line) or HASH_LINE.match(line)):
            raise BuildFailed(f"The lock holds a line that is not a pinned package: {_scrub(line)}")
    return "\n".join(lines) + "\n"


def download(lock_file: Path, folder: Path, cancelled: Callable[[], bool]) -> None:
    """Fetch every wheel of a lock by its hash into ``folder``.

    Raises ``BuildFailed`` when one cannot be had, and ``BuildCancelled``.
    """
    options = shlex.split(
        "pip download --quiet --require-hashes --no-deps --only-binary :all: --progress-bar off"
    )
    where = ["--dest", str(folder), "--requirement", str(lock_file)]
    fetched = _outside([sys.executable, "-m", *options, *where], cancelled)
    if fetched.returncode:
        raise BuildFailed(f"A wheel could not be fetched: {_scrub(fetched.stdout)}")


def pinned(lock: str) -> dict[str, str]:
    """Return name → version of a lock."""
    versions = {}
    for line in lock.splitlines():
        if NAME_LINE.match(line):
            name, _, rest = line.partition("==")
            versions[name.partition("[")[0]] = rest.split(" ")[0]
    return versions


@dataclass(frozen=True, slots=True)
class _Done:
    returncode: int
    stdout: str


def _outside(words: list[str], cancelled: Callable[[], bool], text: str = "") -> _Done:
    """Run a tool of ours that needs the network, as a group that can be ended."""
    ours = ("PLACET_", "AWS_")  # settings and credentials that no tool needs
    env = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
    process = subprocess.Popen(
        words,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=env,
    )
    deadline = time.monotonic() + FETCH_SECONDS
    stdin_text: str | None = text
    while True:
        try:
            output, _ = process.communicate(stdin_text, timeout=0.25)
            return _Done(process.returncode, output)
        except subprocess.TimeoutExpired:
            stdin_text = None
            if cancelled() or time.monotonic() > deadline:
                process.kill()
                process.communicate()
                if time.monotonic() > deadline:
                    raise BuildFailed("The package index did not answer in time") from None
                raise BuildCancelled from None


def _because(text: str) -> str:
    """Return the resolver's reason without the heading above it and the frame around it."""
    plain = re.sub(r"(?m)^[\s\u2500-\u25ff\u00d7]+", "", text)
    return _scrub(plain[max(plain.find("Because "), 0) :])


def _scrub(text: str) -> str:
    """Return the last lines of a tool's output without any address."""
    clean = re.sub(r"\b[a-z+]+://\S+", "[address]", text)
    return " ".join(line.strip() for line in clean.splitlines()[-12:] if line.strip())[:1500]


def uv_program() -> Path:
    """Return the uv that came with this platform."""
    beside = Path(sys.executable).parent / "uv"
    path = str(beside) if beside.exists() else shutil.which("uv")
    if path is None:
        raise BuildFailed("uv is not installed beside this worker's Python")
    return Path(path).resolve()
