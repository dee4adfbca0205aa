"""The whole way of a file when artifacts lie in a bucket (moto's S3 server over real HTTP)."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from apps.registry import actions
from apps.registry.models import Upload
from apps.registry.store import store
from placet.kernel.actor import SYSTEM
from placet.kernel.config import config
from placet.kernel.s3 import client
from tests.integration.registry.helpers import Lab, chunk, sha256
from tests.support.bucket import NAME, S3, error
from tests.support.factories import api

DATA = os.urandom(300_000)


@pytest.fixture(autouse=True)
def bucket(bucket_server: S3, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3]:
    """Have artifacts lie in the bucket."""
    url = f"s3://{NAME}/placet?endpoint_url={bucket_server.url}&region=us-east-1"
    monkeypatch.setattr(config(), "artifact_url", url)
    client.cache_clear()
    yield bucket_server
    client.cache_clear()


def objects(server: S3) -> list[str]:
    """Return the digests of what lies in the bucket, as the service itself lists them."""
    found = client(server.address()).list_objects_v2(Bucket=NAME).get("Contents", ())
    return sorted(entry["Key"].rpartition("/")[2] for entry in found)


def test_chunks_become_an_object_and_a_checked_download(lab: Lab, bucket: S3) -> None:
    version = lab.draft()
    upload = lab.start(version, "model.joblib", DATA)
    assert chunk(lab.api, upload.pk, 0, DATA[:100_000]).status_code == 204
    assert objects(bucket) == [], "half a file is nothing"
    assert chunk(lab.api, upload.pk, 100_000, DATA[100_000:]).status_code == 200
    assert objects(bucket) == [sha256(DATA)]
    assert list((config().artifacts / "incoming").iterdir()) == []
    address = f"{lab.at(version)}/files/model.joblib"
    answer = api(lab.victor).get(address)
    assert b"".join(answer.streaming_content) == DATA
    assert answer["Content-Length"] == str(len(DATA))
    wire = client(bucket.address())
    key = f"placet/sha256/{sha256(DATA)[:2]}/{sha256(DATA)}"
    wire.put_object(Bucket=NAME, Key=key, Body=DATA[:-1] + bytes([DATA[-1] ^ 1]))
    damaged = api(lab.victor).get(address)
    assert (damaged.status_code, damaged.json()["code"]) == (500, "blob_corrupt")
    wire.delete_object(Bucket=NAME, Key=key)
    missing = api(lab.victor).get(address)
    assert (missing.status_code, missing.json()["code"]) == (500, "blob_missing")


def test_an_upload_outlives_a_store_that_does_not_answer(lab: Lab, bucket: S3) -> None:
    upload = lab.start(lab.draft(), "model.joblib", DATA)
    bucket.fail(error("AccessDenied", "403 Forbidden"))
    refused = chunk(lab.api, upload.pk, 0, DATA)
    assert (refused.status_code, refused.json()["code"]) == (503, "store_unavailable")
    assert Upload.objects.get().received == len(DATA), "no byte has to be sent again"
    bucket.forget()
    finished = lab.api.post(f"/uploads/{upload.pk}/finish")
    assert finished.status_code == 200
    assert [file["path"] for file in finished.json()["files"]] == ["model.joblib"]
    assert objects(bucket) == [sha256(DATA)]


def test_bytes_that_are_there_are_not_sent_again(lab: Lab, bucket: S3) -> None:
    lab.put(lab.draft(), "model.joblib", DATA)
    bucket.forget()
    lab.put(lab.draft(), "model.joblib", DATA)
    assert {method for method, _ in bucket.requests} == {"HEAD"}
    bucket.forget()
    client(bucket.address()).delete_object(
        Bucket=NAME, Key=f"placet/sha256/{sha256(DATA)[:2]}/{sha256(DATA)}"
    )
    lab.put(lab.draft(), "model.joblib", DATA)
    assert objects(bucket) == [sha256(DATA)], "what the bucket lost is asked for again"


def test_a_version_is_finalised_from_a_bucket(lab: Lab, tmp_path: Path) -> None:
    version = lab.finalised(DATA)
    assert version.artifact_digest
    assert store().path(sha256(DATA)) is None


def test_the_hourly_sweep_drops_parts_that_nobody_will_finish(lab: Lab, bucket: S3) -> None:
    wire = client(bucket.address())
    wire.create_multipart_upload(Bucket=NAME, Key=f"placet/sha256/ab/{sha256(DATA)}")
    actions.expire_uploads(actor=SYSTEM)
    assert "Uploads" not in wire.list_multipart_uploads(Bucket=NAME)
