"""What a node says is read field by field: bounded, in words of ours, and old agents go on."""

import ast
import json
from pathlib import Path
from typing import Any

import pytest

from placet_protocol.fields import ProtocolError
from placet_protocol.report import (
    ERROR_CODES,
    FEATURES,
    Report,
    read_platform,
    read_report,
    weakest,
    why_unreached,
    write_report,
)
from placet_verify.log import checkpoint
from placet_verify.signing import dsse
from placet_verify.signing.keys import PrivateKey
from tests.support.nodes import PLATFORM

JANE = "Mrs Jane Doe of 1 Main Street "
DIGEST = "sha256:" + "ab" * 32
WINDOW = {"revision": "rev_1", "started_at": "2026-11-27T12:00:00Z", "seconds": 10.0}
COUNTED = ("connections", "refused", "bytes_in", "bytes_out")
PLATFORM_ROOT = Path(__file__).resolve().parents[3] / "platform"


def told() -> set[str]:
    """Return the codes of errors that the agent's sources name."""
    codes = set()
    for path in (
        *PLATFORM_ROOT.glob("placet_agent/**/*.py"),
        *PLATFORM_ROOT.glob("placet_protocol/**/*.py"),
    ):
        for call in ast.walk(ast.parse(path.read_text())):
            if not isinstance(call, ast.Call):
                continue
            if getattr(call.func, "id", "") == "NodeError":
                words = [word.value for word in call.keywords if word.arg == "code"]
            elif (called := getattr(call.func, "attr", "")) == "_say" or (
                called in {"error", "tell"} and len(call.args) == 2
            ):
                words = call.args[:1]
            else:
                continue
            codes |= {word.value for word in words if isinstance(word, ast.Constant)}
    return {word for word in codes if isinstance(word, str) and word.isidentifier()}


def report(**changes: Any) -> dict[str, Any]:
    """Return a report as an agent of today writes it."""
    row = {
        "id": "rev_1",
        "phase": "serving",
        "ready_replicas": 1,
        "weight": 10_000,
        "detail": "",
        "bento_digest": DIGEST,
        "since": "2026-11-27T12:00:00.000Z",
        "restarts": 0,
        "isolation": "socket",
        "egress": [],
    }
    return {
        "v": 1,
        "node": "nod_1",
        "number": 7,
        "at": "2026-11-27T12:00:00.000Z",
        "applied": {"epoch": 1, "number": 3},
        "platform": dict(PLATFORM),
        "proxy": {"fault": "port_taken", "since": "2026-11-27T12:00:00.000Z"},
        "checkpoint": None,
        "revisions": [row],
        "prefetched": [DIGEST],
        "recalled": [],
        "errors": [],
        "aborts": [],
        "receipts": [],
        "warm": 3,
        "metrics": [],
        **changes,
    }


def read(**changes: Any) -> Report:
    """Return what is read of a report."""
    return read_report(json.dumps(report(**changes)).encode(), "nod_1")


def with_row(**changes: Any) -> Any:
    """Return what is read of the one revision of a report."""
    return read(revisions=[{**report()["revisions"][0], **changes}])["revisions"][0]


def test_a_report_is_read_as_it_was_written() -> None:
    assert dict(read()) == report()


def test_what_a_newer_agent_adds_is_left_out() -> None:
    newer = {**PLATFORM, "gpus": ["a"], "features": [*FEATURES, "slim", JANE]}
    document = read(platform=newer, moods=[JANE])
    assert JANE not in json.dumps(document)
    assert document["platform"] == PLATFORM
    assert "colour" not in with_row(colour="blue")


def test_what_an_older_agent_does_not_send_has_a_default() -> None:
    """As 5a35692 sends it."""
    older = {name: value for name, value in PLATFORM.items() if name != "network"}
    older["features"] = ["unit", "header_route", "mirror", "capture", "guard", "receipts"]
    row = {**report()["revisions"][0], "isolation": "bwrap"}
    del row["egress"]
    document = read(platform=older, revisions=[row])
    assert document["platform"]["network"] == "host"
    assert "apart" not in document["platform"]["features"]
    assert (document["revisions"][0]["isolation"], document["revisions"][0]["egress"]) == (
        "older",
        [],
    )


@pytest.mark.parametrize(
    ("said", "read_as"),
    [
        ("socket", "socket"),
        ("link", "link"),
        ("shared", "shared"),
        ("older", "older"),
        ("bwrap", "older"),
        ("none", "older"),
        ("a newer word", "older"),
        ("", ""),
    ],
)
def test_an_isolation_that_is_not_known_here_reads_as_the_weakest(said: str, read_as: str) -> None:
    assert with_row(isolation=said)["isolation"] == read_as


