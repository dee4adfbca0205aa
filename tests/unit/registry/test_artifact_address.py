"""``PLACET_ARTIFACT_URL``: what it may say, and what a wrong one is told."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from placet.kernel.artifacts import BucketAddress, FolderAddress, artifact_address
from placet.kernel.config import Config


def test_a_folder_and_a_bucket_are_read() -> None:
    assert artifact_address("file:///srv/my%20models") == FolderAddress(Path("/srv/my models"))
    assert artifact_address("s3://models") == BucketAddress("models")
    assert artifact_address(
        "s3://models/team/a/?endpoint_url=https%3A%2F%2Fs3.example%3A9000&region=eu-west-1"
    ) == BucketAddress("models", "team/a", "https://s3.example:9000", "eu-west-1")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("/srv/models", "must be file:///folder or s3://"),
        ("https://models.example", "must be file:///folder or s3://"),
        ("file://srv/models", "file:///absolute/path"),
        ("s3://", "name the bucket"),
        ("s3:///prefix", "name the bucket"),
        ("s3://Models", "name the bucket"),
        ("s3://hunter2:hunter2@models", "must hold no credentials"),
        ("s3://models?secret_key=hunter2", "nothing else"),
        ("s3://models#hunter2", "nothing else"),
        ("s3://models/../other", "prefix"),
        ("s3://models?endpoint_url=s3.example", "http:// or https://"),
        ("s3://models?endpoint_url=", "http:// or https://"),
        ("s3://models?endpoint_url=https://hunter2:hunter2@s3.example", "no credentials"),
    ],
)
def test_a_wrong_address_is_refused_at_start_without_being_repeated(url: str, said: str) -> None:
    with pytest.raises(ValidationError, match=said) as refusal:
        Config(artifact_url=url)
    assert "hunter2" not in str(refusal.value)


def test_without_a_setting_artifacts_lie_in_the_data_folder(tmp_path: Path) -> None:
    there = Config(data_dir=tmp_path, artifact_url="")
    assert there.artifacts == tmp_path / "artifacts"
    elsewhere = Config(data_dir=tmp_path, artifact_url="file:///srv/models")
    assert elsewhere.artifacts == Path("/srv/models")
    bucket = Config(data_dir=tmp_path, artifact_url="s3://models")
    assert bucket.artifacts == tmp_path / "artifacts", "where uploads grow"
