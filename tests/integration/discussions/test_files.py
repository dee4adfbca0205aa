"""People send files with what they say: kept sealed, scanned, downloaded, deleted, erased."""

import pytest

from apps.audit.actions import erase_texts, write_checkpoint
from apps.audit.models import Event
from apps.audit.queries.fsck import fsck
from apps.discussions import actions, errors, queries, rules
from apps.discussions.contents import FILES_BYTES, SentFile
from apps.discussions.hooks import Subject
from apps.discussions.models import Comment, CommentFile, FileContent, Thread
from apps.discussions.queries import FileView
from apps.identity.actions import deactivate_person, erase_person
from apps.jobs.models import Job
from placet.kernel.actor import SYSTEM, Actor
from placet.kernel.config import config
from placet.kernel.problems import InvalidInput, NotFound, QuotaReached
from tests.support import factories
from tests.support.comment_files import lease_of, scanned
from tests.support.meeting import at_once
from tests.support.replay import assert_log_rebuilds_every_row
from tests.support.world import World

pytestmark = pytest.mark.django_db
SECRET = SentFile("private-cohort.csv", b"name,age\nprivate words,7\n")


def sent(subject: Subject, who: Actor, *files: SentFile, once: str = "") -> list[CommentFile]:
    said = actions.open_thread(subject, text="See", files=files or [SECRET], once=once, actor=who)
    return list(said.files)


def views(thread: Thread) -> list[FileView]:
    read = queries.comment_views(queries.comments_of(thread).order_by("pk"))
    return [one for view in read for one in view.files]


def got(file: CommentFile, who: Actor) -> tuple[str, bytes]:
    at = file.comment.thread_id, file.comment_id, file.pk
    return queries.read_file(queries.get_file(*at, who))


def test_a_file_waits_for_the_scanner_and_is_read_by_who_reads_the_thread(
    world: World, subject: Subject
) -> None:
    (file,) = sent(subject, world.rex)
    with pytest.raises(errors.FileWaits):
        got(file, world.rex)
    assert views(file.comment.thread)[0].state == "scanning"
    scanned(file)
    assert got(file, world.vera) == (SECRET.name, SECRET.content)
    (view,) = views(file.comment.thread)
    assert (view.name, view.state, view.file.type) == (SECRET.name, "ready", "Text")
    with pytest.raises(NotFound):
        got(file, factories.actor_of(factories.person("Stranger")))


def test_the_log_knows_neither_name_nor_bytes_and_rebuilds_every_row(
    world: World, subject: Subject
) -> None:
    (file,) = sent(subject, world.rex)
    scanned(file, "code-carrying", "private-cohort.csv: is a pickle")
    bodies = "".join(Event.objects.values_list("body", flat=True))
    for words in ("private-cohort", "pickle"):
        assert words not in bodies
    kept = FileContent.objects.get()
    assert b"private" not in bytes(kept.ciphertext) + bytes(kept.found)
    assert views(file.comment.thread)[0].found == "private-cohort.csv: is a pickle"
    assert assert_log_rebuilds_every_row(Thread, Comment, CommentFile) == 3
    write_checkpoint()
    assert not [fault for fault in fsck().faults if "discussions." in fault.place]
    (opened, told) = Event.objects.filter(kind__startswith="discussion.").order_by("index")
    assert '"files":1' in opened.body
    assert '"verdict":"code-carrying"' in told.body


@pytest.mark.parametrize("verdict", ["malicious", "unscanned"])
def test_what_is_dangerous_is_not_kept_and_says_what_was_found(
    world: World, subject: Subject, verdict: str
) -> None:
    (file,) = sent(subject, world.rex)
    scanned(file, verdict, "asks for posix.system")
    with pytest.raises(errors.FileRemoved, match="Removed"):
        got(file, world.rex)
    kept = FileContent.objects.get()
    assert (bytes(kept.ciphertext), kept.size) == (b"", 0)
    (view,) = views(file.comment.thread)
    assert (view.state, view.found) == ("removed", "asks for posix.system")


