"""What a sandboxed program leaves behind is looked at without being led astray."""

import os
from pathlib import Path, PurePosixPath

import pytest

from workers.builder.untrusted_files import read_below, read_json, read_plain


def test_a_plain_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert read_plain(tmp_path / "a", 10) == b"abc"


@pytest.mark.parametrize("raw", [b"[" + b"[]," * 6_000_000 + b"1]", b"[" * 200_000, b"[1"])
def test_json_that_would_fill_memory_is_not_read(raw: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(raw)
    with pytest.raises(ValueError):
        read_json(tmp_path / "a.json", 64 << 20)
    (tmp_path / "a.json").write_bytes(b'[[200, "{}"]]')
    assert read_json(tmp_path / "a.json", 64) == [[200, "{}"]]


def test_links_devices_and_giants_are_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "giant").write_bytes(b"x" * 11)
    for name in ("link", "pipe", "giant", "missing"):
        with pytest.raises(OSError):
            read_plain(tmp_path / name, 10)


def test_a_file_is_read_below_a_folder_with_no_link_on_the_way(tmp_path: Path) -> None:
    (tmp_path / "real" / "deep").mkdir(parents=True)
    (tmp_path / "real" / "deep" / "a").write_bytes(b"abc")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "real" / "last").symlink_to("deep/a")
    assert read_below(tmp_path, PurePosixPath("real/deep/a"), 3) == b"abc"
    with pytest.raises(FileNotFoundError):
        read_below(tmp_path, PurePosixPath("real/other/a"), 3)
    for name, limit in (("link/deep/a", 3), ("real/last", 3), ("real/deep/a", 2), ("real/deep", 3)):
        with pytest.raises(OSError):
            read_below(tmp_path, PurePosixPath(name), limit)
