"""What one endpoint cannot take from the others behind the same HAProxy, nor say for them."""

import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from placet_agent.haproxy.traffic import MOST_UNDER_WAY
from tests.integration.agent.conftest import PATH
from tests.integration.agent.sockets import Gateway, wait

CALLERS = 4100  # more than HAProxy takes connections


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    with ExitStack() as stack:
        made = Gateway(tmp_path / "haproxy", stack)  # HAProxy ends after its replicas
        yield made


def call(gateway: Gateway) -> socket.socket:
    """Send a request whose answer nobody reads yet."""
    made = socket.create_connection(("127.0.0.1", gateway.port), timeout=20)
    made.sendall(f"GET {PATH}/who HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    return made


def test_callers_of_what_answers_nobody_leave_the_others_served(gateway: Gateway) -> None:
    entry = gateway.neighbour("good")
    slow = gateway.replica("rev_1", "slow")
    gateway.replica("rev_2", "good", entry)
    entry.stable = "rev_2"
    gateway.serve()
    slow.answering.clear()
    callers = list[socket.socket]()
    for number in range(CALLERS):
        callers.append(gateway.stack.enter_context(call(gateway)))
        if number % 100 == 99:  # no more at once than wait to be accepted
            wait(lambda: len(slow.seen) == min(len(callers), MOST_UNDER_WAY), 30)

    base = f"http://127.0.0.1:{gateway.port}"
    assert httpx.get(f"{base}{entry.path}/who", timeout=5).json() == {"name": "good"}
    assert httpx.get(f"{base}/healthz", timeout=5).json() == {"status": "ok"}
    assert httpx.get(gateway.url(), timeout=5).json()["code"] == "unavailable"

    slow.answering.set()
    said = Counter(caller.recv(12)[-3:].decode() for caller in callers)
    assert said == {
        "200": MOST_UNDER_WAY,
        "503": CALLERS - MOST_UNDER_WAY,
    }
    assert gateway.who() == "slow"


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("id=1", "id=1"),
        ("id=1; Path=/", "id=1"),
        ("id=1; path = /neighbour; Secure; path=/", "id=1; path = /neighbour; Secure"),
        ("id=1; Domain=example.com; HttpOnly; Max-Age=60", "id=1; HttpOnly; Max-Age=60"),
        ("id=1;domain", "id=1"),
        ("domain=1; PATH=/; Secure; SameSite=Lax", "domain=1; Secure; SameSite=Lax"),
        ("id=1; Domain=a.example; DOMAIN=example; Path=/; Secure", "id=1"),
        (f"{'x' * 4000}=1{';' * 4000} Domain=a; ;Domain=b", f"{'x' * 4000}=1"),
    ],
)
def test_a_cookie_comes_back_to_the_endpoint_alone_that_set_it(
    gateway: Gateway, said: str, kept: str
) -> None:
    gateway.replica("rev_1", "one", headers=(("Set-Cookie", said), ("Set-Cookie", "b=2; Path=/")))
    gateway.serve()

    answer = httpx.get(gateway.url())

    own = f"; Path={PATH}"  # the last one counts
    assert answer.headers.get_list("set-cookie") == [kept + own, "b=2" + own]


def test_an_answer_says_nothing_that_holds_for_the_whole_address(gateway: Gateway) -> None:
    wide = (
        ("Alt-Svc", 'h2="evil.example:443"; ma=86400'),
        ("Clear-Site-Data", '"*"'),
        ("Strict-Transport-Security", "max-age=31536000"),
        ("Service-Worker-Allowed", "/"),
        ("NEL", '{"report_to": "a", "max_age": 9}'),
        ("Report-To", '{"group": "a"}'),
        ("Accept-CH", "Sec-CH-UA-Model"),
        ("Critical-CH", "Sec-CH-UA-Model"),
        ("Origin-Agent-Cluster", "?0"),
        ("Origin-Trial", "token"),
        ("Critical-Origin-Trial", "trial"),
        ("Public-Key-Pins", 'pin-sha256="a"; max-age=9'),
        ("Secure-Session-Registration", '(ES256);path="start"'),
        ("Set-Login", "logged-out"),
        ("Sec-Session-Registration", '(ES256);path="start"'),
        ("Cache-Group-Invalidation", '"all"'),
        ("Use-As-Dictionary", 'match="/*"'),
    )
    own = (("X-Own", "kept"), ("Content-Security-Policy", "sandbox"), ("Cache-Groups", '"own"'))
    gateway.replica("rev_1", "one", headers=(*wide, *own, ("alt-svc", "clear")))
    gateway.serve()

    found = httpx.get(gateway.url()).headers

    assert [(name, found.get(name)) for name, _ in own] == list(own)
    assert [name for name, _ in wide if name in found] == []


