"""The pages of discussions, as people use them."""

import html
import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.audit.actions import erase_texts
from apps.discussions import actions
from apps.discussions.contents import SentFile
from apps.discussions.models import Comment, Mention, Thread
from apps.discussions.queries import get_subject
from apps.governance.models import Release
from apps.identity.models import RoleBinding
from apps.monitoring.actions import open_alert
from apps.monitoring.actions.alerts import AlertFinding
from apps.monitoring.models import AlertKind
from apps.registry.actions import create_version, discard_draft
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now
from tests.support import factories
from tests.support.factories import api, browser, token_for
from tests.support.page_text import text_of
from tests.support.world import OPEN, World

pytestmark = pytest.mark.django_db
MOST = 12


@pytest.fixture
def release(world: World) -> Release:
    return world.request("staging")


def opened(world: World, release: Release, text: str = "Why?", anchor: str = "") -> Thread:
    about = get_subject("release", release.pk, SYSTEM)
    return actions.open_thread(about, text=text, anchor=anchor, actor=world.ada).comment.thread


def shown(world: World, name: str, path: str) -> str:
    return browser(world.people[name]).get(path).content.decode()


def said(world: World, name: str, path: str) -> str:
    return " ".join(text_of(shown(world, name, path)).split())


def test_somebody_opens_a_discussion_and_others_answer_and_settle_it(
    world: World, release: Release
) -> None:
    rex, vera = browser(world.people["Rex"]), browser(world.people["Vera"])
    form = {"text": "**Why** does @vera.risk see @nobody?", "anchor": "metrics", "once": "a"}
    answer = rex.post(f"/discussions/release/{release.pk}/open", form, follow=True)
    page = answer.content.decode()
    assert "<strong>Why</strong>" in page
    assert "@nobody was not mentioned: nobody who can see this is called so" in page
    thread = Thread.objects.get()
    assert f'href="/releases/{release.pk}/evidence/#kind-metrics"' in page
    assert "Mentioned: Vera risk" in page
    vera.post(f"/threads/{thread.pk}/reply", {"text": "Because", "once": "b"})
    vera.post(f"/threads/{thread.pk}/resolve", {"next": f"/threads/{thread.pk}/"})
    text = said(world, "Ada", f"/threads/{thread.pk}/")
    assert "Because" in text
    assert "resolved by Vera risk" in text
    assert "reopen it to reply" in text
    vera.post(f"/threads/{thread.pk}/reopen", {"next": f"/threads/{thread.pk}/"})
    assert "Resolve" in said(world, "Ada", f"/threads/{thread.pk}/")


def test_a_refused_form_is_shown_as_it_was_typed(world: World, release: Release) -> None:
    rex = browser(world.people["Rex"])
    long = "A word too many. " * 300
    page = rex.post(
        f"/discussions/release/{release.pk}/open",
        {"text": long, "anchor": "metrics/auc", "once": "a"},
    ).content.decode()
    assert long.strip() in page
    assert "At most 4000 characters" in page
    assert '<option value="metrics/auc" selected>' in page
    assert 'name="once" value="a"' in page
    thread = opened(world, release)
    actions.resolve_thread(thread, actor=world.ada)
    late = rex.post(f"/threads/{thread.pk}/reply", {"text": "Too late", "once": "b"})
    assert "Too late</textarea>" in late.content.decode()
    assert "The discussion is resolved: reopen it to reply" in late.content.decode()
    assert Comment.objects.count() == 1


def test_the_tab_of_a_release_says_how_many_are_open(world: World, release: Release) -> None:
    tab = f'href="/releases/{release.pk}/discussion/"'
    for _ in range(2):
        actions.resolve_thread(opened(world, release), actor=world.ada)
    for path in ("", "evidence/", "discussion/"):
        page = shown(world, "Rex", f"/releases/{release.pk}/{path}")
        assert tab in page
        assert 'visually-hidden"> open' not in page
    opened(world, release)
    for path in ("", "evidence/", "discussion/"):
        page = shown(world, "Rex", f"/releases/{release.pk}/{path}")
        assert '<span class="badge">1<span class="visually-hidden"> open</span></span>' in page


