"""Where streams may go, what an answer means, and when it is tried again."""

import pytest

from apps.integrations.rules import StreamTerms, delay, faults, url_fault, verdict


@pytest.mark.parametrize(
    ("kind", "url"),
    [
        ("jsonl", "https://siem.example"),
        ("jsonl", "https://siem.example:8088/services/collector/raw"),
        ("cloudevents", "https://[2001:db8::1]:443/in"),
        ("jsonl", "http://127.0.0.1:9000/in"),
        ("jsonl", "http://localhost:9000"),
        ("jsonl", "http://[::1]:9000"),
        ("syslog", "tls://siem.example"),
        ("syslog", "tls://10.1.2.3:6514"),
        ("syslog", "tcp://127.0.0.1:601"),
    ],
)
def test_where_a_stream_may_go(kind: str, url: str) -> None:
    assert url_fault(kind, url) == ""


@pytest.mark.parametrize(
    ("kind", "url", "why"),
    [
        ("jsonl", "https://ann:secret@siem.example", "Name a token_file"),
        ("jsonl", "https://siem.example@evil.example", "Name a token_file"),
        ("jsonl", "https://siem.example/in?key=secret", "Name a token_file"),
        ("jsonl", "https://siem.example/in#secret", "Name a token_file"),
        ("jsonl", "http://siem.example", "without TLS"),
        ("jsonl", "http://127.0.0.1.evil.example", "without TLS"),
        ("jsonl", "http://localhost.evil.example", "without TLS"),
        ("jsonl", "http://169.254.169.254/latest", "without TLS"),
        ("jsonl", "http://0.0.0.0:80", "without TLS"),
        ("jsonl", "http://2130706433/", "without TLS"),
        ("jsonl", "https://siem.example:0", "from 1 to 65535"),
        ("jsonl", "https://siem.example:65536", "from 1 to 65535"),
        ("jsonl", "https://siem.example:99999999999", "An address such as"),
        ("jsonl", "tls://siem.example", "must begin with https://"),
        ("jsonl", "ftp://siem.example", "must begin with https://"),
        ("jsonl", "file:///etc/passwd", "An address such as"),
        ("jsonl", "https://", "An address such as"),
        ("jsonl", "", "An address such as"),
        ("jsonl", "https://siem.example\\@evil.example", "Name a token_file"),
        ("jsonl", "https://siem.example\\.evil", "An address such as"),
        ("jsonl", "https://siem.example/a b", "An address such as"),
        ("jsonl", "https://siem.example/\r\nX: y", "An address such as"),
        ("jsonl", "https://siem.example/\x00", "An address such as"),
        ("jsonl", "https://sièm.example", "An address such as"),
        ("jsonl", "https://siem.example/" + "x" * 500, "An address such as"),
        ("syslog", "tls://siem.example:6514/path", "no path"),
        ("syslog", "tcp://127.0.0.1", "Give the port"),
        ("syslog", "tcp://siem.example:601", "without TLS"),
        ("syslog", "https://siem.example", "must begin with tls://"),
    ],
)
def test_where_no_stream_may_go(kind: str, url: str, why: str) -> None:
    assert why in url_fault(kind, url)


def test_each_fault_names_its_field() -> None:
    wrong = StreamTerms(
        "syslog",
        "tls://siem.example",
        token_file="t",
        ca_file="../ca.pem",
        cert_file="/etc/shadow",
        alert_after_seconds=1,
    )
    assert [fault.field for fault in faults(wrong)] == [
        "token_file",
        "ca_file",
        "cert_file",
        "alert_after_seconds",
    ]
    assert [f.field for f in faults(StreamTerms("carrier pigeon", "https://siem.example"))] == [
        "kind"
    ]
    plain = StreamTerms("jsonl", "http://127.0.0.1:1", token_file="t", ca_file="ca.pem")
    assert [(f.field, f.detail) for f in faults(plain)] == [("ca_file", "Only where there is TLS")]
    assert faults(StreamTerms("jsonl", "https://siem.example", "t", "ca.pem", "me.pem", 60)) == []
    for name in ("..", ".hidden", "a/b", "a\\b", "a\x00", "x" * 101, "\u202e"):
        assert faults(StreamTerms("jsonl", "https://siem.example", token_file=name))


@pytest.mark.parametrize(
    ("status", "count", "means"),
    [
        (200, 9, "accepted"),
        (204, 9, "accepted"),
        (500, 9, "retry"),
        (503, 9, "retry"),
        (401, 9, "retry"),
        (403, 9, "retry"),
        (404, 9, "retry"),
        (408, 9, "retry"),
        (429, 9, "retry"),
        (413, 9, "smaller"),
        (413, 2, "smaller"),
        (413, 1, "refused"),
        (413, 0, "refused"),
        (400, 9, "refused"),
        (422, 9, "refused"),
        (301, 9, "refused"),
        (308, 9, "refused"),
        (100, 9, "refused"),
    ],
)
def test_what_an_answer_means(status: int, count: int, means: str) -> None:
    assert verdict(status, count) == means


def test_it_waits_longer_and_longer_and_as_long_as_it_is_asked_to() -> None:
    assert [delay(n) for n in (1, 2, 3, 8, 9, 1000)] == [2, 4, 8, 256, 300, 300]
    assert delay(1, "120") == 120
    assert delay(1, "1") == 2
    for odd in ("86400", "9" * 50, "-5", "Wed, 21 Oct 2026 07:28:00 GMT", "1e9", "٣"):
        assert 2 <= delay(1, odd) <= 300
