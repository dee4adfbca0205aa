"""What Placet found when it verified a release: what the decision key says to the supply chain."""

from dataclasses import dataclass
from datetime import datetime
from typing import Self

from placet_verify import canonical, times
from placet_verify.predicates import SUMMARY_TYPE
from placet_verify.statements.base import Json, Statement, hex_of, text_list, texts
from placet_verify.statements.governance import RequestStatement

VERIFIER = "https://placet.dev/verifier/v1"
SLSA_VERSION = "1.0"
PASSED, FAILED = "PASSED", "FAILED"


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationSummary(Statement):
    """A SLSA Verification Summary (VSA) of one release. Signed by the decision key.

    ``resource`` names the release and where it goes; ``inputs`` are the digests of the documents
    that were verified, by file name; ``levels`` is the one SLSA build level, or ``FAILED``.
    Source of the form: https://slsa.dev/spec/v1.0/verification_summary.
    """

    TYPE = SUMMARY_TYPE

    bento_digest: str
    resource: str
    policy: str
    policy_digest: str
    inputs: dict[str, str]
    result: str
    levels: list[str]
    at: datetime

    def __post_init__(self) -> None:
        if not all(map(canonical.is_digest, self.inputs.values())):
            raise ValueError("inputs must be digests")
        if (self.result, self.levels) not in (
            (PASSED, ["SLSA_BUILD_LEVEL_1"]),
            (PASSED, ["SLSA_BUILD_LEVEL_2"]),
            (FAILED, [FAILED]),
        ):
            raise ValueError("a summary is PASSED at build level 1 or 2, or FAILED")

    @classmethod
    def of(
        cls,
        request: RequestStatement,
        *,
        isolation: str,
        inputs: dict[str, str],
        at: datetime,
        result: str = PASSED,
    ) -> Self:
        """Return the summary of the release that ``request`` asked for."""
        level = build_level(isolation) if result == PASSED else FAILED
        return cls(
            bento_digest=request.bento_digest,
            resource=resource_of(request),
            policy=f"placet:{request.policy_id}",
            policy_digest=request.policy_digest,
            inputs=inputs,
            result=result,
            levels=[level],
            at=at,
        )

    def subject(self) -> dict[str, str]:
        """Return the Bento."""
        return {"bento": self.bento_digest}

    def predicate(self) -> Json:
        """Return the members of the predicate."""
        return {
            "verifier": {"id": VERIFIER},
            "timeVerified": times.rfc3339(self.at),
            "resourceUri": self.resource,
            "policy": {"uri": self.policy, "digest": {"sha256": hex_of(self.policy_digest)}},
            "inputAttestations": [
                {"uri": name, "digest": {"sha256": hex_of(digest)}}
                for name, digest in sorted(self.inputs.items())
            ],
            "verificationResult": self.result,
            "verifiedLevels": self.levels,
            "slsaVersion": SLSA_VERSION,
        }

    @classmethod
    def read(cls, predicate: Json, subject: dict[str, str]) -> Self:
        """Build the statement from its predicate and subject."""
        policy, inputs = predicate["policy"], predicate["inputAttestations"]
        return cls(
            bento_digest=subject["bento"],
            resource=texts(predicate, "resourceUri")["resourceUri"],
            policy=texts(policy, "uri")["uri"],
            policy_digest="sha256:" + policy["digest"]["sha256"],
            inputs={
                texts(entry, "uri")["uri"]: "sha256:" + entry["digest"]["sha256"]
                for entry in inputs
            },
            result=texts(predicate, "verificationResult")["verificationResult"],
            levels=text_list(predicate, "verifiedLevels"),
            at=times.parse(predicate["timeVerified"]),
        )


def resource_of(request: RequestStatement) -> str:
    """Return the URI by which a summary names a release and where it goes."""
    where = f"{request.project}/{request.environment}/{request.endpoint}"
    return f"placet:{where}/{request.release}"


def build_level(isolation: str) -> str:
    """Return the SLSA build level that a Placet build reaches, as its provenance tells it.

    Level 2 where the sandbox kept the signing key out of the reach of what was built. Level 3 is
    never claimed: whether the workers are hardened only their operator knows.
    """
    return "SLSA_BUILD_LEVEL_2" if isolation == "bwrap" else "SLSA_BUILD_LEVEL_1"