def test_a_mention_waits_in_the_inbox_until_the_thread_is_opened(
    world: World, release: Release
) -> None:
    thread = opened(world, release, "@vito.risk, look")
    vito = browser(world.people["Vito"])
    url = f"/threads/{thread.pk}/"
    for path in ("/inbox/", "/"):
        assert f'href="{url}"' in vito.get(path).content.decode()
    assert "discussions that mention you" in vito.get("/models/").content.decode()
    for client in (api(world.people["Vito"]), api(token_for(world.people["Vito"]))):
        task = client.get("/inbox/tasks").json()["items"][-1]
        assert (task["kind"], task["id"], task["url"]) == ("mention", thread.pk, url)
        assert "Ada risk mentioned you" in task["detail"]
    blind = api(token_for(world.people["Vito"], scopes=["model.view"]))
    assert blind.get("/inbox/tasks").json()["items"] == []
    assert 'hx-trigger="load"' in vito.get(url).content.decode()
    assert Mention.objects.get().seen_at is None  # reading by a program changes nothing
    vito.post(f"{url}seen", headers={"HX-Request": "true"})
    assert 'hx-trigger="load"' not in vito.get(url).content.decode()
    for path in ("/inbox/", "/", "/models/"):
        page = vito.get(path).content.decode()
        assert url not in page
        assert "discussions that mention you" not in page.split("<main")[0]


def test_what_came_after_the_page_was_made_still_waits(world: World, release: Release) -> None:
    thread = opened(world, release, "@vito.risk, look")
    vito, url = browser(world.people["Vito"]), f"/threads/{thread.pk}/"
    found = re.search(r'hx-post="([^"]+)"', vito.get(url).content.decode())
    assert found
    actions.reply(thread, text="@vito.risk, and here", actor=world.ada)
    vito.post(html.unescape(found[1]), headers={"HX-Request": "true"})
    assert f'href="{url}"' in vito.get("/inbox/").content.decode()
    first, second = Mention.objects.order_by("pk")
    assert first.seen_at is not None and second.seen_at is None
    last = re.search(r'name="last" value="([^"]+)"', vito.get(url).content.decode())
    assert last and last[1] == second.comment_id
    actions.reply(thread, text="@vito.risk, once more", actor=world.ada)
    vito.post(f"{url}reply", {"text": "Yes", "once": "x", "last": last[1]})
    assert Mention.objects.filter(seen_at=None).count() == 1
    third = Mention.objects.get(seen_at=None).comment_id
    api(world.people["Vito"]).post(f"/threads/{thread.pk}/seen", {"comment": last[1]})
    assert Mention.objects.filter(seen_at=None).count() == 1
    answer = api(world.people["Vito"]).post(f"/threads/{thread.pk}/seen", {"comment": third})
    assert answer.json() == {"mentions": 1}


def test_who_lost_access_finds_neither_mention_nor_thread(world: World, release: Release) -> None:
    sam = factories.person("Sam", {"viewer": world.project})
    thread = opened(world, release, "@sam, a secret")
    assert thread.title in browser(sam).get("/inbox/").content.decode()
    sam.rolebinding_set.all().delete()
    page = browser(sam).get("/inbox/").content.decode()
    assert thread.title not in page
    assert browser(sam).get(f"/threads/{thread.pk}/").status_code == 404
    assert browser(sam).get(f"/releases/{release.pk}/discussion/").status_code == 404


def test_one_changes_and_deletes_ones_own_words_alone(world: World, release: Release) -> None:
    thread = opened(world, release)
    first = thread.comments.get()
    url = f"/threads/{thread.pk}/"
    assert f"edit-{first.pk}" in shown(world, "Ada", url)
    assert f"edit-{first.pk}" not in shown(world, "Rex", url)
    ada = browser(world.people["Ada"])
    form = {"text": "How?", "was": first.text_sealed, "next": url}
    ada.post(f"{url}comments/{first.pk}/edit", form)
    assert "edited" in said(world, "Rex", url)
    stale = ada.post(f"{url}comments/{first.pk}/edit", form | {"text": "Hm?"}).content.decode()
    assert "It was changed in the meantime" in stale
    first.refresh_from_db()
    assert "Hm?</textarea>" in stale and f'name="was" value="{first.text_sealed}"' in stale
    assert re.search(rf'<dialog id="edit-{first.pk}"[^>]* data-open', stale)
    long = "A word too many. " * 300
    refused = ada.post(f"{url}comments/{first.pk}/edit", form | {"text": long}).content.decode()
    assert f"{long}</textarea>" in refused and "At most 4000 characters" in refused
    ada.post(f"{url}comments/{first.pk}/delete", {"next": url})
    assert "Deleted by its author." in said(world, "Rex", url)
    assert "How?" not in shown(world, "Rex", url)


