"""A release for an outsider: all of it is checked down to the root, and nothing can be changed."""

import io
import json
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from apps.assurance.actions import recall
from apps.audit.actions import write_checkpoint
from apps.audit.models import Event
from apps.governance.actions import set_freeze
from apps.governance.actions.release_documents import papers as papers_of
from apps.governance.actions.release_documents import verification_summary
from apps.governance.errors import NotVerifiable
from apps.governance.models import Release
from apps.registry.models import ArtifactFile
from placet.kernel.config import config
from placet.kernel.keystore import ring
from placet_verify.__main__ import main
from placet_verify.bundle import bundle
from placet_verify.errors import Malformed, Refused
from placet_verify.log import tlog_proof
from placet_verify.signing.dsse import Envelope
from placet_verify.signing.keys import KeyRing, PrivateKey, PublicKey
from tests.support.bundles import BILL, EXAMPLE, files_of, papers, signed_by_placet, taken
from tests.support.database import sql
from tests.support.enrolment import Signers
from tests.support.factories import api, person

pytestmark = pytest.mark.django_db


@pytest.fixture
def release(signers: Signers) -> Release:
    """A release that Rex approved with a passkey."""
    bento = signers.bento(signers.version())
    papers(bento)
    asked = signers.request("staging", bento)
    signers.sign(asked, signers.rex, comment="Reads well")
    write_checkpoint()
    asked.refresh_from_db()
    return asked


def test_an_outsider_checks_a_release_with_the_root_key_alone(
    release: Release, signers: Signers, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "release.zip"
    file.write_bytes(taken(release))
    root = ["--root", str(config().keys / "root.pub")]
    assert main(["bundle", str(file), *root]) == 0
    said = capsys.readouterr().out
    asked = Event.objects.get(kind="release.requested.v1", subject=release.pk).index
    for line in (
        f"log: the request is in event {asked}, as signed",
        f"release {release.pk}: {release.bento_id}",
        "published by " + signers.people["Vito"].pk + " with a passkey",
        f"decision: {signers.rex.id} as reviewer: approve",
        "signed with an enrolled passkey",
        "quorum: the policy's approvals are met",
        "in bwrap, build ",
        "bill of materials: the one that the build made",
        "artifact: 1 file, the list that was approved",
        "model.sig: over exactly these files",
        "verification summary: PASSED at ",
        ", SLSA_BUILD_LEVEL_2, of these very files",
        "log: the policy is in event",
        "log: the decision is in event",
        "log: the enrolment is in event",
        "not checked: the Bento itself",
        "not checked: what nodes really ran: no event here puts this release on one",
        "ok: this release was approved as its policy demands",
    ):
        assert line in said, line
    folder = tmp_path / "folder"
    with zipfile.ZipFile(file) as archive:
        archive.extractall(folder)
    (tmp_path / "bento.tar").write_bytes(b"something else")
    assert main(["bundle", str(folder), *root]) == 0
    capsys.readouterr()
    assert main(["bundle", str(folder), *root, "--bento", str(tmp_path / "bento.tar")]) == 1
    assert "is not the Bento of this release" in capsys.readouterr().out
    last = Event.objects.order_by("-index")[0]
    shown = len(list((folder / "log").iterdir()))
    assert last.kind == "audit.exported.v1"
    assert json.loads(last.body)["data"] == {"format": "bundle", "count": shown}


def test_a_bundle_is_the_auditors_and_of_what_was_approved(signers: Signers) -> None:
    bento = signers.bento(signers.version())
    papers(bento)
    waiting = signers.request("staging", bento)
    path = f"/releases/{waiting.pk}/bundle"
    auditor = api(person("Audra", {"auditor": None}))
    write_checkpoint()
    refused = auditor.get(path)
    assert (refused.status_code, refused.json()["code"]) == (409, "not_verifiable")
    assert "approval" in refused.json()["detail"]
    assert api(signers.people["Rex"]).get(path).status_code == 403
    assert not Event.objects.filter(kind="audit.exported.v1").exists()


def test_a_checkpoint_is_waited_for(signers: Signers) -> None:
    bento = signers.bento(signers.version())
    papers(bento)
    release = signers.request("staging", bento)
    signers.sign(release, signers.rex)
    auditor = api(person("Audra", {"auditor": None}))
    answer = auditor.get(f"/releases/{release.pk}/bundle")
    assert (answer.status_code, answer.json()["code"]) == (409, "not_yet_signed")


def _another_build(files: dict[str, bytes]) -> None:
    files["sbom.json"] = BILL + b" "


def _without(name: str) -> Callable[[dict[str, bytes]], None]:
    def change(files: dict[str, bytes]) -> None:
        for found in [file for file in files if file.startswith(name)]:
            del files[found]

    return change


def _another_models_signature(files: dict[str, bytes]) -> None:
    files["model.sig"] = signed_by_placet(b"another").encode()


def _decision_not_in_the_log(files: dict[str, bytes]) -> None:
    for name in [name for name in files if name.startswith("log/")]:
        body = json.loads(tlog_proof.parse(files[name].decode()).extra)
        if body["kind"] == "release.decided.v1":
            del files[name]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (_another_build, "other_sbom"),
        (_without("provenance.json"), "malformed"),
        (_without("artifact.json"), "malformed"),
        (_without("model.sig"), "other_summary"),
        (_without("sbom.json"), "other_summary"),
        (_without("vsa.json"), "malformed"),
        (lambda files: files.update({"mlbom.json": b"{}"}), "other_summary"),
        (lambda files: files.update({"artifact.json": b"[]"}), "other_artifact"),
        (lambda files: files.update({"vsa.json": files["provenance.json"]}), "wrong_type"),
        (
            lambda files: files.update({"model.sig": signed_by_placet(b"another").encode()}),
            "other_files",
        ),
        (_without("permit.json"), "malformed"),
        (_without("README.txt"), "differs"),
        (_without("log/"), "no_log"),
        (_decision_not_in_the_log, "not_logged"),
        (lambda files: files.update({"more.txt": b"x"}), "malformed"),
    ],
)
def test_what_is_missing_or_too_much_is_named(
    release: Release, change: Callable[[dict[str, bytes]], Any], code: str
) -> None:
    files = files_of(taken(release))
    change(files)
    with pytest.raises(Refused) as caught:
        list(bundle.verify(files, ring()))
    assert caught.value.code == code


