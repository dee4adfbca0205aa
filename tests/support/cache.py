"""What takes long to make and is the same in every run: kept between runs, never needed."""

import os
import tempfile
from pathlib import Path


def folder(name: str) -> Path:
    """Return a folder that outlives this run and that nobody else can write to.

    It lies in ``PLACET_TEST_CACHE``, or where this machine keeps what is temporary. Raises
    ``RuntimeError`` when the place belongs to somebody else.
    """
    place = os.environ.get("PLACET_TEST_CACHE")
    top = Path(place) if place else Path(tempfile.gettempdir()) / f"placet-test-{os.getuid()}"
    top.mkdir(mode=0o711, parents=True, exist_ok=True)
    if top.stat().st_uid != os.getuid() or top.is_symlink():
        raise RuntimeError(f"{top} belongs to somebody else: name a folder in PLACET_TEST_CACHE")
    return top / name


RUNTIMES = folder("runtimes")  # a file lock makes the second process wait for the first
