"""Blobs that nothing needs go, after a time and a grace; whatever is needed or claimed stays."""

import io
import json
import os
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection, connections

from apps.audit.models import Event
from apps.registry import actions
from apps.registry.actions import claim, collect_blobs, collecting
from apps.registry.errors import BlobSwept, StoreUnavailable
from apps.registry.models import CondemnedBlob, Upload
from apps.registry.store import Store, store
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now
from tests.integration.registry.helpers import Lab, chunk, sha256

ORPHAN = b"bytes that nothing names"
NAME = sha256(ORPHAN)


def age(days: float = 15) -> None:
    """Let every blob have been written so long ago."""
    stamp = (now() - timedelta(days=days)).timestamp()
    for found in store().listing():
        path = store().path(found.sha256)
        assert path is not None
        os.utime(path, (stamp, stamp))


def past_grace() -> None:
    """Let the grace of everything condemned be over."""
    CondemnedBlob.objects.update(condemned_at=now() - timedelta(hours=25))


def condemned(many: int) -> list[str]:
    """Have so many blobs condemned, whose grace is over; return their digests, in order."""
    for n in range(many):
        store().put_stream(io.BytesIO(b"%d" % n))
    age()
    collect_blobs(actor=SYSTEM)
    past_grace()
    return [*CondemnedBlob.objects.order_by("pk").values_list("pk", flat=True)]


def refuses(monkeypatch: pytest.MonkeyPatch, held: set[str]) -> list[str]:
    """Have the store refuse to remove ``held``; return a list of those that it was asked about."""
    asked, delete = list[str](), Store.delete

    def refuse(blobs: Store, digest: str) -> None:
        if digest in held:
            asked.append(digest)
            raise StoreUnavailable("The artifact store refuses")
        delete(blobs, digest)

    monkeypatch.setattr(Store, "delete", refuse)
    return asked


@pytest.fixture
def orphan(artifacts: Path) -> str:
    store().put_stream(io.BytesIO(ORPHAN))
    age()
    return NAME


def test_what_nothing_needs_is_condemned_first_and_gone_a_grace_later(
    lab: Lab, orphan: str
) -> None:
    lab.put(lab.draft(), "model.joblib", b"needed")
    age()
    first = collect_blobs(actor=SYSTEM)
    assert (first.condemned, first.blobs) == (1, 0)
    assert store().exists(orphan)
    assert collect_blobs(actor=SYSTEM).condemned == 0, "condemned once is enough"
    past_grace()
    second = collect_blobs(actor=SYSTEM)
    assert (second.blobs, second.size) == (1, len(ORPHAN))
    assert not store().exists(orphan)
    assert store().exists(sha256(b"needed"))
    assert not CondemnedBlob.objects.exists()
    event = Event.objects.get(kind="store.collected.v1")
    assert f'"bytes":{len(ORPHAN)}' in event.body


def test_young_bytes_are_left_alone(lab: Lab, orphan: str) -> None:
    age(days=13)
    assert collect_blobs(actor=SYSTEM).condemned == 0


def test_a_removed_file_goes_though_it_is_announced_and_one_that_was_brought_stays(
    lab: Lab, artifacts: Path
) -> None:
    version = lab.draft()
    lab.put(version, "model.joblib", ORPHAN)
    actions.remove_file(version, path="model.joblib", actor=lab.actor)
    age()
    assert collect_blobs(actor=SYSTEM).condemned == 1
    CondemnedBlob.objects.all().delete()
    (artifacts / "sha256" / NAME[:2] / NAME).unlink()
    upload = lab.start(version, "model.joblib", ORPHAN)
    store().put_stream(io.BytesIO(ORPHAN))
    age()
    assert collect_blobs(actor=SYSTEM).condemned == 1
    CondemnedBlob.objects.all().delete()
    Upload.objects.update(verified=True)
    assert collect_blobs(actor=SYSTEM).condemned == 0
    assert chunk(lab.api, upload.pk, 0, ORPHAN).status_code == 200


def test_an_upload_of_condemned_bytes_saves_them(lab: Lab, orphan: str) -> None:
    collect_blobs(actor=SYSTEM)
    lab.put(lab.draft(), "model.joblib", ORPHAN)
    assert not CondemnedBlob.objects.exists()
    past_grace()
    assert collect_blobs(actor=SYSTEM).blobs == 0
    assert store().exists(orphan)


def test_bytes_needed_again_without_a_word_are_spared(lab: Lab, orphan: str) -> None:
    """Somebody relied on them before they were condemned and wrote it down only afterwards."""
    collect_blobs(actor=SYSTEM)
    condemned = CondemnedBlob.objects.get()
    lab.put(lab.draft(), "model.joblib", ORPHAN)
    condemned.save(force_insert=True)
    past_grace()
    assert collect_blobs(actor=SYSTEM).blobs == 0
    assert store().exists(orphan)
    assert not CondemnedBlob.objects.exists()


