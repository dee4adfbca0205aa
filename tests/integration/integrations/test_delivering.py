"""Log forwarding to real receivers: in order, at least once, and never past what is refused."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection

from apps.audit.actions import write_checkpoint
from apps.audit.models import Event
from apps.audit.queries import log_size
from apps.integrations import reconciler
from apps.integrations.actions import resume_stream, rewind_stream
from apps.integrations.models import Delivery, Stream
from apps.monitoring.models import Alert
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now
from placet.kernel.keystore import keys_document, root_public
from tests.integration.integrations.conftest import Feed
from tests.support import factories
from tests.support.certificates import Authority, encrypted
from tests.support.factories import api, browser
from tests.support.processes import until
from tests.support.receivers import Receiver, frames, https, parse, syslog
from tests.support.replay import assert_log_rebuilds_every_row

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_io_in_transaction")]
ROOT = Path(__file__).resolve().parents[3]


def sent(receiver: Receiver) -> list[int]:
    """Return the indices of the events that a receiver of JSON lines took, in order."""
    return [json.loads(line)["index"] for line in receiver.lines() if line.startswith(b'{"index"')]


def kinds_of(stream: Stream) -> list[str]:
    """Return what happened to a stream, in order."""
    rows = Event.objects.filter(subject=stream.pk).order_by("index")
    return [kind.split(".")[1] for kind in rows.values_list("kind", flat=True)]


def test_every_event_arrives_in_order_and_verifies_against_the_log(
    feed: Feed, receiver: Receiver, secrets: Path, tmp_path: Path
) -> None:
    feed.log(1200)
    stream = feed.stream(receiver.url)
    write_checkpoint()
    size = log_size()
    stream = feed.go(stream)
    assert (stream.cursor, stream.checkpoint, stream.error) == (size, size, "")
    assert sent(receiver) == list(range(size))
    assert log_size() == size, "a delivery leaves no event"
    folder = tmp_path / "copy"
    folder.mkdir()
    lines = receiver.lines()
    heads = [json.loads(line) for line in lines if line.startswith(b'{"checkpoint"')]
    (folder / "events.jsonl").write_bytes(b"".join(x for x in lines if x.startswith(b'{"index"')))
    (folder / "checkpoint.txt").write_text(heads[-1]["checkpoint"])
    (folder / "keys.json").write_text(keys_document())
    (folder / "root.pub").write_bytes(root_public().to_pem())
    command = [sys.executable, "-m", "placet_verify", "log", str(folder), "--bodies"]
    done = subprocess.run(command, cwd=ROOT / "platform", capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    changed = lines[3].replace(b'\\"kind\\"', b'\\"kinD\\"', 1)
    (folder / "events.jsonl").write_bytes(b"".join([*lines[:3], changed, *lines[4:-1]]))
    done = subprocess.run(command, cwd=ROOT / "platform", capture_output=True, text=True)
    assert done.returncode == 1 and "leaf 3" in done.stdout


@pytest.mark.parametrize("secure", [True, False])
def test_cloudevents_arrive_as_a_batch(feed: Feed, authority: Authority, secure: bool) -> None:
    feed.log(3)
    with https(authority if secure else None) as receiver:
        stream = feed.go(feed.stream(receiver.url, kind="cloudevents"))
    assert receiver.url.startswith("https:" if secure else "http:")
    events = [event for body in receiver.bodies for event in json.loads(body)]
    assert [event["id"] for event in events] == [str(n) for n in range(stream.cursor)]
    assert receiver.headers[0]["Content-Type"].startswith("application/cloudevents-batch+json")
    last = Event.objects.get(pk=stream.cursor - 1)
    assert events[-1]["data"] == json.loads(last.body)


@pytest.mark.parametrize("secure", [True, False])
def test_syslog_arrives_as_the_standard_says(
    feed: Feed, authority: Authority, secure: bool
) -> None:
    feed.log(1200)
    with syslog(authority if secure else None) as server:
        stream = feed.stream(server.url, kind="syslog")
        write_checkpoint()
        stream = feed.go(stream)
        assert (server.faults, stream.error) == ([], "")
        events = [m for m in server.messages if m.id != "checkpoint"]
        assert [int(m.data["index"]) for m in events] == list(range(stream.cursor))
        assert events[7].text == Event.objects.get(pk=7).body
        assert server.messages[-1].data["size"] == str(stream.checkpoint)


@pytest.mark.parametrize("polite", [True, False])
def test_a_syslog_receiver_that_breaks_off_gets_the_batch_again(
    feed: Feed, authority: Authority, polite: bool
) -> None:
    feed.log(500)
    with syslog(authority) as server:
        server.drop_after, server.polite = 2000, polite
        stream = feed.go(feed.stream(server.url, kind="syslog"))
        assert (stream.cursor, stream.failures) == (0, 1)
        assert "No connection to its end" in stream.error
        server.drop_after = 0
        stream = feed.go(stream)
        assert stream.cursor == log_size()
        assert [int(m.data["index"]) for m in server.messages] == list(range(stream.cursor))


def test_both_sides_show_a_certificate(feed: Feed, authority: Authority, secrets: Path) -> None:
    feed.log(1)
    chain, key, _ = authority.issue("me")
    with (
        https(authority, clients=authority.ca) as receiver,
        syslog(authority, clients=authority.ca) as server,
    ):
        bare = feed.go(feed.stream(receiver.url, name="bare"))
        mute = feed.go(feed.stream(server.url, name="mute", kind="syslog"))
        assert bare.cursor == mute.cursor == 0 and bare.error and mute.error
        (secrets / "both.pem").write_text(chain.read_text() + key.read_text())
        stream = feed.go(feed.stream(receiver.url, name="shown", cert_file="both.pem"))
        other = feed.go(feed.stream(server.url, name="too", kind="syslog", cert_file="both.pem"))
        assert stream.cursor > 0 and other.cursor > 0, (stream.error, other.error)


def test_a_stranger_with_another_certificate_gets_nothing(
    feed: Feed, authority: Authority, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path / "stranger", "Stranger")
    with https(stranger) as receiver, syslog(stranger) as server:
        stream = feed.go(feed.stream(receiver.url))
        other = feed.go(feed.stream(server.url, name="other", kind="syslog"))
        assert "certificate verify failed" in stream.error
        assert "certificate verify failed" in other.error
        assert not receiver.headers and not server.messages


def test_a_token_goes_along_and_is_shown_nowhere(
    feed: Feed, receiver: Receiver, secrets: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (secrets / "siem.token").write_text("s3cr3t-t0ken\n")
    receiver.always = (400, {}, b"who are you with s3cr3t-t0ken?\n<b>")
    stream = feed.go(feed.stream(receiver.url, token_file="siem.token"))
    assert receiver.headers[0]["Authorization"] == "Bearer s3cr3t-t0ken"
    assert stream.error == "It answers 400: who are you with …? <b>"
    printed = capfd.readouterr()
    for place in (
        *Event.objects.values_list("body", flat=True),
        *map(str, Delivery.objects.values()),
        printed.out,
        printed.err,
    ):
        assert "s3cr3t" not in place
    (secrets / "siem.token").write_text("Splunk 1234")
    receiver.always = (200, {}, b"")
    feed.go(resume_stream(stream, actor=SYSTEM))
    assert receiver.headers[-1]["Authorization"] == "Splunk 1234"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "siem.token cannot be read: No such file or directory"),
        (b"", "siem.token does not hold one line with a token"),
        (b"a\r\nX-Evil: yes", "siem.token does not hold one line"),
        (b"\xff\xfe", "siem.token does not hold one line"),
        (b"x" * 20_000, "siem.token does not hold one line"),
    ],
)
def test_a_token_that_is_none_is_said_in_words(
    feed: Feed, receiver: Receiver, secrets: Path, content: bytes | None, why: str
) -> None:
    if content is not None:
        (secrets / "siem.token").write_bytes(content)
    stream = feed.go(feed.stream(receiver.url, token_file="siem.token"))
    assert why in stream.error
    assert not receiver.headers


def test_certificate_files_that_are_none_are_said_in_words(
    feed: Feed, receiver: Receiver, secrets: Path, tmp_path: Path
) -> None:
    (secrets / "broken.pem").write_text("nothing")
    chain, key, _ = Authority(tmp_path / "locked").issue("me")
    (secrets / "locked.pem").write_bytes(chain.read_bytes() + encrypted(key, b"password"))
    for name, terms in {
        "a": {"ca_file": "broken.pem"},
        "b": {"ca_file": "missing.pem"},
        "c": {"cert_file": "broken.pem"},
        "d": {"cert_file": "locked.pem"},
    }.items():
        stream = feed.go(feed.stream(receiver.url, name=name, **terms))
        assert "cannot be used (" in stream.error and stream.cursor == 0


def test_one_that_is_down_is_tried_again_and_misses_nothing(feed: Feed, receiver: Receiver) -> None:
    feed.log(10)
    stream = feed.stream(receiver.url)
    receiver.always = (503, {"Retry-After": "77"}, b"<html>sorry</html>")
    stream = feed.go(stream)
    assert (stream.state, stream.failures, stream.cursor) == ("running", 1, 0)
    aude = factories.person("Aude", {"auditor": None})
    assert api(aude).get(f"/streams/{stream.pk}").json()["state"] == "retrying"
    assert "Retrying" in browser(aude).get(f"/streams/{stream.pk}/").content.decode()
    assert stream.error == "It answers 503: <html>sorry</html>"
    assert stream.retry_at is not None
    assert 70 < (stream.retry_at - now()).total_seconds() <= 77
    assert reconciler.ring_due() == 0, "it waits as long as it was asked to"
    for _ in range(3):
        stream = feed.go(stream)
    assert (stream.state, stream.failures) == ("failing", 4)
    assert api(aude).get(f"/streams/{stream.pk}").json()["state"] == "retrying"
    assert "Retrying" in browser(aude).get(f"/streams/{stream.pk}/").content.decode()
    receiver.always = (200, {}, b"")
    stream = feed.go(stream)
    assert (stream.state, stream.failures, stream.error) == ("running", 0, "")
    stream = feed.go(stream)  # what it told of itself goes out too, and then it rests
    assert sent(receiver) == list(range(log_size()))
    assert kinds_of(stream) == ["added", "started", "failing", "recovered"]
    write_checkpoint()
    feed.go(stream)
    asked = len(receiver.headers)
    for _ in range(3):
        assert reconciler.ring_due() == 0
        feed.go(stream)
    assert len(receiver.headers) == asked, "a stream comes to rest"
    assert_log_rebuilds_every_row()


def test_nobody_there(feed: Feed) -> None:
    stream = feed.go(feed.stream("http://127.0.0.1:9/in"))
    other = feed.go(feed.stream("tcp://127.0.0.1:9", name="other", kind="syslog"))
    assert stream.error == "The call failed: no connection (Connection refused)"
    assert other.error == "No connection to its end (Connection refused)"
    odd = feed.go(feed.stream("https://siem..example/in", name="odd", ca_file=""))
    assert odd.error == "The call failed: no host has such a name"


def test_one_that_hangs_keeps_nobody_waiting_for_long(
    feed: Feed, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.integrations.senders.TIMEOUT", 0.5)
    receiver.stuck = True
    began = time.monotonic()
    stream = feed.go(feed.stream(receiver.url))
    assert time.monotonic() - began < 5
    assert stream.error == "There was no answer within 0.5 s"
    assert stream.cursor == 0


@pytest.mark.parametrize(
    ("status", "why"),
    [
        (400, "It answers 400: no such index"),
        (422, "It answers 422: no such index"),
        (302, "It answers 302, a redirect, which is not followed"),
    ],
)
def test_what_is_refused_waits_for_a_person_and_is_never_left_out(
    feed: Feed, receiver: Receiver, status: int, why: str
) -> None:
    feed.log(5)
    stream = feed.stream(receiver.url)
    receiver.always = (status, {"Location": "https://evil.example/"}, b"no such index")
    stream = feed.go(stream)
    assert (stream.state, stream.cursor, stream.error) == ("blocked", 0, why)
    receiver.always = (200, {}, b"")
    assert reconciler.ring_due() == 0
    assert feed.go(stream).cursor == 0, "only a person lets it go on"
    stream = feed.go(resume_stream(stream, actor=SYSTEM))
    assert sent(receiver) == list(range(stream.cursor)) and stream.cursor == log_size()
    assert kinds_of(stream) == ["added", "started", "blocked", "started"]
    blocked = Event.objects.get(kind="stream.blocked.v1")
    assert json.loads(blocked.body)["data"] == {"cursor": 0, "status": status}


def test_a_batch_that_is_too_large_is_cut_down_to_one_event(feed: Feed, receiver: Receiver) -> None:
    feed.log(64)
    stream = feed.stream(receiver.url)
    longest = max(len(body) for body in Event.objects.values_list("body", flat=True))
    receiver.largest = 3 * longest + 2000
    stream = feed.go(stream)
    assert sent(receiver) == list(range(stream.cursor)) and stream.cursor == log_size()
    assert len(receiver.bodies) >= 15
    receiver.largest = 100
    feed.log(2)
    stream = feed.go(stream)
    assert (stream.state, stream.error) == ("blocked", "It answers 413: too large")
    assert stream.cursor == log_size() - 3, "the two, and that it was blocked, wait"


def test_a_stream_of_a_project_carries_its_events_whole_and_of_others_the_hash(
    feed: Feed, receiver: Receiver
) -> None:
    other = factories.project("secret-project")
    feed.log(3)
    feed.log(3, other)
    stream = feed.go(feed.stream(receiver.url, project=feed.project))
    lines = [json.loads(line) for line in receiver.lines()]
    assert [line["index"] for line in lines] == list(range(stream.cursor))
    for line in lines:
        event = Event.objects.get(pk=line["index"])
        assert line["leaf_hash"] == bytes(event.leaf_hash).hex()
        if event.project == feed.project.pk:
            assert line["body"] == event.body
        else:
            assert line.keys() == {"index", "leaf_hash", "body", "origin"}
            assert line["body"] is None
    assert not any(
        b"secret-project" in body or other.pk.encode() in body for body in receiver.bodies
    )


def test_rewound_it_sends_again_with_the_checkpoint(feed: Feed, receiver: Receiver) -> None:
    feed.log(5)
    stream = feed.stream(receiver.url)
    write_checkpoint()
    stream = feed.go(stream)
    size = stream.cursor
    stream = feed.go(rewind_stream(stream, index=2, actor=SYSTEM))
    assert sent(receiver) == [*range(size), *range(2, size + 1)]
    heads = [line for line in receiver.lines() if line.startswith(b'{"checkpoint"')]
    assert len(heads) == 2


def test_rewound_while_a_batch_is_on_its_way_it_stays_rewound(
    feed: Feed, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed.log(5)
    stream = feed.go(feed.stream(receiver.url))
    feed.log(5)
    real = reconciler.send

    def send(row: Stream, batch: object) -> object:
        monkeypatch.setattr(reconciler, "send", real)
        rewind_stream(row, index=1, actor=SYSTEM)
        return real(row, batch)  # type: ignore[arg-type]

    monkeypatch.setattr(reconciler, "send", send)
    stream = feed.go(stream)
    assert stream.cursor == 1
    stream = feed.go(stream)
    assert stream.cursor == log_size()
    assert set(sent(receiver)) == set(range(log_size()))


def test_an_event_that_is_gone_from_the_log_stops_it(feed: Feed, receiver: Receiver) -> None:
    feed.log(5)
    stream = feed.stream(receiver.url)
    with connection.cursor() as cursor:
        cursor.execute("RESET ROLE")
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("DELETE FROM audit_event WHERE index = 3")
        cursor.execute("SET session_replication_role = origin")
        cursor.execute("SET ROLE placet_app")
    stream = feed.go(stream)
    assert (stream.state, stream.error) == ("blocked", "The log has no event 3: verify it")
    assert sent(receiver) == []


def test_people_are_told_of_one_that_lags_and_that_it_is_over(
    feed: Feed, receiver: Receiver
) -> None:
    receiver.always = (503, {}, b"")
    stream = feed.stream(receiver.url, start=None, alert_after_seconds=60)
    feed.log(3)
    feed.go(stream)
    reconciler.watch()
    assert not Alert.objects.exists()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "apps.integrations.queries.streams.now", lambda: now() + timedelta(seconds=90)
        )
        reconciler.watch()
        reconciler.watch()
    alert = Alert.objects.get()
    assert (alert.kind, alert.about, alert.subject) == ("stream_lag", stream.pk, stream.pk)
    assert "events behind the log, by 90 s: It answers 503" in alert.summary
    receiver.always = (200, {}, b"")
    feed.go(stream)
    reconciler.watch()
    alert.refresh_from_db()
    assert alert.state == "resolved"


def test_ten_thousand_events_arrive_in_order(
    feed: Feed, receiver: Receiver, record_property: Callable[[str, object], None]
) -> None:
    feed.log(10_000)
    stream = feed.stream(receiver.url)
    began = time.monotonic()
    until(lambda: feed.go(stream).cursor == log_size(), seconds=120, what="all of it")
    seconds = time.monotonic() - began
    assert sent(receiver) == list(range(log_size()))
    record_property("events_per_second", round(log_size() / seconds))
    print(f"{log_size()} events in {seconds:.1f} s: {log_size() / seconds:.0f} a second")


def test_only_the_last_attempts_are_kept(feed: Feed, receiver: Receiver) -> None:
    stream = feed.stream(receiver.url)
    for _ in range(55):
        feed.log(1)
        feed.go(stream)
    assert Delivery.objects.count() == 50


@pytest.mark.parametrize(
    "wrong",
    [
        b"<110>2 - h placet - x -",
        b"<192>1 - h placet - x - -",
        b"<14>hello",
        b"<013>1 - h p - x -",
        b'<110>1 - h placet - x [a b="c"d"]',
        b"<110>1 2026-11-26 h placet - x - -",
        "<110>1 - h placet - x - é".encode(),
    ],
)
def test_the_syslog_server_of_these_tests_takes_no_other_message(wrong: bytes) -> None:
    with pytest.raises(ValueError):
        parse(wrong)


@pytest.mark.parametrize("torn", [b"5 abc", b"abc", b"05 abcde", b"3 abc4 x"])
def test_nor_one_that_is_torn(torn: bytes) -> None:
    with pytest.raises(ValueError):
        frames(torn)
