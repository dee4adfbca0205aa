"""What a project brings into the store counts for its quota before it is there, and until it is
collected, whatever becomes of its files."""

import io
import os
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections

from apps.identity.models import Project
from apps.registry import actions
from apps.registry.actions import collect_blobs, uploads
from apps.registry.errors import PathTaken, QuotaExceeded, StorageFull
from apps.registry.models import CondemnedBlob, ModelVersion, StoredContent, Upload
from apps.registry.store import Store
from apps.registry.usage import bytes_kept
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import database_now
from placet.kernel.problems import Problem
from tests.integration.registry.helpers import FACTS, Lab, chunk, sha256
from tests.integration.registry.test_collecting import age, past_grace
from tests.integration.registry.test_quotas import limit, packed, stored
from tests.support.factories import actor_of

MODEL = b"m" * 1000


def removed(lab: Lab, data: bytes = MODEL, path: str = "a.txt") -> ModelVersion:
    """Return a draft that a file was put into and removed from."""
    draft = lab.draft()
    lab.put(draft, path, data)
    actions.remove_file(draft, path=path, actor=lab.actor)
    assert kept(lab) == len(data)
    return draft


def kept(lab: Lab) -> int:
    """Return what counts for the quota."""
    return bytes_kept(lab.project.pk)


def collected() -> None:
    """Let everything be collected that can be by now."""
    age()
    collect_blobs(actor=SYSTEM)
    past_grace()
    recorded_long_ago(days=2)
    collect_blobs(actor=SYSTEM)


def send(lab: Lab, upload: Upload, data: bytes) -> str:
    """Send all of an upload; return how it ended."""
    try:
        actions.receive_chunk(upload, offset=0, stream=io.BytesIO(data), actor=lab.actor)
    except Problem as problem:
        return problem.code
    return "taken"


def recorded_long_ago(days: int) -> None:
    """Let what projects brought into the store have come so long ago."""
    StoredContent.objects.update(at=database_now() - timedelta(days=days))


def test_who_uploads_and_removes_in_a_loop_fills_no_more_than_the_quota(lab: Lab) -> None:
    limit(lab, 2500)
    draft, answers = lab.draft(), []
    for number in range(4):
        data = bytes([number]) * 1000
        body = {"path": "a.txt", "size": 1000, "sha256": sha256(data)}
        answer = lab.api.post(f"{lab.at(draft)}/uploads", body)
        answers.append(answer.status_code)
        if answer.status_code == 201:
            assert chunk(lab.api, answer.json()["upload"]["id"], 0, data).status_code == 200
            tag = f'"{sha256(data)}"'
            gone = lab.api.delete(f"{lab.at(draft)}/files/a.txt", if_match=tag)
            assert gone.status_code == 204
    assert (answers, stored()) == ([201, 201, 413, 413], [1000, 1000])
    for said in ("keeps 2,000 ", "(2,000 of them in no file", "need 1,000 more", "up to 15 days"):
        assert said in answer.json()["detail"]
    used = lab.api.get("/projects/risk/storage").json()
    assert used == {"used": 2000, "quota": 2500}


def test_what_was_removed_counts_no_more_when_it_is_collected(lab: Lab) -> None:
    removed(lab)
    age()
    collect_blobs(actor=SYSTEM)
    assert (kept(lab), stored()) == (1000, [1000]), "condemned is not gone"
    collected()
    assert (kept(lab), stored()) == (0, [])


def test_what_was_removed_and_is_held_counts_once(lab: Lab) -> None:
    removed(lab)
    first, second = lab.draft(), lab.draft()
    lab.put(first, "a.txt", MODEL)
    lab.put(second, "b.txt", MODEL)
    assert kept(lab) == 1000
    collected()
    for draft, path in ((first, "a.txt"), (second, "b.txt")):
        assert kept(lab) == 1000
        actions.remove_file(draft, path=path, actor=lab.actor)
    assert kept(lab) == 1000, "what was held for long and is removed now lies there all the same"


