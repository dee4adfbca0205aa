"""Upload, build and fetch when artifacts lie in a bucket (moto's S3 server over real HTTP)."""

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from apps.builds.models import Bento
from apps.registry.store import store
from placet.kernel.config import config
from placet.kernel.s3 import client
from tests.e2e.builds.test_upload_to_prediction import build
from tests.support.bentos import register, served
from tests.support.bucket import NAME, S3
from tests.support.cache import RUNTIMES
from tests.support.factories import ApiClient
from tests.support.models import onnx_model

pytestmark = [pytest.mark.e2e]


def test_a_version_in_a_bucket_is_built_and_its_bento_serves(
    ada: ApiClient,
    run_jobs: Callable[..., int],
    tmp_path: Path,
    bucket_server: S3,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url = f"s3://{NAME}?endpoint_url={bucket_server.url}&region=us-east-1"
    monkeypatch.setattr(config(), "artifact_url", url)
    trained = onnx_model()
    address = register(ada, "tumour", trained)
    ended = build(ada, address, run_jobs)
    assert (ended["state"], ended["error"]) == ("succeeded", "")
    bento = Bento.objects.get(pk=ended["bento_digest"])
    assert not (config().data_dir / "artifacts" / "sha256").exists(), "nothing lies on this disk"
    digests = {found.sha256 for found in store().listing()}
    wheels = {wheel["sha256"] for wheel in bento.runtime.wheels}
    assert {bento.digest.removeprefix("sha256:"), bento.sbom, *wheels} <= digests
    with store().open(bento.digest) as given, (tmp_path / "bento.tar").open("wb") as copy:
        shutil.copyfileobj(given, copy)
    python = RUNTIMES / bento.runtime_id.removeprefix("sha256:") / "bin" / "python"
    variables = {"PLACET_RELEASE": "rel_1", "PLACET_REVISION": "rev_1"}
    with served(tmp_path / "bento.tar", python, tmp_path / "bento", **variables) as service:
        assert service.predict(ada.get(address).json()["example"][0]).status == 200
    name = hashlib.sha256(trained.files["model.onnx"]).hexdigest()
    client(bucket_server.address()).put_object(
        Bucket=NAME, Key=f"sha256/{name[:2]}/{name}", Body=b"somebody else's bytes"
    )
    refused = build(ada, address, run_jobs)
    assert refused["state"] == "failed"
    assert "model.onnx are not those that were uploaded" in refused["error"]
