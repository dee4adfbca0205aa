"""A bucket on bad days: cut connections, refusals, damage. Real HTTP, moto's server behind it."""

import base64
import hashlib
import io
import os
import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from apps.registry.errors import BlobCorrupt, BlobMissing, StorageFull, StoreUnavailable
from apps.registry.store import Store
from apps.registry.store.bucket import Bucket
from placet.kernel import s3
from placet.kernel.s3 import client
from tests.support.bucket import CREDENTIALS, NAME, S3, Fault, error

PART = 5 * 1024 * 1024  # the smallest that S3 takes
DATA = os.urandom(2 * PART + 1000)
SHA256 = hashlib.sha256(DATA).hexdigest()
SMALL = DATA[:1000]


@pytest.fixture
def store(bucket_server: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setattr(s3, "ATTEMPTS", 2)
    client.cache_clear()
    yield Store(tmp_path, Bucket(bucket_server.address("models"), part=PART))
    client.cache_clear()


def blobs(store: Store) -> list[str]:
    return [found.sha256 for found in store.listing()]


def unfinished(server: S3) -> list[Any]:
    found: list[Any] = (
        client(server.address()).list_multipart_uploads(Bucket=NAME).get("Uploads", [])
    )
    return found


def asked(server: S3, method: str) -> int:
    return sum(1 for found, _ in server.requests if found == method)


def test_an_object_is_put_once_with_the_checksum_of_its_bytes(
    store: Store, bucket_server: S3
) -> None:
    digest, _ = store.put_stream(io.BytesIO(SMALL))
    (put,) = [h for h in bucket_server.headers if "HTTP_X_AMZ_CHECKSUM_SHA256" in h]
    assert put["HTTP_IF_NONE_MATCH"] == "*"
    assert bucket_server.requests == [("PUT", f"/{NAME}/models/sha256/{digest[:2]}/{digest}")]
    before = client(bucket_server.address()).head_object(
        Bucket=NAME, Key=f"models/sha256/{digest[:2]}/{digest}", ChecksumMode="ENABLED"
    )
    assert base64.b64decode(before["ChecksumSHA256"]).hex() == digest
    bucket_server.forget()
    store.put_stream(io.BytesIO(SMALL))
    assert [method for method, _ in bucket_server.requests] == ["PUT", "HEAD"]


def test_a_large_file_goes_in_parts_and_comes_back_whole(store: Store, bucket_server: S3) -> None:
    assert store.put_stream(io.BytesIO(DATA)) == (SHA256, len(DATA))
    assert asked(bucket_server, "PUT") == 3
    with store.open_verified(SHA256) as stream:
        assert hashlib.file_digest(stream, "sha256").hexdigest() == SHA256
    bucket_server.forget()
    store.put_stream(io.BytesIO(DATA))
    assert unfinished(bucket_server) == []
    assert blobs(store) == [SHA256]


@pytest.mark.parametrize("data", [SMALL, DATA], ids=["whole", "in parts"])
@pytest.mark.parametrize(
    "how", [Fault("500 Cut", cut=True), error("SlowDown", "503 Slow Down")], ids=["cut", "503"]
)
def test_a_put_that_fails_for_good_leaves_nothing_and_can_be_repeated(
    store: Store, bucket_server: S3, data: bytes, how: Fault
) -> None:
    bucket_server.fail(replace(how, method="PUT", but="partNumber=1"))  # the last of them
    with pytest.raises(StoreUnavailable):
        store.put_stream(io.BytesIO(data))
    assert asked(bucket_server, "PUT") >= 2, "it was not tried again"
    bucket_server.forget()
    assert (blobs(store), unfinished(bucket_server)) == ([], [])
    assert list((store.root / "incoming").iterdir()) == []
    digest, _ = store.put_stream(io.BytesIO(data))
    assert blobs(store) == [digest]


def test_one_bad_answer_is_tried_again_unseen(store: Store, bucket_server: S3) -> None:
    once = replace(error("InternalError", "500 Internal Server Error"), times=1)
    bucket_server.fail(once)
    digest, _ = store.put_stream(io.BytesIO(SMALL))
    bucket_server.fail(once)
    assert store.read(digest, limit=2000) == SMALL


def test_bytes_changed_in_the_bucket_never_arrive_whole(store: Store, bucket_server: S3) -> None:
    store.put_stream(io.BytesIO(DATA))
    changed = DATA[:-1] + bytes([DATA[-1] ^ 1])
    key = f"models/sha256/{SHA256[:2]}/{SHA256}"
    client(bucket_server.address()).put_object(Bucket=NAME, Key=key, Body=changed)
    read = 0
    with store.open(SHA256) as stream, pytest.raises(BlobCorrupt):
        while piece := stream.read(100_000):
            read += len(piece)
    assert read < len(DATA)
    with pytest.raises(BlobCorrupt):
        store.open_verified(SHA256)
    assert list((store.root / "incoming").iterdir()) == []


def test_an_answer_that_ends_early_is_no_end(store: Store, bucket_server: S3) -> None:
    store.put_stream(io.BytesIO(DATA))

    bucket_server.fail(Fault("200 OK", DATA[:-100], method="GET"))
    with store.open(SHA256) as stream, pytest.raises(BlobCorrupt):
        stream.read()
    bucket_server.fail(error("SlowDown", "503 Slow Down"))
    with pytest.raises(StoreUnavailable, match="SlowDown"):
        store.open(SHA256)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (error("AccessDenied", "403 Forbidden"), "refuses these credentials"),
        (error("InvalidAccessKeyId", "403 Forbidden"), "does not know AWS_ACCESS_KEY_ID"),
        (error("SignatureDoesNotMatch", "403 Forbidden"), "AWS_SECRET_ACCESS_KEY does not belong"),
        (error("BadDigest", "400 Bad Request"), "changed on their way"),
    ],
    ids=["denied", "unknown", "signature", "digest"],
)
def test_a_refusal_says_what_to_look_at_and_shows_no_secret(
    store: Store, bucket_server: S3, answer: Fault, said: str
) -> None:
    bucket_server.fail(answer)
    with pytest.raises(StoreUnavailable, match=said) as refusal:
        store.put_stream(io.BytesIO(SMALL))
    assert refusal.value.status == 503
    assert not any(value in str(refusal.value) for value in CREDENTIALS.values())


