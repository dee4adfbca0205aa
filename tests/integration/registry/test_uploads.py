"""Files arrive whole, in pieces, again after a cut, and never half."""

import io
import os
import socket
import subprocess
import tarfile
import threading
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.db import connections

from apps.audit.models import Event
from apps.registry import actions
from apps.registry.errors import BlobMissing, NotDraft
from apps.registry.models import ArtifactFile, Upload
from apps.registry.store import Store
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now
from placet.kernel.config import config
from placet.kernel.problems import TooLarge
from tests.integration.registry.helpers import CHUNK, Lab, chunk, sha256
from tests.support.factories import actor_of, api, token_for

DATA = os.urandom(300_000)
EMPTY = sha256(b"")


def blobs_in(artifacts: Path) -> set[str]:
    return {p.name for p in artifacts.rglob("sha256/*/*")}


def incoming(artifacts: Path) -> list[str]:
    return sorted(p.name for p in (artifacts / "incoming").glob("*"))


def announce(lab: Lab, address: str, data: bytes, **more: object) -> object:
    body = {"path": "model.joblib", "size": len(data), "sha256": sha256(data), **more}
    return lab.api.post(f"{address}/uploads", body)


def test_a_file_arrives_in_two_chunks(lab: Lab, artifacts: Path) -> None:
    version = lab.draft()
    answer = lab.api.post(
        f"{lab.at(version)}/uploads",
        {"path": "model.joblib", "size": len(DATA), "sha256": sha256(DATA)},
    )
    assert answer.status_code == 201
    upload = answer.json()["upload"]["id"]
    assert answer["Location"] == f"/api/v1/uploads/{upload}"
    assert answer["Upload-Offset"] == "0"
    first = chunk(lab.api, upload, 0, DATA[:100_000])
    assert first.status_code == 204
    assert first["Upload-Offset"] == "100000"
    head = lab.api.head(f"/uploads/{upload}")
    assert head.status_code == 200
    assert (head["Upload-Offset"], head["Upload-Length"]) == ("100000", "300000")
    assert head["Cache-Control"] == "no-store"
    assert not head.content
    last = chunk(lab.api, upload, 100_000, DATA[100_000:])
    assert last.status_code == 200
    assert last.json()["files"][0]["sha256"] == sha256(DATA)
    assert blobs_in(artifacts) == {sha256(DATA)}
    assert incoming(artifacts) == []
    assert lab.api.get(f"/uploads/{upload}").status_code == 404
    detail = lab.api.get(lab.at(version)).json()
    assert [file["path"] for file in detail["files"]] == ["model.joblib"]


def test_bytes_that_the_project_holds_need_not_be_sent_again(lab: Lab) -> None:
    first, second = lab.draft(), lab.draft()
    lab.put(first, "model.joblib", DATA)
    answer = lab.api.post(
        f"{lab.at(second)}/uploads",
        {"path": "copy.joblib", "size": len(DATA), "sha256": sha256(DATA)},
    )
    assert answer.status_code == 200
    assert answer.json()["upload"] is None
    assert answer.json()["file"]["path"] == "copy.joblib"


def test_a_stranger_cannot_claim_bytes_by_their_digest(lab: Lab) -> None:
    lab.put(lab.draft(), "model.joblib", DATA)
    actor = actor_of(lab.stranger)
    grants = {grant.scope.project for grant in actor.grants}
    theirs = actions.create_model(
        type(lab.project).objects.get(pk=next(g for g in grants if g)), name="mine", actor=actor
    )
    version = actions.create_version(theirs, actor=actor)
    started = actions.start_upload(
        version, path="model.joblib", size=len(DATA), sha256=sha256(DATA), actor=actor
    )
    assert isinstance(started, Upload)
    assert started.received == 0


