"""Checkpoints kept as files outside the database, which a rewritten database cannot change."""

import re
from pathlib import Path

from placet.kernel.config import config
from placet.kernel.keystore import ring
from placet_verify.log import checkpoint
from placet_verify.log.checkpoint import Checkpoint

LATEST = "latest.txt"
_BY_SIZE = re.compile(r"\d+\.txt")


def folder() -> Path:
    """Return the folder of the kept checkpoints. Copy it to another machine if you can."""
    return config().data_dir / "checkpoints"


def newest_kept() -> tuple[Path, Checkpoint] | None:
    """Return the newest kept checkpoint and its file, its signature checked; ``None`` at first."""
    path = folder() / LATEST
    if not path.exists():
        return None
    return path, read_kept(path)


def newest_text() -> str:
    """Return what stands in the newest kept checkpoint, unchecked; '' where there is none."""
    path = folder() / LATEST
    return path.read_text("utf-8") if path.exists() else ""


def read_kept(path: Path) -> Checkpoint:
    """Read one checkpoint file; raise ``Refused`` when no log key of ours signed it."""
    return checkpoint.verify(path.read_text("utf-8"), checkpoint.log_keys(ring()))


def kept_sizes() -> list[int]:
    """Return the sizes of the kept checkpoints, ascending."""
    if not folder().exists():
        return []
    return sorted(int(p.stem) for p in folder().iterdir() if _BY_SIZE.fullmatch(p.name))