def test_a_deleted_comment_takes_its_files_along(world: World, subject: Subject) -> None:
    (file,) = sent(subject, world.rex)
    scanned(file)
    actions.delete_comment(file.comment, actor=world.rex)
    assert not FileContent.objects.exists()
    with pytest.raises(NotFound):
        got(file, world.rex)
    file.refresh_from_db()
    assert (file.name_sealed, bool(file.deleted_at)) == ("", True)
    assert views(file.comment.thread) == []
    assert assert_log_rebuilds_every_row(Comment, CommentFile) == 2


def test_its_author_deletes_one_file_and_nobody_else_does(world: World, subject: Subject) -> None:
    first, second = sent(subject, world.rex, SECRET, SentFile("b.csv", b"2"))
    for file in (first, second):
        scanned(file)
    with pytest.raises(errors.OthersComment):
        actions.delete_file(first, actor=world.ada)
    for _ in range(2):
        actions.delete_file(first, actor=world.rex)
    assert [view.name for view in views(first.comment.thread)] == ["b.csv"]
    with pytest.raises(NotFound):
        got(first, world.rex)
    assert got(second, world.ada) == ("b.csv", b"2")
    assert Event.objects.filter(kind="discussion.file_deleted.v1").count() == 1


def test_an_erased_person_leaves_bytes_that_nobody_can_read(world: World, subject: Subject) -> None:
    (file,) = sent(subject, world.rex)
    scanned(file)
    deactivate_person(world.people["Rex"], actor=SYSTEM)
    erase_texts(world.people["Rex"].pk, actor=SYSTEM)
    with pytest.raises(NotFound):
        got(file, world.vera)
    assert queries.content_of(file) is None
    assert views(file.comment.thread) == []
    write_checkpoint()
    assert not [fault for fault in fsck().faults if "discussions." in fault.place]


def test_an_erased_person_s_bytes_are_gone_and_give_room(world: World, subject: Subject) -> None:
    (file,), (other,) = sent(subject, world.rex), sent(subject, world.ada)
    deactivate_person(world.people["Rex"], actor=SYSTEM)
    erase_person(world.people["Rex"], actor=SYSTEM)
    assert [kept.file_id for kept in FileContent.objects.all()] == [other.pk]
    with pytest.raises(NotFound):
        got(file, world.vera)


def test_a_person_erased_while_the_scanner_looks_leaves_nothing_to_read(
    world: World, subject: Subject
) -> None:
    (file,) = sent(subject, world.rex)
    job = lease_of(file)
    deactivate_person(world.people["Rex"], actor=SYSTEM)
    erase_texts(world.people["Rex"].pk, actor=SYSTEM)
    assert queries.waiting_file(file.pk) is None
    actions.settle_scan(file.pk, verdict="code-carrying", found="words of theirs", job=job)
    assert bytes(FileContent.objects.get().found) == b""
    with pytest.raises(NotFound):
        got(file, world.vera)


def test_a_file_deleted_while_the_scanner_looks_stays_deleted(
    world: World, subject: Subject
) -> None:
    (file,) = sent(subject, world.rex)
    job = lease_of(file)
    actions.delete_comment(file.comment, actor=world.rex)
    actions.settle_scan(file.pk, verdict="safe", job=job)
    file.refresh_from_db()
    assert file.verdict == ""
    assert not FileContent.objects.exists()


def test_bytes_that_were_swapped_in_the_database_are_not_served(
    world: World, subject: Subject
) -> None:
    first, second = sent(subject, world.rex, SECRET, SentFile("b.csv", b"2"))
    for file in (first, second):
        scanned(file)
    other = FileContent.objects.get(file=second).ciphertext
    FileContent.objects.filter(file=first).update(ciphertext=other)
    with pytest.raises(NotFound):
        got(first, world.rex)


def test_a_form_that_is_sent_twice_keeps_its_files_once(world: World, subject: Subject) -> None:
    first, again = (sent(subject, world.rex, once="form-1") for _ in range(2))
    assert first[0].comment_id == CommentFile.objects.get().comment_id
    assert again == []
    assert Job.objects.filter(kind="discussions.scan").count() == 1
    other = SentFile(SECRET.name, SECRET.content[:-2] + b"8\n")
    assert sent(subject, world.rex, other, once="form-1")[0].comment_id != first[0].comment_id
    assert Comment.objects.count() == 2