def theirs(lab: Lab) -> ModelVersion:
    """Return a draft of the stranger's, in the other project."""
    actor = actor_of(lab.stranger)
    project = Project.objects.get(slug="elsewhere")
    model = actions.create_model(project, name="mine", actor=actor)
    return actions.create_version(model, actor=actor, **FACTS)


def test_what_others_need_counts_for_who_removed_it_no_longer_than_the_collector_takes(
    lab: Lab,
) -> None:
    removed(lab)
    started = actions.start_upload(
        theirs(lab), path="a", size=1000, sha256=sha256(MODEL), actor=actor_of(lab.stranger)
    )
    assert isinstance(started, Upload)
    actions.receive_chunk(started, offset=0, stream=io.BytesIO(MODEL), actor=actor_of(lab.stranger))
    collected()
    assert (kept(lab), stored()) == (1000, [1000])
    recorded_long_ago(days=16)
    collect_blobs(actor=SYSTEM)
    assert (kept(lab), stored()) == (0, [1000])
    assert bytes_kept(started.version.project_id) == 1000


def test_who_announces_a_digest_keeps_nothing_in_the_store_by_that(lab: Lab) -> None:
    """One byte that never comes would keep the bytes of others there, and count as one."""
    removed(lab)
    actions.start_upload(
        theirs(lab), path="a", size=1, sha256=sha256(MODEL), actor=actor_of(lab.stranger)
    )
    collected()
    assert (kept(lab), stored()) == (0, [])


