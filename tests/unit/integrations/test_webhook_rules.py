"""When a webhook is tried again, what is shown of its address, and what it signs with."""

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from standardwebhooks import Webhook as Verifier

from apps.integrations import calling
from apps.integrations.hiding import hidden
from apps.integrations.rules import (
    KEPT_TRYING,
    PAUSES,
    origin_of,
    webhook_outcome,
    wished,
)
from apps.integrations.signing import SigningKeys, signed
from apps.integrations.webhook_secrets import OpenedWebhook
from placet.kernel.outbound import OutboundResponse

AT = datetime(2026, 12, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("status", [200, 202, 204, 299])
def test_what_was_taken_is_over(status: int) -> None:
    assert webhook_outcome(status, 1, 0, None, 0.5) == ("delivered", 0.0)


@pytest.mark.parametrize("status", [0, 199, 300, 302, 400, 401, 404, 413, 429, 500, 503])
def test_whatever_else_is_said_is_tried_again(status: int) -> None:
    assert webhook_outcome(status, 1, 0, None, 0.5) == ("waiting", PAUSES[0])


def test_pauses_grow_and_differ_by_a_fifth() -> None:
    for attempt, pause in enumerate((*PAUSES, PAUSES[-1], PAUSES[-1]), 1):
        waits = [webhook_outcome(500, attempt, 0, None, luck)[1] for luck in (0.0, 0.5, 1.0)]
        assert waits == pytest.approx([0.8 * pause, pause, 1.2 * pause])


def test_a_day_is_the_end() -> None:
    last = KEPT_TRYING - PAUSES[-1]
    assert webhook_outcome(500, 20, last, None, 0.5)[0] == "waiting"
    assert webhook_outcome(500, 20, last + 1, None, 0.5) == ("failed", 0.0)
    assert webhook_outcome(410, 1, 0, None, 0.5) == ("failed", 0.0)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("120", 120.0),
        (" 7 ", 7.0),
        (format_datetime(AT + timedelta(minutes=5), usegmt=True), 300.0),
        (format_datetime(AT - timedelta(minutes=5), usegmt=True), 0.0),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1e9", None),
        ("٣", None),
        ("Tue, 99 Dec 2026 12:00:00 GMT", None),
        ("x" * 100_000, None),
    ],
)
def test_what_a_receiver_wishes_is_read_or_left(said: str, seconds: float | None) -> None:
    assert wished(said, AT) == seconds


def test_what_is_wished_is_followed_within_bounds() -> None:
    assert webhook_outcome(429, 1, 0, 60.0, 0.5)[1] == 60.0
    assert webhook_outcome(429, 1, 0, 0.0, 0.5)[1] == PAUSES[0]
    assert webhook_outcome(429, 1, 0, 10.0**9, 0.5)[1] == 6 * 3600.0


def test_no_answer_shows_what_is_secret_of_the_address() -> None:
    url = "https://hooks.example:8443/services/T0KEN%2Fmore?key=s3cretvalue&x=1"
    assert origin_of(url) == "https://hooks.example:8443"
    told = "no /services/T0KEN%2Fmore?key=s3cretvalue&x=1 (T0KEN/more), key s3cretvalue: ok"
    shown = hidden(told, url)
    assert "T0KEN" not in shown and "s3cret" not in shown and shown.endswith(": ok")


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("/in?key=my+s3cret+word", "my s3cret word"),
        ("/in?key=a%2Bs3cret", "a%2bs3cret"),
        ("/in?key=a%2Bs3cret", "a+s3cret"),
        ("/in?key=a%2Bs3cret", "a%252Bs3cret"),
        ("/T0KENs3cret", "t0kenS3CRET"),
        ("/in?key=user:s3cretword", "user&#58;s3cretword"),
        ("/in?key=user:s3cretword", "user&colon;s3cretword"),
        ("/in?key=user:s3cretword", "s3cretword"),
        ("/in?key=user%3As3cretword", "s3cretword"),
        ("/in/it's3cret", "it&#39;s3cret"),
        ("/in/it's3cret", "it&#x27;s3cret"),
        ("/in/s3cret!word/x", r"\/in\/s3cret\u0021word\/x"),
        ("/in?key=a%26s3cret", "a&amp;s3cret"),
    ],
)
def test_a_part_of_an_address_is_not_shown_however_an_answer_writes_it(
    target: str, told: str
) -> None:
    shown = hidden(f"No {told} here", f"https://hooks.example{target}")
    assert "s3cret" not in shown.lower()
    assert shown.startswith("No ") and shown.endswith(" here")