def test_a_bundle_from_before_there_were_summaries_still_verifies(release: Release) -> None:
    files = files_of(taken(release))
    for name in ("vsa.json", "mlbom.json", "model.sig", "artifact.json"):
        del files[name]
    for name in ("receipts.json", "recalls.json"):
        del files[name]
    files["README.txt"] = bundle.READMES[1].encode()
    said = list(bundle.verify(files, ring()))
    assert "not checked: what nodes really ran: a bundle of format 1 has no receipts" in said
    assert "not checked: there is no verification summary" in said
    assert "not checked: the model's files (there is no list of them)" in said


def test_the_summary_of_another_release_is_refused(release: Release, signers: Signers) -> None:
    bento = signers.bento(signers.version())
    papers(bento)
    other = signers.request("staging", bento, endpoint="other")
    signers.sign(other, signers.rex)
    files = files_of(taken(release))
    files["vsa.json"] = verification_summary(Release.objects.get(pk=other.pk))
    with pytest.raises(Refused) as caught:
        list(bundle.verify(files, ring()))
    assert caught.value.code == "other_summary"


def test_whoever_sees_a_release_takes_its_summary(release: Release, signers: Signers) -> None:
    answer = api(signers.people["Ada"]).get(f"/releases/{release.pk}/vsa")
    assert answer.status_code == 200, answer.content
    envelope = Envelope.from_json(answer.content)
    statement = json.loads(ring().verify(envelope, "decision"))
    assert statement["predicateType"] == "https://slsa.dev/verification_summary/v1"
    assert statement["subject"] == [
        {"name": "bento", "digest": {"sha256": release.bento_id.removeprefix("sha256:")}}
    ]
    said = statement["predicate"]
    assert said["verificationResult"] == "PASSED"
    assert said["verifiedLevels"] == ["SLSA_BUILD_LEVEL_2"]
    assert said["policy"]["digest"]["sha256"] == release.policy.digest.removeprefix("sha256:")
    assert said["resourceUri"].endswith(f"/staging/{release.endpoint_id}/{release.pk}")
    assert [entry["uri"] for entry in said["inputAttestations"]] == [
        "artifact.json",
        "mlbom.json",
        "model.sig",
        "permit.json",
        "provenance.json",
        "sbom.json",
    ]


def test_what_was_recalled_failed_and_is_handed_out_without_a_summary(
    release: Release, signers: Signers
) -> None:
    said = {"kind": "bento", "what": release.bento_id, "reason": "poisoned"}
    recall(**said, project=signers.project, actor=signers.otto)
    write_checkpoint()
    answer = api(signers.people["Ada"]).get(f"/releases/{release.pk}/vsa")
    statement = json.loads(Envelope.from_json(answer.content).payload)
    assert statement["predicate"]["verificationResult"] == "FAILED"
    files = files_of(taken(Release.objects.get(pk=release.pk)))
    assert bundle.SUMMARY not in files
    said = list(bundle.verify(files, ring()))
    assert any("no verification summary" in line for line in said)
    assert any(line.startswith("recalled: bento ") for line in said)
    assert any(line.startswith("never ran: recall rcl_") for line in said)


def test_no_summary_is_signed_over_files_that_are_not_those_that_were_approved(
    release: Release,
) -> None:
    ArtifactFile.objects.filter(version=release.version).update(sha256="0" * 64)
    with pytest.raises(NotVerifiable):
        verification_summary(release)


def test_a_signature_that_once_left_out_gits_files_is_left_out(release: Release) -> None:
    ArtifactFile.objects.create(
        version=release.version,
        project=release.project,
        path=".gitattributes",
        size=1,
        sha256="1" * 64,
    )
    assert bundle.MODEL_SIGNATURE not in papers_of(release)


