"""People take back what they wrote, though they may say nothing there any more."""

import pytest

from apps.discussions import actions, errors, queries
from apps.discussions.contents import SentFile
from apps.discussions.hooks import Subject
from apps.discussions.models import Thread
from apps.identity.actions import grant_role
from apps.identity.models import RoleBinding
from apps.registry.actions import create_version, discard_draft
from placet.kernel.actor import SYSTEM, Actor
from placet.kernel.problems import Forbidden, NotFound
from tests.support import factories
from tests.support.world import World

pytestmark = pytest.mark.django_db
ASKED = "Why does recall fall?"


def opened(subject: Subject, who: Actor) -> Thread:
    return actions.open_thread(subject, text=ASKED, actor=who).comment.thread


def texts(thread: Thread) -> list[str]:
    rows = queries.comments_of(thread).order_by("pk")
    return [view.text or view.state for view in queries.comment_views(rows)]


def test_who_may_say_nothing_there_any_more_deletes_their_own_words_and_files(
    world: World, subject: Subject
) -> None:
    file = SentFile("auc.csv", b"a,b")
    said = actions.reply(opened(subject, world.rex), text="Hm", files=[file], actor=world.ada)
    person = world.people["Ada"]
    RoleBinding.objects.filter(person=person).delete()
    with pytest.raises(NotFound):
        actions.delete_comment(said.comment, actor=world.ada)
    grant_role(person=person, role="viewer", project=world.project, actor=SYSTEM)
    by_token = factories.actor_by_token(person)
    with pytest.raises(Forbidden):
        actions.delete_comment(said.comment, actor=by_token)
    with pytest.raises(Forbidden):
        actions.delete_file(said.files[0], actor=by_token)
    with pytest.raises(errors.OthersComment):
        actions.delete_comment(said.comment.thread.comments.earliest("pk"), actor=world.ada)
    actions.delete_file(said.files[0], actor=world.ada)
    actions.delete_comment(said.comment, actor=world.ada)
    assert texts(said.comment.thread) == [ASKED, "deleted"]


def test_an_author_deletes_what_they_said_of_a_draft_that_was_discarded(world: World) -> None:
    draft = create_version(world.version().model, actor=world.ada)
    thread = opened(queries.get_subject("version", draft.pk, SYSTEM), world.ada)
    discard_draft(draft, actor=world.ada)
    (comment,) = thread.comments.all()
    with pytest.raises(errors.OthersComment):
        actions.delete_comment(comment, actor=world.vera)
    with pytest.raises(NotFound):
        actions.edit_comment(comment, text="Why not?", actor=world.ada)
    actions.delete_comment(comment, actor=world.ada)
    assert texts(thread) == ["deleted"]
