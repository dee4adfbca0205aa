"""What a batch looks like on the wire, whatever its events hold."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.audit.events import kinds
from apps.integrations.formats import (
    SEVERITIES,
    Batch,
    StreamedEvent,
    StreamedHead,
    cloudevents,
    jsonl,
    syslog,
)
from placet_verify import canonical
from placet_verify.log.checking import read_records
from placet_verify.log.merkle import leaf_hash
from tests.support.receivers import frames, parse

ORIGIN = "placet.dev/log/ed25519-00"
ODD = 'Zoë "quotes" \\ ] <b>\n\u202e\U0001f600'
HEAD = StreamedHead(2, b"\x07" * 32, "placet.dev/log\n2\nx\n\n— sig\n")


def leaf(index: int, text: str = ODD, kind: str = "release.requested.v1") -> StreamedEvent:
    body = canonical.dumps({"kind": kind, "text": text}).decode()
    return StreamedEvent(
        index,
        leaf_hash(body.encode()),
        body,
        "2026-11-26T14:00:00.000001Z",
        kind,
        "per_1",
        text,
        "prj_1",
        None,
    )


HIDDEN = StreamedEvent(8, b"\x01" * 32, None)


def test_a_line_is_what_the_verifier_reads_and_a_search_finds() -> None:
    sent = jsonl(Batch(ORIGIN, 7, (leaf(7), HIDDEN), HEAD)).body
    first, second, third = sent.splitlines()
    assert list(read_records([first, second])) == [
        (7, leaf(7).body, leaf(7).leaf_hash),
        (8, None, HIDDEN.leaf_hash),
    ]
    found = json.loads(first)
    assert (found["kind"], found["actor"], found["subject"]) == (
        "release.requested.v1",
        "per_1",
        ODD,
    )
    assert "environment" not in found
    assert json.loads(second).keys() == {"index", "leaf_hash", "body", "origin"}
    assert json.loads(third) == {
        "checkpoint": HEAD.note,
        "size": 2,
        "root": "07" * 32,
        "origin": ORIGIN,
    }


def test_a_cloudevent_holds_the_very_text_that_was_hashed() -> None:
    payload = cloudevents(Batch(ORIGIN, 7, (leaf(7), HIDDEN), HEAD))
    assert payload.media == "application/cloudevents-batch+json; charset=utf-8"
    body = leaf(7).body
    assert body is not None and f'"data":{body}}}' in payload.body.decode()
    event, hidden, head = json.loads(payload.body)
    assert event == {
        "specversion": "1.0",
        "id": "7",
        "source": ORIGIN,
        "subject": ODD,
        "type": "dev.placet.release.requested.v1",
        "time": "2026-11-26T14:00:00.000001Z",
        "leafindex": "7",
        "leafhash": leaf(7).leaf_hash.hex(),
        "datacontenttype": "application/json",
        "data": json.loads(body),
    }
    assert leaf_hash(canonical.dumps(event["data"])).hex() == event["leafhash"]
    assert hidden == {
        "specversion": "1.0",
        "id": "8",
        "source": ORIGIN,
        "type": "dev.placet.leaf.v1",
        "leafindex": "8",
        "leafhash": "01" * 32,
    }
    assert (head["type"], head["id"]) == ("dev.placet.checkpoint.v1", "checkpoint-2")
    assert head["data"]["note"] == HEAD.note
    for name in (*event, *hidden, *head):  # CloudEvents 1.0, naming of attributes
        assert name.isascii() and name.islower() and name.isalnum()


def test_a_message_is_rfc_5424_to_the_letter() -> None:
    sent = syslog(Batch(ORIGIN, 7, (leaf(7), HIDDEN), HEAD), "h").body
    event, hidden, head = [parse(frame) for frame in frames(sent)]
    assert (event.facility, event.severity, event.app, event.host) == (13, 6, "placet", "h")
    assert event.text == leaf(7).body
    assert event.data == {
        "index": "7",
        "hash": leaf(7).leaf_hash.hex(),
        "origin": ORIGIN,
        "project": "prj_1",
        "kind": "release.requested.v1",
        "actor": "per_1",
        "subject": ODD,
    }
    assert (hidden.time, hidden.id, hidden.text) == ("-", "leaf", None)
    assert hidden.data == {"index": "8", "hash": "01" * 32, "origin": ORIGIN}
    assert (head.id, head.text, head.data["size"]) == ("checkpoint", HEAD.note, "2")


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_whatever_an_event_says_stays_one_message_and_one_line(text: str) -> None:
    batch = Batch(ORIGIN, 0, (leaf(0, text), leaf(1, text)))
    messages = [parse(frame) for frame in frames(syslog(batch, "h").body)]
    assert [message.data.get("subject", "") for message in messages] == [text, text]
    assert [json.loads(line)["index"] for line in jsonl(batch).body.decode().split("\n")[:-1]] == [
        0,
        1,
    ]
    assert [event["id"] for event in json.loads(cloudevents(batch).body)] == ["0", "1"]


def test_a_test_holds_nothing_of_the_log() -> None:
    batch = Batch(ORIGIN, 0, (), test=True)
    assert json.loads(jsonl(batch).body) == {"test": True, "origin": ORIGIN}
    assert json.loads(cloudevents(batch).body)[0]["type"] == "dev.placet.test.v1"
    assert parse(frames(syslog(batch, "h").body)[0]).id == "test"


@pytest.mark.parametrize(
    "kind",
    [
        "access.denied.v1",
        "release.rejected.v1",
        "stream.blocked.v1",
        "witness.forked.v1",
        "recall.contradicted.v1",
        "alert.opened.v1",
        "break_glass.opened.v1",
        "discussion.opened.v1",
        "promotion.opened.v1",
    ],
)
def test_what_is_grave_is_said_to_be(kind: str) -> None:
    message = parse(frames(syslog(Batch(ORIGIN, 0, (leaf(0, kind=kind),)), "h").body)[0])
    warns, usual = dict.fromkeys(("access", "alert", "break_glass"), 4), ("discussion", "promotion")
    by_family = {"release": 5, **warns, **dict.fromkeys(usual, 6)}
    assert message.severity == by_family.get(kind.split(".")[0], 3)
    assert message.id == kind


def test_every_word_that_has_a_severity_is_one_that_happens() -> None:
    words = [name.split(".") for name in kinds()]
    happens = {word[1] for word in words} | {".".join(word[:2]) for word in words}
    assert not {word for words in SEVERITIES.values() for word in words} - happens
    assert max(len(name) for name in kinds() if not name.startswith("test.")) <= 32