def test_bytes_that_are_being_swept_are_put_anew_a_moment_later(lab: Lab, orphan: str) -> None:
    """The sweeper died, or sleeps, between its decision and the file."""
    collect_blobs(actor=SYSTEM)
    CondemnedBlob.objects.update(sweeping=True)
    version = lab.draft()
    upload = lab.start(version, "model.joblib", ORPHAN)
    busy = chunk(lab.api, upload.pk, 0, ORPHAN)
    assert (busy.status_code, busy.json()["code"]) == (409, "blob_swept")
    past_grace()
    assert collect_blobs(actor=SYSTEM).blobs == 1, "the next pass ends what the last began"
    assert lab.api.post(f"/uploads/{upload.pk}/finish").status_code == 200
    with store().open_verified(orphan) as stream:
        assert stream.read() == ORPHAN


def test_a_blob_that_cannot_be_removed_stops_no_other(
    artifacts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = condemned(3)
    refused = refuses(monkeypatch, {names[0]})
    with pytest.raises(StoreUnavailable):  # the job has failed, and people are told
        collect_blobs(actor=SYSTEM)
    assert (refused, [store().exists(name) for name in names]) == (names[:1], [True, False, False])
    (told,) = Event.objects.filter(kind="store.collected.v1")
    assert json.loads(told.body)["data"]["blobs"] == 2


def test_a_store_that_is_away_is_not_asked_about_every_blob(
    artifacts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that it is asked about cannot be put anew until they are gone."""
    monkeypatch.setattr(collecting, "SWEPT_AT_ONCE", 2)
    names = condemned(5)
    refused = refuses(monkeypatch, {*names})
    with pytest.raises(StoreUnavailable):
        collect_blobs(actor=SYSTEM)
    assert refused == names[:2]
    assert CondemnedBlob.objects.filter(sweeping=True).count() == 2


@pytest.mark.django_db(transaction=True)
def test_an_upload_at_the_very_moment_of_the_sweep_never_loses_its_bytes(
    artifacts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sweeper stops right before it removes the file; meanwhile the same bytes come."""
    lab = Lab()
    store().put_stream(io.BytesIO(ORPHAN))
    age()
    collect_blobs(actor=SYSTEM)
    past_grace()
    upload = lab.start(lab.draft(), "model.joblib", b"x" + ORPHAN)
    reached, go = threading.Event(), threading.Event()
    remove = Store.delete

    def slow(self: Store, digest: str) -> None:
        reached.set()
        assert go.wait(20)
        remove(self, digest)

    monkeypatch.setattr(Store, "delete", slow)

    def sweep() -> None:
        collect_blobs(actor=SYSTEM)
        connections.close_all()

    sweeper = threading.Thread(target=sweep)
    sweeper.start()
    assert reached.wait(20)
    with pytest.raises(BlobSwept):
        store().put_stream(io.BytesIO(ORPHAN))
    assert collect_blobs(actor=SYSTEM).blobs == 0, "two sweepers at once"
    go.set()
    sweeper.join()
    assert chunk(lab.api, upload.pk, 0, b"x" + ORPHAN).status_code == 200
    store().put_stream(io.BytesIO(ORPHAN))
    assert store().exists(NAME)


@pytest.mark.django_db(transaction=True)
def test_a_claim_and_a_sentence_at_once_are_one_or_the_other(artifacts: Path) -> None:
    """The row's lock decides: whoever claims either keeps the bytes or is told that they go."""
    store().put_stream(io.BytesIO(ORPHAN))
    for _ in range(15):
        store().put_stream(io.BytesIO(ORPHAN))
        CondemnedBlob(sha256=NAME, size=1, condemned_at=now() - timedelta(days=2)).save()
        ends: list[str] = []
        meet = threading.Barrier(2, timeout=20)

        def claiming(ends: list[str] = ends, meet: threading.Barrier = meet) -> None:
            meet.wait()
            try:
                claim(NAME)
                ends.append("kept" if store().exists(NAME) else "gone already")
            except BlobSwept:
                ends.append("told")
            finally:
                connections.close_all()

        def sweeping(meet: threading.Barrier = meet) -> None:
            meet.wait()
            collect_blobs(actor=SYSTEM)
            connections.close_all()

        threads = [threading.Thread(target=claiming), threading.Thread(target=sweeping)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert store().exists(NAME) == (ends == ["kept"]), ends


@pytest.fixture(autouse=True)
def no_lock_is_left(db: None) -> Iterator[None]:
    """A pass lets go of its lock, however it ended."""
    yield
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = %s", [0x706C6163]
        )
        assert cursor.fetchone() == (0,)
