"""Several people at the same moment, each in a transaction of their own."""

import pytest

from apps.audit.models import Event
from apps.discussions import actions, queries
from apps.discussions.actions import Said, saying
from apps.discussions.hooks import Subject
from apps.discussions.models import Comment, Mention, Thread
from apps.registry.actions import create_version, discard_draft, discarding
from placet.kernel.actor import SYSTEM
from placet.kernel.problems import NotFound
from tests.support.meeting import Meeting, at_once
from tests.support.world import World

pytestmark = pytest.mark.django_db(transaction=True)


def test_threads_that_are_opened_at_once_have_numbers_of_their_own(
    world: World, subject: Subject
) -> None:
    people = [world.ada, world.rex, world.vera, world.vito]
    at_once(*[lambda who=who: actions.open_thread(subject, text="Hm", actor=who) for who in people])
    assert sorted(Thread.objects.values_list("number", flat=True)) == [1, 2, 3, 4]


def test_a_double_click_says_it_once(world: World, subject: Subject) -> None:
    rex = world.rex
    at_once(
        *[lambda: actions.open_thread(subject, text="Hm", once="a", actor=rex) for _ in range(4)]
    )
    thread = Thread.objects.get()
    at_once(*[lambda: actions.reply(thread, text="Hm", once="b", actor=rex) for _ in range(4)])
    assert Comment.objects.count() == 2
    assert queries.get_thread(thread.pk, rex).size == 2


def test_two_who_resolve_at_once_have_both_and_the_log_says_it_once(
    world: World, subject: Subject
) -> None:
    thread = actions.open_thread(subject, text="Hm", actor=world.rex).comment.thread
    people = [world.rex, world.vera, world.ada]
    results = at_once(
        *[lambda who=who: actions.resolve_thread(thread, actor=who).is_resolved for who in people]
    )
    assert results == [True, True, True]
    assert Event.objects.filter(kind="discussion.resolved.v1").count() == 1


def test_replies_at_once_are_all_counted(world: World, subject: Subject) -> None:
    thread = actions.open_thread(subject, text="Hm", actor=world.rex).comment.thread
    people = [world.rex, world.vera, world.ada, world.otto]
    at_once(*[lambda who=who: actions.reply(thread, text="Hm", actor=who) for who in people])
    assert queries.get_thread(thread.pk, world.rex).size == 5


@pytest.mark.parametrize("opens", [True, False], ids=["open", "reply"])
def test_what_is_said_of_a_draft_while_it_is_discarded_waits_for_nobody(
    world: World, monkeypatch: pytest.MonkeyPatch, opens: bool
) -> None:
    draft, meeting = create_version(world.version().model, actor=world.ada), Meeting()
    about = queries.get_subject("version", draft.pk, SYSTEM)
    thread = actions.open_thread(about, text="Hm", actor=world.ada).comment.thread
    monkeypatch.setattr(saying, "mention", meeting.before(saying.mention))
    monkeypatch.setattr(discarding, "forget_mentions", meeting.behind(discarding.forget_mentions))
    asked = {"text": "@rex.risk look", "actor": world.vera}

    def say() -> object:
        return actions.open_thread(about, **asked) if opens else actions.reply(thread, **asked)

    said, gone = at_once(say, lambda: discard_draft(draft, actor=world.ada))
    assert gone is None
    assert isinstance(said, NotFound | Said)
    assert not Mention.objects.filter(seen_at=None).exists()