@pytest.mark.parametrize("said", [(), ("camera=()",), ("publickey-credentials-get=*", "broken=(")])
def test_no_answer_lets_its_page_ask_a_passkey(gateway: Gateway, said: tuple[str, ...]) -> None:
    headers = tuple(("permissions-policy", policy) for policy in said)
    gateway.replica("rev_1", "one", headers=headers)
    gateway.serve()
    found = httpx.get(gateway.url()).headers.get_list("Permissions-Policy")
    assert found == ["publickey-credentials-get=(), publickey-credentials-create=()"]


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("placet_session=s3cret", None),
        ("placet_session=s3cret; id=1", "id=1"),
        ("id=1; placet_csrf=s3cret; b=2;__Host-placet_session=s3cret", "id=1; b=2"),
        ("placet_session=s3cret; placet_session=s3cret; id=1; placet_session=s3cret", "id=1"),
        ("id=1;  \t__Host-placet_csrf = s3cret ;b=2", "id=1;b=2"),
        ("placet_sessions=1; my_placet_session=2; id=placet_session", ""),
        ('id="a=b"; ; c', ""),
    ],
)
def test_the_cookies_of_the_platform_reach_no_replica_and_all_others_do(
    gateway: Gateway, said: str, kept: str | None
) -> None:
    one = gateway.replica("rev_1", "one")
    gateway.serve()
    assert httpx.get(gateway.url(), headers={"Cookie": said}).status_code == 200
    assert one.cookies == [[kept or said] if kept is not None else None]


def test_of_several_lines_of_cookies_none_takes_one_past(gateway: Gateway) -> None:
    one = gateway.replica("rev_1", "one")
    gateway.serve()
    lines = [("Cookie", "placet_session=s3cret"), ("Cookie", "id=1"), ("cookie", "b=2")]
    for sent in (lines, lines[::-1]):
        httpx.get(gateway.url(), headers=sent)
    assert "s3cret" not in str(one.cookies)


def test_no_answer_sets_a_cookie_of_the_platform(gateway: Gateway) -> None:
    said = ("placet_session=a; Path=/", " __Host-placet_csrf =b; Secure; Path=/", "id=1")
    gateway.replica("rev_1", "one", headers=tuple(("Set-Cookie", cookie) for cookie in said))
    gateway.serve()
    with httpx.Client() as browser:
        answer = browser.get(gateway.url())
        assert [(cookie.name, cookie.value) for cookie in browser.cookies.jar] == [("id", "1")]
    assert "placet" not in str(answer.headers)


def test_a_candidate_that_keeps_its_copies_waiting_takes_no_others(gateway: Gateway) -> None:
    entry = gateway.neighbour("good")
    gateway.replica("rev_1", "one")
    hostile = gateway.replica("rev_2", "hostile")
    gateway.replica("rev_3", "good", entry)
    copied = gateway.replica("rev_4", "tried", entry)
    for place, stable, tried in ((gateway.entry, "rev_1", "rev_2"), (entry, "rev_3", "rev_4")):
        place.stable, place.mirrored, place.copies = stable, tried, 10_000
    gateway.serve()
    hostile.answering.clear()
    assert {gateway.who() for _ in range(60)} == {"one"}
    wait(lambda: len(hostile.seen) == 16)  # half of all

    url = f"http://127.0.0.1:{gateway.port}{entry.path}/who"
    for number in range(60):
        assert httpx.get(url).json() == {"name": "good"}
        wait(lambda number=number: len(copied.seen) == number + 1)
    assert len(hostile.seen) == 16
