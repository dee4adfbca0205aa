"""What pages and the log tell of what is done in discussions."""

from dataclasses import replace

import pytest

from apps.audit.actions import record
from apps.audit.models import Event
from apps.audit.queries.events import entry_of
from apps.console.queries.activity import SHOWN, activity_page
from apps.console.queries.events import told
from apps.discussions import actions
from apps.discussions.contents import SentFile
from apps.discussions.events import DISCUSSION_REPLIED
from apps.discussions.hooks import kinds
from apps.discussions.models import Thread
from apps.discussions.queries import get_subject
from apps.governance.models import Release
from placet.kernel.actor import SYSTEM
from tests.support import factories
from tests.support.comment_files import scanned
from tests.support.factories import browser
from tests.support.page_text import text_of
from tests.support.world import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def release(world: World) -> Release:
    return world.request("staging")


def opened(release: Release, world: World) -> Thread:
    about = get_subject("release", release.pk, SYSTEM)
    return actions.open_thread(about, text="Why?", actor=world.ada).comment.thread


def said(world: World, name: str, path: str) -> str:
    page = browser(world.people[name]).get(path).content.decode()
    return " ".join(text_of(page).split())


def test_the_activity_of_a_project_tells_of_discussions_who_sees_what_they_may_be_about(
    world: World, release: Release
) -> None:
    opened(release, world)
    path = "/projects/risk/activity/"
    for narrowed in ("", "?group=discussions"):
        assert "Opened discussion 1" in said(world, "Ada", path + narrowed)
    assert "Requested release" not in said(world, "Ada", f"{path}?group=discussions")
    grants = frozenset(one for one in world.ada.grants if one.permission != "alert.view")
    asked = activity_page(world.project, replace(world.ada, grants=grants))
    assert "discussions" in asked.hidden and "discussions" not in asked.about
    assert not [line for line in asked.lines if line.kind.startswith("discussion.")]
    assert "discussions" not in [name for name, _ in asked.groups]


def test_kinds_of_things_that_are_discussed_are_all_asked_for_by_the_activity() -> None:
    (told,) = (shown for shown in SHOWN if "discussion" in shown.families)
    assert {told.permission, *told.besides} == {kind.view for kind in kinds().values()}


def test_the_log_of_a_release_has_all_that_is_done_in_its_discussions(
    world: World, release: Release
) -> None:
    thread = opened(release, world)
    files = [SentFile("auc.csv", b"a,b"), SentFile("f1.csv", b"c,d")]
    own = actions.reply(thread, text="Well", files=files, actor=world.rex)
    scanned(own.files[0])
    actions.edit_comment(own.comment, text="Hm", actor=world.rex)
    actions.delete_file(own.files[0], actor=world.rex)
    actions.delete_comment(own.comment, actor=world.rex)
    actions.resolve_thread(thread, actor=world.ada)
    actions.reopen_thread(thread, actor=world.ada)
    auditor = browser(factories.person("Nora", {"auditor": world.project}))
    for asked in (release.pk, thread.pk):
        page = auditor.get(f"/audit/?subject={asked}").content.decode()
        text = " ".join(text_of(page).split())
        for done in (
            "Opened discussion 1",
            "Replied in discussion 1 with 2 files",
            "Scanned a file in discussion 1",
            "Edited a comment in discussion 1",
            "Deleted a file in discussion 1",
            "Deleted a comment in discussion 1",
            "Resolved discussion 1",
            "Reopened discussion 1",
        ):
            assert done in text, (asked, done)


def test_a_long_talk_pushes_nothing_out_of_what_happened_to_the_thing(
    world: World, release: Release
) -> None:
    thread, version = opened(release, world), release.version
    for number in range(3):
        actions.reply(thread, text=f"Well {number}", actor=world.rex)
    model = f"/models/risk/{version.model.name}/{version.number}/"
    for path in (f"/releases/{release.pk}/", model):
        text = said(world, "Ada", path)
        assert "Opened discussion 1" in text and "Replied in" not in text, path


def test_an_event_of_an_earlier_release_leads_to_its_discussion_too(
    world: World, release: Release
) -> None:
    thread = opened(release, world)
    with record(world.ada) as log:  # as they were logged: of the thread itself
        log.add(DISCUSSION_REPLIED, thread, data={"number": thread.number})
    actions.reply(thread, text="Well", actor=world.rex)
    entries = [entry_of(event) for event in Event.objects.order_by("index")]
    wanted = [one for one in entries if one.kind.startswith("discussion.")]
    pages = [one.page for one in told(wanted, SYSTEM)]
    assert pages == [f"/threads/{thread.pk}/"] * 3
    assert [one.subject for one in wanted] == [release.pk, thread.pk, release.pk]
