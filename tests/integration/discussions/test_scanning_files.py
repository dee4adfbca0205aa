"""The product's own scanner looks at what people send, in the sandbox of builds."""

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import pytest

import workers.tasks  # noqa: F401  (registers the handlers)
from apps.discussions import actions
from apps.discussions.contents import SentFile
from apps.discussions.hooks import Subject
from apps.discussions.models import CommentFile, FileContent
from apps.discussions.queries import comment_views, comments_of
from apps.jobs.actions import run_one
from apps.jobs.models import Job
from tests.support.world import World
from workers import file_scan
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
    assert not list(Path("/tmp").glob("placet-file-*"))


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
