"""What is sent again, after how long, and what a refusal becomes."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from placet_client import (
    BadAnswer,
    Client,
    Conflict,
    Denied,
    InvalidRequest,
    NotFound,
    NotSignedIn,
    PlacetError,
    ServerFault,
    Stale,
    TooManyRequests,
    Unreachable,
)
from placet_client.transport import ATTEMPTS

PROJECT = {
    "id": "prj_1",
    "slug": "risk",
    "name": "Risk",
    "description": "",
    "artifact_quota": 0,
    "created_by": "per_1",
    "created_at": "2026-01-02T03:04:05Z",
}


class Line:
    """A server that answers with each of ``answers`` in turn, and the pauses before a repeat."""

    def __init__(self, *answers: Any) -> None:
        self.answers, self.asked = list(answers), list[httpx.Request]()
        self.pauses: list[float] = []
        self.client = Client(
            "http://placet.test",
            "plc_secret",
            transport=httpx.MockTransport(self),
            sleep=self.pauses.append,
        )

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer, or break."""
        self.asked.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        response: httpx.Response = answer
        return response


def refused(status: int, code: str = "no", **headers: str) -> httpx.Response:
    """Return a refusal as Placet says it."""
    body = {
        "code": code,
        "detail": "No.",
        "request_id": "req-7",
        "status": status,
        "errors": [{"pointer": "/name", "detail": "Choose another"}],
    }
    return httpx.Response(status, json=body, headers=headers)


def good() -> httpx.Response:
    """Return a project."""
    return httpx.Response(200, json=PROJECT, headers={"ETag": '"3"'})


def test_a_broken_line_is_tried_again_with_the_same_key() -> None:
    line = Line(httpx.ConnectError("refused"), httpx.ReadError("cut"), good())
    assert line.client.projects.create("risk", name="Risk").id == "prj_1"
    assert len({r.headers["Idempotency-Key"] for r in line.asked}) == 1
    assert len(line.pauses) == 2 and line.pauses[1] > line.pauses[0] > 0


def test_a_busy_server_is_given_the_time_that_it_asks_for() -> None:
    line = Line(
        refused(503, **{"Retry-After": "7"}), refused(429, **{"Retry-After": "3600"}), good()
    )
    line.client.projects.get("risk")
    assert line.pauses == [7.0, 60.0]
    later = format_datetime(datetime.now(tz=UTC) + timedelta(seconds=20), usegmt=True)
    line = Line(refused(503, **{"Retry-After": later}), good())
    line.client.projects.get("risk")
    assert 15 < line.pauses[0] <= 20
    line = Line(refused(503, **{"Retry-After": "soon"}), good())
    line.client.projects.get("risk")
    assert 0 < line.pauses[0] < 1


def test_a_download_is_begun_again_until_its_answer_has_begun(tmp_path: Path) -> None:
    line = Line(httpx.ReadError("reset"), refused(503), httpx.Response(200, content=b"1,2\n"))
    assert line.client.audit.export(tmp_path / "events.csv", form="csv") == 4
    assert (tmp_path / "events.csv").read_bytes() == b"1,2\n" and len(line.pauses) == 2
    line = Line(refused(404))
    with pytest.raises(NotFound, match="No"):
        line.client.audit.export(tmp_path / "more.csv")
    assert not (tmp_path / "more.csv").exists() and line.pauses == []


def test_nothing_is_tried_for_ever() -> None:
    line = Line(*[httpx.ConnectError("refused")] * ATTEMPTS)
    with pytest.raises(Unreachable, match=r"placet\.test"):
        line.client.projects.get("risk")
    line = Line(*[refused(429)] * ATTEMPTS)
    with pytest.raises(TooManyRequests):
        line.client.projects.get("risk")


@pytest.mark.parametrize("trouble", [httpx.ReadError("cut"), 503])
def test_a_change_is_sent_once(trouble: Any) -> None:
    answer = refused(trouble) if isinstance(trouble, int) else trouble
    line = Line(answer, good())
    with pytest.raises(PlacetError):
        line.client.projects.update("risk", name="New", if_match='"3"')
    assert len(line.asked) == 1 and line.asked[0].headers["If-Match"] == '"3"'


def test_a_change_that_a_quota_refused_was_not_done_and_is_sent_again() -> None:
    line = Line(refused(429), good())
    line.client.projects.update("risk", name="New", if_match='"3"')
    assert len(line.asked) == 2


