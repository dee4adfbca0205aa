"""What the build key says about a Bento, and the OpenSSF signatures over the model's own files."""

from datetime import datetime
from pathlib import Path

from placet_verify.errors import Refused
from placet_verify.signing import model_signature
from placet_verify.signing.keys import PrivateKey
from placet_verify.signing.model_signature import FILE_NAME, SignatureCheck
from placet_verify.statements import ProvenanceStatement
from workers.builder.errors import BuildFailed
from workers.builder.runtimes import RuntimeSpec
from workers.builder.spec import Acceleration, BuildSpec, StoredBlob

BUILDER = "https://placet.dev/builder/v1"


def provenance(
    spec: BuildSpec,
    bento: StoredBlob,
    runtime: RuntimeSpec,
    sbom: StoredBlob,
    *,
    isolation: str,
    started_at: datetime,
    finished_at: datetime,
    key: PrivateKey,
    acceleration: Acceleration | None = None,
) -> str:
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


def came_signed(spec: BuildSpec, artifact: Path) -> SignatureCheck | None:
    """Return what the ``model.sig`` among the fetched files is worth; ``None`` without one.

    The bytes on the disk are looked at, once more and strictly: no link, no file that is not
    signed. Raises :class:`BuildFailed` for a signature that is wrong.
    """
    signature = artifact / FILE_NAME
    if not signature.is_file():
        return None
    try:
        files = model_signature.digests_in(artifact)
        del files[FILE_NAME]
        return model_signature.check(signature.read_bytes(), files, spec.trusted)
    except Refused as refusal:
        raise BuildFailed(f"The version's own {FILE_NAME} is wrong: {refusal.sentence}") from None


def refuse_other_files(spec: BuildSpec, text: str) -> None:
    """Refuse a ``model.sig`` of ours unless it is over exactly the version's files."""
    try:
        signature = model_signature.read(text.encode("utf-8"))
        signature.refuse_other_files({file.path: file.sha256 for file in spec.files})
    except Refused as refusal:
        raise BuildFailed(f"The files changed while they were built: {refusal.sentence}") from None


def sign_model(artifact: Path, key: Path, signature: Path) -> str:
    """Sign the folder of the version's files as OpenSSF ``model.sig`` and return its text.

    Every file is signed: the library would leave out what belongs to git.
    """
    import model_signing  # only the build worker pays for loading it

    every = model_signing.hashing.Config().set_ignored_paths(paths=(), ignore_git_paths=False)  # type: ignore[no-untyped-call]
    signing = model_signing.signing.Config()  # type: ignore[no-untyped-call]
    signing.set_hashing_config(every).use_elliptic_key_signer(private_key=key)
    signing.sign(artifact, signature)
    return signature.read_text("utf-8")
