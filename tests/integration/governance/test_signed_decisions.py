"""Decisions and policies that people sign with their own passkeys."""

import hashlib
import io
import json
import secrets
import subprocess
import zipfile
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.assurance.actions import recall
from apps.audit.actions import row_key
from apps.audit.models import Event
from apps.audit.queries import replay
from apps.governance import actions, errors
from apps.governance.models import Decision, Release
from apps.governance.queries.facts import evaluate
from apps.identity.actions import withdraw_passkey
from apps.identity.errors import NeedsPasskey, NotAsked, WrongPasskey
from apps.identity.models import ApproverPasskey
from apps.identity.trust.passkeys import PasskeyQuestion
from apps.serving.errors import Recalled
from placet.kernel import clock, keystore
from placet.kernel.actor import SYSTEM, Actor
from placet.kernel.config import config
from placet.kernel.problems import Problem
from placet_verify import canonical
from placet_verify.__main__ import main as verifier
from placet_verify.bundle.export import PASSKEY_COMMAND
from placet_verify.permit.approvers import Signed
from placet_verify.permit.permit import Expected, Permit, PermitRefused, permit
from placet_verify.signing.base64text import encode as b64text
from placet_verify.signing.keys import KeyRing, PrivateKey
from placet_verify.signing.webauthn import decode, encode
from tests.support.authenticator import Authenticator
from tests.support.database import sql
from tests.support.enrolment import SIGNED, Signers, answer, authenticator
from tests.support.factories import api, browser

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_io_in_transaction")]


@pytest.fixture
def pinned(monkeypatch: pytest.MonkeyPatch) -> Iterator[KeyRing]:
    """The installation's keys, with a demand of passkeys in staging that the root signed."""
    root = PrivateKey.load(config().keys / "root.key")
    ring = KeyRing.open(keystore.ring().pin(["staging"]).seal(root), root.public)
    monkeypatch.setattr(keystore, "ring", lambda: ring)
    yield ring


def permit_of(release: Release, ring: KeyRing | None = None, document: str = "") -> Permit:
    expect = Expected(
        project=release.project_id,
        environment=release.environment.name,
        endpoint=release.endpoint_id,
        bento_digest=release.bento_id,
        serving=release.serving,
        release=release.pk,
    )
    text = document or actions.assemble_permit(release)
    return permit(text, ring or keystore.ring(), expect=expect, starting_at=release.created_at)


def test_a_decision_signed_with_a_passkey_approves_and_its_permit_shows_it(
    signers: Signers,
) -> None:
    release = signers.request("staging")
    decision = signers.sign(release, signers.rex, comment="Looks right")
    release.refresh_from_db()
    assert release.state == "approved"
    assert permit_of(release).passkeys == {signers.rex.id}
    shown = api(signers.people["Ada"]).get(f"/releases/{release.pk}/decisions").json()["items"]
    assert [(d["id"], d["passkey"], d["comment"]) for d in shown] == [
        (decision.pk, True, "Looks right")
    ]
    assert json.loads(actions.assemble_permit(release))["v"] == 2
    logged = replay()[row_key(decision)]
    assert (logged["assertion"], logged["envelope"]) == (decision.assertion, decision.envelope)


def test_a_session_alone_decides_nothing_where_a_passkey_is_demanded(signers: Signers) -> None:
    release = signers.request("staging")
    for verdict in ("approve", "reject"):
        with pytest.raises(NeedsPasskey, match="passkey"):
            signers.decide(release, signers.rex, verdict)
    with pytest.raises(NeedsPasskey):
        actions.ask_to_decide(
            release, verdict="approve", statement_digest=release.request_digest, actor=signers.rita
        )
    release.refresh_from_db()
    assert release.state == "requested"
    assert not Decision.objects.exists()


def test_where_none_is_demanded_everything_is_as_before(signers: Signers) -> None:
    signers.publish("staging", SIGNED.replace(", passkey: true", ""))
    release = signers.request("staging")
    signers.decide(release, signers.rex)
    release.refresh_from_db()
    assert release.state == "approved"
    assert not permit_of(release).passkeys