def test_announcing_the_same_file_again_goes_on_where_it_stood(lab: Lab) -> None:
    version = lab.draft()
    upload = lab.start(version, "model.joblib", DATA)
    chunk(lab.api, upload.pk, 0, DATA[:1000])
    answer = announce(lab, lab.at(version), DATA)
    assert answer.json()["upload"]["id"] == upload.pk  # type: ignore[attr-defined]
    assert answer.json()["upload"]["received"] == 1000  # type: ignore[attr-defined]


class Cut(io.BytesIO):
    """A connection that breaks after 1,000 bytes."""

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell() >= 1000:
            raise OSError("connection reset")
        return super().read(min(size or 0, 1000))


def test_an_upload_cut_in_the_middle_is_resumed(lab: Lab, artifacts: Path) -> None:
    version = lab.draft()
    upload = lab.start(version, "model.joblib", DATA)
    received = actions.receive_chunk(
        upload, offset=0, stream=Cut(DATA), length=len(DATA), actor=lab.actor
    )
    assert received.offset == 1000
    assert lab.api.head(f"/uploads/{upload.pk}")["Upload-Offset"] == "1000"
    assert chunk(lab.api, upload.pk, 1000, DATA[1000:]).status_code == 200
    assert blobs_in(artifacts) == {sha256(DATA)}


def test_a_chunk_at_the_wrong_place_is_refused_and_told_where_to_go_on(lab: Lab) -> None:
    upload = lab.start(lab.draft(), "model.joblib", DATA)
    chunk(lab.api, upload.pk, 0, DATA[:1000])
    answer = chunk(lab.api, upload.pk, 0, DATA[:1000])
    assert answer.status_code == 409
    assert answer.json()["code"] == "offset_mismatch"
    assert "1000 bytes" in answer.json()["detail"]
    assert chunk(lab.api, upload.pk, 2000, DATA[2000:]).status_code == 409


def test_a_chunk_longer_than_what_is_missing_is_refused(lab: Lab, artifacts: Path) -> None:
    upload = lab.start(lab.draft(), "model.joblib", DATA)
    answer = chunk(lab.api, upload.pk, 0, DATA + b"!")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == "Content-Length"
    assert lab.api.head(f"/uploads/{upload.pk}")["Upload-Offset"] == "0"


def test_wrong_bytes_are_dropped(lab: Lab, artifacts: Path) -> None:
    version = lab.draft()
    upload = lab.start(version, "model.joblib", DATA)
    answer = chunk(lab.api, upload.pk, 0, b"x" * len(DATA))
    assert answer.status_code == 422
    assert answer.json()["code"] == "digest_mismatch"
    assert blobs_in(artifacts) == set()
    assert incoming(artifacts) == []
    assert not Upload.objects.exists()
    assert version.files.count() == 0
    assert Event.objects.filter(kind="upload.dropped.v1").count() == 1


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"upload_offset": "0", "content_type": "application/json"}, 415),
        ({"content_type": CHUNK}, 400),
        ({"upload_offset": "-1", "content_type": CHUNK}, 400),
        ({"upload_offset": "1" * 30, "content_type": CHUNK}, 400),
        ({"upload_offset": "3e0", "content_type": CHUNK}, 400),
    ],
)
def test_a_chunk_without_what_it_needs_is_refused(
    lab: Lab, headers: dict[str, str], status: int
) -> None:
    upload = lab.start(lab.draft(), "model.joblib", DATA)
    answer = lab.api.patch(f"/uploads/{upload.pk}", raw=DATA, **headers)
    assert answer.status_code == status
    assert lab.api.head(f"/uploads/{upload.pk}")["Upload-Offset"] == "0"


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"path": "../model.joblib"}, "/path"),
        ({"path": "/etc/passwd"}, "/path"),
        ({"path": "a\u202eb"}, "/path"),
        ({"path": " model.joblib"}, "/path"),
        ({"size": -1}, "/size"),
        ({"size": 10**15}, "/size"),
        ({"size": "many"}, "/size"),
        ({"sha256": "A" * 64}, "/sha256"),
        ({"sha256": "sha256:" + "a" * 64}, "/sha256"),
        ({"size": 0}, "/sha256"),
        ({"color": "red"}, "/color"),
    ],
)
def test_an_announcement_that_makes_no_sense_is_refused(
    lab: Lab, change: dict[str, object], pointer: str
) -> None:
    version = lab.draft()
    answer = announce(lab, lab.at(version), DATA, **change)
    assert answer.status_code == 400  # type: ignore[attr-defined]
    assert answer.json()["errors"][0]["pointer"] == pointer  # type: ignore[attr-defined]
    assert not Upload.objects.exists()


