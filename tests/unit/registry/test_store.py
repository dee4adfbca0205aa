"""The content-addressed store: whole, in place, or not at all."""

import errno
import hashlib
import io
import os
import threading
from pathlib import Path

import pytest

from apps.registry.errors import (
    BlobCorrupt,
    BlobMissing,
    DigestMismatch,
    OffsetMismatch,
    StorageFull,
    UploadBusy,
)
from apps.registry.store import Store
from placet.kernel.problems import TooLarge

DATA = os.urandom(3_000_000)
SHA256 = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def everything_in(store: Store) -> set[str]:
    return {str(p.relative_to(store.root)) for p in store.root.rglob("*") if p.is_file()}


def test_a_blob_lies_under_its_digest_read_only(store: Store) -> None:
    assert store.put_stream(io.BytesIO(DATA), expected=SHA256) == (SHA256, len(DATA))
    assert everything_in(store) == {f"sha256/{SHA256[:2]}/{SHA256}"}
    assert store.exists(SHA256)
    assert store.exists("sha256:" + SHA256)
    assert store.path(SHA256).stat().st_mode & 0o777 == 0o444
    with store.open_verified(SHA256) as stream:
        assert stream.read() == DATA


def test_the_same_bytes_twice_are_one_blob(store: Store) -> None:
    store.put_stream(io.BytesIO(DATA))
    store.put_stream(io.BytesIO(DATA))
    assert len(everything_in(store)) == 1


def test_other_bytes_than_announced_leave_nothing(store: Store) -> None:
    with pytest.raises(DigestMismatch):
        store.put_stream(io.BytesIO(DATA + b"!"), expected=SHA256)
    assert everything_in(store) == set()


def test_more_bytes_than_allowed_leave_nothing(store: Store) -> None:
    with pytest.raises(TooLarge):
        store.put_stream(io.BytesIO(DATA), limit=len(DATA) - 1)
    assert everything_in(store) == set()


def test_a_damaged_blob_is_not_handed_out(store: Store) -> None:
    store.put_stream(io.BytesIO(DATA))
    path = store.path(SHA256)
    path.chmod(0o600)
    with path.open("r+b") as file:
        file.seek(1000)
        file.write(bytes([DATA[1000] ^ 1]))
    with pytest.raises(BlobCorrupt):
        store.open_verified(SHA256)
    with pytest.raises(BlobCorrupt):
        store.read(SHA256, limit=10_000_000)


def test_a_missing_blob_says_so(store: Store) -> None:
    with pytest.raises(BlobMissing):
        store.open(SHA256)


@pytest.mark.parametrize("name", ["../../etc/passwd", "sha256:../x", "", "A" * 64, "a" * 63])
def test_a_digest_that_is_none_names_no_path(store: Store, name: str) -> None:
    with pytest.raises(ValueError, match="not a SHA-256"):
        store.path(name)


@pytest.mark.parametrize("name", ["../upl", "a/b", "", "."])
def test_an_upload_cannot_be_called_like_a_path(store: Store, name: str) -> None:
    with pytest.raises(ValueError, match="not the name"):
        store.incoming(name)


def test_chunks_grow_an_upload_until_it_is_kept(store: Store) -> None:
    for offset in range(0, len(DATA), 1_000_000):
        with store.writing("upl_1") as file:
            assert store.append(file, offset, io.BytesIO(DATA[offset:]), 1_000_000) == 1_000_000
    store.keep("upl_1", SHA256)
    assert everything_in(store) == {f"sha256/{SHA256[:2]}/{SHA256}"}


class Cut(io.BytesIO):
    """A client that goes away in the middle."""

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell() >= 1_500_000:
            raise OSError("client went away")
        return super().read(min(size or 0, 500_000))


def test_a_cut_stream_keeps_what_came_and_goes_on_there(store: Store) -> None:
    with store.writing("upl_1") as file:
        assert store.append(file, 0, Cut(DATA), len(DATA)) == 1_500_000
    with store.writing("upl_1") as file:
        store.append(file, 1_500_000, io.BytesIO(DATA[1_500_000:]), len(DATA))
    store.keep("upl_1", SHA256)
    assert store.exists(SHA256)


