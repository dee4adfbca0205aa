"""Bundles of releases whose Bento has the papers that a build leaves, taken by an auditor."""

import hashlib
import io
import tempfile
import zipfile
from pathlib import Path

from apps.builds.models import Bento
from apps.governance.models import Release
from apps.identity.models import User
from apps.registry.models import ArtifactFile, ModelVersion
from apps.registry.readiness import manifest
from apps.registry.store import store
from placet.kernel.clock import now
from placet.kernel.keystore import model_signing_key, signer
from placet_verify import canonical
from placet_verify.statements import ProvenanceStatement
from tests.support.factories import api, person
from workers.builder.provenance import sign_model

EXAMPLE = Path(__file__).resolve().parents[2] / "docs/examples"
MODEL = b"a model"
BILL = b'{"bomFormat":"CycloneDX","components":[],"specVersion":"1.6"}'


def papers(bento: Bento, isolation: str = "bwrap") -> None:
    """Give a Bento the papers that the build worker makes."""
    store().put_stream(io.BytesIO(BILL))
    bento.version.artifact_digest = canonical.digest(manifest([_file(bento.version)]))
    bento.version.save()
    made = ProvenanceStatement(
        build=bento.build_id,
        version=bento.version_id,
        bento_digest=bento.digest,
        artifact_digest=bento.version.artifact_digest,
        runtime_digest=bento.runtime_id,
        sbom_digest="sha256:" + hashlib.sha256(BILL).hexdigest(),
        parameters={"format": "sklearn"},
        isolation=isolation,
        builder="https://placet.dev/builder",
        started_at=now(),
        finished_at=now(),
    )
    bento.provenance = made.sign(signer("build")).to_json()
    bento.sbom = hashlib.sha256(BILL).hexdigest()
    bento.model_signature = signed_by_placet(MODEL)
    bento.save()


def _file(version: ModelVersion) -> ArtifactFile:
    """Give a version the one file that its model consists of."""
    digest, size = store().put_stream(io.BytesIO(MODEL))
    return ArtifactFile.objects.create(
        version=version, project=version.project, path="model.joblib", size=size, sha256=digest
    )


def signed_by_placet(model: bytes) -> str:
    """Return the signature over that file by the installation's own key."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "artifact"
        folder.mkdir()
        (folder / "model.joblib").write_bytes(model)
        return sign_model(folder, model_signing_key(), Path(name) / "model.sig")


def auditor() -> User:
    """Return Audra, who may take copies of everything."""
    return User.objects.filter(name="Audra").first() or person("Audra", {"auditor": None})


def taken(release: Release) -> bytes:
    answer = api(auditor()).get(f"/releases/{release.pk}/bundle", accept="application/zip")
    assert answer.status_code == 200, answer.content
    assert f'filename="release-{release.number}.zip"' in answer["Content-Disposition"]
    return answer.content


def files_of(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}
