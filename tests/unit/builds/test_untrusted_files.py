"""What a sandboxed program leaves behind is looked at without being led astray."""

import os
from pathlib import Path

import pytest

from workers.builder.untrusted_files import is_inside, read_json, read_plain


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


def test_a_link_on_the_way_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "real" / "deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert is_inside(tmp_path / "real" / "deep", tmp_path)
    assert not is_inside(tmp_path / "link" / "deep", tmp_path)
