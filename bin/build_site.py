"""Makes what Placet serves beside its pages: the guides as a site, and its own wheels.

``bin/build_site.py FOLDER`` writes ``docs``, ``docs-warnings.txt`` and ``wheels`` below it, unless
they are those of the sources as they are. It needs the packages of ``requirements/site.txt`` and no
network. The same sources give the same wheels, byte for byte.
"""

import os
import shutil
import sys
import tempfile
from hashlib import sha256
from pathlib import Path

from hatchling.builders.wheel import WheelBuilder
from sphinx.cmd.build import main as sphinx

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("placet_agent", "placet_client", "placet_protocol", "placet_verify")
WHEELS = {"agent": "placet_agent", "client": "placet_client"}
LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc")
FIXED_TIME = "1580601600"  # of every file in a wheel


def sources() -> list[Path]:
    """Every file that counts, in one order."""
    places = [ROOT / "docs", *(ROOT / "platform" / name for name in PACKAGES)]
    found = [path for place in places for path in place.rglob("*") if path.is_file()]
    locks = [ROOT / "requirements" / f"{name}.txt" for name in ("site", *WHEELS)]
    return sorted(
        path for path in [*found, *locks, Path(__file__)] if "__pycache__" not in path.parts
    )


def state() -> str:
    """A digest of all sources, by which a change of any is known."""
    digest = sha256()
    for path in sources():
        name = os.fsencode(path.relative_to(ROOT))
        digest.update(b"%d %s %d " % (len(name), name, path.stat().st_size) + path.read_bytes())
    return digest.hexdigest()


def build_docs(out: Path, work: Path) -> None:
    """Build the guides; what leads nowhere is listed beside them."""
    warnings = out / "docs-warnings.txt"
    words = ["-q", "-E", "-w", warnings, "-c", ROOT / "docs" / "site", "-d", work / "doctrees"]
    if code := sphinx([str(word) for word in [*words, ROOT / "docs", out / "docs"]]):
        raise SystemExit(code)


def build_wheels(out: Path, work: Path) -> None:
    """Build each wheel from a copy without what a run leaves behind, with the lock beside it."""
    for name in PACKAGES:
        shutil.copytree(ROOT / "platform" / name, work / name, ignore=LEFT_OUT)
    os.environ["SOURCE_DATE_EPOCH"] = FIXED_TIME
    for short, name in WHEELS.items():
        list(WheelBuilder(str(work / name)).build(directory=str(out / "wheels")))
        shutil.copy(ROOT / "requirements" / f"{short}.txt", out / "wheels")


def main(out: Path) -> None:
    """Build into a folder beside, and put it in place when all of it is there."""
    os.umask(0o022)  # whoever serves it is another user
    out.mkdir(parents=True, exist_ok=True)
    stamp, now = out / "built-from", state()
    if stamp.exists() and stamp.read_text() == now:
        return
    stamp.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(dir=out) as folder:
        made, work = Path(folder, "made"), Path(folder, "work")
        made.mkdir()
        work.mkdir()
        build_docs(made, work)
        build_wheels(made, work)
        for part in made.iterdir():
            if (there := out / part.name).is_dir():
                there.rename(work / f"old-{part.name}")
            part.rename(there)
    stamp.write_text(now)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
