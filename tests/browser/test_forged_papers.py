"""Forged papers of the supply chain: both verifiers refuse each for one reason, in the same words.

Verification summaries by somebody who has the key, model signatures by a signer who means ill, and
lists and bills that were changed afterwards.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from placet_verify.signing import dsse
from tests.support.offline import (
    ARTIFACT,
    MODEL_KEY,
    Files,
    Papers,
    Second,
    both,
    python_says,
    resigned,
)
from tests.support.permits import NOON, OTHER
from tests.support.signed_models import resigned as model_resigned
from tests.support.signed_models import signing_key

pytestmark = pytest.mark.browser
Change = Callable[[Files, Papers], Files]


def judged(second: Second, files: Files, root: bytes) -> str:
    """Return the code of both verifiers' refusal, whose words are the same too."""
    theirs = both(second, files, root)
    if theirs.code != "malformed":  # what is wrong with a form each says in its own words
        assert theirs.lines[-1].endswith(python_says(files, root).lines[-1])
    return theirs.code


def summarised(**changes: Any) -> Callable[[Papers], None]:
    return lambda papers: papers.summary.update(changes)


def summarised_by(purpose: str) -> Callable[[Papers], None]:
    def spoil(papers: Papers) -> None:
        papers.summary_key = getattr(papers.keys, purpose)

    return spoil


def model_signed(part: str = "", **changes: Any) -> Callable[[Papers], None]:
    """Sign the model with a statement that its signer changed at ``part``."""

    def change(statement: Any) -> None:
        place = statement
        for step in part.split(".") if part else []:
            place = place[int(step) if step.isdigit() else step]
        place.update(changes)

    def spoil(papers: Papers) -> None:
        papers.model_signature = model_resigned(papers.model_signature, MODEL_KEY, change)

    return spoil


def model_sig_with(part: str = "", **changes: Any) -> Callable[[Papers], None]:
    """Change what stands around the statement of a model.sig."""

    def spoil(papers: Papers) -> None:
        whole = json.loads(papers.model_signature)
        (whole[part] if part else whole).update(changes)
        papers.model_signature = json.dumps(whole).encode()

    return spoil


def model_signed_twice(papers: Papers) -> None:
    whole = json.loads(papers.model_signature)
    whole["dsseEnvelope"]["signatures"] *= 2
    papers.model_signature = json.dumps(whole).encode()


def signed_without(path: str) -> Callable[[Papers], None]:
    """Sign a model that lacks this file, in the form of one that is whole."""

    def change(statement: Any) -> None:
        resources = statement["predicate"]["resources"]
        resources[:] = [entry for entry in resources if entry["name"] != path]
        digests = b"".join(bytes.fromhex(entry["digest"]) for entry in resources)
        statement["subject"][0]["digest"]["sha256"] = hashlib.sha256(digests).hexdigest()

    def spoil(papers: Papers) -> None:
        papers.model_signature = model_resigned(papers.model_signature, MODEL_KEY, change)

    return spoil


FORGED: list[tuple[str, Callable[[Papers], Any], str]] = [
    ("a summary by the build key", summarised_by("build"), "wrong_purpose"),
    ("a summary by the access key", summarised_by("access"), "wrong_purpose"),
    ("a summary from before", summarised(at=NOON - timedelta(days=9)), "key_not_valid"),
    ("of another Bento", summarised(bento_digest=OTHER["bento_digest"]), "other_summary"),
    ("of another place", summarised(resource="placet:prj_1/staging/end_1/rel_1"), "other_summary"),
    ("of another policy", summarised(policy="placet:pol_2"), "other_summary"),
    ("another policy's text", summarised(policy_digest=OTHER["policy_digest"]), "other_summary"),
    ("of no documents", summarised(inputs={}), "other_summary"),
    ("a failure", summarised(result="FAILED", levels=["FAILED"]), "other_summary"),
    ("another level", summarised(levels=["SLSA_BUILD_LEVEL_1"]), "other_summary"),
    ("a file not signed", signed_without("empty"), "other_files"),
    ("another file signed", model_signed("predicate.resources.0", name="other"), "other_files"),
    ("links followed", model_signed("predicate.serialization", allow_symlinks=True), "malformed"),
    ("another hash", model_signed("predicate.serialization", hash_type="blake2b"), "malformed"),
    ("a setting more", model_signed("predicate.serialization", follow="all"), "malformed"),
    ("paths ignored", model_signed("predicate.serialization", ignore_paths=["empty"]), ""),
    ("a digest cut", model_signed("predicate.resources.0", digest="00"), "malformed"),
    ("another digest", model_signed("predicate.resources.0", digest="0" * 64), "malformed"),
    ("a member more there", model_signed("predicate.resources.0", more=1), "malformed"),
    ("no list of files", model_signed("predicate", resources={}), "malformed"),
    ("another subject", model_signed("subject.0", digest={"sha256": "0" * 64}), "malformed"),
    ("no subject", model_signed(subject=[]), "malformed"),
    ("another predicate", model_signed(predicateType="https://example.org/v1"), "malformed"),
    ("two signatures on a model", model_signed_twice, "malformed"),
    ("another bundle", model_sig_with(mediaType="application/json"), "malformed"),
    ("a member beside it", model_sig_with(more=1), "malformed"),
    ("no key named", model_sig_with(verificationMaterial={}), "malformed"),
    ("no hint", model_sig_with("verificationMaterial", publicKey={"hint": "a"}), "malformed"),
    ("a log besides", model_sig_with("verificationMaterial", tlogEntries=[{}]), "malformed"),
    ("a certificate", model_sig_with(verificationMaterial={"certificate": {}}), ""),
]


