"""Signatures over a version's files: Placet's own, and the one that it may have come with."""

from pathlib import Path

import model_signing
import pytest

from placet_verify.signing.model_signature import ModelSigningKey, digests_in
from tests.support.signed_models import private_pem, public_pem, signed_model, signing_key
from workers.builder.errors import BuildFailed
from workers.builder.provenance import came_signed, refuse_other_files, sign_model
from workers.builder.spec import BuildSpec, SourceFile

FILES = {"model.joblib": b"model", ".gitignore": b"*.tmp", ".git/config": b"[core]"}


def spec(artifact: Path, *trusted: ModelSigningKey) -> BuildSpec:
    files = tuple(SourceFile(name, sha, 1) for name, sha in digests_in(artifact).items())
    return BuildSpec(
        build="bld_1",
        project="prj_1",
        version="ver_1",
        model="churn",
        number=1,
        format="sklearn",
        artifact_digest="sha256:" + "0" * 64,
        files=files,
        signature=None,
        trusted=trusted,
    )


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    folder = tmp_path / "artifact"
    for name, content in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def test_ours_verifies_with_the_tool_everybody_has_and_a_changed_file_does_not(
    artifact: Path, tmp_path: Path
) -> None:
    key = signing_key()
    private, public = tmp_path / "private.pem", tmp_path / "public.pem"
    private.write_bytes(private_pem(key))
    public.write_text(public_pem(key))
    text = sign_model(artifact, private, tmp_path / "model.sig")
    refuse_other_files(spec(artifact), text)
    every = model_signing.hashing.Config().set_ignored_paths(paths=(), ignore_git_paths=False)
    verifier = model_signing.verifying.Config().use_elliptic_key_verifier(public_key=public)
    verifier.set_hashing_config(every)
    verifier.verify(artifact, tmp_path / "model.sig")
    (artifact / ".git/config").write_bytes(b"other")  # no file is left out, git's neither
    with pytest.raises(ValueError, match=r"[Mm]ismatch|[Dd]iffer|[Hh]ash"):
        verifier.verify(artifact, tmp_path / "model.sig")


def test_files_that_changed_while_they_were_built_from_are_not_signed(
    artifact: Path, tmp_path: Path
) -> None:
    (tmp_path / "private.pem").write_bytes(private_pem(signing_key()))
    asked = spec(artifact)
    (artifact / "model.joblib").write_bytes(b"another")
    text = sign_model(artifact, tmp_path / "private.pem", tmp_path / "model.sig")
    with pytest.raises(BuildFailed, match=r"changed while .*: model\.joblib"):
        refuse_other_files(asked, text)


def test_a_build_verifies_the_signature_that_came_over_the_bytes_on_the_disk(
    tmp_path: Path,
) -> None:
    key, folder = signing_key(), tmp_path / "came"
    document = signed_model(folder, {"model.joblib": b"model"}, key)
    trusted = ModelSigningKey.from_pem(public_pem(key))
    assert came_signed(spec(folder, trusted), folder) is None
    asked = spec(folder, trusted)
    (folder / "model.sig").write_bytes(document)
    found = came_signed(spec(folder, trusted), folder)
    assert found is not None and found.result == "trusted"
    other = came_signed(spec(folder), folder)
    assert other is not None and other.result == "unknown"
    (folder / "more").symlink_to(folder / "model.joblib")
    with pytest.raises(BuildFailed, match="more is neither a file nor a folder"):
        came_signed(asked, folder)
    (folder / "more").unlink()
    (folder / "model.joblib").write_bytes(b"another")
    with pytest.raises(BuildFailed, match=r"own model\.sig is wrong"):
        came_signed(asked, folder)
