"""A version that comes with a model.sig: whose it is, and that a wrong one gets no further."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from apps.audit.models import Event
from apps.registry import actions
from apps.registry.models import Evidence, ModelVersion, SigningKey
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now
from placet_verify.signing import model_signature
from tests.integration.registry.helpers import Lab
from tests.support.factories import api, browser, person, project
from tests.support.signed_models import private_pem, public_pem, signed_model, signing_key

FILES = {"model.joblib": b"a model", "a/notes.txt": b"notes"}


@pytest.fixture
def key() -> ec.EllipticCurvePrivateKey:
    return signing_key()


@pytest.fixture
def vera(lab: Lab) -> Any:
    return person("Vera", roles={"approver": lab.project})


def trust(lab: Lab, key: ec.EllipticCurvePrivateKey, **more: Any) -> SigningKey:
    return actions.trust_signing_key(
        lab.project, label="training-team", pem=public_pem(key), actor=SYSTEM, **more
    )


def brought(lab: Lab, signature: bytes) -> ModelVersion:
    version = lab.draft()
    for name, content in (FILES | {"model.sig": signature}).items():
        lab.put(version, name, content)
    return version


def fingerprint(key: ec.EllipticCurvePrivateKey) -> str:
    return model_signature.ModelSigningKey.from_pem(public_pem(key)).fingerprint


def measured(version: ModelVersion) -> dict[str, Any]:
    fact = Evidence.objects.get(version=version, kind="model_signature")
    assert (fact.source, fact.created_by) == ("measured", "system")
    return dict(fact.data)


def test_a_signature_by_a_trusted_key_is_measured(
    lab: Lab, key: ec.EllipticCurvePrivateKey, tmp_path: Path
) -> None:
    trust(lab, key)
    version = brought(lab, signed_model(tmp_path / "m", FILES, key))
    answer = lab.api.post(f"{lab.at(version)}/finalise")
    assert answer.status_code == 200, answer.content
    assert measured(version) == {"result": "trusted", "key": fingerprint(key), "files": 2}
    page = browser(lab.ada).get(f"/models/risk/churn/{version.number}/").content.decode()
    assert "by training-team" in page
    kinds = [e.kind for e in Event.objects.order_by("-index")[:2]]
    assert kinds == ["evidence.added.v1", "version.finalised.v1"]  # in one transaction


def test_a_signature_by_an_unknown_key_is_taken_and_said_to_be(
    lab: Lab, key: ec.EllipticCurvePrivateKey, tmp_path: Path
) -> None:
    trust(lab, signing_key())
    version = brought(lab, signed_model(tmp_path / "m", FILES, key))
    actions.finalise(version, actor=lab.actor)
    assert measured(version) == {"result": "unknown", "key": fingerprint(key), "files": 2}
    page = browser(lab.ada).get(f"/models/risk/churn/{version.number}/").content.decode()
    assert "signed by an untrusted key" in page


def test_a_version_without_one_has_no_such_evidence(lab: Lab) -> None:
    version = lab.finalised()
    assert not Evidence.objects.filter(version=version).exists()
    page = browser(lab.ada).get(f"/models/risk/churn/{version.number}/").content.decode()
    assert re.search(r"Signed by</dt>\s*<dd\s*>\s*<span[^>]*>nobody", page)


@pytest.mark.parametrize("known", [True, False])
def test_a_signature_over_other_files_gets_no_further(
    lab: Lab, key: ec.EllipticCurvePrivateKey, tmp_path: Path, known: bool
) -> None:
    if known:
        trust(lab, key)
    signature = signed_model(tmp_path / "m", FILES | {"a/notes.txt": b"others"}, key)
    version = brought(lab, signature)
    answer = lab.api.post(f"{lab.at(version)}/finalise")
    assert (answer.status_code, answer.json()["code"]) == (422, "not_ready")
    [fault] = answer.json()["errors"]
    assert fault["pointer"] == "/files/model.sig"
    assert fault["detail"].startswith("Not the bytes that were signed: a/notes.txt")
    missing = lab.api.get(f"{lab.at(version)}/finalise").json()["missing"]
    assert missing == [fault]
    assert not Evidence.objects.filter(version=version).exists()
    actions.remove_file(version, path="model.sig", actor=lab.actor)
    assert actions.finalise(version, actor=lab.actor).state == "finalised"


def test_a_signature_that_its_key_never_made_gets_no_further(
    lab: Lab, key: ec.EllipticCurvePrivateKey, tmp_path: Path
) -> None:
    trust(lab, key)
    forged = signed_model(tmp_path / "m", FILES, signing_key())
    hint = fingerprint(key).removeprefix("sha256:").encode()
    at = forged.index(b'"hint":"') + 8
    version = brought(lab, forged[:at] + hint + forged[at + 64 :])
    answer = lab.api.post(f"{lab.at(version)}/finalise")
    assert answer.status_code == 422
    assert "not signed by the key it names" in answer.json()["errors"][0]["detail"]


@pytest.mark.parametrize("content", [b"", b"not a signature", b" " * (5 << 20)])
def test_what_is_no_signature_is_named(lab: Lab, content: bytes) -> None:
    answer = lab.api.post(f"{lab.at(brought(lab, content))}/finalise")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/files/model.sig"


def test_keys_that_ended_or_were_revoked_count_for_no_upload(
    lab: Lab, key: ec.EllipticCurvePrivateKey, tmp_path: Path
) -> None:
    row = trust(lab, key, valid_until=now() + timedelta(days=1))
    signature = signed_model(tmp_path / "m", FILES, key)
    SigningKey.objects.update(valid_until=now())
    ended = brought(lab, signature)
    actions.finalise(ended, actor=lab.actor)
    assert measured(ended)["result"] == "unknown"
    SigningKey.objects.update(valid_until=None)
    actions.revoke_signing_key(row, actor=SYSTEM)
    revoked = brought(lab, signature)
    actions.finalise(revoked, actor=lab.actor)
    assert measured(revoked)["result"] == "unknown"


def test_another_projects_key_counts_for_nothing_here(
    lab: Lab, key: ec.EllipticCurvePrivateKey, tmp_path: Path
) -> None:
    actions.trust_signing_key(project("theirs"), label="theirs", pem=public_pem(key), actor=SYSTEM)
    version = brought(lab, signed_model(tmp_path / "m", FILES, key))
    actions.finalise(version, actor=lab.actor)
    assert measured(version)["result"] == "unknown"


# --- the keys themselves --------------------------------------------------------------------------


def test_an_approver_says_whose_signatures_count(
    lab: Lab, vera: Any, key: ec.EllipticCurvePrivateKey
) -> None:
    keys = "/projects/risk/signing-keys"
    body = {"label": "training-team", "pem": public_pem(key)}
    assert api(lab.ada).post(keys, body).status_code == 403
    made = api(vera).post(keys, body)
    assert made.status_code == 201, made.content
    assert made.json()["fingerprint"] == fingerprint(key)
    for again in (body, body | {"label": "other"}, body | {"pem": public_pem(signing_key())}):
        answer = api(vera).post(keys, again)
        assert (answer.status_code, answer.json()["code"]) == (409, "key_known")
    one = f"{keys}/{made.json()['id']}/revoke"
    assert api(lab.ada).post(one).status_code == 403
    revoked = api(vera).post(one)
    assert (revoked.status_code, revoked.json()["revoked_by"]) == (200, vera.pk)
    answer = api(vera).post(one)
    assert (answer.status_code, answer.json()["code"]) == (409, "key_revoked")
    assert api(vera).post(keys, body).status_code == 409  # a revoked key stays revoked
    events = Event.objects.filter(subject=made.json()["id"]).exclude(kind="access.denied.v1")
    assert [e.kind for e in events.order_by("index")] == [
        "signing_key.added.v1",
        "signing_key.revoked.v1",
    ]
    listed = api(lab.ada).get(keys).json()["items"]
    assert [row["label"] for row in listed] == ["training-team"]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"pem": "no key"}, "/pem"),
        ({"pem": "x" * 3000}, "/pem"),
        ({"pem": public_pem(signing_key(ec.SECP256K1()))}, "/pem"),
        ({"label": "Training Team"}, "/label"),
        ({"label": "x" * 41}, "/label"),
        ({"valid_until": "2020-01-01T00:00:00Z"}, "/valid_until"),
    ],
)
def test_an_odd_key_is_refused_by_name(
    lab: Lab, vera: Any, change: dict[str, str], pointer: str
) -> None:
    body = {"label": "fine", "pem": public_pem(signing_key())} | change
    answer = api(vera).post("/projects/risk/signing-keys", body)
    assert answer.status_code == 400, answer.content
    assert [e["pointer"] for e in answer.json()["errors"]] == [pointer]


def test_a_private_key_that_somebody_pastes_is_not_stored(lab: Lab, vera: Any) -> None:
    secret = private_pem(signing_key()).decode()
    answer = api(vera).post("/projects/risk/signing-keys", {"label": "oops", "pem": secret})
    assert answer.status_code == 400
    assert secret.splitlines()[1] not in answer.content.decode()
    assert not SigningKey.objects.exists()


def test_the_page_trusts_and_revokes(lab: Lab, vera: Any, key: ec.EllipticCurvePrivateKey) -> None:
    page, form = browser(vera), {"next": "/signing-keys/risk/"}
    assert "No trusted keys yet" in page.get("/signing-keys/risk/").content.decode()
    pem = public_pem(key).replace("\n", "\r\n")
    answer = page.post("/signing-keys/risk/trust", form | {"label": "Bad Label", "pem": pem})
    assert answer.status_code == 200
    assert 'value="Bad Label"' in answer.content.decode()
    day = (now() + timedelta(days=9)).strftime("%Y-%m-%d")
    sent = form | {"label": "team", "pem": pem, "valid_until": day}
    assert page.post("/signing-keys/risk/trust", sent).status_code == 302
    row = SigningKey.objects.get()
    assert row.pem == public_pem(key)
    assert row.valid_until is not None and row.valid_until.strftime("%Y-%m-%d") == day
    assert "Trusted" in page.get("/signing-keys/risk/").content.decode()
    page.post(f"/signing-keys/risk/{row.pk}/revoke", form)
    assert "Revoked" in page.get("/signing-keys/risk/").content.decode()
    assert "Trust a key" not in browser(lab.victor).get("/signing-keys/risk/").content.decode()
    assert browser(lab.stranger).get("/signing-keys/risk/").status_code == 404
