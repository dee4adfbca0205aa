"""Files of comments over the API: sent as a form, downloaded as a file and as nothing else."""

import io
from typing import Any
from urllib.parse import quote

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.test.client import encode_multipart

from apps.discussions.contents import FILE_BYTES
from apps.discussions.hooks import Subject
from apps.discussions.models import Comment, CommentFile
from apps.identity.actions import revoke_role
from apps.identity.middleware import forms
from apps.identity.models import RoleBinding
from placet.kernel.actor import SYSTEM
from placet.kernel.bodies import WITH_FILES
from tests.support import factories
from tests.support.comment_files import scanned
from tests.support.factories import ApiClient, api, token_for
from tests.support.world import World

pytestmark = pytest.mark.django_db
HTML = b"<!doctype html><script>alert(document.cookie)</script>"


@pytest.fixture
def rex(world: World) -> ApiClient:
    """Rex, by a token."""
    return api(token_for(world.people["Rex"]))


def send(who: Client, path: str, *files: tuple[str, bytes], **form: str) -> Any:
    sent = [SimpleUploadedFile(name, raw, "text/html") for name, raw in files]
    return Client.post(who, f"/api/v1{path}", {"text": "See", **form, "files": sent})


def opened(who: Client, subject: Subject, *files: tuple[str, bytes], **form: str) -> Any:
    return send(who, f"/discussions/release/{subject.id}/threads", *files, **form)


def where(file: CommentFile) -> str:
    return f"/threads/{file.comment.thread_id}/comments/{file.comment_id}/files/{file.pk}"


def test_files_are_sent_with_a_comment_listed_and_downloaded(
    rex: ApiClient, subject: Subject
) -> None:
    answer = opened(rex, subject, ("auc.csv", b"a,b\n"), anchor="metrics")
    assert answer.status_code == 201, answer.content
    at = f"/threads/{answer.json()['id']}/comments"
    assert send(rex, at, ("x.png", b"\x89PNG\r\n\x1a\n"), ("y.html", HTML)).status_code == 201
    first, second = rex.get(at).json()["items"]
    (file,) = first["files"]
    assert (file["name"], file["size"], file["type"]) == ("auc.csv", 4, "Text")
    assert (file["state"], file["scan"]) == ("scanning", "Being scanned")
    assert [one["type"] for one in second["files"]] == ["PNG image", "HTML"]
    path = f"{at}/{first['id']}/files/{file['id']}"
    assert rex.get(path).json()["code"] == "file_waits"
    scanned(CommentFile.objects.get(pk=file["id"]))
    assert b"".join(rex.get(path).streaming_content) == b"a,b\n"


@pytest.mark.parametrize(
    "name", ["y.html", "täfel 1.html", 'a"; filename="b.html', "a%0d%0ab.html"]
)
def test_a_file_is_never_drawn_by_a_browser_whatever_it_is(
    rex: ApiClient, subject: Subject, name: str
) -> None:
    opened(rex, subject, (name, HTML))
    answer = rex.get(where(scanned(CommentFile.objects.get())))
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert answer["Cache-Control"] == "private, no-store"
    said = answer["Content-Disposition"]
    assert said.startswith("attachment; filename")
    assert said.isascii()
    assert not set("\r\n") & set(said)
    assert name.isascii() or f"filename*=utf-8''{quote(name)}" in said


def test_a_name_of_bidi_marks_and_folders_comes_to_nothing(
    rex: ApiClient, subject: Subject
) -> None:
    answer = opened(rex, subject, ("../../gpj\u202egnp.csv", b"1"))
    assert answer.status_code == 201
    (file,) = rex.get(f"/threads/{answer.json()['id']}/comments").json()["items"][0]["files"]
    assert file["name"] == "gpjgnp.csv"


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ([("chart.png", HTML)], "chart.png is called .png, and its bytes are of the type HTML"),
        ([("tool", b"\x7fELF\x02")], "tool is a program: say where it lies instead"),
        ([("big.bin", bytes(FILE_BYTES + 1))], "big.bin has 5.0 MB, and at most 5.0 MB are taken"),
        ([("none.csv", b"")], "none.csv is empty: leave it out"),
        ([(f"{n}.csv", b"1") for n in range(5)], "4.csv is one too many"),
    ],
)
def test_a_refusal_names_the_file_and_what_to_do(
    rex: ApiClient, subject: Subject, files: list[tuple[str, bytes]], why: str
) -> None:
    answer = opened(rex, subject, *files)
    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert error["pointer"] == "/files"
    assert why in error["detail"]
    assert not Comment.objects.exists()


def test_a_form_that_is_too_long_is_refused_before_it_is_read(
    rex: ApiClient, subject: Subject
) -> None:
    answer = opened(rex, subject, ("big.bin", bytes(WITH_FILES)))
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    path = f"/api/v1/discussions/release/{subject.id}/threads"
    long = b'{"text": "' + b"a" * 3_000_000 + b'"}'
    assert rex.generic("POST", path, long, "application/json").status_code == 413
    elsewhere = Client.post(rex, "/api/v1/whoami", {"a": SimpleUploadedFile("a", bytes(3_000_000))})
    assert elsewhere.status_code == 413


def test_who_sends_another_long_form_meanwhile_is_told_to_come_again(
    world: World, rex: ApiClient, subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forms, "SECONDS", 0.01)
    large = ("big.bin", bytes(4_000_000))
    with forms.turns.of(world.people["Rex"].pk):
        answer = opened(rex, subject, large, once="form-1")
        assert (answer.status_code, answer.json()["code"]) == (503, "busy")
        assert answer["Retry-After"] == "5"
        assert opened(rex, subject, ("small.csv", b"1")).status_code == 201
    assert opened(rex, subject, large, once="form-1").status_code == 201
    assert Comment.objects.count() == 2


