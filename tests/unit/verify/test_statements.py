"""Statements are in-toto's, exact to the byte, and `openssl` alone checks a decision."""

import json
import shutil
import subprocess
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from placet_verify import statements
from placet_verify.bundle import export
from placet_verify.errors import Malformed, Refused
from placet_verify.statements import (
    DecisionStatement,
    PolicyStatement,
    ProvenanceStatement,
    VerificationSummary,
)
from tests.support.permits import NOON, Keys, digest_of, valid_case

KEYS = Keys()
CASE = valid_case()
PROVENANCE = ProvenanceStatement(
    build="bld_1",
    version="ver_1",
    bento_digest=digest_of("bento"),
    artifact_digest=digest_of("artifact"),
    runtime_digest=digest_of("runtime"),
    sbom_digest=digest_of("sbom"),
    parameters={"format": "sklearn", "python_version": "3.13"},
    isolation="bwrap",
    builder="https://placet.example/builder",
    started_at=NOON,
    finished_at=NOON + timedelta(seconds=20),
)
SUMMARY = VerificationSummary.of(
    CASE.request, isolation="bwrap", inputs={"permit.json": digest_of("permit")}, at=NOON
)


@pytest.mark.parametrize(
    "statement",
    [CASE.policy, CASE.request, CASE.decisions[0], PROVENANCE, SUMMARY],
    ids=lambda s: s.TYPE,
)
def test_every_kind_reads_back(statement: statements.Statement) -> None:
    payload = statement.payload()
    again = statements.parse(payload)
    assert type(again) is type(statement)
    assert again.payload() == payload
    assert again.digest == statement.sign(KEYS.decision).digest


def test_a_decision_names_artifact_and_bento_as_its_subject() -> None:
    members = json.loads(CASE.decisions[0].payload())
    assert members["_type"] == "https://in-toto.io/Statement/v1"
    assert members["subject"] == [
        {"name": "artifact", "digest": {"sha256": digest_of("artifact")[7:]}},
        {"name": "bento", "digest": {"sha256": digest_of("bento")[7:]}},
    ]


def test_a_decision_binds_all_that_the_request_binds() -> None:
    decision = CASE.decisions[0]
    assert decision.bound() == CASE.request.bound()
    assert decision.request_digest == CASE.request.digest


@pytest.mark.parametrize(
    "change",
    [
        {"bento_digest": "sha256:short"},
        {"evidence": ["metrics"]},
        {"verdict": "maybe"},
        {"request_digest": ""},
        {"comment_commitment": "fine by me"},
    ],
)
def test_a_decision_that_binds_nothing_exact_cannot_be_made(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"digest|verdict|comment"):
        replace(CASE.decisions[0], **change)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("number", "3"),
        ("number", True),
        ("document", []),
        ("project", 5),
        ("at", "noon"),
        ("at", "2026-11-25T10:00:00Z"),  # another spelling of the same instant
    ],
)
def test_a_spoiled_member_is_refused(member: str, value: object) -> None:
    members = json.loads(CASE.policy.payload())
    members["predicate"][member] = value
    with pytest.raises(Malformed):
        PolicyStatement.parse(json.dumps(members, sort_keys=True, separators=(",", ":")).encode())


@pytest.mark.parametrize(
    "payload", [b"[]", b"{}", b'{"predicateType":"https://example.com/x"}', b"\xff"]
)
def test_what_is_no_statement_is_refused(payload: bytes) -> None:
    with pytest.raises(Malformed):
        statements.parse(payload)


def test_a_subject_that_is_not_the_bound_one_is_refused() -> None:
    members = json.loads(CASE.decisions[0].payload())
    members["subject"][1]["digest"]["sha256"] = "0" * 64
    with pytest.raises(Malformed):
        DecisionStatement.parse(json.dumps(members, sort_keys=True).encode())


def openssl(folder: Path) -> subprocess.CompletedProcess[str]:
    assert shutil.which("openssl"), "openssl must be installed for this test"
    return subprocess.run(
        export.COMMAND.split(), cwd=folder, capture_output=True, text=True, check=False
    )


def test_openssl_alone_checks_an_exported_decision(tmp_path: Path) -> None:
    envelope = CASE.decisions[0].sign(KEYS.decision)
    files = export.decision_bundle(envelope.to_json(), KEYS.decision.public)
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    assert export.COMMAND in files["README.txt"].decode()
    done = openssl(tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Verified Successfully" in done.stdout
    assert files["pae.bin"].endswith(files["statement.json"])
    (tmp_path / "pae.bin").write_bytes(files["pae.bin"].replace(b"approve", b"reject!", 1))
    assert openssl(tmp_path).returncode != 0


def test_a_decision_is_not_exported_under_a_key_that_did_not_sign_it() -> None:
    with pytest.raises(Refused):
        export.decision_bundle(CASE.decisions[0].sign(KEYS.decision), KEYS.state.public)


def test_people_can_read_a_statement() -> None:
    assert '"verdict": "approve"' in export.pretty(CASE.decisions[0].payload())


# --- the verification summary ---------------------------------------------------------------------


def test_a_summary_claims_no_more_than_it_may() -> None:
    assert (SUMMARY.result, SUMMARY.levels) == ("PASSED", ["SLSA_BUILD_LEVEL_2"])
    for change in (
        {"levels": ["SLSA_BUILD_LEVEL_3"]},
        {"levels": ["FAILED"]},
        {"result": "FAILED"},
        {"inputs": {"permit.json": "sha256:short"}},
    ):
        with pytest.raises(ValueError, match=r"summary|digests"):
            replace(SUMMARY, **change)  # type: ignore[arg-type]


def test_a_summary_is_signed_by_the_decision_key_at_the_time_it_states() -> None:
    envelope = SUMMARY.sign(KEYS.decision)
    assert KEYS.ring.verify(envelope, "decision") == SUMMARY.payload()
    with pytest.raises(Refused, match="does not sign this type"):
        KEYS.ring.verify(envelope, "build")
    early = replace(SUMMARY, at=NOON - timedelta(days=9000)).sign(KEYS.decision)
    with pytest.raises(Refused, match="not valid"):
        KEYS.ring.verify(early, "decision")