def test_what_was_typed_into_a_comment_that_is_gone_can_be_said_as_an_answer(
    world: World, release: Release
) -> None:
    thread = opened(world, release)
    first = thread.comments.get()
    actions.delete_comment(first, actor=world.ada)
    form = {"text": "A long correction", "was": first.text_sealed}
    answer = browser(world.people["Ada"]).post(
        f"/threads/{thread.pk}/comments/{first.pk}/edit", form
    )
    page = answer.content.decode()
    assert f'action="/threads/{thread.pk}/reply"' in page
    assert "A long correction</textarea>" in page


def test_a_refused_edit_is_shown_where_its_comment_stands(world: World, release: Release) -> None:
    thread = opened(world, release)
    first = thread.comments.get()
    Comment.objects.bulk_create(
        Comment(thread=thread, author="x", person="x", created_at=now()) for _ in range(30)
    )
    Thread.objects.update(size=31)
    url = f"/threads/{thread.pk}/comments/{first.pk}/edit"
    page = browser(world.people["Ada"]).post(url, {"text": "Hm", "was": "other"}).content.decode()
    assert "Hm</textarea>" in page and "Page 1 of 2" in page


def test_what_was_said_of_a_discarded_draft_is_still_read_and_taken_back(world: World) -> None:
    draft = create_version(world.version().model, actor=world.ada)
    about = get_subject("version", draft.pk, SYSTEM)
    first = actions.open_thread(about, text="Why?", anchor="card", actor=world.ada).comment
    actions.reply(first.thread, text="Well", actor=world.rex)
    discard_draft(draft, actor=world.ada)
    url, ada = f"/threads/{first.thread_id}/", browser(world.people["Ada"])
    page = ada.get(url).content.decode()
    assert "There is no such version any more: nobody can write here" in " ".join(page.split())
    assert f"delete-{first.pk}" in page and f"edit-{first.pk}" not in page
    assert "/reply" not in page and 'href=""' not in page and "All discussions" not in page
    assert ada.post(f"{url}reply", {"text": "More", "once": "b"}).status_code == 404
    ada.post(f"{url}comments/{first.pk}/delete", {"next": url})
    assert "Deleted by its author. Rex" in said(world, "Ada", url)
    assert browser(factories.person("Sam")).get(url).status_code == 404


def test_a_viewer_is_offered_to_delete_their_own_words_and_files_alone(
    world: World, release: Release
) -> None:
    sam = factories.person("Sam", {"contributor": world.project})
    thread = opened(world, release)
    file = SentFile("auc.csv", b"a,b")
    own = actions.reply(thread, text="Hm", files=[file], actor=factories.actor_of(sam))
    RoleBinding.objects.filter(person=sam).update(role="viewer")
    url, reader = f"/threads/{thread.pk}/", browser(sam)
    page = reader.get(url).content.decode()
    assert page.count("Delete…") == 2 and "Edit…" not in page
    of = f"{url}comments/{own.comment.pk}"
    reader.post(f"{of}/files/{own.files[0].pk}/delete", {"next": url})
    assert "auc.csv" not in shown(world, "Rex", url)
    reader.post(f"{of}/delete", {"next": url})
    assert "Deleted by its author." in said(world, "Rex", url)


def test_an_erased_author_leaves_a_page_that_can_be_read(world: World, release: Release) -> None:
    thread = opened(world, release)
    actions.reply(thread, text="Well", actor=world.rex)
    erase_texts(world.people["Ada"].pk, actor=SYSTEM)
    text = said(world, "Rex", f"/threads/{thread.pk}/")
    assert "Erased." in text
    assert "Well" in text
    assert "Erased" in said(world, "Rex", f"/releases/{release.pk}/discussion/")


