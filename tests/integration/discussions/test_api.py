"""Discussions over the API."""

from typing import Any

import pytest

from apps.discussions.hooks import Subject
from apps.discussions.models import Comment, Thread
from apps.identity.models import RoleBinding
from tests.support.factories import ApiClient, api, person, project, token_for
from tests.support.world import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def rex(world: World) -> ApiClient:
    """Rex, by a token."""
    return api(token_for(world.people["Rex"]))


@pytest.fixture
def threads(subject: Subject) -> str:
    """Where the threads about the release are."""
    return f"/discussions/release/{subject.id}/threads"


def opened(who: ApiClient, threads: str, text: str = "Why?", **more: Any) -> dict[str, Any]:
    answer = who.post(threads, {"text": text, **more})
    assert answer.status_code == 201, answer.content
    return dict(answer.json())


def test_a_thread_is_opened_read_answered_and_resolved(
    world: World, rex: ApiClient, threads: str
) -> None:
    made = opened(rex, threads, "**Why**, @vera.risk @nobody?", anchor="metrics/auc")
    assert (made["number"], made["anchor"], made["state"]) == (1, "metrics/auc", "open")
    assert [each["handle"] for each in made["unmentioned"]] == ["nobody"]
    at = f"/threads/{made['id']}"
    answer = rex.post(f"{at}/comments", {"text": "Well"})
    assert (answer.status_code, answer.json()["html"]) == (201, "<p>Well</p>\n")
    first, second = rex.get(f"{at}/comments").json()["items"]
    assert (first["id"], first["mentioned"], second["text"]) == (
        made["comment"],
        ["Vera risk"],
        "Well",
    )
    assert rex.get(at).json()["comments"] == 2
    for _ in range(2):
        assert rex.post(f"{at}/resolve").json()["state"] == "resolved"
    assert rex.post(f"{at}/comments", {"text": "?"}).json()["code"] == "thread_resolved"
    assert rex.get(f"{threads}?state=open").json()["items"] == []
    assert rex.post(f"{at}/reopen").json()["state"] == "open"
    assert len(rex.get(f"{threads}?state=open").json()["items"]) == 1
    assert rex.get(f"{threads}?state=shut").status_code == 400


def test_a_page_lays_out_few_comments_however_many_are_asked_for(
    rex: ApiClient, threads: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.discussions.api.comments.CommentList.most", 2)
    at = f"/threads/{opened(rex, threads)['id']}/comments"
    for _ in range(2):
        rex.post(at, {"text": "Well"})
    page = rex.get(f"{at}?limit=500").json()
    assert len(page["items"]) == 2
    rest = rex.get(f"{at}?limit=500&cursor={page['next_cursor']}").json()
    assert (len(rest["items"]), rest["next_cursor"]) == (1, None)


def test_a_key_is_answered_once_and_opens_one_thread(rex: ApiClient, threads: str) -> None:
    first, again = (
        rex.post(threads, {"text": "Why?"}, idempotency_key="one").json() for _ in range(2)
    )
    assert first == again
    assert Thread.objects.count() == 1
    other = rex.post(threads, {"text": "Why not?"}, idempotency_key="one")
    assert other.status_code == 422


def test_one_edits_and_deletes_what_one_read(world: World, rex: ApiClient, threads: str) -> None:
    made = opened(rex, threads)
    at = f"/threads/{made['id']}/comments/{made['comment']}"
    tag = rex.get(at).headers["ETag"]
    assert rex.patch(at, {"text": "!"}).status_code == 428
    edited = rex.patch(at, {"text": "How?"}, if_match=tag)
    assert (edited.json()["text"], edited.json()["edited_at"] is not None) == ("How?", True)
    assert rex.patch(at, {"text": "!"}, if_match=tag).status_code == 412
    vera = api(token_for(world.people["Vera"]))
    tag = edited.headers["ETag"]
    assert vera.patch(at, {"text": "!"}, if_match=tag).json()["code"] == "others_comment"
    assert vera.delete(at, if_match=tag).status_code == 403
    assert {vera.patch(at, {"text": "!"}).status_code, vera.delete(at).status_code} == {403}
    assert rex.delete(at, if_match=tag).status_code == 204
    shown = rex.get(at).json()
    assert (shown["state"], shown["text"], shown["html"]) == ("deleted", "", "")


def test_what_is_wrong_is_named(rex: ApiClient, threads: str) -> None:
    for body, pointer in (
        ({}, "/text"),
        ({"text": ""}, "/text"),
        ({"text": "x" * 4001}, "/text"),
        ({"text": "?", "anchor": "nowhere"}, "/anchor"),
        ({"text": "?", "once": "a"}, "/once"),
    ):
        answer = rex.post(threads, body)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, pointer)
    assert not Comment.objects.exists()


