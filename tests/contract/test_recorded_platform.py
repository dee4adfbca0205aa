"""A platform of the previous release, as it was recorded: what it wrote is read as it was meant.

Its log, its permits, what its nodes sent and its tables are what stands in the world; code may be
written anew, and these stay.
"""

import json
import os
import zipfile
from collections.abc import Iterator
from datetime import datetime
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps

from apps.audit.events import kinds
from apps.audit.models import Audited, Event
from apps.audit.queries import checkpoint_files, fsck, replay
from apps.audit.rows import plain_state, row_key
from placet.kernel.config import config
from placet_agent.state.data_dir import Home
from placet_agent.state.trust import Trust
from placet_protocol.report import read_report, write_report
from placet_verify import canonical
from placet_verify.__main__ import main
from placet_verify.log.merkle import leaf_hash
from placet_verify.permit import permit
from placet_verify.permit.approvers import Signed
from placet_verify.signing import dsse, model_signature
from placet_verify.signing.keys import PublicKey
from placet_verify.statements import parse
from tests.contract.recorded_platform import RecordedPlatform, Row, lines
from tests.support.factories import api, person

SENTENCES = Path(__file__).parent / "recorded" / "sentences.txt"  # of each event, as it is said now
FAR = 10_000  # where a test puts events that this database did not write
FOREIGN = model_signature.PREDICATE.encode()  # not a statement of ours: OpenSSF's


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> RecordedPlatform:
    """The platform, unpacked."""
    return RecordedPlatform.unpacked(tmp_path_factory.mktemp("recorded"))


