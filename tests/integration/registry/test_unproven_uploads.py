"""Knowing a digest opens no file: an upload becomes one only by bytes that it brought itself."""

import io
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection

from apps.audit.models import Event
from apps.registry import actions
from apps.registry.actions import uploads
from apps.registry.models import ArtifactFile, CondemnedBlob, ModelVersion, Upload
from apps.registry.store import BlobFolder, Store
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now
from placet.kernel.problems import NotFound, Problem
from tests.integration.registry.helpers import FACTS, Lab, chunk, sha256
from tests.support.factories import actor_of, api

SECRET = os.urandom(200_000)
POINT = "apps.registry.store.folder.crash_point"
ENDINGS = ("wrong bytes", "cancelled", "expired")


class Died(Exception):
    """What stands for the end of a process."""


def theirs(lab: Lab) -> ModelVersion:
    """Return a draft of the stranger's, in the other project, while risk holds the secret."""
    lab.put(lab.draft(), "model.joblib", SECRET)
    actor = actor_of(lab.stranger)
    project = type(lab.project).objects.get(slug="elsewhere")
    model = actions.create_model(project, name="mine", actor=actor)
    return actions.create_version(model, actor=actor, **FACTS)


def unproven(version: ModelVersion, lab: Lab, **fields: object) -> Upload:
    """Announce the secret's digest; all bytes that were announced are there, other ones."""
    made = {"path": "y", "size": 1, "sha256": sha256(SECRET), **fields}
    upload = actions.start_upload(version, actor=actor_of(lab.stranger), **made)  # type: ignore[arg-type]
    assert isinstance(upload, Upload)
    blobs = uploads.store()
    blobs.incoming(upload.pk).parent.mkdir(exist_ok=True)
    blobs.incoming(upload.pk).write_bytes(b"?" * upload.size)
    Upload.objects.filter(pk=upload.pk).update(received=upload.size)
    return upload


def stolen() -> list[str]:
    files = ArtifactFile.objects.filter(project__slug="elsewhere")
    return list(files.values_list("path", flat=True))


@pytest.mark.parametrize("size", [1, len(SECRET)])
@pytest.mark.parametrize("archive", [False, True])
def test_a_host_that_lacks_the_bytes_has_them_sent_again(
    lab: Lab,
    artifacts: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    size: int,
    archive: bool,
) -> None:
    upload = unproven(theirs(lab), lab, size=size, archive=archive)
    other = Store(tmp_path / "other", BlobFolder(artifacts))
    monkeypatch.setattr(uploads, "store", lambda: other)
    answer = api(lab.stranger).post(f"/uploads/{upload.pk}/finish")
    assert (answer.status_code, answer.json()["code"]) == (409, "offset_mismatch")
    assert stolen() == []
    assert Upload.objects.get().received == 0


def end(how: str, upload: Upload, lab: Lab) -> None:
    """Have an upload dropped in one of the ways in which one is."""
    if how == "expired":
        Upload.objects.filter(pk=upload.pk).update(created_at=now() - timedelta(hours=25))
        actions.expire_uploads(actor=SYSTEM)
    elif how == "cancelled":
        actions.cancel_upload(upload, actor=actor_of(lab.stranger))
    else:
        with pytest.raises(Problem, match=r"bytes|Expected"):
            actions.finish_upload(upload, actor=actor_of(lab.stranger))


def meanwhile(monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]) -> None:
    """Have something happen right behind the removal of an upload's bytes, once."""
    drop, met = Store.drop, list[bool]()

    def meeting(blobs: Store, name: str) -> None:
        drop(blobs, name)
        if not met:
            met.append(True)
            act()

    monkeypatch.setattr(Store, "drop", meeting)


