"""A release in one folder, with all that an outsider needs to check it, and what was checked.

``permit.json`` (policy, request, decisions, enrolments), ``provenance.json`` and ``sbom.json`` of
the Bento, ``artifact.json``, ``model.sig`` and ``mlbom.json`` of the model, ``vsa.json``, the
public keys, ``recalls.json`` and ``receipts.json`` (what takes it back, and what nodes signed about
it), and under ``log/`` the events that the release is made of, each with its proof against a signed
checkpoint. Nothing in the folder is believed: all leads to the root key.
"""

import zipfile
import zlib
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import Any

from placet_verify import canonical, times
from placet_verify.bundle import names, narrative, nodes
from placet_verify.bundle.nodes import RECALLS, RECEIPTS
from placet_verify.errors import Malformed, Refused
from placet_verify.log import events, tlog_proof
from placet_verify.log.events import text_of
from placet_verify.permit import serving
from placet_verify.permit.permit import Permit, envelopes, holds
from placet_verify.signing import dsse, model_signature
from placet_verify.signing.keys import KeyRing
from placet_verify.statements import (
    PasskeyBreakGlass,
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

_README_1 = """\
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
_README_2 = """\
A release of Placet, with everything that is needed to check it
================================================================

permit.json       the policy, the request and every decision, as signed; where people signed with
                  passkeys their answers, and who vouches for each passkey
provenance.json   how the Bento came to be, signed by the build key (SLSA v1)
sbom.json         what is in it (CycloneDX)
artifact.json     the model's files, as they were approved
model.sig         the signature over these files (OpenSSF Model Signing)
mlbom.json        what the model is made of and how it does (CycloneDX ML-BOM)
vsa.json          what Placet found when it verified the files above (SLSA VSA)
receipts.json     what nodes signed: what ran from when to when, and that a recall is followed
recalls.json      the recalls that take the release or its Bento back, and what lifted them
log/N.tlog-proof  event N of the audit log, and the proof that it is there (C2SP tlog-proof)
keys.json         the keys of the installation, signed by its root
root.pub          the root. Use the one that you were given, not this

Of the first seven some are missing where there was nothing to write. Format 2.

    python -m placet_verify bundle FOLDER --root root.pub [--bento bento.tar]

says line by line what was proven and what was not.
"""
_README_3 = _README_2.replace("Format 2.", "Format 3.").replace(
    """\
    python -m placet_verify bundle FOLDER --root root.pub [--bento bento.tar]

says line by line what was proven and what was not.
""",
    """\
Two verifiers that share no code check it without a network, and say line by line what was proven
and what was not. Every Placet hands out both, and its page Audit, Verification links to them; take
them from an installation that you trust, or that you were given them by:

/api/v1/verifier/page  a page for a browser: open it, and drop the zip and root.pub on it
/api/v1/verifier       placet-verify.pyz, one file for Python:

    python placet-verify.pyz bundle FOLDER --root root.pub [--bento bento.tar]
""",
)
# By the format of the bundle: 1 holds nothing of nodes, and 3 what 2 does, with another text.
READMES = {1: _README_1, 2: _README_2, 3: _README_3}
README_TEXT = _README_3


def read(path: Path, most: int = MAX_FILES) -> dict[str, bytes]:
    """Return the files of a bundle: a folder, or the zip as it was downloaded.

    Raises ``Malformed`` for more than ``most`` files or 256 MiB.
    """
    entries = _from_zip(path) if path.is_file() else _from_folder(path)
    files: dict[str, bytes] = {}
    size = 0
    for name, content in entries:
        size += len(content)
        if len(files) >= most or size > MAX_BYTES:
            raise Malformed("the bundle is larger than any that Placet makes")
        if name in files:
            raise Malformed(f"the bundle holds {name} twice")
        files[name] = content
    return files


def verify(
    files: Mapping[str, bytes], ring: KeyRing, bento: Path | None = None
) -> Generator[str, None, bool]:
    """Yield a line for each thing that is proven; raise ``Refused`` at the first that is not.

    Lines that begin with ``not checked`` say what a bundle cannot prove, or what was not given.
    Returns whether a recall takes the release away.
    """
    if files.get(ROOT) != ring.root.to_pem():
        raise Refused("other_root", "root.pub in the bundle is not the root that you trust")
    form = _format(files)
    permit = holds(text_of(files, PERMIT), ring)
    yield from _say_permit(permit)
    provenance = yield from check_papers(files, ring, permit)
    yield from _check_summary(files, ring, permit, provenance)
    fixed = _FIXED if form == 1 else _FIXED | {RECALLS, RECEIPTS}
    logged = yield from events.check(files, [name for name in files if name not in fixed], ring)
    yield from _check_logged(text_of(files, PERMIT), logged.envelopes)
    yield from names.said(logged, permit.request, provenance, files.get(ML_BOM, b""))
    if bento is None:
        yield "not checked: the Bento itself (it was not given)"
    elif canonical.sha256_file(bento) != permit.request.bento_digest:
        raise Refused("other_bento", f"{bento.name} is not the Bento of this release")
    else:
        yield f"Bento: {bento.name} is it, byte for byte"
    if form == 1:
        yield "not checked: what nodes really ran: a bundle of format 1 has no receipts"
        return False
    recalled = yield from narrative.about_release(nodes.hear(files, ring, logged), permit)
    return recalled


def _format(files: Mapping[str, bytes]) -> int:
    """Return the format of a bundle, which the text in it says."""
    for form, text in READMES.items():
        if files.get(README) == text.encode("utf-8"):
            return form
    raise Refused("differs", "README.txt is not the one that Placet writes")


def notes(files: Mapping[str, bytes]) -> list[str]:
    """Return the checkpoints that the bundle's proofs lead to, each once."""
    proofs = [text_of(files, name) for name in sorted(files) if name.startswith("log/")]
    return list(dict.fromkeys(tlog_proof.parse(proof).note for proof in proofs))


def _say_permit(permit: Permit) -> Iterator[str]:
    request, policy = permit.request, permit.policy
    yield (
        f"release {request.release}: {request.bento_digest} behind endpoint {request.endpoint} in"
        f" {request.environment} of {request.project}, to be started until"
        f" {times.rfc3339(permit.not_after)}"
    )
    yield f"network: {serving.network(request.serving)}"
    by = " with a passkey" if isinstance(policy, PasskeyPolicy) else ""
    yield (
        f"policy: number {policy.number}, drafted by {policy.drafted_by}, published by"
        f" {policy.published_by}{by}"
    )
    for decision in permit.decisions:
        by = ", signed with an enrolled passkey" if isinstance(decision, PasskeyDecision) else ""
        at = times.rfc3339(decision.at)
        yield f"decision: {decision.person} as {decision.role}: {decision.verdict} at {at}{by}"
    if not permit.glass:
        yield "quorum: the policy's approvals are met, counted from these decisions alone"
        return
    yield from break_glass_lines(permit)
    yield (
        f"quorum: not the policy's approvals, but its break-glass of {len(permit.glass)} people,"
        " counted from these statements alone"
    )


def break_glass_lines(permit: Permit) -> Iterator[str]:
    """Yield a line for each person who broke the glass."""
    for one in permit.glass:
        by = ", signed with an enrolled passkey" if isinstance(one, PasskeyBreakGlass) else ""
        what = "confirmed" if one.opening else "opened"
        yield (
            f"break-glass: {one.person} as {one.role} {what} it at {times.rfc3339(one.at)}, until"
            f" {times.rfc3339(one.until)}{by}"
        )


def check_papers(
    files: Mapping[str, bytes], ring: KeyRing, permit: Permit
) -> Generator[str, None, ProvenanceStatement]:
    """Check what a build left: provenance, bill of materials, the model's files and their
    signature, each against the permit; yield what was found. Raises ``Refused``."""
    provenance = yield from _check_provenance(files, ring, permit)
    yield from _check_artifact(files, permit)
    return provenance


def _check_provenance(
    files: Mapping[str, bytes], ring: KeyRing, permit: Permit
) -> Generator[str, None, ProvenanceStatement]:
    envelope = dsse.Envelope.from_json(text_of(files, PROVENANCE))
    provenance = ProvenanceStatement.parse(ring.verify(envelope, "build"))
    for name in ("bento_digest", "artifact_digest"):
        if getattr(provenance, name) != getattr(permit.request, name):
            raise Refused("other_build", f"the provenance is of another {name}")
    source, build = provenance.artifact_digest, provenance.build
    yield f"built from {source} in {provenance.isolation}, build {build}"
    if SBOM not in files:
        yield "not checked: the bill of materials (its file was given up with the Bento)"
    elif canonical.digest(files[SBOM]) != provenance.sbom_digest:
        raise Refused("other_sbom", "sbom.json is not the one that the provenance names")
    else:
        yield "bill of materials: the one that the build made"
    return provenance


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
    digests: dict[str, str] = {}
    for entry in listed if isinstance(listed, list) else [None]:
        match entry:
            case {"path": str(path), "sha256": str(digest)} if path not in digests:
                digests[path] = digest
            case _:
                raise Malformed(f"{ARTIFACT} must list files, each once, by path and sha256")
    return digests


def _check_summary(
    files: Mapping[str, bytes], ring: KeyRing, permit: Permit, provenance: ProvenanceStatement
) -> Iterator[str]:
    """The summary is of this release, of these very files, and claims no more than they show."""
    if SUMMARY not in files:
        if ML_BOM in files:
            raise Malformed(f"{ML_BOM} cannot be checked without {SUMMARY}")
        yield "not checked: there is no verification summary"
        return
    envelope = dsse.Envelope.from_json(text_of(files, SUMMARY))
    summary = VerificationSummary.parse(ring.verify(envelope, "decision"))
    inputs = {name: canonical.digest(files[name]) for name in INPUTS if name in files}
    expected = VerificationSummary.of(
        permit.request, isolation=provenance.isolation, inputs=inputs, at=summary.at
    )
    if summary != expected:
        raise Refused("other_summary", f"{SUMMARY} is of another release, or of other files")
    at = times.rfc3339(summary.at)
    level = summary.levels[0]
    yield f"verification summary: {summary.result} at {at}, {level}, of these very files"


def _check_logged(permit: str, logged: Mapping[str, int]) -> Iterator[str]:
    for what, envelope in envelopes(permit):
        if envelope.to_json() not in logged:
            raise Refused("not_logged", f"no event of the bundle shows the {what} in the log")
        yield f"log: the {what} is in event {logged[envelope.to_json()]}, as signed"


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
