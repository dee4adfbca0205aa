"""Records a whole platform of the previous release: what ``tests/contract/recorded`` has of it.

Takes that release's code from git, lays ``proofs/former/recorded`` among its tests, and has them
make a platform by its own actions; the log must give each of its rows there. Beside it run tests of
that release which bring about the kinds of events that the platform has not. All of it is written
to ``tests/contract/recorded/platform.tar.xz``, with keys that are new each time. Run it when the
previous release is another one; the tests of ``test_recorded_platform.py`` read it.
"""

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from argparse import ArgumentParser
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FORMER = "5a35692"
TESTS = ROOT / "proofs" / "former" / "recorded"
AMONG = "tests/recorded"
OUT = ROOT / "tests" / "contract" / "recorded" / "platform.tar.xz"

# Each brings about an event of a kind that the platform has not.
OTHERS = (TESTS / "others.txt").read_text().split()


def former(folder: Path) -> Path:
    """Unpack that release with the tests that record laid among its own."""
    folder.mkdir()
    archive = subprocess.run(["git", "archive", FORMER], cwd=ROOT, capture_output=True)
    if archive.returncode:
        raise SystemExit(f"{FORMER} is not in this clone: fetch the whole history")
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive.stdout, check=True)
    shutil.copytree(TESTS, folder / AMONG)
    return folder


def record(code: Path, folder: Path) -> None:
    """Run the tests that make it; fail when one of them does."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PLACET_", "PYTHONPATH"))}
    words = [sys.executable, "-m", "pytest", "-q", "-p", "tests.recorded.gathering", AMONG]
    words += [f"tests/integration/{name}" for name in OTHERS]
    where = {"PLACET_RECORDED": str(folder)}
    done = subprocess.run(words, cwd=code, env=clean | where, stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise SystemExit(f"pytest ended with {done.returncode}")


def anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Return an entry that says nothing of who packed it, and when."""
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = ""
    return member


def main() -> int:
    """Record it."""
    ArgumentParser(description="Record a whole platform of the previous release.").parse_args()
    with tempfile.TemporaryDirectory(prefix="placet-recorded-") as name:
        folder = Path(name, "platform")
        record(former(Path(name, "previous")), folder)
        with tarfile.open(OUT, "w:xz", preset=9) as archive:
            for path in sorted(folder.rglob("*")):
                where = str(path.relative_to(folder))
                archive.add(path, where, recursive=False, filter=anonymous)
    print(f"{OUT.relative_to(ROOT)}: {OUT.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
