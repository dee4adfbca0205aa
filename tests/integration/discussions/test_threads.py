"""People discuss a release: they open threads, reply, edit, delete, resolve and reopen."""

from datetime import timedelta
from typing import Any

import pytest

from apps.audit.actions import erase_texts, write_checkpoint
from apps.audit.models import Event
from apps.audit.queries import verify_database
from apps.audit.queries.fsck import fsck
from apps.discussions import actions, errors, queries
from apps.discussions.hooks import Subject
from apps.discussions.models import Comment, Mention, Thread
from apps.discussions.queries import CommentView
from apps.governance.models import Release
from apps.identity.actions import deactivate_person, revoke_role
from apps.identity.models import RoleBinding
from placet.kernel.actor import SYSTEM, Actor
from placet.kernel.problems import Forbidden, InvalidInput, NotFound, Stale
from tests.support import factories
from tests.support.replay import assert_log_rebuilds_every_row
from tests.support.world import World

pytestmark = pytest.mark.django_db
ASKED = "Why does recall fall?"


def opened(
    subject: Subject, who: Actor, text: str = "Why does recall fall?", **more: Any
) -> Thread:
    return actions.open_thread(subject, text=text, actor=who, **more).comment.thread


def read(thread: Thread) -> list[CommentView]:
    return queries.comment_views(queries.comments_of(thread).order_by("pk"))


def texts(thread: Thread) -> list[str]:
    return [view.text or view.state for view in read(thread)]


def logged() -> list[str]:
    rows = Event.objects.filter(kind__startswith="discussion.").order_by("index")
    return [row.kind.split(".")[1] for row in rows]


def test_a_thread_is_opened_answered_resolved_and_taken_up_again(
    world: World, subject: Subject, release: Release
) -> None:
    thread = opened(subject, world.rex, anchor="metrics/recall")
    actions.reply(thread, text="The **new** cohort", actor=world.ada)
    resolved = actions.resolve_thread(thread, actor=world.vera)
    assert (resolved.is_resolved, resolved.resolved_by) == (True, world.vera.id)
    assert not actions.reopen_thread(thread, actor=world.rex).is_resolved
    assert texts(thread) == ["Why does recall fall?", "The **new** cohort"]
    row = queries.get_thread(thread.pk, world.rex)
    assert (row.number, row.anchor, row.size) == (1, "metrics/recall", 2)
    place = (row.subject, row.project, row.environment)
    assert place == (release.pk, world.project.pk, "staging")
    assert opened(subject, world.rex).number == 2
    assert logged() == ["opened", "replied", "resolved", "reopened", "opened"]


def test_the_log_knows_no_word_of_it_and_rebuilds_every_row(world: World, subject: Subject) -> None:
    thread = opened(subject, world.rex, "Very private words", anchor="metrics/secret_metric")
    said = actions.reply(thread, text="More private words", actor=world.ada).comment
    actions.edit_comment(said, text="Other private words", actor=world.ada)
    bodies = "".join(Event.objects.values_list("body", flat=True))
    assert "private words" not in bodies
    assert "secret_metric" not in bodies
    assert assert_log_rebuilds_every_row(Thread, Comment) == 3
    write_checkpoint()
    assert not [fault for fault in fsck().faults if "discussions." in fault.place]


def test_a_text_is_edited_by_its_author_alone_and_says_that_it_was(
    world: World, subject: Subject
) -> None:
    thread = opened(subject, world.rex)
    first = thread.comments.get()
    edited = actions.edit_comment(first, text="Why did it fall?", actor=world.rex).comment
    assert texts(thread) == ["Why did it fall?"]
    assert edited.edited_at is not None
    with pytest.raises(Stale):
        actions.edit_comment(first, text="As I read it before", actor=world.rex)
    with pytest.raises(errors.OthersComment):
        actions.edit_comment(edited, text="In Vera's words", actor=world.vera)
    with pytest.raises(errors.OthersComment):
        actions.delete_comment(edited, actor=world.vera)


def test_a_deleted_text_is_off_the_thread_and_its_place_stays(
    world: World, subject: Subject
) -> None:
    thread = opened(subject, world.rex)
    slip = actions.reply(thread, text="A slip, @vera.risk", actor=world.ada).comment
    actions.reply(thread, text="Right", actor=world.vera)
    for _ in range(2):
        actions.delete_comment(slip, actor=world.ada)
    assert texts(thread) == ["Why does recall fall?", "deleted", "Right"]
    assert not Mention.objects.exists()
    assert logged().count("removed") == 1
    with pytest.raises(errors.CommentDeleted):
        actions.edit_comment(slip, text="Back", actor=world.ada)