def test_an_empty_file_needs_no_chunk(lab: Lab, artifacts: Path) -> None:
    version = lab.draft()
    assert lab.put(version, "package/__init__.py", b"")[0].size == 0
    assert blobs_in(artifacts) == {EMPTY}


def test_another_file_at_the_same_path_must_be_deleted_first(lab: Lab) -> None:
    version = lab.draft()
    lab.put(version, "model.joblib", DATA)
    same = announce(lab, lab.at(version), DATA)
    assert same.status_code == 200  # type: ignore[attr-defined]
    other = announce(lab, lab.at(version), b"other")
    assert (other.status_code, other.json()["code"]) == (409, "path_taken")  # type: ignore[attr-defined]
    inside = announce(lab, lab.at(version), b"other", path="model.joblib/x")
    assert inside.json()["code"] == "path_taken"  # type: ignore[attr-defined]
    upper = announce(lab, lab.at(version), b"other", path="MODEL.joblib")
    assert upper.json()["code"] == "path_taken"  # type: ignore[attr-defined]


def test_a_file_is_taken_out_of_a_draft(lab: Lab) -> None:
    version = lab.draft()
    lab.put(version, "notes/a file.txt", DATA)
    before = lab.api.get(lab.at(version))["ETag"]
    tag = f'"{sha256(DATA)}"'
    address = f"{lab.at(version)}/files/notes/a%20file.txt"
    assert lab.api.delete(address).status_code == 428
    assert lab.api.delete(address, if_match='"old"').status_code == 412
    assert lab.api.delete(address, if_match=tag).status_code == 204
    assert version.files.count() == 0
    assert lab.api.get(lab.at(version))["ETag"] != before
    assert lab.api.delete(address, if_match=tag).status_code == 404


def test_an_upload_is_given_up(lab: Lab, artifacts: Path) -> None:
    upload = lab.start(lab.draft(), "model.joblib", DATA)
    chunk(lab.api, upload.pk, 0, DATA[:1000])
    assert lab.api.delete(f"/uploads/{upload.pk}").status_code == 428
    tag = lab.api.get(f"/uploads/{upload.pk}")["ETag"]
    assert lab.api.delete(f"/uploads/{upload.pk}", if_match=tag).status_code == 204
    assert incoming(artifacts) == []
    assert not Upload.objects.exists()