def test_bytes_that_nobody_acknowledged_are_written_anew(store: Store) -> None:
    with store.writing("upl_1") as file:
        store.append(file, 0, io.BytesIO(b"junk of a worker that died"), 100)
    with store.writing("upl_1") as file:
        store.append(file, 0, io.BytesIO(DATA), len(DATA))
    store.keep("upl_1", SHA256)
    assert store.exists(SHA256)


def test_a_chunk_beyond_the_end_is_refused(store: Store) -> None:
    with store.writing("upl_1") as file, pytest.raises(OffsetMismatch):
        store.append(file, 5, io.BytesIO(b"x"), 1)


class Counted(io.BytesIO):
    """A stream that notes how much was asked of it at once."""

    largest = 0

    def read(self, size: int | None = -1, /) -> bytes:
        assert size is not None
        assert size > 0
        self.largest = max(self.largest, size)
        return super().read(size)


def test_a_large_file_is_never_in_memory_whole(store: Store) -> None:
    whole, chunked = Counted(DATA), Counted(DATA)
    store.put_stream(whole)
    with store.writing("upl_1") as file:
        store.append(file, 0, chunked, len(DATA))
    assert max(whole.largest, chunked.largest) < len(DATA) / 2


def test_two_writers_at_once_are_one_too_many(store: Store) -> None:
    with store.writing("upl_1"), pytest.raises(UploadBusy), store.writing("upl_1"):
        pass


def test_a_writer_who_waited_does_not_write_into_a_blob(store: Store) -> None:
    """Who opened the file before it became a blob must not append to it afterwards."""
    with store.writing("upl_1") as file:
        store.append(file, 0, io.BytesIO(DATA), len(DATA))
        late = store.incoming("upl_1").open("ab")
        store.keep("upl_1", SHA256)
    with late:
        refused: list[bool] = []

        def write() -> None:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(Path, "open", lambda self, mode: late)
                try:
                    with store.writing("upl_1"):
                        refused.append(False)
                except UploadBusy:
                    refused.append(True)

        thread = threading.Thread(target=write)
        thread.start()
        thread.join()
    assert refused == [True]


def test_wrong_bytes_of_an_upload_are_dropped(store: Store) -> None:
    with store.writing("upl_1") as file:
        store.append(file, 0, io.BytesIO(b"other"), 5)
    with pytest.raises(DigestMismatch):
        store.keep("upl_1", SHA256)
    assert everything_in(store) == set()


class FullDisk:
    """A file on a disk with room for the first bytes only."""

    def __init__(self, file: io.BufferedRandom) -> None:
        self.file = file

    def __getattr__(self, name: str) -> object:
        return getattr(self.file, name)

    def write(self, piece: bytes) -> int:
        self.file.write(piece[:100])
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_cuts_the_upload_back_to_where_it_stood(store: Store) -> None:
    with store.writing("upl_1") as file:
        store.append(file, 0, io.BytesIO(DATA), 1000)
    with pytest.raises(StorageFull), store.writing("upl_1") as file:
        store.append(FullDisk(file), 1000, io.BytesIO(DATA), 1000)  # type: ignore[arg-type]
    assert store.incoming("upl_1").stat().st_size == 1000


def test_a_full_disk_leaves_no_blob(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    store.put_stream(io.BytesIO(b"makes the folders"))
    before = everything_in(store)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageFull):
        store.put_stream(io.BytesIO(DATA))
    assert everything_in(store) == before


def test_what_a_crash_left_behind_is_found_by_age(store: Store) -> None:
    with store.writing("upl_old") as file:
        store.append(file, 0, io.BytesIO(b"x"), 1)
    with store.writing("upl_new"):
        pass
    os.utime(store.incoming("upl_old"), (1000, 1000))
    assert list(store.leftovers(before=2000)) == ["upl_old"]
    (store.root / "incoming" / "unpack_x" / "content").mkdir(parents=True)
    store.drop("unpack_x")
    store.drop("upl_old")
    assert everything_in(store) == {"incoming/upl_new"}
