"""The product's own scanner looks at what people send, in the sandbox of builds."""

import io
import pickle
import zipfile
from typing import Any

import pytest

import workers.tasks  # noqa: F401  (registers the handlers)
from apps.discussions import actions
from apps.discussions.contents import SentFile
from apps.discussions.hooks import Subject
from apps.discussions.models import CommentFile, FileContent
from apps.discussions.queries import comment_views, comments_of
from apps.jobs.actions import cancel, enqueue, run_one
from apps.jobs.actions.lease import claim, end
from apps.jobs.models import Job, JobState
from placet.kernel.actor import SYSTEM
from tests.support.comment_files import lease_of
from tests.support.compound_files import compound_file
from tests.support.world import World
from workers import build_job, file_scan
from workers.builder import scanner
from workers.builder.spec import Finding, Scan

pytestmark = pytest.mark.django_db(transaction=True)
EVIL = b"cposix\nsystem\n(S'true'\ntR."


def zipped(name: str, raw: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(name, raw)
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "raw", "verdict"),
    [
        ("auc.csv", b"a,b\n1,2\n", "safe"),
        ("chart.png", b"\x89PNG\r\n\x1a\n" + bytes(20), "safe"),
        ("report.pdf", b"%PDF-1.7\n%%EOF", "unknown"),
        ("model.pkl", pickle.dumps({"a": 1}), "code-carrying"),
        ("model.pkl", EVIL, "malicious"),
        ("innocent.txt", EVIL, "malicious"),
        ("rows.zip", zipped("inside/rows.pkl", EVIL), "malicious"),
        ("MLmodel", b"flavors: {}", "safe"),
        ("page.txt", b"<!doctype html><script>alert(1)</script>", "code-carrying"),
        ("note.doc", compound_file("Macros"), "code-carrying"),
        ("note.doc", compound_file("ObjectPool"), "unknown"),
    ],
)
def test_what_the_scanner_says_of_a_file_decides(
    world: World, subject: Subject, name: str, raw: bytes, verdict: str
) -> None:
    file = sent(subject, world, SentFile(name, raw))
    assert run_one(job_of(file).pk)
    file.refresh_from_db()
    kept = FileContent.objects.get()
    assert file.verdict == verdict
    assert (kept.size == 0) == (verdict == "malicious")
    (view,) = comment_views(comments_of(file.comment.thread))[0].files
    assert verdict != "malicious" or "posix.system" in view.found
    assert not list(build_job.workplaces().glob("job_*"))


def test_what_cannot_be_scanned_is_removed_after_some_tries(
    world: World, subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut = Finding("", "The scan did not finish", "unknown")

    def broken(*_: Any, **__: Any) -> Scan:
        return Scan("unknown", (cut,), {}, finished=False)

    monkeypatch.setattr(scanner, "scan", broken)
    file = sent(subject, world, SentFile("auc.csv", b"1"))
    for attempt in range(3):
        file.refresh_from_db()
        assert file.verdict == "", attempt
        Job.objects.filter(pk=job_of(file).pk).update(due_at=file.created_at)
        run_one(job_of(file).pk)
    file.refresh_from_db()
    assert (file.verdict, FileContent.objects.get().size) == ("unscanned", 0)


@pytest.mark.parametrize("raw", [bytes(1_000_000), zipped("a.csv", bytes(1_000_000))])
def test_an_archive_is_read_as_far_as_a_comment_may_unpack(
    world: World, subject: Subject, monkeypatch: pytest.MonkeyPatch, raw: bytes
) -> None:
    monkeypatch.setattr(file_scan, "UNPACKED", 100_000)
    packed = zipped("inside.csv" if raw[:2] != b"PK" else "inside.zip", raw)
    file = sent(subject, world, SentFile("rows.zip", packed))
    assert run_one(job_of(file).pk)
    (view,) = comment_views(comments_of(file.comment.thread))[0].files
    assert view.file.verdict == "unknown"
    assert "its members are larger than is read here" in view.found


def test_a_scan_that_took_all_its_time_is_not_tried_again(
    world: World, subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_scan, "SECONDS", 0.01)
    file = sent(subject, world, SentFile("auc.csv", b"1"))
    assert run_one(job_of(file).pk)
    file.refresh_from_db()
    assert (file.verdict, job_of(file).attempts) == ("unscanned", 1)


def test_builds_go_before_files(world: World, subject: Subject) -> None:
    Job.objects.filter(queue="build").delete()
    file = sent(subject, world, SentFile("auc.csv", b"1"))
    enqueue("builds.run", queue="build", key="bld_x", project=world.project.pk, build="bld_x")
    turns = [job.kind for job in iter(lambda: claim(["build"]), None)]
    assert turns == ["builds.run", "discussions.scan"]
    assert job_of(file).state == "running"


def test_what_a_killed_worker_left_is_for_its_owner_alone_and_swept(
    world: World, subject: Subject
) -> None:
    file = sent(subject, world, SentFile("cohort.csv", b"private"))
    lease = lease_of(file)
    held = file_scan.folder_of("cohort.csv", b"private", job=lease)
    folder = held.__enter__()
    assert folder.parent == build_job.workplaces()
    assert [oct(one.stat().st_mode & 0o777) for one in (folder, folder / "cohort.csv")] == [
        "0o700",
        "0o600",
    ]
    assert file_scan.sweep_folders() == 0
    end(lease, JobState.FAILED)
    assert file_scan.sweep_folders() == 1
    assert not folder.exists()
    held.__exit__(None, None, None)


@pytest.mark.parametrize("running", [False, True])
def test_a_cancelled_scan_is_made_up_for(world: World, subject: Subject, running: bool) -> None:
    file = sent(subject, world, SentFile("auc.csv", b"1"))
    first = job_of(file)
    lease = lease_of(file) if running else None
    cancel(first.pk, actor=SYSTEM)
    assert actions.scan_again() == int(not running)
    if lease:
        end(lease, JobState.CANCELLED)
        assert actions.scan_again() == 1
    assert actions.scan_again() == 0
    assert run_one(Job.objects.get(kind="discussions.scan", state="queued").pk)
    file.refresh_from_db()
    assert file.verdict == "safe"


def test_a_job_s_row_never_names_a_file(
    world: World, subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = Finding("cohort-of-Jane.zip!x.csv", "could not be scanned (MemoryError)", "unknown")
    cut = Scan("unknown", (named,), {}, finished=False)
    monkeypatch.setattr(scanner, "scan", lambda *_, **__: cut)
    file = sent(subject, world, SentFile("cohort-of-Jane.zip", b"PK\x03\x04"))
    assert run_one(job_of(file).pk)
    assert (job_of(file).state, job_of(file).error) == ("queued", file_scan.UNFINISHED)


def test_a_file_deleted_before_its_turn_is_not_scanned(
    world: World, subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = sent(subject, world, SentFile("auc.csv", b"1"))
    actions.delete_comment(file.comment, actor=world.rex)
    monkeypatch.setattr(file_scan.scanner, "scan", None)
    assert run_one(job_of(file).pk)
    assert job_of(file).result == {"verdict": "none"}


def sent(subject: Subject, world: World, file: SentFile) -> CommentFile:
    said = actions.open_thread(subject, text="See", files=[file], actor=world.rex)
    return said.files[0]


def job_of(file: CommentFile) -> Job:
    return Job.objects.get(kind="discussions.scan", args__file=file.pk)