def test_an_erased_person_leaves_a_thread_that_can_be_read_and_a_log_that_verifies(
    world: World, subject: Subject
) -> None:
    thread = opened(subject, world.rex, "Hello @ada.risk", anchor="metrics/recall")
    actions.reply(thread, text="Ada's words", actor=world.ada)
    actions.reply(thread, text="Indeed", actor=world.rex)
    erase_texts(world.people["Ada"].pk, actor=SYSTEM)
    assert texts(thread) == ["Hello @ada.risk", "erased", "Indeed"]
    erase_texts(world.people["Rex"].pk, actor=SYSTEM)
    assert texts(thread) == ["erased", "erased", "erased"]
    assert read(thread)[0].mentioned == []
    actions.reply(thread, text="Who was here?", actor=world.vera)
    actions.resolve_thread(thread, actor=world.vera)
    assert texts(thread)[-1] == "Who was here?"
    write_checkpoint()
    assert verify_database().fault is None
    assert_log_rebuilds_every_row(Thread, Comment)


def test_words_of_who_was_deactivated_or_lost_their_role_stay(
    world: World, subject: Subject
) -> None:
    thread = opened(subject, world.rex)
    actions.reply(thread, text="As I see it", actor=world.ada)
    ada = world.ada
    deactivate_person(world.people["Ada"], actor=SYSTEM)
    revoke_role(RoleBinding.objects.get(person=world.people["Rex"]), actor=SYSTEM)
    assert texts(thread) == ["Why does recall fall?", "As I see it"]
    with pytest.raises(NotFound):
        actions.reply(thread, text="And now?", actor=world.rex)
    assert ada.id == read(thread)[1].comment.author


def test_who_sees_the_release_reads_and_who_may_comment_writes(
    world: World, subject: Subject
) -> None:
    viewer = factories.actor_of(factories.person("Vic", {"viewer": world.project}))
    stranger = factories.actor_of(factories.person("Sam", {"contributor": factories.project("b")}))
    thread = opened(subject, world.rex)
    assert queries.get_thread(thread.pk, viewer) == thread
    with pytest.raises(NotFound):
        queries.get_thread(thread.pk, stranger)
    with pytest.raises(NotFound):
        queries.get_subject("release", subject.id, stranger)
    for who, refusal in ((viewer, Forbidden), (stranger, NotFound)):
        with pytest.raises(refusal):
            opened(subject, who)
        with pytest.raises(refusal):
            actions.reply(thread, text="?", actor=who)
        with pytest.raises(refusal):
            actions.resolve_thread(thread, actor=who)
        with pytest.raises(refusal):
            actions.reopen_thread(thread, actor=who)
    assert texts(thread) == ["Why does recall fall?"]


def test_whoever_comments_in_one_environment_discusses_versions_and_no_other_releases(
    world: World, release: Release, subject: Subject
) -> None:
    elsewhere = factories.person("Pia", {"reviewer": (world.project, "production")})
    pia = factories.actor_of(elsewhere)
    version = queries.get_subject("version", release.version_id, pia)
    assert opened(version, pia).environment == ""
    with pytest.raises(Forbidden):
        opened(subject, pia)


def test_a_metric_of_a_version_is_discussed_and_no_name_that_somebody_makes_up(
    world: World, release: Release
) -> None:
    policy = world.policy("staging", "version: 1\ngates:\n  - {gate: build}\n")
    version = queries.get_subject("version", release.version_id, world.rex)
    assert opened(version, world.rex, anchor="metrics/auc").anchor == "metrics/auc"
    revision = queries.get_subject("policy", policy.pk, world.rex)
    for about, anchor in ((version, "metrics/other"), (version, "card/x"), (revision, "gates/x")):
        with pytest.raises(InvalidInput, match="Some fields are invalid"):
            opened(about, world.rex, anchor=anchor)


