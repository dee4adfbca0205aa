"""What a decision on a release is bound to, digest by digest."""

from dataclasses import dataclass

from apps.governance.models import Release
from apps.governance.queries.compared import bound_evidence
from placet_verify import canonical


@dataclass(frozen=True, slots=True)
class BoundDigests:
    """What a decision is bound to, as the signed request says it."""

    request: str
    artifact: str
    bento: str
    evidence: str
    evidence_count: int
    policy: str
    policy_number: int
    plan: str
    serving: str


def bound_digests(row: Release) -> BoundDigests:
    """Return what a decision on a release is bound to."""
    return BoundDigests(
        request=row.request_digest,
        artifact=row.version.artifact_digest,
        bento=row.bento_id,
        evidence=bound_evidence(row),
        evidence_count=len(row.evidence),
        policy=row.policy.digest,
        policy_number=row.policy.number,
        plan=canonical.digest(row.plan),
        serving=canonical.digest(row.serving),
    )