def test_egress_is_counted_for_at_most_as_many_destinations_as_can_be_approved() -> None:
    row = {
        "to": "db.example.com:5432",
        "connections": 3,
        "refused": 1,
        "bytes_in": 9,
        "bytes_out": 8,
    }
    assert with_row(egress=[row] * 32)["egress"] == [row] * 32
    with pytest.raises(ProtocolError) as refusal:
        with_row(egress=[row] * 33)
    assert refusal.value.pointer == "/revisions/0/egress"
    with pytest.raises(ProtocolError) as refusal:
        with_row(egress=[{**row, "refused": -1}])
    assert refusal.value.pointer == "/revisions/0/egress/0/refused"


@pytest.mark.parametrize("name", list(PLATFORM))
@pytest.mark.parametrize(
    "said", [JANE, JANE * 40_000, [JANE], [JANE] * 1000, {"a": JANE}, 1 << 50, -1, None, True]
)
def test_nothing_that_a_node_chooses_to_say_of_itself_gets_into_the_log(
    name: str, said: Any
) -> None:
    try:
        platform = read_platform({**PLATFORM, name: said})
    except ProtocolError as error:
        assert error.pointer == f"/platform/{name}"
        assert JANE not in str(error)
        return
    text = json.dumps(platform)
    assert "Jane" not in text
    assert len(text) < 1000
    assert list(platform) in (list(PLATFORM), [*PLATFORM][:-1])  # a key that is none is left out


@pytest.mark.parametrize(
    ("version", "read_as"),
    [
        ("2.8", "2.8"),
        ("2.8.25-8fbe2c6", "2.8.25"),
        ("3.0.11-1~bpo12+1", "3.0.11"),
        ("unknown", ""),
        ("2.8 Jane Doe", ""),
    ],
)
def test_a_version_of_haproxy_is_its_numbers(version: str, read_as: str) -> None:
    assert read_platform({**PLATFORM, "haproxy": version})["haproxy"] == read_as


def test_a_report_of_another_node_or_version_is_refused() -> None:
    for changes in ({"v": 2}, {"node": "nod_2"}):
        with pytest.raises(ProtocolError, match="version 1 by this node"):
            read(**changes)
    with pytest.raises(ProtocolError):
        read_report(b'{"v": 1, "v": 1}', "nod_1")


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"number": -1}, "/number"),
        ({"at": 7}, "/at"),
        ({"applied": None}, "/applied/epoch"),
        ({"platform": []}, "/platform"),
        ({"checkpoint": 7}, "/checkpoint"),
        ({"revisions": {}}, "/revisions"),
        ({"revisions": [None]}, "/revisions/0/phase"),
        ({"prefetched": [7]}, "/prefetched/0"),
        ({"recalled": ["a\x00"]}, "/recalled/0"),
        ({"errors": [{"code": "a b"}]}, "/errors/0/code"),
        ({"aborts": [{}]}, "/aborts/0/rule"),
        ({"receipts": ["x" * 8193]}, "/receipts/0"),
        ({"warm": -1}, "/warm"),
        ({"warm": "3"}, "/warm"),
        ({"receipts": [""] * 101}, "/receipts"),
        ({"metrics": [None]}, "/metrics/0/started_at"),
        ({"at": "\ud800"}, "/at"),
        ({"prefetched": ["\udfff"]}, "/prefetched/0"),
        ({"receipts": ["\ud800"]}, "/receipts/0"),
        ({"metrics": [{**WINDOW, "latency": {"5\x00": 1}}]}, "/metrics/0/latency"),
        ({"metrics": [{**WINDOW, "latency": {"x" * 9000: 1}}]}, "/metrics/0/latency"),
    ],
)
def test_what_is_wrong_is_named_by_its_place(changes: dict[str, Any], pointer: str) -> None:
    with pytest.raises(ProtocolError) as refusal:
        read(**changes)
    assert refusal.value.pointer == pointer


def test_a_checkpoint_has_no_more_leaves_than_the_log_can_write() -> None:
    def note(size: int) -> str:
        return checkpoint.make("placet.test/log", size, b"\x01" * 32, PrivateKey.generate())

    for kept in (note(2**53 - 1), "no note", None):
        assert read(checkpoint=kept)["checkpoint"] == kept
    for size in (2**53, 2**63, 10**19 - 1):
        with pytest.raises(ProtocolError) as refusal:
            read(checkpoint=note(size))
        assert refusal.value.pointer == "/checkpoint"


@pytest.mark.parametrize("since", ["yesterday", "2026-11-27T12:00:00", "2026-11-27", 7, None])
def test_a_phase_is_entered_at_a_time_with_its_zone(since: Any) -> None:
    with pytest.raises(ProtocolError) as refusal:
        with_row(since=since)
    assert refusal.value.pointer == "/revisions/0/since"


def test_a_phase_of_no_time_was_entered_when_the_node_reports() -> None:
    row = report()["revisions"][0]
    del row["since"]
    at = "2026-11-27T13:00:00+01:00"
    assert read(at=at, revisions=[row])["revisions"][0]["since"] == at
    with pytest.raises(ProtocolError) as refusal:
        read(at="", revisions=[row])
    assert refusal.value.pointer == "/revisions/0/since"