def test_a_form_that_is_sent_again_and_again_is_refused_before_anything_is_read(
    world: World, subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[object] = []
    monkeypatch.setattr(
        "apps.discussions.actions.saying.are_those_of", lambda *_: not read.append(1)
    )
    monkeypatch.setattr("apps.discussions.actions.locking.MOST_SENT", 3)
    monkeypatch.setattr("apps.discussions.actions.locking.RATE", 1)
    for _ in range(2):
        sent(subject, world.rex, once="form-1")
    with pytest.raises(errors.TooFast, match="At most 3 forms a minute, repeats too: wait"):
        for _ in range(6):  # a minute may end between them
            sent(subject, world.rex, once="form-1")
    assert len(read) < 7
    actions.reply(CommentFile.objects.get().comment.thread, text="Hm", once="a", actor=world.ada)
    assert Comment.objects.count() == 2


def test_a_project_has_a_quota_and_deleted_files_give_room(
    world: World, subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config(), "max_discussion_file_bytes", 30)
    (file,) = sent(subject, world.rex)
    said = r"b\.csv would add 10.*PLACET_MAX_DISCUSSION_FILE_BYTES"
    with pytest.raises(QuotaReached, match=said):
        sent(subject, world.ada, SentFile("b.csv", b"0123456789"))
    assert Comment.objects.count() == 1, "nothing half-done"
    actions.delete_file(file, actor=world.rex)
    sent(subject, world.ada, SentFile("b.csv", b"0123456789"))


def test_one_person_with_their_programs_fills_a_share_of_the_quota_and_leaves_room(
    world: World, subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config(), "max_discussion_file_bytes", 120)
    monkeypatch.setattr("apps.discussions.rules.LEAST_SHARE", 0)
    bot = factories.service_account("bot", world.people["Rex"], {"contributor": world.project})
    (file,) = sent(subject, factories.actor_of(bot))
    small = SentFile("b.csv", b"0123456789")
    said = (
        r"Files of you and your programs .* have 25 bytes, b\.csv would add 10, and 30 are .*yours"
    )
    with pytest.raises(QuotaReached, match=said):
        sent(subject, world.rex, small)
    sent(subject, world.ada)
    actions.delete_file(file, actor=world.rex)
    sent(subject, world.rex, small)


def test_a_share_takes_the_files_of_a_comment_at_least() -> None:
    shares = {quota: rules.share_of(quota) for quota in (0, 9_000_000, 20_000_000, 1_000_000_000)}
    assert list(shares.values()) == [0, 9_000_000, 10_000_000, 250_000_000]
    assert rules.LEAST_SHARE == FILES_BYTES


def test_a_refused_file_keeps_its_comment_from_being_said(world: World, subject: Subject) -> None:
    with pytest.raises(InvalidInput):
        sent(subject, world.rex, SECRET, SentFile("chart.png", b"<html>"))
    assert not Comment.objects.exists()
    assert not CommentFile.objects.exists()


def test_files_of_what_is_discarded_go(world: World, subject: Subject) -> None:
    (file,) = sent(subject, world.rex)
    scanned(file)
    actions.forget_mentions("release", subject.id)
    assert not FileContent.objects.exists()
    with pytest.raises(NotFound):
        got(file, world.rex)


@pytest.mark.django_db(transaction=True)
def test_two_who_send_at_once_cannot_share_the_last_room(
    world: World, subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config(), "max_discussion_file_bytes", 40)
    refused: list[QuotaReached] = []

    def send(who: Actor) -> None:
        try:
            sent(subject, who)
        except QuotaReached as full:
            refused.append(full)

    at_once(*[lambda who=who: send(who) for who in (world.rex, world.ada, world.vera)])
    assert len(refused) == 2
    assert FileContent.objects.count() == 1
