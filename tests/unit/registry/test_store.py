"""The content-addressed store: whole, in place, or not at all.

One suite that both backends pass: a folder, and a bucket of moto's S3 server over real HTTP.
"""

import errno
import hashlib
import io
import os
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
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
from apps.registry.store import BlobFolder, Store
from placet.kernel.problems import TooLarge
from tests.support import disk
from tests.support.bucket import S3

DATA = os.urandom(3_000_000)
SHA256 = hashlib.sha256(DATA).hexdigest()


@pytest.fixture(params=["folder", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "folder":
        return Store(tmp_path)
    server: S3 = request.getfixturevalue("bucket_server")
    from apps.registry.store.bucket import Bucket

    return Store(tmp_path, Bucket(server.address("some/prefix")))


def everything_in(store: Store) -> set[str]:
    """Return the blobs by their digest, and what is on its way by its name."""
    here = {p.name for p in store.root.rglob("*") if p.is_file()}
    return here | {found.sha256 for found in store.listing()}


def damage(store: Store, data: bytes) -> None:
    """Put other bytes where the blob of ``DATA`` lies, past the store."""
    if (path := store.path(SHA256)) is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_bytes(data)
        return
    from apps.registry.store.bucket import Bucket
    from placet.kernel.s3 import client

    assert isinstance(store.backend, Bucket)
    address = store.backend.address
    client(address).put_object(Bucket=address.bucket, Key=store.backend.key(SHA256), Body=data)


CHANGED = DATA[:1000] + bytes([DATA[1000] ^ 1]) + DATA[1001:]


def test_a_blob_lies_under_its_digest(store: Store) -> None:
    assert store.put_stream(io.BytesIO(DATA), expected=SHA256) == (SHA256, len(DATA))
    assert everything_in(store) == {SHA256}
    assert store.exists(SHA256)
    assert store.exists("sha256:" + SHA256)
    assert not store.exists("0" * 64)
    with store.open_verified(SHA256) as stream:
        assert stream.read() == DATA
    with store.open(SHA256) as stream:
        assert stream.read() == DATA
    assert store.read(SHA256, limit=len(DATA)) == DATA


def test_a_listing_tells_size_and_time(store: Store) -> None:
    before = datetime.now(tz=UTC) - timedelta(seconds=2)
    store.put_stream(io.BytesIO(DATA))
    (found,) = store.listing()
    assert (found.sha256, found.size) == (SHA256, len(DATA))
    assert before < found.modified <= datetime.now(tz=UTC) + timedelta(seconds=1)


def test_a_deleted_blob_is_gone_and_deleting_it_again_is_no_error(store: Store) -> None:
    store.put_stream(io.BytesIO(DATA))
    store.delete(SHA256)
    store.delete(SHA256)
    assert not store.exists(SHA256)
    assert everything_in(store) == set()


def test_nobody_writes_into_a_blob_of_the_folder(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.put_stream(io.BytesIO(DATA))
    path = store.path(SHA256)
    assert path == tmp_path / "sha256" / SHA256[:2] / SHA256
    assert path.stat().st_mode & 0o777 == 0o444


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
    damage(store, CHANGED)
    with pytest.raises(BlobCorrupt):
        store.open_verified(SHA256)
    with pytest.raises(BlobCorrupt):
        store.read(SHA256, limit=10_000_000)
    assert everything_in(store) == {SHA256}, "a refused read left something behind"


def test_bytes_put_again_mend_a_damaged_blob(store: Store) -> None:
    for damaged in (CHANGED, DATA[:-1], b""):
        damage(store, damaged)
        store.put_stream(io.BytesIO(DATA))
        with store.open_verified(SHA256) as stream:
            assert stream.read() == DATA


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
    assert everything_in(store) == {SHA256}


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


def test_wrong_bytes_of_an_upload_become_no_blob(store: Store) -> None:
    with store.writing("upl_1") as file:
        store.append(file, 0, io.BytesIO(b"other"), 5)
    verified: list[bool] = []
    with pytest.raises(DigestMismatch):
        store.keep("upl_1", SHA256, lambda: verified.append(True))
    assert (everything_in(store), verified) == ({"upl_1"}, []), "their row goes before they do"


def test_that_bytes_were_verified_is_told_before_they_move(store: Store) -> None:
    with store.writing("upl_1") as file:
        store.append(file, 0, io.BytesIO(DATA), len(DATA))

    def refuse() -> None:
        assert everything_in(store) == {"upl_1"}
        raise UploadBusy

    with pytest.raises(UploadBusy):
        store.keep("upl_1", SHA256, refuse)
    assert everything_in(store) == {"upl_1"}


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


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system with room for one megabyte."""
    with disk.small(tmp_path / "disk") as folder:
        yield folder


def test_a_full_disk_leaves_no_blob_and_room_made_is_enough(store: Store, small_disk: Path) -> None:
    small = Store(small_disk, None if isinstance(store.backend, BlobFolder) else store.backend)
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"0" * 600_000)
    half = DATA[:500_000]
    with pytest.raises(StorageFull):
        small.put_stream(io.BytesIO(half))
    with pytest.raises(StorageFull), small.writing("upl_1") as file:
        small.append(file, 0, io.BytesIO(half), len(half))
    assert everything_in(small) == {"ballast", "upl_1"}
    assert small.incoming("upl_1").stat().st_size == 0
    ballast.unlink()
    with small.writing("upl_1") as file:
        assert small.append(file, 0, io.BytesIO(half), len(half)) == len(half)
    name = hashlib.sha256(half).hexdigest()
    small.keep("upl_1", name)
    assert everything_in(small) == {name}


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
    assert everything_in(store) == {"upl_new"}