@pytest.mark.parametrize("written", ["s3cretword", "S3CRETWORD", "s3cret%77ord", "s3cret&#x77;ord"])
def test_wherever_an_answer_ends_it_shows_no_part_that_it_began_to_repeat(written: str) -> None:
    url = "https://hooks.example/in/s3cretword"
    told = f"No {written} here, none of {written}"
    for end in range(len(told)):
        shown = hidden(told[:end], url)
        assert shown.startswith("No "[:end])
        assert "s3cret" not in shown.lower(), shown


def test_an_answer_that_repeats_the_address_often_shows_none_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    secret = "Zx9SecretSecretSecret0123456789abcdefghi"
    to = OpenedWebhook(f"https://hooks.example/hooks/{secret}", (), "standard")
    for before in range(len(secret)):
        body = (b"." * before + f"{secret} ".encode() * 200)[:9000]
        answered = OutboundResponse(200, {}, body, 0.1)
        with monkeypatch.context() as patch:
            patch.setattr(calling, "post", lambda *_, said=answered, **__: said)
            answer = calling.call(to, calling.Call("x", b"{}", test=True)).answer
        assert "Zx9Sec" not in answer and answer.startswith("." * before + "… … ")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_an_answer_of_more_bytes_a_letter_is_read_and_shows_no_part_of_the_address(
    monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    to = OpenedWebhook("https://hooks.example/hooks/Zx9Secret0123", (), "standard")
    answered = OutboundResponse(200, {}, "No Zx9Secret0123 here".encode(encoding), 0.1)
    monkeypatch.setattr(calling, "post", lambda *_, **__: answered)
    answer = calling.call(to, calling.Call("x", b"{}", test=True)).answer
    assert answer.lstrip("\ufffd") == "No … here"


@pytest.mark.parametrize(
    "between",
    [
        *("\0", "\x01", "\t", " ", "\n", "\u200b", "\u00a0", "\ufffd", "\0\0\0"),
        *("\u2800", "\u3164", "\u034f", "\ufe0f", "\U000e0100"),
    ],
)
@pytest.mark.parametrize("written", ["s3cretword", "s3cret%77ord", "S3CRET&#x77;ord"])
def test_letters_that_stand_apart_are_hidden_wherever_the_answer_ends(
    between: str, written: str
) -> None:
    url, apart = "https://hooks.example/in/s3cretword", between.join(written)
    assert hidden(f"No {apart} here, none at all", url) == "No … here, none at all"
    for end in range(len(apart)):
        assert "s3cret" not in hidden(f"No {apart[:end]}", url).lower().replace(between, "")


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("a" * 1900 + "b", "a" * 4096),
        ("%5C" * 14 + "x", "\\" * 40),
        ("%25" * 150, "%25" * 1365),
        ("%25" * 150, f"%{'25' * 2047}"),
        ("a" * 400, "%2561" * 819),
    ],
)
def test_whatever_an_answer_repeats_what_is_secret_in_it_is_found_in_no_time(
    target: str, told: str
) -> None:
    began = time.process_time()
    hidden(told, f"https://hooks.example/{target}")
    assert time.process_time() - began < 0.6  # it takes a tenth of that and less


def test_a_letter_that_is_quoted_again_and_again_is_not_shown() -> None:
    told = "No caf%2525C3%25A9s3cret, caf%C3%a9s3cret or \\u0063af&EACUTE;s3cret here"
    assert hidden(told, "https://hooks.example/caf%C3%A9s3cret") == "No …, … or … here"


def test_an_address_without_a_secret_hides_nothing() -> None:
    assert hidden("All in here", "https://hooks.example/in") == "All in here"


def test_signatures_are_those_of_the_specification() -> None:
    keys = SigningKeys.read(SigningKeys.generate().write())
    moment = datetime.now(tz=UTC)
    headers = signed([keys], message="whd_1", timestamp=int(moment.timestamp()), body=b'{"a":1}')
    assert Verifier(keys.shown_secret).verify(b'{"a":1}', headers) == {"a": 1}
    assert [one[:3] for one in headers["webhook-signature"].split(" ")] == ["v1,", "v1a"]
    assert keys.shown_secret not in repr(keys) and str(keys.private) not in repr(keys)
