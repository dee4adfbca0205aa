"""A mention reaches whoever may see the thing, and tells nobody who else has an account."""

import pytest

from apps.discussions import actions, queries
from apps.discussions.actions import Said
from apps.discussions.hooks import Subject
from apps.discussions.models import Mention, Thread
from apps.identity.actions import deactivate_person, revoke_role
from apps.identity.models import RoleBinding
from apps.registry.actions import create_version, discard_draft
from placet.kernel.actor import SYSTEM, Actor
from placet.kernel.problems import NotFound
from tests.support import factories
from tests.support.world import World

pytestmark = pytest.mark.django_db


def say(subject: Subject, text: str, who: Actor) -> Said:
    return actions.open_thread(subject, text=text, actor=who)


def waits_for(who: Actor) -> list[Thread]:
    return queries.listed_threads(who)


def test_a_mention_in_the_discussion_of_a_draft_that_was_discarded_waits_for_nobody(
    world: World,
) -> None:
    draft = create_version(world.version().model, actor=world.ada)
    say(queries.get_subject("version", draft.pk, SYSTEM), "@rex.risk look", world.ada)
    assert len(waits_for(world.rex)) == 1
    discard_draft(draft, actor=world.ada)
    assert waits_for(world.rex) == []


def test_nothing_more_is_said_of_a_draft_that_was_discarded(world: World) -> None:
    draft = create_version(world.version().model, actor=world.ada)
    about = queries.get_subject("version", draft.pk, SYSTEM)
    thread = say(about, "Look", world.ada).comment.thread
    discard_draft(draft, actor=world.ada)
    with pytest.raises(NotFound):
        say(about, "@rex.risk look", world.ada)
    with pytest.raises(NotFound):
        actions.reply(thread, text="@rex.risk look", actor=world.ada)
    assert Thread.objects.count() == 1


def test_a_mention_waits_until_the_thread_is_opened(world: World, subject: Subject) -> None:
    said = say(subject, "@Rex.risk and @vera.risk@EXAMPLE.com, look", world.ada)
    assert said.unmentioned == []
    thread = said.comment.thread
    for who in (world.rex, world.vera):
        assert waits_for(who) == [thread]
        assert getattr(waits_for(who)[0], "mentioned_by") == "Ada risk"  # noqa: B009
    assert (waits_for(world.vito), waits_for(world.ada)) == ([], [])
    assert actions.mark_seen(thread, actor=world.rex) == 1
    assert actions.mark_seen(thread, actor=world.rex) == 0
    assert (waits_for(world.rex), waits_for(world.vera)) == ([], [thread])
    actions.reply(thread, text="@rex.risk once more", actor=world.ada)
    assert waits_for(world.rex) == [thread]


def test_a_resolved_thread_waits_for_nobody_and_a_reopened_one_does(
    world: World, subject: Subject
) -> None:
    thread = say(subject, "@rex.risk", world.ada).comment.thread
    actions.resolve_thread(thread, actor=world.ada)
    assert waits_for(world.rex) == []
    actions.reopen_thread(thread, actor=world.ada)
    assert waits_for(world.rex) == [thread]


def test_nobody_learns_who_has_an_account(world: World, subject: Subject) -> None:
    factories.person("Sam", {"contributor": factories.project("other")})
    factories.person("Adm", {"admin": None})
    gone = factories.person("Gone", {"viewer": world.project})
    deactivate_person(gone, actor=SYSTEM)
    names = ("sam", "sam@example.com", "adm", "gone", "nobody", "nobody@example.com")
    said = say(subject, " ".join(f"@{name}" for name in names), world.ada)
    assert [each.handle for each in said.unmentioned] == list(names)
    assert {each.sentence.partition(" ")[2] for each in said.unmentioned} == {
        "was not mentioned: nobody who can see this is called so"
    }
    assert not Mention.objects.exists()


def test_of_two_whose_addresses_begin_alike_the_whole_one_says_which(
    world: World, subject: Subject
) -> None:
    other = factories.person("Twin", {"viewer": world.project})
    type(other).objects.filter(pk=other.pk).update(email="rex.risk@example.org")
    said = say(subject, "@rex.risk and @rex.risk@example.org", world.ada)
    told = "@rex.risk is the name of several people here: write the whole address"
    assert [each.sentence for each in said.unmentioned] == [told]
    assert Mention.objects.get().person_id == other.pk


def test_who_holds_a_role_in_one_environment_or_by_a_team_is_mentioned(
    world: World, subject: Subject
) -> None:
    factories.person("Env", {"reviewer": (world.project, "production")})
    factories.team("Crew", factories.person("Tom"), roles={"viewer": world.project})
    factories.person("All", {"auditor": None})
    assert say(subject, "@env @tom @all", world.ada).unmentioned == []
    assert Mention.objects.count() == 3


def test_who_loses_access_is_shown_nothing_and_not_mentioned_again(
    world: World, subject: Subject
) -> None:
    thread = say(subject, "@rex.risk", world.ada).comment.thread
    revoke_role(RoleBinding.objects.get(person=world.people["Rex"]), actor=SYSTEM)
    assert waits_for(world.rex) == []
    said = actions.reply(thread, text="@rex.risk again", actor=world.ada)
    assert [each.handle for each in said.unmentioned] == ["rex.risk"]
    assert Mention.objects.count() == 1


def test_an_edit_mentions_whom_it_names_and_nobody_whom_it_no_longer_does(
    world: World, subject: Subject
) -> None:
    said = say(subject, "@rex.risk and @vera.risk", world.ada)
    actions.mark_seen(said.comment.thread, actor=world.rex)
    actions.edit_comment(said.comment, text="@rex.risk and @vito.risk", actor=world.ada)
    people = set(Mention.objects.values_list("person", flat=True))
    assert people == {world.rex.id, world.vito.id}
    assert waits_for(world.rex) == []  # who has read it is not asked again for a slip of the pen


def test_who_mentions_themselves_waits_for_nobody(world: World, subject: Subject) -> None:
    assert say(subject, "@ada.risk", world.ada).unmentioned == []
    assert not Mention.objects.exists()
