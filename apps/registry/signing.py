"""What the ``model.sig`` that came with a version is worth. Reads, writes nothing."""

from collections.abc import Sequence
from typing import Any

from django.db.models import Q

from apps.registry.models import ArtifactFile, ModelVersion, SigningKey
from apps.registry.store import store
from placet.kernel.clock import now
from placet_verify.errors import Malformed
from placet_verify.signing import model_signature
from placet_verify.signing.model_signature import FILE_NAME, SignatureCheck


def trusted_keys(project_id: str) -> list[model_signature.ModelSigningKey]:
    """Return the keys whose signatures count in a project at this moment."""
    rows = SigningKey.objects.filter(project=project_id, revoked_at__isnull=True)
    good = rows.filter(Q(valid_until__isnull=True) | Q(valid_until__gt=now()))
    pems = good.values_list("pem", flat=True)
    return [model_signature.ModelSigningKey(pem.encode("ascii")) for pem in pems]


def inspect(version: ModelVersion, files: Sequence[ArtifactFile]) -> SignatureCheck | None:
    """Return what the version's ``model.sig`` is worth now; ``None`` when it came without one.

    Raises ``placet_verify.errors.Refused`` for one that is wrong.
    """
    signature = next((file for file in files if file.path == FILE_NAME), None)
    if signature is None:
        return None
    if signature.size > model_signature.MAX_BYTES:
        raise Malformed(f"{FILE_NAME} is larger than any signature")
    document = store().read(signature.sha256, limit=model_signature.MAX_BYTES)
    signed = {file.path: file.sha256 for file in files if file is not signature}
    return model_signature.check(document, signed, trusted_keys(version.project_id))


def evidence_of(found: SignatureCheck) -> dict[str, Any]:
    """Return a finding as evidence holds it."""
    return {"result": found.result, "key": found.key, "files": found.files}