def test_versions_policies_and_alerts_are_discussed_and_lead_there(
    world: World, release: Release
) -> None:
    policy = world.policy("staging", OPEN)
    alert = open_alert(
        AlertFinding(
            kind=AlertKind.DRILL_FAILED,
            subject="x",
            about="churn",
            summary="It failed",
            endpoint=release.endpoint,
        ),
        actor=SYSTEM,
    )
    version = release.version
    pages = {
        ("version", version.pk): f"/models/risk/{version.model.name}/{version.number}/",
        ("policy", policy.pk): f"/policies/risk/staging/{policy.number}/",
        ("alert", alert.pk): "/alerts/",
    }
    for (kind, of), page in pages.items():
        url = f"/discussions/{kind}/{of}/"
        assert f'href="{url}"' in shown(world, "Otto", page), kind
        assert f'href="{page}"' in shown(world, "Otto", url), kind
        otto = browser(world.people["Otto"])
        answer = otto.post(f"{url}open", {"text": f"About a {kind}", "once": kind}, follow=True)
        assert f"About a {kind}" in answer.content.decode()
    assert (
        browser(world.people["Otto"]).get(f"/discussions/release/{release.pk}/").status_code == 302
    )
    assert browser(world.people["Otto"]).get("/discussions/person/x/").status_code == 404


def test_a_metric_of_the_evidence_is_discussed_from_beside_it(world: World) -> None:
    measured = world.bento(world.version(), metrics={"auc": 0.9, "f1@macro": 0.8})
    release = world.request("staging", measured)
    page = shown(world, "Rex", f"/releases/{release.pk}/evidence/")
    url = f"/releases/{release.pk}/discussion/?anchor=metrics/auc"
    assert f'href="{url}#new"' in page
    assert '<option value="metrics/auc" selected>' in shown(world, "Rex", url)


def test_fifty_threads_of_a_hundred_comments_take_few_queries_and_little_html(
    world: World, release: Release
) -> None:
    thread = opened(world, release, "*a* " * 900 + "@rex.risk")
    said_there = Comment.objects.get()
    sealed = {"author": world.ada.id, "person": world.ada.id, "created_at": said_there.created_at}
    for number in range(2, 51):
        more = Thread.objects.create(
            kind="release",
            subject=release.pk,
            project=world.project.pk,
            environment="staging",
            title=thread.title,
            number=number,
            size=100,
            opened_by=world.ada.id,
            said_at=thread.said_at,
            resolved_at=thread.said_at if number % 2 else None,
        )
        Comment.objects.bulk_create(
            Comment(thread=more, text_sealed=said_there.text_sealed, **sealed) for _ in range(100)
        )
    rex = browser(world.people["Rex"])
    for path in (
        f"/releases/{release.pk}/",
        f"/releases/{release.pk}/discussion/",
        f"/releases/{release.pk}/discussion/?page=3",
        f"/threads/{more.pk}/",
        f"/threads/{more.pk}/?page=1",
        "/inbox/",
    ):
        with CaptureQueriesContext(connection) as queries:
            answer = rex.get(path)
        assert answer.status_code == 200
        assert len(queries) <= MOST, path
        assert len(answer.content) < 700_000, path
    first = said(world, "Rex", f"/releases/{release.pk}/discussion/")
    assert "Resolved" not in first  # open ones first
    assert "Page 1 of 3" in first
    assert "Page 4 of 4" in said(world, "Rex", f"/threads/{more.pk}/")


def test_who_answers_for_a_program_may_delete_what_it_said_and_not_edit_it(
    world: World, release: Release
) -> None:
    bot = factories.service_account("bot", world.people["Ada"], {"contributor": world.project})
    about = get_subject("release", release.pk, SYSTEM)
    said_by_bot = actions.open_thread(about, text="Metrics", actor=factories.actor_of(bot)).comment
    url = f"/threads/{said_by_bot.thread_id}/"
    for name, offered in (("Ada", ["Delete…"]), ("Rex", [])):
        page = shown(world, name, url)
        assert [word for word in ("Edit…", "Delete…") if word in page] == offered