def test_what_was_rejected_failed_and_what_is_undecided_has_no_summary(signers: Signers) -> None:
    bento = signers.bento(signers.version())
    papers(bento)
    release = signers.request("staging", bento)
    client = api(signers.people["Ada"])
    waiting = client.get(f"/releases/{release.pk}/vsa")
    assert (waiting.status_code, waiting.json()["code"]) == (409, "not_verifiable")
    signers.sign(release, signers.rex, verdict="reject", comment="No")
    answer = client.get(f"/releases/{release.pk}/vsa")
    assert answer.status_code == 200, answer.content
    statement = json.loads(Envelope.from_json(answer.content).payload)
    assert statement["predicate"]["verificationResult"] == "FAILED"
    assert statement["predicate"]["verifiedLevels"] == ["FAILED"]


def test_a_release_that_a_gate_still_holds_back_has_no_summary(signers: Signers) -> None:
    bento = signers.bento(signers.version())
    papers(bento)
    signers.policy("development", "version: 1\ngates:\n  - {gate: build}\n  - {gate: freeze}\n")
    set_freeze(signers.environment("development"), reason="x", actor=signers.vera)
    release = signers.request("development", bento)
    with pytest.raises(NotVerifiable, match="not approved"):
        verification_summary(release)


def test_a_weaker_sandbox_is_a_lower_level(signers: Signers) -> None:
    bento = signers.bento(signers.version())
    papers(bento, isolation="user")
    release = signers.request("staging", bento)
    signers.sign(release, signers.rex)
    summary = Envelope.from_json(verification_summary(Release.objects.get(pk=release.pk)))
    levels = json.loads(summary.payload)["predicate"]["verifiedLevels"]
    assert levels == ["SLSA_BUILD_LEVEL_1"]


def test_no_summary_is_signed_over_a_permit_that_does_not_hold(release: Release) -> None:
    sql("UPDATE governance_decision SET envelope = '{}'")
    release.refresh_from_db()
    with pytest.raises(NotVerifiable):
        verification_summary(release)


def test_the_build_of_another_bento_is_refused(release: Release, signers: Signers) -> None:
    files, other = files_of(taken(release)), signers.bento(signers.version())
    papers(other)
    files["provenance.json"] = other.provenance.encode()
    with pytest.raises(Refused, match="of another bento_digest"):
        list(bundle.verify(files, ring()))


def test_another_root_in_the_bundle_is_refused(release: Release) -> None:
    files = files_of(taken(release))
    files["root.pub"] = PrivateKey.generate().public.to_pem()
    with pytest.raises(Refused, match="not the root that you trust"):
        list(bundle.verify(files, ring()))


def test_a_statement_changed_in_the_table_is_not_handed_out(release: Release) -> None:
    sql("UPDATE governance_decision SET envelope = '{}'")
    auditor = api(person("Audra", {"auditor": None}))
    answer = auditor.get(f"/releases/{release.pk}/bundle")
    assert (answer.status_code, answer.json()["code"]) == (409, "not_verifiable")


# --- the example in the docs ----------------------------------------------------------------------


def example() -> tuple[dict[str, bytes], KeyRing]:
    files = bundle.read(EXAMPLE / "release-bundle.zip")
    root = PublicKey.load(EXAMPLE / "root.pub")
    return files, KeyRing.open(files["keys.json"], root)


def test_the_example_in_the_docs_verifies(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [str(EXAMPLE / "release-bundle.zip"), "--root", str(EXAMPLE / "root.pub")]
    assert main(["bundle", *arguments]) == 0
    assert "signed with an enrolled passkey" in capsys.readouterr().out


def _packed_otherwise(raw: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("permit.json", b"{}")
    return made.getvalue()


def _encrypted(raw: bytes) -> bytes:
    flags = raw.index(b"PK\x01\x02") + 8
    return raw[:flags] + b"\x01" + raw[flags + 1 :]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda raw: b"",
        lambda raw: raw[: len(raw) // 2],
        lambda raw: raw[:60] + bytes(200) + raw[260:],
        _packed_otherwise,
        _encrypted,
    ],
)
def test_a_zip_that_is_damaged_or_of_another_kind_is_refused(
    spoil: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    file = tmp_path / "spoilt.zip"
    file.write_bytes(spoil((EXAMPLE / "release-bundle.zip").read_bytes()))
    with pytest.raises(Malformed):
        bundle.read(file)


def test_every_one_of_200_random_flips_in_the_example_is_refused() -> None:
    files, _ = example()
    root, chance = PublicKey.load(EXAMPLE / "root.pub"), random.Random(1)
    for _ in range(200):
        name = chance.choice(sorted(files))
        raw = bytearray(files[name])
        place = chance.randrange(len(raw))
        raw[place] ^= 1 << chance.randrange(8)
        changed = files | {name: bytes(raw)}
        with pytest.raises(Refused):
            list(bundle.verify(changed, KeyRing.open(changed["keys.json"], root)))
