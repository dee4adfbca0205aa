"""What the build key says about a Bento, and the OpenSSF signature over the model's own files."""

from datetime import datetime
from pathlib import Path

from placet_verify.keys import PrivateKey
from placet_verify.statements import ProvenanceStatement
from workers.builder.runtimes import RuntimeSpec
from workers.builder.spec import Acceleration, BuildSpec, StoredBlob

BUILDER = "https://placet.dev/builder/v1"


def provenance(
    spec: BuildSpec, bento: StoredBlob, runtime: RuntimeSpec, sbom: StoredBlob,
    *, isolation: str, started_at: datetime, finished_at: datetime, key: PrivateKey,
    acceleration: Acceleration | None = None,
) -> str:  # fmt: skip
    """Return the signed SLSA provenance of a Bento, as the JSON of a DSSE envelope."""
    statement = ProvenanceStatement(
        build=spec.build,
        version=spec.version,
        bento_digest=f"sha256:{bento.sha256}",
        artifact_digest=spec.artifact_digest,
        runtime_digest=runtime.digest,
        sbom_digest=f"sha256:{sbom.sha256}",
        parameters={
            "format": spec.format,
            "python_version": runtime.python_version,
            "requirements": list(spec.requirements),
            **({"served": acceleration.verdict} if acceleration else {}),
        },
        isolation=isolation,
        builder=BUILDER,
        started_at=started_at,
        finished_at=finished_at,
    )
    return statement.sign(key).to_json()


def sign_model(artifact: Path, key: Path, signature: Path) -> str:
    """Sign the folder of the version's files as OpenSSF ``model.sig`` and return its text."""
    import model_signing  # only the build worker pays for loading it

    signing = model_signing.signing.Config()  # type: ignore[no-untyped-call]
    signing.use_elliptic_key_signer(private_key=key).sign(artifact, signature)
    return signature.read_text("utf-8")
