"""A real file system with little room."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

BALLAST = "ballast"


@contextmanager
def small(folder: Path, megabytes: int = 1) -> Iterator[Path]:
    """Mount a file system with so much room at ``folder``; skip the test where nobody may."""
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    if subprocess.run(words, capture_output=True).returncode:
        pytest.skip("mounting a small tmpfs needs root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@contextmanager
def of_its_own(folder: Path, megabytes: int = 128) -> Iterator[Path]:
    """Mount a disk that keeps what it was told, ext4 on a file, at ``folder``; yield the file."""
    image = folder.with_suffix(".img")
    with image.open("wb") as stream:
        stream.truncate(megabytes << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", str(image)], check=True)
    with mounted(image, folder):
        yield image
    image.unlink()


@contextmanager
def mounted(image: Path, folder: Path) -> Iterator[Path]:
    """Mount what a file holds at ``folder``; skip the test where nobody may."""
    folder.mkdir()
    words = ["mount", "-o", "loop", str(image), str(folder)]
    if subprocess.run(words, capture_output=True).returncode:
        pytest.skip("mounting a disk of its own needs root and loop devices")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@contextmanager
def after_a_power_cut(image: Path, folder: Path) -> Iterator[Path]:
    """Mount at ``folder`` what a disk would hold if the power went now."""
    cut = folder.with_suffix(".img")
    subprocess.run(["cp", "--sparse=always", str(image), str(cut)], check=True)
    with mounted(cut, folder):
        yield folder
    cut.unlink()


def fill(disk: Path) -> Path:
    """Leave no byte of room; return the file to remove for room again."""
    ballast = disk / BALLAST
    with ballast.open("wb", buffering=0) as stream:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while stream.write(b"0" * size):
                    pass
            except OSError:
                continue
    return ballast