@pytest.mark.parametrize(("spoil", "code"), [pytest.param(*row[1:], id=row[0]) for row in FORGED])
def test_both_refuse_forged_papers_for_the_same_reason(
    second: Second, spoil: Callable[[Papers], Any], code: str
) -> None:
    papers = Papers()
    spoil(papers)
    assert judged(second, papers.files(), papers.root) == code


NO_LISTS: list[Any] = [
    None,
    5,
    "model",
    {},
    {"path": "model", "sha256": "00"},
    [5],
    [[]],
    ["model"],
    [{}],
    [{"path": "model"}],
    [{"path": 1, "sha256": "00"}],
    [{"path": "model", "sha256": None}],
    [*ARTIFACT, ARTIFACT[0]],
]


@pytest.mark.parametrize("artifact", NO_LISTS, ids=str)
def test_both_refuse_what_was_approved_as_a_list_of_files_and_is_none(
    second: Second, artifact: Any
) -> None:
    papers = Papers(artifact=artifact)
    assert both(second, papers.files(), papers.root).code == "malformed"


SUMMARY_SPOILT: list[tuple[bytes, bytes]] = [
    (b'"SLSA_BUILD_LEVEL_2"', b'"SLSA_BUILD_LEVEL_3"'),
    (b'"SLSA_BUILD_LEVEL_2"', b'"SLSA_BUILD_LEVEL_2","SLSA_BUILD_LEVEL_2"'),
    (b'["SLSA_BUILD_LEVEL_2"]', b'"SLSA_BUILD_LEVEL_2"'),
    (b'"PASSED"', b'"FAILED"'),
    (b'"slsaVersion":"1.0"', b'"slsaVersion":"1.1"'),
    (b"placet.dev/verifier/v1", b"placet.dev/verifier/v2"),
    (b"00.000000Z", b"00Z"),
    (b'"timeVerified":"2', b'"timeVerified":"x'),
    (b'"timeVerified"', b'"timeOfDay"'),
    (b'"resourceUri":"', b'"more":1,"resourceUri":"'),
    (b'"resourceUri":"', b'"resourceUri":5,"x":"'),
    (b'"uri":"artifact.json"', b'"uri":5'),
    (b'"uri":"artifact.json"', b'"uri":"mlbom.json"'),
    (b'"uri":"artifact.json"', b'"uri":"z"'),
    (b'"inputAttestations":[', b'"inputAttestations":[5,'),
    (b'"inputAttestations":[', b'"inputAttestations":{},"x":['),
    (b'"subject":[', b'"subject":[{"digest":{"sha256":"00"},"name":"more"},'),
    (b'{"sha256":"', b'{"sha256":"00'),
    (b'"predicateType"', b'"predicateKind"'),
]


@pytest.mark.parametrize(("old", "new"), SUMMARY_SPOILT, ids=str)
def test_both_take_a_summary_in_its_exact_form_alone(
    second: Second, old: bytes, new: bytes
) -> None:
    papers = Papers()
    files = papers.files()
    envelope = dsse.Envelope.from_json(files["vsa.json"])
    assert old in envelope.payload
    spoilt = resigned(envelope, papers.keys.decision, envelope.payload.replace(old, new, 1))
    files["vsa.json"] = spoilt.to_json().encode()
    assert both(second, files, papers.root).code in {"malformed", "wrong_type"}


# --- files changed afterwards ---------------------------------------------------------------------


def without(*names: str) -> Change:
    return lambda files, papers: {n: c for n, c in files.items() if n not in names}


def a_space_behind(name: str) -> Change:
    return lambda files, papers: files | {name: files[name] + b" "}


def with_the_summary_of_another(files: Files, papers: Papers) -> Files:
    other = Papers(keys=papers.keys, people=papers.people)
    other.asked = replace(other.asked, release="rel_2")
    return files | {"vsa.json": other.files()["vsa.json"]}


def model_signed_by_another(files: Files, papers: Papers) -> Files:
    def leave(statement: Any) -> None: ...

    return files | {"model.sig": model_resigned(files["model.sig"], signing_key(), leave)}


SPOILT: list[tuple[str, Change, str]] = [
    ("no bill", without("sbom.json"), "other_summary"),
    ("no bill nor summary", without("sbom.json", "mlbom.json", "vsa.json"), ""),
    ("from before", without("vsa.json", "mlbom.json", "artifact.json", "model.sig"), ""),
    ("no summary", without("vsa.json"), "malformed"),
    ("no bill of the model", without("mlbom.json"), "other_summary"),
    ("another bill of the model", lambda f, p: f | {"mlbom.json": b"{}"}, "other_summary"),
    ("no list of files", without("artifact.json"), "malformed"),
    ("no files at all", without("artifact.json", "model.sig"), "other_summary"),
    ("another list of files", lambda f, p: f | {"artifact.json": b"[]"}, "other_artifact"),
    ("the list respelt", a_space_behind("artifact.json"), "malformed"),
    ("no list", lambda f, p: f | {"artifact.json": b"x"}, "malformed"),
    ("no model signature", without("model.sig"), "other_summary"),
    ("another's model signature", model_signed_by_another, "other_summary"),
    ("no model signature in it", lambda f, p: f | {"model.sig": b"{}"}, "malformed"),
    ("another's summary", with_the_summary_of_another, "other_summary"),
    ("a provenance instead", lambda f, p: f | {"vsa.json": f["provenance.json"]}, "wrong_type"),
]


@pytest.mark.parametrize(("change", "code"), [pytest.param(*row[1:], id=row[0]) for row in SPOILT])
def test_both_refuse_changed_papers_for_the_same_reason(
    second: Second, change: Change, code: str
) -> None:
    papers = Papers()
    assert judged(second, change(papers.files(), papers), papers.root) == code