def test_every_kind_of_thing_is_discussed_and_nothing_else(world: World, release: Release) -> None:
    policy = world.policy("staging", "version: 1\ngates:\n  - {gate: build}\n")
    for kind, of, title in (
        ("release", release.pk, "Release 1: churn:1 to staging / churn"),
        ("version", release.version_id, "churn:1"),
        ("policy", policy.pk, f"Policy r{policy.number} of staging"),
    ):
        assert queries.get_subject(kind, of, world.rex).title == title
    for kind, of in (("release", release.version_id), ("person", world.rex.id), ("", "")):
        with pytest.raises(NotFound):
            queries.get_subject(kind, of, world.rex)


def test_a_resolved_thread_takes_no_reply_until_it_is_reopened(
    world: World, subject: Subject
) -> None:
    thread = opened(subject, world.rex)
    for who in (world.rex, world.vera):
        row = actions.resolve_thread(thread, actor=who)
    assert (row.resolved_by, logged()) == (world.rex.id, ["opened", "resolved"])
    with pytest.raises(errors.ThreadResolved):
        actions.reply(thread, text="But", actor=world.ada)
    actions.reopen_thread(thread, actor=world.ada)
    actions.reply(thread, text="But", actor=world.ada)


@pytest.mark.parametrize(
    ("wrong", "field", "said"),
    [
        ({"text": " "}, "/text", "empty"),
        ({"text": "x" * 4001}, "/text", "4000"),
        ({"text": "a\x00b"}, "/text", "control"),
        ({"text": " ".join(f"@p{n}" for n in range(21))}, "/text", "mentions 21 people"),
        ({"anchor": "somewhere"}, "/anchor", "choose from metrics"),
        ({"anchor": "gates/Jane Doe 1984, HIV"}, "/anchor", "Nothing in gates of this release"),
        ({"anchor": "metrics/Jane Doe"}, "/anchor", "Nothing in metrics of this release"),
        ({"anchor": "metrics/a\u2028b"}, "/anchor", "control character"),
        ({"once": "x" * 41}, "/once", "40"),
    ],
)
def test_what_is_wrong_is_named_and_leaves_nothing(
    world: World, subject: Subject, wrong: dict[str, str], field: str, said: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        actions.open_thread(subject, **({"text": "?"} | wrong), actor=world.rex)
    fault = refused.value.errors[0]
    assert (fault.pointer, said in fault.detail) == (field, True)
    assert not Thread.objects.exists()


def test_threads_comments_and_haste_have_a_bound(
    world: World, subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.discussions.actions.saying.MOST_THREADS", 2)
    monkeypatch.setattr("apps.discussions.actions.saying.MOST_COMMENTS", 3)
    thread = opened(subject, world.rex)
    opened(subject, world.rex)
    with pytest.raises(errors.TooManyThreads):
        opened(subject, world.rex)
    for _ in range(2):
        actions.reply(thread, text="On", actor=world.ada)
    with pytest.raises(errors.ThreadFull):
        actions.reply(thread, text="On", actor=world.ada)
    monkeypatch.setattr("apps.discussions.actions.locking.RATE", 2)
    other = Thread.objects.get(number=2)
    with pytest.raises(errors.TooFast, match="At most 2 comments and changes in 10 minutes"):
        actions.reply(other, text="On", actor=world.ada)
    Comment.objects.update(created_at=thread.created_at - timedelta(minutes=11))
    actions.reply(other, text="On", actor=world.ada)


def test_a_form_that_is_sent_twice_says_it_once(world: World, subject: Subject) -> None:
    first, again = (opened(subject, world.rex, once="form-1") for _ in range(2))
    assert first == again
    for _ in range(2):
        actions.reply(first, text="Hm", once="form-2", actor=world.ada)
    assert texts(first) == ["Why does recall fall?", "Hm"]
    actions.reply(first, text="Hm", once="form-1", actor=world.ada)
    assert len(texts(first)) == 3


def test_a_program_writes_as_whoever_answers_for_it(world: World, subject: Subject) -> None:
    bot = factories.service_account("bot", world.people["Ada"], {"contributor": world.project})
    thread = opened(subject, factories.actor_of(bot), "Metrics attached")
    view = read(thread)[0]
    assert (view.name, view.comment.person) == ("bot", world.ada.id)
    actions.delete_comment(view.comment, actor=world.ada)
    assert texts(thread) == ["deleted"]


def test_another_text_of_a_form_that_was_sent_is_said_as_well(
    world: World, subject: Subject
) -> None:
    thread = opened(subject, world.rex, once="form-1")
    other = opened(subject, world.rex, "And precision?", once="form-1")
    assert other != thread
    for where, text in ((thread, "Hm"), (thread, "Hm, no"), (other, "Hm")):
        actions.reply(where, text=text, once="form-2", actor=world.ada)
    assert texts(thread) == [ASKED, "Hm", "Hm, no"]
    assert texts(other) == ["And precision?", "Hm"]


def test_a_program_and_who_answers_for_it_edit_none_of_each_others_words(
    world: World, subject: Subject
) -> None:
    bot = factories.service_account("bot", world.people["Ada"], {"contributor": world.project})
    program = factories.actor_of(bot)
    thread = opened(subject, program, "Metrics attached")
    own = actions.reply(thread, text="Thanks", actor=world.ada).comment
    for comment, who in ((thread.comments.get(author=bot.pk), world.ada), (own, program)):
        with pytest.raises(errors.OthersComment):
            actions.edit_comment(comment, text="In other words", actor=who)
    with pytest.raises(errors.OthersComment):
        actions.delete_comment(own, actor=program)
    actions.edit_comment(thread.comments.get(author=bot.pk), text="Attached", actor=program)
    assert texts(thread) == ["Attached", "Thanks"]


def test_edits_have_a_bound_too(
    world: World, subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    thread = opened(subject, world.rex)
    said = [actions.reply(thread, text="On", actor=world.ada).comment for _ in range(3)]
    Comment.objects.update(created_at=thread.created_at - timedelta(minutes=11))
    monkeypatch.setattr("apps.discussions.actions.locking.RATE", 2)
    for comment in said[:2]:
        actions.edit_comment(comment, text="And on", actor=world.ada)
    with pytest.raises(errors.TooFast):
        actions.edit_comment(said[2], text="And on", actor=world.ada)
    actions.edit_comment(thread.comments.earliest("pk"), text="Why so?", actor=world.rex)


def test_each_edit_of_one_comment_counts_those_of_a_program_too(
    world: World, subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    bot = factories.service_account("bot", world.people["Ada"], {"contributor": world.project})
    program = factories.actor_of(bot)
    comment = opened(subject, program, "Attached").comments.get()
    Comment.objects.update(created_at=comment.created_at - timedelta(minutes=11))
    monkeypatch.setattr("apps.discussions.actions.locking.RATE", 3)
    for text in ("One", "Two", "Three"):
        comment = actions.edit_comment(comment, text=text, actor=program).comment
    with pytest.raises(errors.TooFast):
        actions.edit_comment(comment, text="Four", actor=program)
    with pytest.raises(errors.TooFast):
        opened(subject, world.ada)
    monkeypatch.setattr("apps.discussions.actions.locking.RATE_SPAN", timedelta(0))
    actions.edit_comment(comment, text="Four", actor=program)


def test_resolving_and_reopening_have_a_bound_and_a_repeat_counts_for_nothing(
    world: World, subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    thread = opened(subject, world.rex)
    monkeypatch.setattr("apps.discussions.actions.locking.RATE", 3)
    actions.resolve_thread(thread, actor=world.ada)
    actions.reopen_thread(thread, actor=world.ada)
    for _ in range(3):
        actions.resolve_thread(thread, actor=world.ada)
    with pytest.raises(errors.TooFast):
        actions.reopen_thread(thread, actor=world.ada)
    actions.reopen_thread(thread, actor=world.vera)
    with pytest.raises(errors.TooFast):
        actions.reply(thread, text="And on", actor=world.ada)
    with pytest.raises(errors.TooFast):
        actions.resolve_thread(thread, actor=world.ada)
    assert logged() == ["opened", "resolved", "reopened", "resolved", "reopened"]


def test_no_text_is_put_into_a_resolved_thread_by_an_edit_and_its_author_may_delete_it(
    world: World, subject: Subject
) -> None:
    thread = opened(subject, world.rex)
    said = actions.reply(thread, text="Because", actor=world.ada).comment
    actions.resolve_thread(thread, actor=world.vera)
    with pytest.raises(errors.ThreadResolved):
        actions.edit_comment(said, text="Because not", actor=world.ada)
    assert texts(thread) == [ASKED, "Because"]
    actions.delete_comment(said, actor=world.ada)
    actions.reopen_thread(thread, actor=world.rex)
    first = thread.comments.earliest("pk")
    actions.edit_comment(first, text="Why, then?", actor=world.rex)
    assert texts(thread) == ["Why, then?", "deleted"]