def test_what_is_condemned_and_cannot_be_removed_goes_on_counting(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(blobs: Store, digest: str) -> None:
        raise StorageFull

    removed(lab)
    with monkeypatch.context() as patch:
        patch.setattr(Store, "delete", refuse)
        with pytest.raises(StorageFull):
            collected()
    recorded_long_ago(days=16)
    with monkeypatch.context() as patch:
        patch.setattr(Store, "delete", refuse)
        with pytest.raises(StorageFull):
            collect_blobs(actor=SYSTEM)
    assert (kept(lab), CondemnedBlob.objects.count()) == (1000, 1)
    collect_blobs(actor=SYSTEM)
    assert kept(lab) == 0


def test_what_is_being_stored_anew_at_the_moment_of_the_sweep_goes_on_counting(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was recorded when the old bytes went, and is stored when the sweeper has logged that."""
    removed(lab)
    draft, delete = lab.draft(), Store.delete
    upload = lab.start(draft, "a.txt", MODEL)

    def meanwhile(blobs: Store, digest: str) -> None:
        delete(blobs, digest)
        assert send(lab, upload, MODEL) == "blob_swept"

    with monkeypatch.context() as patch:
        patch.setattr(Store, "delete", meanwhile)
        collected()
    assert (stored(), kept(lab)) == ([], 1000)
    assert lab.api.post(f"/uploads/{upload.pk}/finish").status_code == 200
    actions.remove_file(draft, path="a.txt", actor=lab.actor)
    assert (stored(), kept(lab)) == ([1000], 1000)


# ── archives, whose contents are known only when they are unpacked ───────────────────────────────


def archives(lab: Lab, many: int) -> tuple[list[Upload], list[bytes]]:
    """Announce archives of 2,000,000 bytes each, and leave room for one."""
    draft = lab.draft()
    data = [packed({f"d/m{n}": os.urandom(16) + bytes(2_000_000)}) for n in range(many)]
    started = [lab.start(draft, f"{n}.zip", data[n], archive=True) for n in range(many)]
    limit(lab, 3_000_000)
    return started, data


def test_archives_that_are_finished_together_leave_no_more_than_the_quota(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, data = archives(lab, 4)
    ends, rest, real = [], [1, 2, 3], uploads.record

    def meeting(actor: Any) -> Any:  # before one adds its files, the others come as far as they may
        while rest:
            number = rest.pop(0)
            ends.append(send(lab, started[number], data[number]))
        return real(actor)

    monkeypatch.setattr(uploads, "record", meeting)
    ends.append(send(lab, started[0], data[0]))
    assert sorted(ends) == ["quota_exceeded"] * 3 + ["taken"]
    assert stored() == [2_000_016]


@pytest.mark.django_db(transaction=True)
def test_of_archives_at_once_one_is_stored(artifacts: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = Lab()
    started, data = archives(lab, 4)
    meet, here, ends = threading.Barrier(4, timeout=30), threading.local(), list[str]()
    real = uploads.lock_project

    def meeting(project: str) -> Project:  # all ask for the lock at the same moment, once
        if not hasattr(here, "met"):
            here.met = True
            meet.wait()
        return real(project)

    def act(number: int) -> None:
        try:
            ends.append(send(lab, started[number], data[number]))
        finally:
            connections.close_all()

    monkeypatch.setattr(uploads, "lock_project", meeting)
    threads = [threading.Thread(target=act, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (sorted(ends), stored()) == (["quota_exceeded"] * 3 + ["taken"], [2_000_016])


def test_an_archive_that_is_refused_after_its_files_were_stored_counts_with_them(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft, data = lab.draft(), packed({"a": b"a" * 5000, "b": b"b" * 5000})
    upload = lab.start(draft, "m.zip", data, archive=True)
    put = Store.put_file

    def meanwhile(blobs: Store, *args: Any, **options: Any) -> Any:
        monkeypatch.setattr(Store, "put_file", put)
        lab.put(draft, "b", MODEL)
        return put(blobs, *args, **options)

    monkeypatch.setattr(Store, "put_file", meanwhile)
    with pytest.raises(PathTaken):
        actions.receive_chunk(upload, offset=0, stream=io.BytesIO(data), actor=lab.actor)
    assert (stored(), kept(lab)) == ([1000, 5000, 5000], 11_000 + len(data))
    actions.cancel_upload(upload, actor=lab.actor)
    assert kept(lab) == 11_000
    collected()
    assert (stored(), kept(lab)) == ([1000], 1000)


class Died(BaseException):
    """What stands for the end of a process."""


def test_an_archive_whose_server_dies_counts_once_until_it_is_finished(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = packed({"a": b"a" * 5000})
    upload = lab.start(lab.draft(), "m.zip", data, archive=True)
    limit(lab, 5000)

    def die(name: str) -> None:
        if name == "registry.before_files_added":
            raise Died

    with monkeypatch.context() as patch:
        patch.setattr(uploads, "crash_point", die)
        with pytest.raises(Died):
            actions.receive_chunk(upload, offset=0, stream=io.BytesIO(data), actor=lab.actor)
    assert (stored(), kept(lab)) == ([5000], 5000)
    with pytest.raises(QuotaExceeded):
        lab.start(lab.draft(), "c.txt", b"c")
    assert lab.api.post(f"/uploads/{upload.pk}/finish").status_code == 200
    assert kept(lab) == 5000


def test_an_archive_that_has_to_be_sent_again_is_one_again(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, artifacts: Any
) -> None:
    """Its server died, and the next one does not have its bytes: what comes may be anything."""
    data = packed({"a": b"a" * 5000})
    upload = lab.start(lab.draft(), "m.zip", data, archive=True)

    def die(name: str) -> None:
        if name == "registry.before_files_added":
            raise Died

    with monkeypatch.context() as patch:
        patch.setattr(uploads, "crash_point", die)
        with pytest.raises(Died):
            actions.receive_chunk(upload, offset=0, stream=io.BytesIO(data), actor=lab.actor)
    (artifacts / "incoming" / upload.pk).unlink()
    answer = lab.api.post(f"/uploads/{upload.pk}/finish")
    assert (answer.status_code, answer.json()["code"]) == (409, "offset_mismatch")
    assert kept(lab) == 5000 + len(data)
    assert chunk(lab.api, upload.pk, 0, data).status_code == 200
    assert kept(lab) == 5000