@pytest.mark.parametrize("how", ENDINGS)
def test_who_knocks_while_an_upload_is_dropped_finds_none(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    upload = unproven(theirs(lab), lab)
    answers: list[int] = []

    def knock() -> None:
        answers.append(api(lab.stranger).post(f"/uploads/{upload.pk}/finish").status_code)

    meanwhile(monkeypatch, knock)
    end(how, upload, lab)
    assert (answers, stolen()) == ([404], [])


@pytest.mark.parametrize("how", ENDINGS)
def test_who_dies_while_an_upload_is_dropped_leaves_no_row_without_bytes(
    lab: Lab, artifacts: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    upload = unproven(theirs(lab), lab)

    def die(blobs: Store, name: str) -> None:
        raise Died

    with monkeypatch.context() as patch:
        patch.setattr(Store, "drop", die)
        with pytest.raises(Died):
            end(how, upload, lab)
    assert not Upload.objects.exists()
    assert Event.objects.filter(kind="upload.dropped.v1").count() == 1
    left = artifacts / "incoming" / upload.pk
    os.utime(left, (1, 1))
    actions.expire_uploads(actor=SYSTEM)
    assert not left.exists()


def test_an_upload_that_somebody_writes_to_is_dropped_by_a_later_sweep(
    lab: Lab, artifacts: Path
) -> None:
    upload = unproven(theirs(lab), lab)
    Upload.objects.update(created_at=now() - timedelta(hours=25))
    with uploads.store().writing(upload.pk):
        assert actions.expire_uploads(actor=SYSTEM) == 0
    assert actions.expire_uploads(actor=SYSTEM) == 1
    assert not (artifacts / "incoming" / upload.pk).exists()


def test_what_another_user_left_closed_is_dropped_all_the_same(
    lab: Lab, artifacts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = unproven(theirs(lab), lab)
    Upload.objects.update(created_at=now() - timedelta(hours=25))

    def closed(blobs: Store, name: str) -> None:
        raise PermissionError

    monkeypatch.setattr(Store, "writing", closed)  # root may write to any file
    assert actions.expire_uploads(actor=SYSTEM) == 1
    assert not (artifacts / "incoming" / upload.pk).exists()


def test_an_upload_that_lost_its_bytes_begins_anew(lab: Lab, artifacts: Path) -> None:
    upload = unproven(theirs(lab), lab, size=len(SECRET))
    (artifacts / "incoming" / upload.pk).unlink()
    client = api(lab.stranger)
    answer = client.post(f"/uploads/{upload.pk}/finish")
    assert (answer.status_code, answer.json()["code"]) == (409, "offset_mismatch")
    assert answer.json()["detail"].startswith("0 bytes")
    assert chunk(client, upload.pk, 0, SECRET).status_code == 200
    assert stolen() == ["y"], "whoever has the bytes may keep them, too"


def crashed(lab: Lab, monkeypatch: pytest.MonkeyPatch, point: str) -> Upload:
    """Send a whole file to a server that dies at a point of making it a blob."""
    upload = lab.start(lab.draft(), "model.joblib", SECRET)
    seen: list[tuple[bool, bool]] = []

    def die(name: str) -> None:
        if name == point:
            seen.append((Upload.objects.get().verified, connection.in_atomic_block))
            raise Died

    with monkeypatch.context() as patch:
        patch.setattr(POINT, die)
        with pytest.raises(Died):
            actions.receive_chunk(upload, offset=0, stream=io.BytesIO(SECRET), actor=lab.actor)
    assert seen == [(True, False)], "that it was verified is kept before the bytes move"
    return upload


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("point", ["registry.before_blob_rename", "registry.after_blob_rename"])
def test_an_upload_whose_server_died_around_the_rename_is_finished_without_a_byte_more(
    artifacts: Path, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    lab = Lab()
    upload = crashed(lab, monkeypatch, point)
    left = artifacts / "incoming" / upload.pk
    assert not left.exists() or left.stat().st_mode & 0o200, "who may not write it cannot go on"
    answer = lab.api.post(f"/uploads/{upload.pk}/finish")
    assert answer.status_code == 200
    assert [file["sha256"] for file in answer.json()["files"]] == [sha256(SECRET)]
    assert list((artifacts / "incoming").iterdir()) == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("fate", ["gone", "damaged", "another"])
def test_a_blob_that_did_not_outlast_the_crash_is_sent_again(
    artifacts: Path, monkeypatch: pytest.MonkeyPatch, fate: str
) -> None:
    lab = Lab()
    upload = crashed(lab, monkeypatch, "registry.after_blob_rename")
    blob = artifacts / "sha256" / sha256(SECRET)[:2] / sha256(SECRET)
    if fate == "another":
        Upload.objects.update(size=1, received=1)
    else:
        blob.unlink()
    if fate == "damaged":
        blob.write_bytes(b"damaged")
    answer = lab.api.post(f"/uploads/{upload.pk}/finish")
    assert (answer.status_code, answer.json()["code"]) == (409, "offset_mismatch")
    if fate != "another":
        assert chunk(lab.api, upload.pk, 0, SECRET).status_code == 200
        assert blob.read_bytes() == SECRET


@pytest.mark.django_db(transaction=True)
def test_a_blob_that_is_swept_at_the_moment_is_not_relied_upon(
    artifacts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = Lab()
    upload = crashed(lab, monkeypatch, "registry.after_blob_rename")
    swept = CondemnedBlob.objects.create(
        sha256=sha256(SECRET), size=len(SECRET), condemned_at=now(), sweeping=True
    )
    assert lab.api.post(f"/uploads/{upload.pk}/finish").json()["code"] == "blob_swept"
    uploads.store().delete(sha256(SECRET))
    swept.delete()
    assert lab.api.post(f"/uploads/{upload.pk}/finish").json()["code"] == "offset_mismatch"
    assert not ArtifactFile.objects.exists()


def test_of_two_who_finish_an_upload_one_adds_its_file(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = lab.start(lab.draft(), "model.joblib", SECRET)
    answers: list[int] = []

    def knock(name: str) -> None:
        if name == "registry.after_blob_rename":
            answers.append(lab.api.post(f"/uploads/{upload.pk}/finish").status_code)

    monkeypatch.setattr(POINT, knock)
    assert chunk(lab.api, upload.pk, 0, SECRET).status_code == 404
    assert (answers, ArtifactFile.objects.get().sha256) == ([200], sha256(SECRET))
    assert Event.objects.filter(kind="version.files_added.v1").count() == 1


def test_what_was_given_up_while_it_was_verified_becomes_no_file(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = lab.start(lab.draft(), "model.joblib", SECRET)

    def withdrawn(name: str) -> None:
        if name == "registry.before_blob_rename":  # on another host, whose lock is another
            Upload.objects.filter(pk=upload.pk).delete()

    monkeypatch.setattr(POINT, withdrawn)
    with pytest.raises(NotFound):
        lab.put(upload.version, "model.joblib", SECRET)
    assert not ArtifactFile.objects.exists()
