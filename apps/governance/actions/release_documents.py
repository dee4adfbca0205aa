"""The documents of a release, and the summary of what Placet finds when it verifies them."""

from collections import deque
from contextlib import suppress

from apps.builds.ml_bom import ml_bom
from apps.governance.actions.lifecycle import assemble_permit
from apps.governance.errors import NotVerifiable
from apps.governance.models import Release
from apps.governance.rules import ReleaseState
from apps.registry.errors import BlobMissing
from apps.registry.queries import latest_evidence
from apps.registry.readiness import manifest
from apps.registry.store import store
from apps.serving.hooks import keeper
from placet.kernel import clock
from placet.kernel.keystore import ring, signer
from placet_verify import canonical
from placet_verify.bundle import bundle
from placet_verify.errors import Refused
from placet_verify.permit.permit import holds
from placet_verify.signing import model_signature
from placet_verify.signing.dsse import Envelope
from placet_verify.statements import (
    ProvenanceStatement,
    RequestStatement,
    VerificationSummary,
)
from placet_verify.statements.summary import FAILED, PASSED

REFUSED = (ReleaseState.REJECTED, ReleaseState.REVOKED)
GIT = frozenset({".git", ".github", ".gitattributes", ".gitignore"})


def papers(release: Release) -> dict[str, bytes]:
    """Return what a verification looks at, by the names that a bundle gives it.

    The bill of materials is missing when it was given up with its Bento.
    """
    bento, version = release.bento, release.version
    pinned = [entry["id"] for entry in release.evidence]
    facts = latest_evidence(version, evidence_ids=pinned)
    documents = {
        bundle.PERMIT: assemble_permit(release).encode("utf-8"),
        bundle.PROVENANCE: bento.provenance.encode("utf-8"),
        bundle.ML_BOM: ml_bom(version, facts, bento),
    }
    if files := list(version.files.order_by("path")):
        documents[bundle.ARTIFACT] = canonical.dumps(manifest(files))
        signature = bento.model_signature.encode("utf-8")
        if signature and not _leaves_git_out(signature, [file.path for file in files]):
            documents[bundle.MODEL_SIGNATURE] = signature
    with suppress(BlobMissing, ValueError):
        documents[bundle.SBOM] = store().read(bento.sbom, limit=bundle.MAX_BYTES)
    return documents


def _leaves_git_out(signature: bytes, paths: list[str]) -> bool:
    """Tell whether a signature is one of those that once left out git's files: it signs less than
    the list of files, and says nothing wrong."""
    unsigned = set(paths) - model_signature.read(signature).files.keys()
    return bool(unsigned) and all(path.partition("/")[0] in GIT for path in unsigned)


def failed(release: Release) -> bool:
    """Tell whether people rejected, revoked or recalled what the release was to run."""
    return release.state in REFUSED or bool(keeper().refusal(release.bento))


def verification_summary(release: Release, found: dict[str, bytes] | None = None) -> bytes:
    """Verify a release's documents now, and return the SLSA summary of it as a DSSE envelope.

    It passed where the permit and what the build left hold, and failed where people rejected,
    revoked or recalled the release.
    Raises :class:`NotVerifiable` for what nobody has decided on, and for documents that do not
    hold: nothing is signed about those.
    """
    keys, ended_badly = ring(), failed(release)
    try:
        documents = papers(release) if found is None else found
        provenance_envelope = Envelope.from_json(documents[bundle.PROVENANCE].decode("utf-8"))
        provenance = ProvenanceStatement.parse(keys.verify(provenance_envelope, "build"))
        request_envelope = Envelope.from_json(release.request_envelope)
        request = RequestStatement.parse(keys.verify(request_envelope, "decision"))
        if (provenance.bento_digest, provenance.artifact_digest) != (
            request.bento_digest,
            request.artifact_digest,
        ):
            raise Refused("other_build", "the provenance is of another build")
        if not ended_badly:
            text = documents[bundle.PERMIT].decode("utf-8")
            permit = holds(text, keys, uncounted=keeper().uncounted())
            deque(bundle.check_papers(documents, keys, permit), maxlen=0)
            if release.approved_at is None:  # its quorum is met, and some other gate is not
                raise Refused("not_approved", "the release is not approved")
    except Refused as refusal:
        raise NotVerifiable(f"Nobody could verify it: {refusal.sentence}") from None
    summary = VerificationSummary.of(
        request,
        isolation=provenance.isolation,
        inputs={name: canonical.digest(content) for name, content in documents.items()},
        result=FAILED if ended_badly else PASSED,
        at=clock.now(),
    )
    return summary.sign(signer("decision")).to_json().encode("utf-8")