def test_a_change_names_what_it_read() -> None:
    line = Line(good(), good())
    project = line.client.projects.get("risk")
    line.client.projects.update("risk", description="", if_match=project.etag)
    assert line.asked[1].headers["If-Match"] == '"3"'
    assert line.asked[1].content == b'{"description":""}'


def test_a_repeat_waits_for_the_first_request_with_its_key() -> None:
    line = Line(refused(409, "idempotency_in_progress"), good())
    line.client.projects.create("risk", name="Risk")
    line = Line(refused(409, "name_taken"))
    with pytest.raises(Conflict):
        line.client.projects.create("risk", name="Risk")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, InvalidRequest),
        (401, NotSignedIn),
        (403, Denied),
        (404, NotFound),
        (409, Conflict),
        (412, Stale),
        (422, InvalidRequest),
        (428, Stale),
        (500, ServerFault),
    ],
)
def test_a_refusal_has_a_type_a_code_and_the_fields(status: int, kind: type[PlacetError]) -> None:
    with pytest.raises(PlacetError) as caught:
        Line(refused(status)).client.projects.get("risk")
    error = caught.value
    assert type(error) is kind
    assert (error.status, error.code, error.request_id) == (status, "no", "req-7")
    assert [(e.pointer, e.detail) for e in error.errors] == [("/name", "Choose another")]
    assert str(error) == "No.\n  /name: Choose another"


@pytest.mark.parametrize(
    ("status", "body"), [(502, b"<html>Bad gateway"), (404, b"[]"), (500, b'{"detail": 3}')]
)
def test_what_is_not_placet_is_said_without_its_page(status: int, body: bytes) -> None:
    with pytest.raises(PlacetError, match=r"answered|3") as caught:
        Line(httpx.Response(status, content=body)).client.projects.get("risk")
    assert "<html>" not in str(caught.value)


@pytest.mark.parametrize("body", [b"<html>Welcome", b"[]", b"{}", b'{"id": 3}'])
def test_an_answer_that_is_not_as_promised_is_named(body: bytes) -> None:
    with pytest.raises(BadAnswer):
        Line(httpx.Response(200, content=body)).client.projects.get("risk")


def test_a_redirect_is_no_answer_and_takes_the_token_nowhere() -> None:
    line = Line(httpx.Response(302, headers={"Location": "http://elsewhere.test/"}))
    with pytest.raises(PlacetError, match="302"):
        line.client.projects.get("risk")
    assert len(line.asked) == 1


@pytest.mark.parametrize(
    "url", ["", "localhost:8000", "http://", "http://[", "ftp://x", "http://x:99999"]
)
def test_a_bad_address_is_said(url: str) -> None:
    with pytest.raises(Unreachable):
        Client(url, "t", sleep=lambda _: None).projects.get("risk")


@pytest.mark.parametrize("token", ["a\nb", "ключ"])
def test_a_token_that_is_none_is_said(token: str) -> None:
    with pytest.raises(PlacetError):
        Client("http://127.0.0.1:9", token, sleep=lambda _: None).projects.get("risk")


def test_a_name_stays_one_part_of_the_path() -> None:
    line = Line(*[refused(404)] * 2)
    calls: list[Callable[[], object]] = [
        lambda: line.client.projects.get("../tokens?x=1#y"),
        lambda: line.client.versions.get("a/b", "c", 1),
    ]
    for call in calls:
        with pytest.raises(NotFound):
            call()
    paths = [r.url.raw_path for r in line.asked]
    assert paths == [
        b"/api/v1/projects/..%2Ftokens%3Fx%3D1%23y",
        b"/api/v1/projects/a%2Fb/models/c/versions/1",
    ]


def page(number: int, cursor: str | None) -> httpx.Response:
    """Return one page with one project."""
    item = PROJECT | {"slug": f"p{number}", "newer_than_this_client": True}
    return httpx.Response(200, json={"items": [item], "next_cursor": cursor})


def test_a_list_is_read_to_its_end_and_no_further_than_asked() -> None:
    line = Line(page(1, "c1"), page(2, "c2"), page(3, None))
    assert [p.slug for p in line.client.projects.list()] == ["p1", "p2", "p3"]
    assert [r.url.params.get("cursor") for r in line.asked] == [None, "c1", "c2"]
    line = Line(page(1, "c1"), page(2, "c2"))
    assert [p.slug for p in line.client.projects.list(limit=2)] == ["p1", "p2"]
    assert line.asked[0].url.params["limit"] == "2"
    line = Line(page(1, "c1"))
    first = line.client.projects.list().first()
    assert first is not None and first.raw["newer_than_this_client"] is True