def test_a_full_bucket_is_a_full_store(store: Store, bucket_server: S3) -> None:
    bucket_server.fail(error("XMinioStorageFull", "507 Insufficient Storage"))
    with pytest.raises(StorageFull):
        store.put_stream(io.BytesIO(SMALL))


def test_a_missing_bucket_is_not_a_missing_blob(bucket_server: S3, tmp_path: Path) -> None:
    store = Store(tmp_path, Bucket(bucket_server.address(bucket="elsewhere")))
    for attempt in (
        lambda: store.exists(SHA256),
        lambda: store.open(SHA256),
        lambda: store.put_stream(io.BytesIO(SMALL)),
        lambda: list(store.listing()),
    ):
        with pytest.raises(StoreUnavailable, match="PLACET_ARTIFACT_URL names does not exist"):
            attempt()
    with pytest.raises(BlobMissing):
        Store(tmp_path, Bucket(bucket_server.address())).open(SHA256)


def test_without_credentials_the_settings_to_make_are_named(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    client.cache_clear()
    with pytest.raises(StoreUnavailable, match="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"):
        store.exists(SHA256)


def test_a_service_that_is_not_there_is_named_as_such(tmp_path: Path, bucket_server: S3) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = bucket_server.address().__class__(
            NAME, "", f"http://127.0.0.1:{unused.getsockname()[1]}", "us-east-1"
        )
        with pytest.raises(StoreUnavailable, match="cannot be reached"):
            Store(tmp_path, Bucket(address)).exists(SHA256)
    client.cache_clear()


def test_parts_that_a_dead_process_left_are_dropped_by_age(store: Store, bucket_server: S3) -> None:
    wire = client(bucket_server.address())
    wire.create_multipart_upload(Bucket=NAME, Key=f"models/sha256/{SHA256[:2]}/{SHA256}")
    wire.create_multipart_upload(Bucket=NAME, Key="of-somebody-else")
    (begun, _) = (found["Initiated"] for found in unfinished(bucket_server))
    assert store.abandon(begun) == 0
    assert store.abandon(begun + timedelta(seconds=1)) == 1
    assert [left["Key"] for left in unfinished(bucket_server)] == ["of-somebody-else"]
