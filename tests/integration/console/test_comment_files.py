"""Files of comments on the pages: chosen in both forms, shown below what they came with."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.audit.actions import seal
from apps.audit.events import declared
from apps.audit.models import Event
from apps.discussions import actions
from apps.discussions.contents import SentFile
from apps.discussions.models import Comment, CommentFile, FileContent, Thread
from apps.discussions.queries import get_subject
from apps.governance.models import Release
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now
from placet_verify import canonical
from tests.support.comment_files import scanned
from tests.support.factories import api, browser
from tests.support.page_text import text_of
from tests.support.world import World

pytestmark = pytest.mark.django_db
MOST = 12
AUC = SentFile("auc.csv", b"a,b\n")


@pytest.fixture
def release(world: World) -> Release:
    return world.request("staging")


def form(text: str, *files: tuple[str, bytes], once: str = "a") -> dict[str, object]:
    sent = [SimpleUploadedFile(name, raw, "image/png") for name, raw in files]
    return {"text": text, "once": once, "files": sent}


def words(html: str) -> str:
    return " ".join(text_of(html).split())


def test_files_go_with_both_forms_and_a_double_click_sends_them_once(
    world: World, release: Release
) -> None:
    rex = browser(world.people["Rex"])
    path = f"/discussions/release/{release.pk}/open"
    for _ in range(2):
        page = rex.post(path, form("See", ("auc.csv", b"a,b\n")), follow=True).content.decode()
    assert "auc.csv · 4 B · Text · Being scanned" in words(page)
    thread = Thread.objects.get()
    reply = f"/threads/{thread.pk}/reply"
    rex.post(reply, form("And", ("b.png", b"\x89PNG\r\n\x1a\n"), once="b"))
    first, second = CommentFile.objects.order_by("pk")
    scanned(first)
    scanned(second, "malicious", "b.png: asks for os.system")
    page = rex.get(f"/threads/{thread.pk}/").content.decode()
    address = reverse("api-thread-files-detail", args=[thread.pk, first.comment_id, first.pk])
    assert f'<a href="{address}" download>auc.csv</a>' in page
    assert "b.png · 8 B · PNG image · Removed: malicious (b.png: asks for os.system)" in words(page)
    assert page.count("/files/") == page.count(address) + 2, "what was removed has no address"


def test_a_form_that_is_too_long_is_told_what_to_do_and_led_back(
    world: World, release: Release
) -> None:
    rex = browser(world.people["Rex"])
    here = f"/releases/{release.pk}/discussion/"
    large = form("My long thought", *((f"{n}.bin", bytes(4_900_000)) for n in range(3)))
    many = form("My long thought", *((f"{n}.csv", b"1") for n in range(101)))
    for sent, status, why in ((large, 413, "choose fewer or smaller"), (many, 400, "send fewer")):
        path = f"/discussions/release/{release.pk}/open"
        answer = rex.post(path, {"next": here} | sent)
        page = answer.content.decode()
        assert (answer.status_code, why in words(page)) == (status, True)
        if status == 413:
            assert f'href="{here}" data-keeps-typed' in page


@pytest.mark.parametrize(
    ("name", "raw", "why"),
    [
        ("chart.png", b"<html><script>", "chart.png is called .png, and its bytes are of the type"),
        ("big.csv", b"1" * 6_000_000, "big.csv has 6.0 MB, and at most 5.0 MB are taken"),
    ],
)
def test_a_refused_file_leaves_the_text_and_says_to_choose_again(
    world: World, release: Release, name: str, raw: bytes, why: str
) -> None:
    rex = browser(world.people["Rex"])
    thread = opened(release, world)
    for path in (f"/discussions/release/{release.pk}/open", f"/threads/{thread.pk}/reply"):
        page = rex.post(path, form("My long thought", (name, raw))).content.decode()
        assert "My long thought</textarea>" in page
        assert why in words(page)
        assert "Choose the files again" in page
    assert Comment.objects.count() == 1


def opened(release: Release, world: World, *files: SentFile) -> Thread:
    about = get_subject("release", release.pk, SYSTEM)
    said = actions.open_thread(about, text="Why?", files=files, actor=world.ada)
    return said.comment.thread


def test_a_file_is_deleted_on_the_page_by_its_author_alone(world: World, release: Release) -> None:
    thread = opened(release, world, AUC)
    file = scanned(CommentFile.objects.get())
    path = f"/threads/{thread.pk}/comments/{file.comment_id}/files/{file.pk}/delete"
    assert path not in browser(world.people["Rex"]).get(f"/threads/{thread.pk}/").content.decode()
    browser(world.people["Rex"]).post(path)
    assert FileContent.objects.exists()
    ada = browser(world.people["Ada"])
    assert path in ada.get(f"/threads/{thread.pk}/").content.decode()
    page = ada.post(path, {"next": f"/threads/{thread.pk}/"}, follow=True).content.decode()
    assert "auc.csv" not in page
    assert not FileContent.objects.exists()


def test_the_log_says_it_in_words_without_a_name(world: World, release: Release) -> None:
    opened(release, world, AUC, SentFile("b.csv", b"1"))
    file = scanned(CommentFile.objects.earliest("pk"), "code-carrying")
    actions.delete_file(file, actor=world.ada)
    rows = Event.objects.filter(kind__startswith="discussion.").order_by("index")
    assert [declared(row.kind).line(canonical.loads(row.body)["data"]) for row in rows] == [
        "Opened discussion 1 with 2 files",
        "Scanned a file in discussion 1: code-carrying",
        "Deleted a file in discussion 1",
    ]


def test_fifty_threads_of_a_hundred_comments_with_files_take_few_queries(
    world: World, release: Release
) -> None:
    first = opened(release, world, AUC)
    crowd(first, world)
    reader = browser(world.people["Vera"])
    for client, path in (
        (reader, f"/threads/{first.pk}/"),
        (reader, f"/threads/{first.pk}/?page=1"),
        (reader, f"/releases/{release.pk}/discussion/"),
        (api(world.people["Vera"]), f"/threads/{first.pk}/comments?limit=50"),
    ):
        with CaptureQueriesContext(connection) as seen:
            answer = client.get(path)
        assert answer.status_code == 200
        assert len(seen) <= MOST, path
    assert b"auc.csv" in reader.get(f"/threads/{first.pk}/").content


def crowd(like: Thread, world: World) -> None:
    """Make 50 threads of 100 comments, each of which came with four files."""
    text, name = (seal(words, person=world.ada.id) for words in ("Hm", "auc.csv"))
    at = {"created_at": now()}
    by = {"author": world.ada.id, "person": world.ada.id, "text_sealed": text}
    of = {"kind": like.kind, "subject": like.subject, "project": like.project, "size": 100}
    more = {"environment": like.environment, "title": like.title, "opened_by": like.opened_by}
    threads = [Thread(number=n, said_at=now(), **of, **more) for n in range(2, 51)]
    Thread.objects.bulk_create(threads)
    Thread.objects.filter(pk=like.pk).update(size=101)
    said = [Comment(thread=one, **by, **at) for one in (like, *threads) for _ in range(100)]
    Comment.objects.bulk_create(said)
    kept = {"commitment": "sha256:0", "size": 3, "type": "Text", "verdict": "safe", **at}
    named = {"person": world.ada.id, "name_sealed": name}
    files = [CommentFile(comment=one, **kept, **named) for one in said for _ in range(4)]
    CommentFile.objects.bulk_create(files)
    content = [
        FileContent(file=one, project=like.project, size=3, ciphertext=b"1") for one in files
    ]
    FileContent.objects.bulk_create(content)