def test_finishing_waits_for_the_last_byte_and_survives_a_crash_before_the_commit(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = lab.draft()
    upload = lab.start(version, "model.joblib", DATA)
    early = lab.api.post(f"/uploads/{upload.pk}/finish")
    assert (early.status_code, early.json()["code"]) == (409, "upload_incomplete")

    class Died(Exception):
        pass

    def die(name: str) -> None:
        if name == "registry.before_files_added":
            raise Died

    with monkeypatch.context() as patch:
        patch.setattr("apps.registry.actions.uploads.crash_point", die)
        with pytest.raises(Died):
            actions.receive_chunk(upload, offset=0, stream=io.BytesIO(DATA), actor=lab.actor)
    assert version.files.count() == 0
    assert lab.api.head(f"/uploads/{upload.pk}")["Upload-Offset"] == str(len(DATA))
    answer = lab.api.post(f"/uploads/{upload.pk}/finish")
    assert answer.status_code == 200
    assert version.files.get().sha256 == sha256(DATA)


def test_lost_bytes_start_over_rather_than_never_end(lab: Lab, artifacts: Path) -> None:
    upload = lab.start(lab.draft(), "model.joblib", DATA)
    chunk(lab.api, upload.pk, 0, DATA[:1000])
    (artifacts / "incoming" / upload.pk).unlink()
    assert chunk(lab.api, upload.pk, 1000, DATA[1000:]).status_code == 409
    assert lab.api.head(f"/uploads/{upload.pk}")["Upload-Offset"] == "0"
    assert chunk(lab.api, upload.pk, 0, DATA).status_code == 200


def test_a_version_has_a_largest_size(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config(), "max_artifact_bytes", 1500)
    version = lab.draft()
    lab.put(version, "a.txt", b"x" * 1000)
    with pytest.raises(TooLarge):
        lab.start(version, "b.txt", b"y" * 1000)
    answer = announce(lab, lab.at(version), b"y" * 1000, path="b.txt")
    assert answer.status_code == 413  # type: ignore[attr-defined]


def test_nobody_adds_files_to_a_finalised_version(lab: Lab) -> None:
    version = lab.finalised()
    with pytest.raises(NotDraft):
        lab.put(version, "more.txt", b"more")
    with pytest.raises(NotDraft):
        actions.remove_file(version, path="model.joblib", actor=lab.actor)


def test_unfinished_uploads_are_dropped_after_a_day(lab: Lab, artifacts: Path) -> None:
    old = lab.start(lab.draft(), "model.joblib", DATA)
    chunk(lab.api, old.pk, 0, DATA[:1000])
    Upload.objects.filter(pk=old.pk).update(created_at=now() - timedelta(hours=25))
    young = lab.start(lab.draft(), "other.joblib", b"other")
    stray = artifacts / "incoming" / "put_stray"
    stray.write_bytes(b"what a crash left")
    os.utime(stray, (1, 1))
    assert actions.expire_uploads(actor=SYSTEM) == 1
    assert set(Upload.objects.values_list("pk", flat=True)) == {young.pk}
    assert incoming(artifacts) == []


@pytest.mark.parametrize("stuck", [0, 1, 2, 3])
def test_an_upload_that_cannot_be_dropped_stops_no_other(
    lab: Lab, artifacts: Path, monkeypatch: pytest.MonkeyPatch, stuck: int
) -> None:
    """Nor what a crash left: two of each, of which one is stuck."""
    uploads = [lab.start(lab.draft(), "model.joblib", DATA).pk for _ in range(2)]
    for pk in uploads:
        chunk(lab.api, pk, 0, DATA[:1000])
    Upload.objects.update(created_at=now() - timedelta(hours=25))
    names = [*uploads, "put_one", "put_two"]
    for name in names[2:]:
        (artifacts / "incoming" / name).write_bytes(b"what a crash left")
        os.utime(artifacts / "incoming" / name, (1, 1))
    drop = Store.drop

    def failing(blobs: Store, name: str) -> None:
        if name == names[stuck]:
            raise PermissionError(name)
        drop(blobs, name)

    monkeypatch.setattr(Store, "drop", failing)
    with pytest.raises(PermissionError):  # the job has failed, and people are told
        actions.expire_uploads(actor=SYSTEM)
    assert incoming(artifacts) == [names[stuck]]
    assert not Upload.objects.exists(), "rows go before bytes, which a later sweep finds by age"
    monkeypatch.setattr(Store, "drop", drop)
    os.utime(artifacts / "incoming" / names[stuck], (1, 1))
    actions.expire_uploads(actor=SYSTEM)
    assert incoming(artifacts) == []


def zipped(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(name.replace("__", "/"), data)
    return buffer.getvalue()


def tarred(*members: tarfile.TarInfo) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for member in members:
            archive.addfile(member, io.BytesIO(b"x" * member.size))
    return buffer.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    info.size = 3 if kind == tarfile.REGTYPE else 0
    return info


def test_an_archive_becomes_its_files_without_the_folder_around_them(
    lab: Lab, artifacts: Path
) -> None:
    version = lab.draft()
    files = lab.put(
        version, "m.zip", zipped(model__MLmodel=b"a", model__data__x=b"bb"), archive=True
    )
    assert [(file.path, file.size) for file in files] == [("MLmodel", 1), ("data/x", 2)]
    assert blobs_in(artifacts) == {sha256(b"a"), sha256(b"bb")}
    assert incoming(artifacts) == []
    added = Event.objects.get(kind="version.files_added.v1")
    assert added.project == lab.project.pk


TRAPS = {
    "no archive": b"not an archive",
    "a way out": zipped(**{"../evil": b"x"}),
    "an absolute path": zipped(**{"/etc/cron.d/evil": b"x"}),
    "one name in two cases": zipped(a=b"x", A=b"y"),
    "nothing": zipped(),
    "a symbolic link": tarred(member("link", tarfile.SYMTYPE, "/etc/passwd")),
    "a hard link": tarred(member("link", tarfile.LNKTYPE, "a")),
    "a device": tarred(member("device", tarfile.CHRTYPE)),
    "one name twice": tarred(member("a"), member("a")),
    "an odd name": tarred(member("a?b"), member("c")),
    "a cut end": zipped(bomb=b"\0" * 1000)[:-30],
}


@pytest.mark.parametrize("data", TRAPS.values(), ids=TRAPS)
def test_an_archive_with_a_trap_in_it_leaves_nothing(
    lab: Lab, artifacts: Path, data: bytes
) -> None:
    version = lab.draft()
    upload = lab.start(version, "m.zip", data, archive=True)
    answer = chunk(lab.api, upload.pk, 0, data)
    assert answer.status_code == 422
    assert answer.json()["code"] == "archive_refused"
    assert answer.json()["detail"].startswith("m.zip")
    assert version.files.count() == 0
    assert incoming(artifacts) == []
    assert blobs_in(artifacts) == set()
    assert not Upload.objects.exists()


def test_an_archive_that_unpacks_to_too_much_leaves_nothing(
    lab: Lab, artifacts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config(), "max_artifact_bytes", 1_000_000)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb", b"\0" * 2_000_000)
    data = buffer.getvalue()
    upload = lab.start(lab.draft(), "m.zip", data, archive=True)
    assert chunk(lab.api, upload.pk, 0, data).status_code == 422
    assert (blobs_in(artifacts), incoming(artifacts)) == (set(), [])


def test_a_download_is_an_attachment_whose_bytes_were_checked(lab: Lab, artifacts: Path) -> None:
    version = lab.finalised(DATA)
    address = f"{lab.at(version)}/files/model.joblib"
    answer = api(lab.victor).get(address)
    assert answer.status_code == 200
    assert b"".join(answer.streaming_content) == DATA
    assert answer["Content-Disposition"] == 'attachment; filename="model.joblib"'
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Type"] == "application/octet-stream"
    blob = artifacts / "sha256" / sha256(DATA)[:2] / sha256(DATA)
    blob.chmod(0o600)
    blob.write_bytes(b"tampered")
    damaged = api(lab.victor).get(address)
    assert (damaged.status_code, damaged.json()["code"]) == (500, "blob_corrupt")
    with pytest.raises(BlobMissing):
        Store(artifacts / "elsewhere").open(sha256(DATA))


def test_a_download_that_was_cut_goes_on_and_every_other_range_is_all_of_it(
    lab: Lab, artifacts: Path
) -> None:
    version = lab.finalised(DATA)
    address, tag = f"{lab.at(version)}/files/model.joblib", f'"{sha256(DATA)}"'

    def part(asked: str, **headers: str) -> tuple[int, bytes, str]:
        answer = api(lab.victor).get(address, range=asked, **headers)
        assert answer["ETag"] == tag
        body = b"".join(answer.streaming_content)
        assert answer["Content-Length"] == str(len(body))
        return answer.status_code, body, answer.headers.get("Content-Range", "")

    whole, rest = (200, DATA, ""), (206, DATA[3:], f"bytes 3-{len(DATA) - 1}/{len(DATA)}")
    assert part("bytes=3-") == part("bytes=3-", if_range=tag) == rest
    assert part("bytes=3-", if_range='"other"') == whole
    for asked in ("bytes=0-", "bytes=3-5", "bytes=-3", "bytes=3-,5-", "lines=3-", "bytes=x-"):
        assert part(asked) == whole
    past = api(lab.victor).get(address, range=f"bytes={len(DATA)}-")
    assert (past.status_code, past.json()["code"]) == (416, "range_not_satisfiable")
    head = api(lab.victor).head(address, range="bytes=3-")
    assert (head.status_code, head["Content-Length"]) == (200, str(len(DATA)))
    head.close()


@pytest.mark.django_db(transaction=True)
def test_of_two_chunks_at_the_same_offset_one_is_taken(artifacts: Path) -> None:
    lab = Lab()
    upload = lab.start(lab.draft(), "model.joblib", DATA)
    meet = threading.Barrier(2, timeout=20)
    statuses: list[str] = []

    class Slow(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            meet_once()
            return super().read(size)

    met: list[bool] = []

    def meet_once() -> None:
        if not met:
            met.append(True)
            meet.wait()

    def first() -> None:
        received = actions.receive_chunk(upload, offset=0, stream=Slow(DATA), actor=lab.actor)
        statuses.append(f"{len(received.files)} file")
        connections.close_all()

    thread = threading.Thread(target=first)
    thread.start()
    while not met:
        thread.join(0.01)
    second = chunk(lab.api, upload.pk, 0, DATA)
    meet.wait()
    thread.join()
    assert (second.status_code, second.json()["code"]) == (409, "upload_busy")
    assert statuses == ["1 file"]
    assert ArtifactFile.objects.get().sha256 == sha256(DATA)


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_breaks_in_the_middle_of_a_chunk_keeps_what_came(
    artifacts: Path, live_server: Any
) -> None:
    lab = Lab()
    upload = lab.start(lab.draft(), "model.joblib", DATA)
    head = (
        f"PATCH /api/v1/uploads/{upload.pk} HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: Bearer {token_for(lab.ada)}\r\nUpload-Offset: 0\r\n"
        f"Content-Type: {CHUNK}\r\nContent-Length: {len(DATA)}\r\n\r\n"
    )
    with socket.create_connection((live_server.thread.host, live_server.thread.port)) as line:
        line.sendall(head.encode() + DATA[:100_000])
        line.shutdown(socket.SHUT_WR)
        line.recv(1000)
    offset = int(lab.api.head(f"/uploads/{upload.pk}")["Upload-Offset"])
    assert offset == 100_000
    assert chunk(lab.api, upload.pk, offset, DATA[offset:]).status_code == 200
    assert blobs_in(artifacts) == {sha256(DATA)}


def test_a_day_later_a_finished_upload_is_no_concern(lab: Lab) -> None:
    version = lab.finalised()
    with time_machine.travel(now() + timedelta(days=2)):
        assert actions.expire_uploads(actor=SYSTEM) == 0
    assert version.files.count() == 1


def test_a_full_disk_is_told_and_the_upload_goes_on_when_there_is_room(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a small tmpfs needs root")
    try:
        monkeypatch.setattr(config(), "artifact_url", f"file://{disk}")
        (disk / "ballast").write_bytes(b"0" * 900_000)
        version = lab.draft()
        upload = lab.start(version, "model.joblib", DATA)
        full = chunk(lab.api, upload.pk, 0, DATA)
        assert (full.status_code, full.json()["code"]) == (507, "storage_full")
        assert (blobs_in(disk), version.files.count()) == (set(), 0)
        offset = int(lab.api.head(f"/uploads/{upload.pk}")["Upload-Offset"])
        (disk / "ballast").unlink()
        assert chunk(lab.api, upload.pk, offset, DATA[offset:]).status_code == 200
        assert blobs_in(disk) == {sha256(DATA)}
    finally:
        subprocess.run(["umount", str(disk)], check=True)