def test_what_is_hidden_is_not_there(world: World, rex: ApiClient, threads: str) -> None:
    made = opened(rex, threads, "A secret matter")
    sam = api(token_for(person("Sam", {"contributor": project("other")})))
    for path in (threads, f"/threads/{made['id']}", f"/threads/{made['id']}/comments"):
        hidden = sam.get(path)
        assert (hidden.status_code, b"secret" in hidden.content) == (404, False)
    assert sam.post(threads, {"text": "?"}).status_code == 404
    assert sam.post(f"/threads/{made['id']}/seen").status_code == 404


def test_a_token_that_may_not_comment_reads_alone(world: World, threads: str) -> None:
    reader = api(token_for(world.people["Rex"], scopes=["release.view"]))
    assert reader.get(threads).status_code == 200
    assert reader.post(threads, {"text": "?"}).status_code == 403


def test_a_token_that_only_reads_empties_nobodys_inbox(
    world: World, rex: ApiClient, threads: str
) -> None:
    at = f"/threads/{opened(rex, threads, '@vera.risk')['id']}/seen"
    vera = world.people["Vera"]
    refused = api(token_for(vera, scopes=["release.view"])).post(at)
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    writing = token_for(vera, scopes=["release.view", "release.comment"])
    assert api(writing).post(at).json() == {"mentions": 1}


def test_a_comment_is_of_its_thread(rex: ApiClient, threads: str) -> None:
    one, other = opened(rex, threads), opened(rex, threads)
    assert rex.get(f"/threads/{other['id']}/comments/{one['comment']}").status_code == 404


def test_a_viewer_takes_back_what_they_wrote_and_says_nothing_more(
    world: World, rex: ApiClient, threads: str
) -> None:
    sam = person("Sam", {"contributor": world.project})
    thread = opened(rex, threads)["id"]
    at = f"/threads/{thread}/comments"
    own = f"{at}/{api(sam).post(at, {'text': 'Hm'}).json()['id']}"
    RoleBinding.objects.filter(person=sam).update(role="viewer")
    reader = api(sam)
    tag = reader.get(own)["ETag"]
    assert reader.patch(own, {"text": "Ha"}, if_match=tag).json()["code"] == "forbidden"
    by_token = api(token_for(sam)).delete(own, if_match=tag)
    assert by_token.json()["code"] == "forbidden"
    assert reader.delete(own, if_match=tag).status_code == 204
    assert reader.get(own).json()["state"] == "deleted"


def test_who_sees_the_thing_no_more_reads_nothing_there(
    world: World, rex: ApiClient, threads: str
) -> None:
    sam = person("Sam", {"contributor": world.project})
    at = f"/threads/{opened(rex, threads)['id']}"
    own = api(sam).post(f"{at}/comments", {"text": "Hm"}).json()["id"]
    RoleBinding.objects.filter(person=sam).delete()
    gone = api(sam)
    for path in (at, f"{at}/comments", f"{at}/comments/{own}"):
        assert gone.get(path).status_code == 404
    assert gone.delete(f"{at}/comments/{own}").status_code == 404