def test_the_log_has_a_word_for_each_error_that_an_agent_tells_and_for_no_other() -> None:
    codes = told()
    assert {"endpoint_left_out", "haproxy", "capture_dropped"} <= codes
    # The last three a state says of itself: ``DesiredState.errors``.
    assert codes | {"endpoint_refused", "prefetch_refused", "revision_refused"} == ERROR_CODES


def test_why_nobody_reaches_a_node_is_one_of_our_words() -> None:
    assert why_unreached(read()["proxy"], 8080) == "port 8080 is taken"
    newer = read(proxy={"fault": "something new", "note": JANE})["proxy"]
    assert newer == {"fault": "not_running", "since": read()["at"]}
    assert why_unreached(newer, 8080) == "HAProxy does not run"
    silent = read(proxy={"fault": "silent"})["proxy"]
    assert why_unreached(silent, 8080) == "HAProxy does not answer"
    for well in (None, {"fault": ""}, {}):
        assert why_unreached(read(proxy=well)["proxy"], 8080) == ""
    for odd in ("silent", {"fault": 7}, {"fault": "silent", "since": "yesterday"}):
        with pytest.raises(ProtocolError):
            read(proxy=odd)


def test_of_several_isolations_the_weakest_counts() -> None:
    assert weakest(["socket", "", "shared"]) == "shared"
    assert weakest(["socket", "older"]) == "older"
    assert weakest(["socket", "something new"]) == "socket"
    assert weakest(["", ""]) == weakest([]) == ""


def test_what_a_replica_printed_stops_no_report_of_its_node() -> None:
    """PostgreSQL holds no NUL and no half of a pair: one tenant's last words were enough."""
    printed = "no such\x00column \ud800"
    assert with_row(detail=printed)["detail"] == "no such\ufffdcolumn \ufffd"
    led = "\x1b[2J\u202eon\ttwo\nlines"
    assert with_row(detail=led)["detail"] == "\ufffd[2J\ufffdon\ttwo\nlines"
    document = read(
        errors=[{"code": "haproxy", "detail": printed}], metrics=[{**WINDOW, "error": printed}]
    )
    assert document["errors"][0]["detail"] == "no such\ufffdcolumn \ufffd"
    assert document["metrics"][0].get("error") == "no such\ufffdcolumn \ufffd"


def test_what_an_agent_writes_is_taken_whatever_was_printed_and_however_much_there_is() -> None:
    meant = read()
    meant["revisions"][0]["detail"] = "the end\x00\ud800"
    meant["recalled"] = [DIGEST] * 501
    meant["receipts"] = ["{}"] * 101
    document = read_report(write_report(meant), "nod_1")
    assert document["revisions"][0]["detail"] == "the end\ufffd\ufffd"
    assert (len(document["recalled"]), len(document["receipts"])) == (500, 100)
    (cut,) = [error for error in document["errors"] if error["code"] == "report_cut"]
    assert cut["detail"] == (
        f"501 recalled Bentos are more than the 500 that a report has room for; not in it: {DIGEST}"
    )


def test_of_too_many_revisions_those_are_told_that_run_or_changed_last() -> None:
    meant = read()
    row = meant["revisions"][0]
    stopped = [
        {**row, "id": f"rev_{n:03}", "phase": "stopped", "since": f"2026-08-01T00:00:00.{n:03}Z"}
        for n in range(520)
    ]
    runs = [
        {**row, "id": f"run_{n}", "phase": "serving", "since": "2026-07-01T00:00:00Z"}
        for n in range(2)
    ]
    meant["revisions"] = [*stopped, *runs]
    meant["errors"] = []
    document = read_report(write_report(meant), "nod_1")
    ids = {revision["id"] for revision in document["revisions"]}
    assert len(ids) == 500
    assert {"run_0", "run_1", "rev_519", "rev_022"} <= ids
    assert [error["code"] for error in document["errors"]] == ["report_cut"]
    detail = document["errors"][0]["detail"]
    assert detail.startswith("522 revisions are more than the 500 that a report has room for; not")
    assert detail.endswith(" …") and "rev_000" not in ids


@pytest.mark.parametrize(
    ("said", "times", "egress", "kept"),
    [("x", 500, 0, 2000), ("é", 400, 0, 500), ("\ufffd", 500, 0, 500), ("x", 500, 32, 0)],
)
def test_a_report_fits_into_what_the_platform_takes_however_much_went_wrong(
    said: str, times: int, egress: int, kept: int
) -> None:
    meant = read()
    to: Any = {"to": "db.example.com:5432" * 8, **dict.fromkeys(COUNTED, 2**31 - 1)}
    meant["revisions"] = [
        {**meant["revisions"][0], "detail": said * 2000, "egress": [to] * egress}
    ] * times
    payload = write_report(meant)
    key = PrivateKey.generate()
    assert len(dsse.sign(dsse.REPORT, payload, key).to_json()) <= 2 * 1024**2
    rows = read_report(payload, "nod_1")["revisions"]
    assert (len(rows), len(rows[-1]["detail"])) == (times, kept)