@pytest.fixture
def platform(
    recorded: RecordedPlatform, transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> RecordedPlatform:
    """The platform in this test's database, upgraded, with its keys and its checkpoints."""
    recorded.put()
    monkeypatch.setattr(config(), "keys_dir", recorded.log)
    monkeypatch.setattr(checkpoint_files, "folder", lambda: recorded.folder / "checkpoints")
    return recorded


# the log and the bundle


def test_the_exported_log_verifies(
    recorded: RecordedPlatform, capsys: pytest.CaptureFixture[str]
) -> None:
    notes = sorted((recorded.folder / "checkpoints").iterdir())
    checkpoints = [word for path in notes for word in ("--checkpoint", str(path))]
    words = ["log", str(recorded.log), "--bodies", "--root", str(recorded.root), *checkpoints]
    assert main(words) == 0, capsys.readouterr().out


@pytest.mark.parametrize("zipped", [False, True])
def test_the_bundle_of_a_release_verifies(
    recorded: RecordedPlatform, zipped: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = where = recorded.folder / "release"
    if zipped:
        where = tmp_path / "release.zip"
        with zipfile.ZipFile(where, "w") as archive:
            for path in sorted(p for p in folder.rglob("*") if p.is_file()):
                archive.writestr(str(path.relative_to(folder)), path.read_bytes())
    assert main(["bundle", str(where), "--root", str(recorded.root)]) == 0, capsys.readouterr().out


# permits and what else is signed


def permits(recorded: RecordedPlatform) -> list[tuple[str, permit.Expected, datetime]]:
    """Return each permit with what it is for, and when it was first used."""
    endpoints = {row["id"]: row for row in recorded.table("serving_endpoint")}
    return [
        (
            row["permit"],
            permit.Expected(
                project=row["project_id"],
                environment=endpoints[row["endpoint_id"]]["environment"],
                endpoint=row["endpoint_id"],
                bento_digest=row["bento_id"],
                serving=row["serving"],
                release=row["release"],
            ),
            datetime.fromisoformat(row["created_at"]),
        )
        for row in recorded.table("serving_revision")
    ]


def test_each_permit_lets_run_what_it_let_run(recorded: RecordedPlatform) -> None:
    versions = set()
    for document, expected, at in permits(recorded):
        holding = permit.permit(document, recorded.ring, expect=expected, starting_at=at)
        assert holding.request.release == expected.release
        versions.add(json.loads(document)["v"])
    assert versions == {1, 2, 3}, "plain, signed with passkeys, and of a broken glass"


def test_a_permit_is_put_together_again_to_the_same_bytes(recorded: RecordedPlatform) -> None:
    for document, _, _ in permits(recorded):
        members = json.loads(document)
        signed = [Signed.from_dict(one) for one in in_full(members)]
        policy, *others = signed
        decided = others[: len(members["decisions"])]
        enrolled = [Signed.from_dict(one) for one in members.get("enrolments", ())]
        broken = [Signed.from_dict(one) for one in members.get("break_glass", ())]
        request = dsse.Envelope.from_dict(members["request"])
        assert permit.build_permit(policy, request, decided, enrolled, broken) == document


def in_full(members: Row) -> list[Row]:
    """Return policy and decisions of a permit with what version 1 leaves out."""
    signed = [members["policy"], *members["decisions"]]
    return [{"envelope": one} for one in signed] if members["v"] == 1 else signed


def test_every_signed_statement_is_written_again_to_the_same_bytes(
    recorded: RecordedPlatform,
) -> None:
    types = set()
    for envelope in envelopes(recorded):
        if envelope.payload_type == dsse.STATEMENT and FOREIGN not in envelope.payload:
            statement = parse(envelope.payload)
            assert statement.payload() == envelope.payload
            types.add(type(statement).__name__)
    assert types >= {
        "BreakGlassStatement",
        "DecisionStatement",
        "EnrolmentStatement",
        "LiftStatement",
        "PasskeyBreakGlass",
        "PasskeyDecision",
        "PasskeyPolicy",
        "PolicyStatement",
        "ProvenanceStatement",
        "RanReceipt",
        "RecallStatement",
        "RequestStatement",
        "RootEnrolment",
        "StoppedReceipt",
    }


def envelopes(recorded: RecordedPlatform) -> Iterator[dsse.Envelope]:
    """Yield every envelope that a row has, in whatever column."""
    for path in sorted((recorded.folder / "tables").iterdir()):
        for row in lines(path):
            yield from inside(row)


def inside(value: Any) -> Iterator[dsse.Envelope]:
    """Yield the envelopes in a value: an envelope itself, or text that holds some."""
    if isinstance(value, str) and value.startswith("{") and '"payloadType"' in value:
        value = json.loads(value)
    if isinstance(value, dict) and "payloadType" in value:
        yield dsse.Envelope.from_dict(value)
    elif isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from inside(one)


# what nodes read and sent


def test_a_node_says_of_each_revision_what_its_own_agent_said(
    recorded: RecordedPlatform, tmp_path: Path
) -> None:
    keys = json.loads((recorded.log / "keys.json").read_text())
    answer = {"v": 1, "root_public": recorded.ring.root.to_base64(), "keys": keys}
    states = {r["target_id"]: r["envelope"] for r in recorded.table("serving_desiredstate")}
    reasons: list[str] = []
    for row in lines(recorded.folder / "verdicts.jsonl"):
        home = Home(tmp_path / row["target"])
        home.make()
        trust = Trust(home, row["target"], recorded.ring.root, lambda: answer)
        verdicts = trust.judge(trust.open_state(states[row["target"]]))
        assert {n: "" if v.allowed else v.reason for n, v in verdicts.items()} == row["verdicts"]
        reasons += row["verdicts"].values()
    assert "" in reasons


def test_each_report_that_was_taken_is_read_as_it_was_meant(recorded: RecordedPlatform) -> None:
    filled: set[str] = set()
    for row in lines(recorded.folder / "reports.jsonl"):
        payload = report_in(row)
        assert row["status"] == 200
        sent, report = json.loads(payload), read_report(payload, row["node"])
        assert kept(sent, report) == meant(sent)
        assert json.loads(write_report(report)) == report
        filled |= {name for name, value in sent.items() if value}
    assert filled >= {"revisions", "metrics", "receipts", "errors", "aborts", "recalled"}


def report_in(row: Row) -> bytes:
    """Return what a node signed."""
    key = PublicKey.from_base64(row["public_key"])
    envelope = dsse.Envelope.from_json(row["envelope"])
    return dsse.verify(envelope, [key], dsse.REPORT)


def meant(sent: Row) -> Row:
    """Return what a report says today: that release's agent kept replicas apart less than today's,
    and is known by the word that it uses for that."""
    rows = [{**row, "isolation": row["isolation"] and "older"} for row in sent["revisions"]]
    return {**sent, "revisions": rows}


def kept(sent: Any, read: Any) -> Any:
    """Return what was read without what came since: members that the sender did not have."""
    if isinstance(sent, dict) and isinstance(read, dict):
        return {name: kept(value, read.get(name)) for name, value in sent.items()}
    if isinstance(sent, list) and isinstance(read, list) and len(sent) == len(read):
        return [kept(*pair) for pair in zip(sent, read, strict=True)]
    return read


# events and rows


def every_event(recorded: RecordedPlatform) -> list[Row]:
    """Return the platform's events, and one of each kind that only others had."""
    return [*recorded.events, *lines(recorded.folder / "other-events.jsonl")]


def test_each_event_is_of_a_kind_that_is_declared_and_has_its_bytes_and_leaf(
    recorded: RecordedPlatform,
) -> None:
    for app in apps.get_app_configs():
        if find_spec(f"{app.name}.events"):
            import_module(f"{app.name}.events")
    declared, seen = kinds(), set()
    for event in every_event(recorded):
        body = json.loads(event["body"])
        assert body["kind"] in declared
        assert canonical.dumps(canonical.loads(event["body"].encode())).decode() == event["body"]
        assert leaf_hash(event["body"].encode()).hex() == event["leaf_hash"]
        seen.add(body["kind"])
    assert len(seen) == 187, "every kind that the previous release declared"


@pytest.mark.django_db
def test_each_event_is_said_in_the_words_that_were_chosen_for_it(
    recorded: RecordedPlatform,
) -> None:
    """After a change of words that is meant: ``PLACET_RENEW_PAGES=1``, and read the difference."""
    client = api(person("Audra", {"auditor": None}))  # which are events too, of lower numbers
    Event.objects.bulk_create(
        Event(index=index, body=e["body"], leaf_hash=bytes.fromhex(e["leaf_hash"]))
        for index, e in enumerate(every_event(recorded), FAR)
    )
    sentences, path = dict[int, str](), "/audit/events?limit=500"
    while path:
        page = client.get(path).json()
        sentences |= {event["index"]: event["sentence"] for event in page["items"]}
        more = page["next_cursor"]
        path = f"/audit/events?limit=500&cursor={more}" if more else ""
    before = lines(recorded.folder / "sentences.jsonl")
    before += lines(recorded.folder / "other-events.jsonl")
    now = [sentences[FAR + n] for n in range(len(before))]
    if os.environ.get("PLACET_RENEW_PAGES"):
        SENTENCES.write_text("".join(f"{sentence}\n" for sentence in now))
    assert now == SENTENCES.read_text().splitlines()


def test_the_log_alone_rebuilds_every_row(platform: RecordedPlatform) -> None:
    check = fsck.fsck()
    assert (check.log.fault, check.log.report.unsealed, check.faults) == (None, (), [])
    states, rows = replay(), audited_rows()
    assert states.keys() == rows.keys()
    assert len(rows) > 500
    for key, row in rows.items():
        assert states[key].keys() <= plain_state(row).keys(), "a column that was logged is gone"


def audited_rows() -> dict[str, Audited]:
    """Return every row whose state goes into the log."""
    tables = [m for m in apps.get_models() if issubclass(m, Audited)]
    return {row_key(row): row for m in tables for row in m._default_manager.all()}