@pytest.mark.parametrize("name", ["..", "\u200b\u2060", "folder\\", "\u202e"])
@pytest.mark.parametrize("by", ["token", "session", "page"])
def test_a_file_whose_name_comes_to_nothing_is_refused_and_not_dropped(
    world: World, rex: ApiClient, subject: Subject, name: str, by: str
) -> None:
    path = f"/api/v1/discussions/release/{subject.id}/threads"
    who: Client = rex if by == "token" else api(world.people["Rex"])
    if by == "page":
        path, who = (
            f"/discussions/release/{subject.id}/open",
            factories.browser(world.people["Rex"]),
        )
    body = encode_multipart(
        "b", {"text": "See", "files": SimpleUploadedFile("NAME", b"1")}
    ).replace(b"NAME", name.encode())
    answer = Client.generic(who, "POST", path, body, "multipart/form-data; boundary=b")
    assert "has a name that is empty or holds letters that nobody sees" in answer.content.decode()
    assert not Comment.objects.exists()


def test_a_form_of_countless_parts_is_refused_and_no_fault_of_ours(
    rex: ApiClient, subject: Subject
) -> None:
    answer = opened(rex, subject, *((f"{n}.csv", b"1") for n in range(101)))
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_input")
    path = f"/api/v1/discussions/release/{subject.id}/threads"
    body = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n' * 2100 + b"--b--\r\n"
    answer = rex.generic("POST", path, body, "multipart/form-data; boundary=b")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_input")
    assert "send fewer" in answer.json()["detail"]


def test_a_form_sent_again_says_it_once(rex: ApiClient, subject: Subject) -> None:
    said = [opened(rex, subject, ("auc.csv", b"1"), once="form-1").json() for _ in range(2)]
    assert said[0]["comment"] == said[1]["comment"]
    assert CommentFile.objects.count() == 1


def test_json_takes_no_files_and_refuses_what_looks_like_some(
    rex: ApiClient, subject: Subject
) -> None:
    at = f"/discussions/release/{subject.id}/threads"
    answer = rex.post(at, {"text": "See", "files": ["auc.csv"]})
    assert [one["pointer"] for one in answer.json()["errors"]] == ["/files"]


def test_who_reads_the_thread_reads_the_file_and_nobody_else(
    world: World, rex: ApiClient, subject: Subject
) -> None:
    opened(rex, subject, ("auc.csv", b"1"))
    path = where(scanned(CommentFile.objects.get()))
    vera = world.people["Vera"]
    assert api(vera).get(path).status_code == 200
    assert api(token_for(vera, scopes=["release.view"])).get(path).status_code == 200
    assert api(token_for(vera, scopes=["model.view"])).get(path).status_code == 404
    assert api(factories.person("Stranger")).get(path).status_code == 404
    assert api().get(path).status_code == 401
    cut = token_for(vera, project=factories.project("other"))
    assert api(cut).get(path).status_code == 404
    for binding in RoleBinding.objects.filter(person=vera):
        revoke_role(binding, actor=SYSTEM)
    assert api(vera).get(path).status_code == 404


def test_its_author_deletes_a_file_with_its_tag(
    world: World, rex: ApiClient, subject: Subject
) -> None:
    opened(rex, subject, ("auc.csv", b"1"))
    path = where(scanned(CommentFile.objects.get()))
    assert rex.delete(path).status_code == 428
    assert rex.delete(path, if_match='"x"').status_code == 412
    tag = rex.head(path)["ETag"]
    assert api(token_for(world.people["Vera"])).delete(path, if_match=tag).status_code == 403
    assert rex.delete(path, if_match=tag).status_code == 204
    assert rex.get(path).status_code == 404
    assert (
        rex.get(f"/threads/{Comment.objects.get().thread_id}/comments").json()["items"][0]["files"]
        == []
    )


def test_a_session_sends_a_form_with_its_csrf_token_alone(world: World, subject: Subject) -> None:
    rex = api(world.people["Rex"], csrf=True)
    assert opened(rex, subject, ("auc.csv", b"1")).status_code == 403
    assert not Comment.objects.exists()


def test_a_stranger_is_not_read_a_long_form_of(world: World, subject: Subject) -> None:
    large = ("big.bin", bytes(4_000_000))
    assert opened(api(), subject, large).status_code == 401
    path = f"/discussions/release/{subject.id}/open"
    sent = {"text": "See", "files": [SimpleUploadedFile(*large)]}
    assert Client().post(path, sent).status_code == 401
    rex = factories.browser(world.people["Rex"])
    assert rex.post(path, sent | {"files": [SimpleUploadedFile(*large)]}).status_code == 302
    assert CommentFile.objects.get().size == 4_000_000


def test_half_a_long_form_never_passes_for_a_whole_one(rex: ApiClient, subject: Subject) -> None:
    body = b'--b\r\nContent-Disposition: form-data; name="text"\r\n\r\nSee\r\n--b\r\nContent-Dispo'
    path = f"/api/v1/discussions/release/{subject.id}/threads"
    kind = "multipart/form-data; boundary=b"
    sent: dict[str, Any] = {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": "4000000"}
    answer = rex.generic("POST", path, body, kind, **sent)
    assert answer.status_code == 400
    assert not Comment.objects.exists()
