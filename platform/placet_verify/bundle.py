"""A release in one folder, with all that an outsider needs to check it, and what was checked.

``permit.json`` (policy, request, decisions, enrolments), ``provenance.json`` and ``sbom.json`` of
the Bento, ``artifact.json``, ``model.sig`` and ``mlbom.json`` of the model, ``vsa.json``, the
public keys, and under ``log/`` the events that the release is made of, each with its proof against
a signed checkpoint. Nothing in the folder is believed: all leads to the root key.
"""

import zipfile
import zlib
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from placet_verify import (
    canonical,
    checkpoint,
    dsse,
    model_signature,
    seals,
    times,
    tlog_proof,
)
from placet_verify.errors import Malformed, Refused
from placet_verify.keys import KeyRing
from placet_verify.permit import Permit, envelopes, holds
from placet_verify.statements import (
    PasskeyDecision,
    PasskeyPolicy,
    ProvenanceStatement,
    VerificationSummary,
)

MAX_FILES, MAX_BYTES = 5_000, 256 << 20
PERMIT, PROVENANCE, SBOM = "permit.json", "provenance.json", "sbom.json"
ARTIFACT, MODEL_SIGNATURE, ML_BOM = "artifact.json", "model.sig", "mlbom.json"
SUMMARY = "vsa.json"
KEYS, ROOT, README = "keys.json", "root.pub", "README.txt"
INPUTS = (PERMIT, PROVENANCE, SBOM, ARTIFACT, MODEL_SIGNATURE, ML_BOM)  # what a summary names
_FIXED = frozenset({*INPUTS, SUMMARY, KEYS, ROOT, README})
_ENCRYPTED, _KNOWN = 0x1, {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_ENVELOPES = ("envelope", "request_envelope")  # the columns of logged rows that hold one

README_TEXT = """\
A release of Placet, with everything that is needed to check it
================================================================

permit.json       the policy, the request and every decision, as signed; where people signed with
                  passkeys their answers, and who vouches for each passkey
provenance.json   how the Bento came to be, signed by the build key (SLSA v1)
sbom.json         what is in it (CycloneDX)
log/N.tlog-proof  event N of the audit log, and the proof that it is there (C2SP tlog-proof)
keys.json         the keys of the installation, signed by its root
root.pub          the root. Use the one that you were given, not this

    python -m placet_verify bundle FOLDER --root root.pub [--bento bento.tar]

says line by line what was proven and what was not.
"""


def read(path: Path) -> dict[str, bytes]:
    """Return the files of a bundle: a folder, or the zip as it was downloaded.

    Raises ``Malformed`` for more than 5,000 files or 256 MiB.
    """
    found = _from_zip(path) if path.is_file() else _from_folder(path)
    files: dict[str, bytes] = {}
    size = 0
    for name, content in found:
        size += len(content)
        if len(files) >= MAX_FILES or size > MAX_BYTES:
            raise Malformed("the bundle is larger than any that Placet makes")
        if name in files:
            raise Malformed(f"the bundle holds {name} twice")
        files[name] = content
    return files


def verify(files: Mapping[str, bytes], ring: KeyRing, bento: Path | None = None) -> Iterator[str]:
    """Yield a line for each thing that is proven; raise ``Refused`` at the first that is not.

    Lines that begin with ``not checked`` say what a bundle cannot prove, or what was not given.
    """
    if files.get(ROOT) != ring.root.to_pem():
        raise Refused("other_root", "root.pub in the bundle is not the root that you trust")
    if files.get(README) != README_TEXT.encode("utf-8"):
        raise Refused("differs", "README.txt is not the one that Placet writes")
    permit = holds(_text(files, PERMIT), ring)
    yield from _say_permit(permit)
    made = yield from check_papers(files, ring, permit)
    yield from _check_summary(files, ring, permit, made)
    logged = yield from _check_log(files, ring)
    yield from _check_logged(_text(files, PERMIT), logged)
    if bento is None:
        yield "not checked: the Bento itself (it was not given)"
    elif canonical.sha256_file(bento) != permit.request.bento_digest:
        raise Refused("other_bento", f"{bento.name} is not the Bento of this release")
    else:
        yield f"Bento: {bento.name} is it, byte for byte"
    yield "not checked: what nodes really ran"


def notes(files: Mapping[str, bytes]) -> list[str]:
    """Return the checkpoints that the bundle's proofs lead to, each once."""
    proofs = [_text(files, name) for name in sorted(files) if name.startswith("log/")]
    return list(dict.fromkeys(tlog_proof.parse(proof).note for proof in proofs))


def _say_permit(permit: Permit) -> Iterator[str]:
    request, policy = permit.request, permit.policy
    yield (
        f"release {request.release}: {request.bento_digest} behind endpoint {request.endpoint} in"
        f" {request.environment} of {request.project}, to be started until"
        f" {times.rfc3339(request.not_after)}"
    )
    by = " with a passkey" if isinstance(policy, PasskeyPolicy) else ""
    yield (
        f"policy: number {policy.number}, drafted by {policy.drafted_by}, published by"
        f" {policy.published_by}{by}"
    )
    for decision in permit.decisions:
        by = ", signed with an enrolled passkey" if isinstance(decision, PasskeyDecision) else ""
        at = times.rfc3339(decision.at)
        yield f"decision: {decision.person} as {decision.role}: {decision.verdict} at {at}{by}"
    yield "quorum: the policy's approvals are met, counted from these decisions alone"


def check_papers(
    files: Mapping[str, bytes], ring: KeyRing, permit: Permit
) -> Generator[str, None, ProvenanceStatement]:
    """Check what a build left: provenance, bill of materials, the model's files and their
    signature, each against the permit; yield what was found. Raises ``Refused``."""
    made = yield from _check_provenance(files, ring, permit)
    yield from _check_artifact(files, permit)
    return made


def _check_provenance(
    files: Mapping[str, bytes], ring: KeyRing, permit: Permit
) -> Generator[str, None, ProvenanceStatement]:
    envelope = dsse.Envelope.from_json(_text(files, PROVENANCE))
    made = ProvenanceStatement.parse(ring.verify(envelope, "build"))
    for name in ("bento_digest", "artifact_digest"):
        if getattr(made, name) != getattr(permit.request, name):
            raise Refused("other_build", f"the provenance is of another {name}")
    yield f"built from {made.artifact_digest} in {made.isolation}, build {made.build}"
    if SBOM not in files:
        yield "not checked: the bill of materials (its file was given up with the Bento)"
    elif canonical.digest(files[SBOM]) != made.sbom_digest:
        raise Refused("other_sbom", "sbom.json is not the one that the provenance names")
    else:
        yield "bill of materials: the one that the build made"
    return made


def _check_artifact(files: Mapping[str, bytes], permit: Permit) -> Iterator[str]:
    """The model's files: those that were approved, and that ``model.sig`` signs no others."""
    if ARTIFACT not in files:
        if MODEL_SIGNATURE in files:
            raise Malformed(f"{MODEL_SIGNATURE} cannot be checked without {ARTIFACT}")
        yield "not checked: the model's files (there is no list of them)"
        return
    listed = canonical.loads(files[ARTIFACT])
    if canonical.digest(listed) != permit.request.artifact_digest:
        raise Refused("other_artifact", f"{ARTIFACT} is not the list of what was approved")
    if canonical.dumps(listed) != files[ARTIFACT]:
        raise Malformed(f"{ARTIFACT} is not canonical JSON")
    approved = _digests_in(listed)
    yield f"artifact: {len(approved)} file{'s' * (len(approved) != 1)}, the list that was approved"
    if MODEL_SIGNATURE in files:
        signed = model_signature.read(files[MODEL_SIGNATURE])
        signed.refuse_other_files(approved)
        yield "model.sig: over exactly these files"
        yield f"not checked: whose key made model.sig (it names {signed.hint or 'no key'})"


def _digests_in(listed: Any) -> dict[str, str]:
    found: dict[str, str] = {}
    for entry in listed if isinstance(listed, list) else [None]:
        match entry:
            case {"path": str(path), "sha256": str(digest)} if path not in found:
                found[path] = digest
            case _:
                raise Malformed(f"{ARTIFACT} must list files, each once, by path and sha256")
    return found


def _check_summary(
    files: Mapping[str, bytes], ring: KeyRing, permit: Permit, made: ProvenanceStatement
) -> Iterator[str]:
    """The summary is of this release, of these very files, and claims no more than they show."""
    if SUMMARY not in files:
        if ML_BOM in files:
            raise Malformed(f"{ML_BOM} cannot be checked without {SUMMARY}")
        yield "not checked: there is no verification summary"
        return
    envelope = dsse.Envelope.from_json(_text(files, SUMMARY))
    found = VerificationSummary.parse(ring.verify(envelope, "decision"))
    given = {name: canonical.digest(files[name]) for name in INPUTS if name in files}
    expected = VerificationSummary.of(
        permit.request, isolation=made.isolation, inputs=given, at=found.at
    )
    if found != expected:
        raise Refused("other_summary", f"{SUMMARY} is of another release, or of other files")
    at = times.rfc3339(found.at)
    yield f"verification summary: {found.result} at {at}, {found.levels[0]}, of these very files"


def _check_log(files: Mapping[str, bytes], ring: KeyRing) -> Generator[str, None, dict[str, int]]:
    """Verify every event's proof; return the envelopes that they hold, by their leaf."""
    keys, origins, logged = checkpoint.log_keys(ring), set[str](), dict[str, int]()
    for name in sorted(name for name in files if name not in _FIXED):
        proof = tlog_proof.parse(_text(files, name))
        if name != f"log/{proof.index}.tlog-proof":
            raise Malformed(f"{name} does not belong into a bundle")
        signed = tlog_proof.verify(proof, keys, proof.extra)
        body: Any = canonical.loads(proof.extra)
        if sentence := seals.fault(proof.extra.decode("utf-8"), proof.index, ring):
            raise Refused("unsealed", f"event {proof.index}: {sentence}")
        origins.add(signed.origin)
        logged |= dict.fromkeys(_envelopes(body), proof.index)
        yield f"log: event {proof.index} of {signed.size}: {body['kind']} at {body['at']}"
    if len(origins) != 1:
        raise Refused("no_log", "the bundle must hold events, all of one log")
    return logged


def _check_logged(permit: str, logged: Mapping[str, int]) -> Iterator[str]:
    for what, envelope in envelopes(permit):
        if envelope.to_json() not in logged:
            raise Refused("not_logged", f"no event of the bundle shows the {what} in the log")
        yield f"log: the {what} is in event {logged[envelope.to_json()]}, as signed"


def _envelopes(body: Any) -> Iterator[str]:
    rows: Sequence[Any] = list(body.get("after", {}).values()) if isinstance(body, dict) else []
    for row in rows:
        for column in _ENVELOPES:
            if isinstance(row, dict) and isinstance(row.get(column), str):
                yield row[column]


def _text(files: Mapping[str, bytes], name: str) -> str:
    if name not in files:
        raise Malformed(f"the bundle has no {name}")
    try:
        return files[name].decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed(f"{name} is not UTF-8 text") from None


def _from_folder(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        with path.open("rb") as stream:
            yield path.relative_to(folder).as_posix(), stream.read(MAX_BYTES + 1)


def _from_zip(path: Path) -> Iterator[tuple[str, bytes]]:
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                if member.flag_bits & _ENCRYPTED or member.compress_type not in _KNOWN:
                    raise Malformed(f"{member.filename} is packed in a way that Placet never uses")
                with archive.open(member) as stream:
                    yield member.filename, stream.read(MAX_BYTES + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError):  # no zip, damaged, or cut off
        raise Malformed(f"{path.name} is no zip that can be read") from None
