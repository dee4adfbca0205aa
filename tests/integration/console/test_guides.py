"""The guides under ``/docs/``: whole, for everybody, under the product's own rules for browsers."""

import re
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
from django.test import Client

from apps.console import built_files
from tests.support.factories import browser, person, project

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).resolve().parents[3]
LINK = re.compile(r'(?:href|src|action)="([^"]*)"')
# what the Content-Security-Policy forbids inside a page
FORBIDDEN = re.compile(r'<style|\sstyle=|<script>|<script(?![^>]*\ssrc=)|\son[a-z]+="|javascript:')


def pages() -> dict[str, str]:
    """Follow every link from ``/docs/`` that stays there; return each page with its text."""
    client, found, ahead, others = Client(), {}, ["/docs/"], set[str]()
    while ahead:
        path = ahead.pop()
        if path in found or path in others:
            continue
        answer = client.get(path)
        assert answer.status_code == 200, path
        if not answer["Content-Type"].startswith("text/html"):
            others.add(path)
            continue
        found[path] = answer.content.decode()
        links = (urlsplit(urljoin(path, link)) for link in LINK.findall(found[path]))
        ahead += [link.path for link in links if not link.netloc and link.path.startswith("/docs/")]
    assert len(others) > 20, "pictures, style and the search's scripts"
    return found


def test_every_guide_is_reached_and_holds_nothing_that_browsers_refuse() -> None:
    found = pages()
    guides = {
        path.relative_to(ROOT / "docs").with_suffix(".html")
        for path in (ROOT / "docs").rglob("*.md")
    }
    assert {f"/docs/{guide}" for guide in guides} <= {*found}
    assert "/docs/search.html" in found
    for path, text in found.items():
        assert not FORBIDDEN.findall(text), path
        asked = re.findall(r'<(?:script|img|link|form)[^>]*(?:src|href|action)="([^"]*)"', text)
        assert not [link for link in asked if urlsplit(link).netloc], path


def test_they_stand_under_the_same_policy_as_every_page() -> None:
    there, here = Client().get("/docs/nodes.html"), Client().get("/accounts/login/")
    assert there["Content-Security-Policy"] == here["Content-Security-Policy"]
    assert "unsafe" not in there["Content-Security-Policy"]
    assert there["X-Content-Type-Options"] == "nosniff"


def test_the_search_knows_the_words_of_the_guides() -> None:
    index = Client().get("/docs/searchindex.js")
    assert index["Content-Type"] == "text/javascript; charset=utf-8"
    text = index.content.decode()
    for word in ("passkey", "bubblewrap", "wit", "seccomp"):  # stems
        assert re.search(rf'[{{,]"?{word}"?:', text), word
    assert Client().get("/docs/_static/searchtools.js").status_code == 200


@pytest.mark.parametrize(
    "name",
    [
        "../settings.py",
        "%2e%2e/built-from",
        "..%2fbuilt-from",
        "_static/../../built-from",
        "_static/%2e%2e/%2e%2e/built-from",
        "/etc/passwd",
        "//etc/passwd",
        "..\\built-from",
        ".buildinfo",
        "_static",
        "_static/",
        "no-such.html",
        "nodes.html/",
        "nodes.html%00",
        "%00",
        "a" * 5000,
        "./nodes.html",
        "_static//docs.css",
        "~root/x",
        "no/such/thing",
    ],
)
def test_nothing_but_what_was_built_is_given_out(name: str) -> None:
    refused = 400 if "%00" in name else 404
    assert Client().get(f"/docs/{name}").status_code == refused


def test_a_link_out_of_the_folder_leads_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret.html").write_text("secret")
    folder = tmp_path / "docs"
    (folder / "real").mkdir(parents=True)
    (folder / "index.html").write_text("here")
    (folder / "real" / "index.html").write_text("real")
    (folder / "link.html").symlink_to(tmp_path / "secret.html")
    (folder / "inside.html").symlink_to(folder / "index.html")
    (folder / "up").symlink_to(tmp_path)
    monkeypatch.setattr(built_files, "GUIDES", folder)
    asked = ("", "real/", "link.html", "inside.html", "up/secret.html", "up/docs/index.html")
    got = [Client().get(f"/docs/{name}").status_code for name in asked]
    assert got == [200, 200, 404, 404, 404, 404]


def test_a_folder_that_is_itself_behind_a_link_is_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "built").mkdir()
    (tmp_path / "built" / "index.html").write_text("here")
    (tmp_path / "docs").symlink_to(tmp_path / "built")
    monkeypatch.setattr(built_files, "GUIDES", tmp_path / "docs")
    assert Client().get("/docs/").content == b"here"


def test_they_are_only_read() -> None:
    for method in ("post", "put", "patch", "delete", "options"):
        assert getattr(Client(), method)("/docs/").status_code == 405
    assert Client().head("/docs/").status_code == 200
    assert Client().get("/docs").headers["Location"] == "/docs/"


def test_a_browser_that_has_a_page_is_told_so() -> None:
    first = Client().get("/docs/pages.html")
    again = Client().get("/docs/pages.html", headers={"If-None-Match": first["ETag"]})
    other = Client().get("/docs/nodes.html", headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert other.status_code == 200


def test_a_server_without_them_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(built_files, "GUIDES", tmp_path)
    answer = Client().get("/docs/nodes.html")
    assert answer.status_code == 404
    assert b"not built on this server" in answer.content


def test_pages_lead_to_them_for_who_is_in_and_who_is_not() -> None:
    ann = browser(person("Ann", {"viewer": project("risk")}))
    for client, path in ((Client(), "/accounts/login/"), (ann, "/")):
        assert b'href="/docs/"' in client.get(path).content