def test_a_passkey_signs_rejections_too(signers: Signers) -> None:
    release = signers.request("staging")
    signers.sign(release, signers.rex, "reject", comment="No")
    release.refresh_from_db()
    assert release.state == "rejected"


def test_the_whole_decision_by_the_api(signers: Signers) -> None:
    release, rex = signers.request("staging"), api(signers.people["Rex"])
    said = {"verdict": "approve", "statement_digest": release.request_digest, "comment": "Yes"}
    path = f"/releases/{release.pk}/decisions"
    assert rex.post(path, said).json()["code"] == "needs_passkey"
    asked = rex.post(f"{path}/challenge", said)
    assert (asked.status_code, asked["Cache-Control"]) == (201, "no-store")
    signed = said | {"assertion": answer(signers.keys["Rex"], PasskeyQuestion(**asked.json()))}
    assert rex.post(path, signed | {"comment": "No"}).json()["code"] == "changed"
    assert rex.post(path, signed).status_code == 201
    assert rex.post(path, signed).status_code == 409


def test_openssl_and_the_offline_verifier_check_an_exported_decision(
    signers: Signers, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    decision = signers.sign(signers.request("staging"), signers.rex, comment="Checked")
    reader = api(signers.people["Ada"])
    answered = reader.get(f"/decisions/{decision.pk}/export", accept="application/zip")
    with zipfile.ZipFile(io.BytesIO(answered.content)) as archive:
        archive.extractall(tmp_path)
    command = PASSKEY_COMMAND.split()
    good = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert good.stdout == "Verified OK\n"
    assert command[1:] == (tmp_path / "PASSKEY.txt").read_text().split("openssl ")[1].split()
    statement = (tmp_path / "statement.json").read_bytes()
    client = canonical.loads(decode(decision.assertion["client_data"]))
    assert decode(client["challenge"]) == hashlib.sha256(statement).digest()

    keys = ["--keys", str(config().keys / "keys.json"), "--root", str(config().keys / "root.pub")]
    assert verifier(["decision", str(tmp_path), *keys]) == 0
    assert "somebody vouches for it, and so on up to the root key" in capsys.readouterr().out
    assert verifier(["decision", str(tmp_path)]) == 0
    assert "who vouches for the passkey was not checked" in capsys.readouterr().out
    signed = bytearray((tmp_path / "passkey-signed.bin").read_bytes())
    signed[40] ^= 1
    (tmp_path / "passkey-signed.bin").write_bytes(signed)
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode != 0
    assert verifier(["decision", str(tmp_path), *keys]) == 1
    (tmp_path / "assertion.json").unlink()
    assert verifier(["decision", str(tmp_path), *keys]) == 1
    assert "its answer is not in the export" in capsys.readouterr().out


def test_the_offline_verifier_says_who_signed_a_permit_with_a_passkey(
    signers: Signers, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    release = signers.request("staging")
    signers.sign(release, signers.rex)
    file = tmp_path / "permit.json"
    file.write_text(actions.assemble_permit(release))
    keys = ["--keys", str(config().keys / "keys.json"), "--root", str(config().keys / "root.pub")]
    assert verifier(["permit", str(file), *keys]) == 0
    said = capsys.readouterr().out
    assert f"{signers.rex.id} as reviewer: approve" in said
    assert "each of those passkeys is enrolled, up to the root key" in said


def test_the_page_that_asks_for_a_passkey_takes_no_more_queries_than_any_other(
    signers: Signers,
) -> None:
    release, page = signers.request("staging"), browser(signers.people["Rex"])
    with CaptureQueriesContext(connection) as caught:
        answered = page.get(f"/releases/{release.pk}/")
    assert b"Your passkey signs it" in answered.content
    assert len(caught) <= 12


# --- what the answer must be ----------------------------------------------------------------------


COMMENT = "One that an approval and a rejection may have"


def ask(
    signers: Signers, release: Release, who: Actor, verdict: str = "approve"
) -> PasskeyQuestion:
    return actions.ask_to_decide(
        release,
        verdict=verdict,
        statement_digest=release.request_digest,
        comment=COMMENT,
        actor=who,
    )


def refusal(release: Release, who: Actor, assertion: dict[str, str], verdict: str) -> str:
    with pytest.raises(Problem) as caught:
        actions.decide(
            release,
            verdict=verdict,
            statement_digest=release.request_digest,
            comment=COMMENT,
            assertion=assertion,
            actor=who,
        )
    assert not Decision.objects.exists()
    return caught.value.code


def test_an_answer_is_for_one_release_one_verdict_and_once(signers: Signers) -> None:
    bento = signers.bento(signers.version())
    first = signers.request("staging", bento, endpoint="one")
    second = signers.request("staging", bento, endpoint="two")
    signed = answer(signers.keys["Rex"], ask(signers, first, signers.rex))
    assert refusal(second, signers.rex, signed, "approve") == NotAsked.code
    ask(signers, second, signers.rex)
    assert refusal(second, signers.rex, signed, "approve") == WrongPasskey.code
    assert refusal(first, signers.rex, signed, "reject") == errors.Changed.code


def test_an_answer_to_an_older_question_does_not_count(signers: Signers) -> None:
    release = signers.request("staging")
    old = answer(signers.keys["Rex"], ask(signers, release, signers.rex))
    ask(signers, release, signers.rex)
    assert refusal(release, signers.rex, old, "approve") == WrongPasskey.code


def test_an_answer_does_not_outlive_the_request_it_is_about(signers: Signers) -> None:
    release = signers.request("staging")
    signed = answer(signers.keys["Rex"], ask(signers, release, signers.rex))
    signers.publish("staging", SIGNED + "description: Anew\n")
    release.refresh_from_db()
    assert refusal(release, signers.rex, signed, "approve") == errors.Changed.code


def test_a_release_withdrawn_meanwhile_is_not_approved(signers: Signers) -> None:
    release = signers.request("staging")
    signed = answer(signers.keys["Rex"], ask(signers, release, signers.rex))
    actions.withdraw(release, actor=signers.ada)
    assert refusal(release, signers.rex, signed, "approve") == errors.WrongState.code


@pytest.mark.parametrize(
    "changes",
    [
        {"flags": 0x01},
        {"flags": 0x04},
        {"rp_id": "evil.example"},
        {"origin": "https://evil.example"},
        {"origin": "https://models.localhost"},
        {"origin": "http://localhost:8080"},
        {"key": Authenticator().key},
    ],
)
def test_another_authenticator_page_or_party_is_refused(
    signers: Signers, changes: dict[str, object]
) -> None:
    release = signers.request("staging")
    question = ask(signers, release, signers.rex)
    forger = replace(signers.keys["Rex"], **changes)
    forged = forger.answer(decode(question.challenge)).to_dict()
    assert refusal(release, signers.rex, forged, "approve") == WrongPasskey.code


def test_a_passkey_of_another_person_is_refused(signers: Signers) -> None:
    release = signers.request("staging")
    question = ask(signers, release, signers.rex)
    stolen = replace(signers.keys["Vera"], credential=question.credential)
    assert refusal(release, signers.rex, answer(stolen, question), "approve") == WrongPasskey.code


def test_a_withdrawn_passkey_signs_no_decision(signers: Signers) -> None:
    release = signers.request("staging")
    signed = answer(signers.keys["Rex"], ask(signers, release, signers.rex))
    row = ApproverPasskey.objects.get(person=signers.people["Rex"])
    withdraw_passkey(row, actor=signers.rex)
    assert refusal(release, signers.rex, signed, "approve") == NeedsPasskey.code


@pytest.mark.parametrize(
    "assertion",
    [
        {},
        {"credential": "x"},
        {"credential": "AA", "authenticator_data": "é", "client_data": "", "signature": ""},
    ],
)
def test_nonsense_is_no_answer(signers: Signers, assertion: dict[str, str]) -> None:
    release = signers.request("staging")
    ask(signers, release, signers.rex)
    assert refusal(release, signers.rex, assertion, "approve") == "invalid_input"


# --- whoever can write to the database ------------------------------------------------------------


def test_an_enrolment_put_in_by_sql_lets_nobody_decide(signers: Signers) -> None:
    """Rita has a passkey, and somebody with the database enrols it."""
    own = authenticator()
    voucher = ApproverPasskey.objects.get(person=signers.people["Vera"])
    sql(
        "INSERT INTO identity_approverpasskey (id, person_id, name, credential, public_key, rp_id,"
        " state, envelope, created_at, enrolled_at, vouched_by_id) SELECT %s, %s, 'x', %s,"
        " public_key, rp_id, 'enrolled', envelope, now(), now(), id FROM"
        " identity_approverpasskey WHERE id = %s",
        "pky_" + "0" * 32,
        signers.people["Rita"].pk,
        own.credential,
        voucher.pk,
    )
    release = signers.request("staging")
    question = ask(signers, release, signers.rita)
    assert refusal(release, signers.rita, answer(own, question), "approve") == WrongPasskey.code


def test_a_decision_made_with_the_servers_own_keys_gives_no_permit(signers: Signers) -> None:
    """A stolen ``decision`` key and the database: the row says approved, the permit does not."""
    release = signers.request("staging")
    deciding = actions.decisions._deciding(
        release, release.request_digest, "approve", "", signers.rex
    )
    plain = deciding.statement(clock.now(), nonce=secrets.token_hex(16))
    signed = Signed(plain.sign(keystore.signer("decision")))
    Decision.objects.create(
        release=release,
        project=release.project,
        person=signers.rex.id,
        role="reviewer",
        verdict="approve",
        statement_digest=release.request_digest,
        envelope=signed.envelope.to_json(),
        gates=[],
    )
    waiting = next(gate for gate in evaluate(release) if gate["gate"] == "approvals")
    assert (waiting["state"], waiting["facts"]["by"]) == ("waiting", [])
    with pytest.raises(PermitRefused, match="passkey"):
        permit_of(release)
    sql("UPDATE governance_release SET state = 'approved' WHERE id = %s", release.pk)
    with pytest.raises(errors.GatesFailed):
        actions.begin_rollout(Release.objects.get(pk=release.pk), actor=SYSTEM)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_a_flipped_bit_of_what_is_stored_gives_no_permit(
    signed_permit: tuple[Release, str], data: st.DataObject
) -> None:
    release, text = signed_permit
    document = json.loads(text)
    entry = data.draw(st.sampled_from([*document["decisions"], *document["enrolments"]]))
    holders = [(entry["envelope"], "payload", b64decode, b64text)]
    if "assertion" in entry:
        holders += [
            (entry["assertion"], name, decode, encode)
            for name in ("authenticator_data", "client_data", "signature")
        ]
    holder, name, read, write = data.draw(st.sampled_from(holders))
    raw = bytearray(read(holder[name]))
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= 1 << data.draw(st.integers(0, 7))
    holder[name] = write(bytes(raw))
    with pytest.raises(PermitRefused):
        permit_of(release, document=json.dumps(document))


@pytest.fixture
def signed_permit(signers: Signers) -> tuple[Release, str]:
    release = signers.request("staging")
    signers.sign(release, signers.rex)
    release.refresh_from_db()
    return release, actions.assemble_permit(release)


# --- policies -------------------------------------------------------------------------------------


def test_a_policy_that_demands_passkeys_is_replaced_with_one_only(signers: Signers) -> None:
    lax = SIGNED.replace(", passkey: true", "")
    draft = actions.draft_policy(signers.environment("staging"), source=lax, actor=signers.vera)
    with pytest.raises(NeedsPasskey):
        actions.publish_policy(draft, actor=signers.vito)
    path = f"/projects/risk/environments/staging/policies/{draft.number}"
    vito = api(signers.people["Vito"])
    asked = vito.post(f"{path}/challenge", {})
    assert asked.status_code == 201
    signed = {"assertion": answer(signers.keys["Vito"], PasskeyQuestion(**asked.json()))}
    assert vito.post(f"{path}/publish", signed).json()["state"] == "published"
    assert Event.objects.filter(kind="policy.published.v1", subject=draft.pk).count() == 1


def test_the_drafter_does_not_publish_with_a_passkey_either(signers: Signers) -> None:
    draft = actions.draft_policy(signers.environment("staging"), source=SIGNED, actor=signers.vera)
    with pytest.raises(errors.OwnDraft):
        actions.ask_to_publish(draft, actor=signers.vera)


def test_where_the_root_demands_passkeys_no_other_policy_passes(
    signers: Signers, pinned: KeyRing
) -> None:
    lax = SIGNED.replace(", passkey: true", "")
    with pytest.raises(errors.InvalidPolicy) as caught:
        actions.draft_policy(signers.environment("staging"), source=lax, actor=signers.vera)
    assert "passkey: true" in caught.value.errors[0].detail
    release = signers.request("staging")
    signers.sign(release, signers.rex)
    release.refresh_from_db()
    assert release.state == "approved"
    assert permit_of(release, pinned).passkeys == {signers.rex.id}
    actions.begin_rollout(release, ring=pinned, actor=SYSTEM)


def test_a_policy_from_before_the_demand_of_the_root_gives_no_permit(signers: Signers) -> None:
    """A session was enough for it: a release under it does not start once the root demands more."""
    lax = SIGNED.replace(", passkey: true", "")
    signers.publish("staging", lax)
    draft = actions.draft_policy(signers.environment("staging"), source=lax, actor=signers.vera)
    actions.publish_policy(draft, actor=signers.vito)
    release = signers.request("staging")
    signers.sign(release, signers.rex)
    release.refresh_from_db()
    assert permit_of(release)
    root = PrivateKey.load(config().keys / "root.key")
    ring = KeyRing.open(keystore.ring().pin(["staging"]).seal(root), root.public)
    with pytest.raises(PermitRefused, match="published with a passkey"):
        permit_of(release, ring)
    with pytest.raises(errors.PermitInvalid):
        actions.begin_rollout(release, ring=ring, actor=SYSTEM)


def test_a_policy_that_demands_passkeys_is_published_with_one(signers: Signers) -> None:
    signers.publish("staging", SIGNED.replace(", passkey: true", ""))
    draft = actions.draft_policy(signers.environment("staging"), source=SIGNED, actor=signers.vera)
    with pytest.raises(NeedsPasskey):
        actions.publish_policy(draft, actor=signers.vito)


def test_what_a_recalled_passkey_signs_is_taken_by_nobody(signers: Signers) -> None:
    """Neither a decision nor a policy: no node would let a release in under it."""
    draft = actions.draft_policy(signers.environment("staging"), source=SIGNED, actor=signers.vera)
    release = signers.request("production")
    own = ApproverPasskey.objects.get(person=signers.people["Vito"])
    recall(kind="passkey", what=own.pk, reason="stolen", actor=SYSTEM)
    with pytest.raises(Recalled):
        signers.sign(release, signers.vito)
    question = actions.ask_to_publish(draft, actor=signers.vito)
    assertion = answer(signers.keys["Vito"], question)
    with pytest.raises(Recalled):
        actions.publish_policy(draft, assertion=assertion, actor=signers.vito)


def test_a_session_alone_decides_nothing_where_the_root_demands_passkeys(
    signers: Signers, monkeypatch: pytest.MonkeyPatch
) -> None:
    signers.publish("staging", SIGNED.replace(", passkey: true", ""))
    release = signers.request("staging")
    root = PrivateKey.load(config().keys / "root.key")
    ring = KeyRing.open(keystore.ring().pin(["staging"]).seal(root), root.public)
    monkeypatch.setattr(keystore, "ring", lambda: ring)
    with pytest.raises(NeedsPasskey):
        signers.decide(release, signers.rex)
