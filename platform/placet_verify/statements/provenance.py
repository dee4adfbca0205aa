"""How a Bento came to be: what the build key signs."""

from dataclasses import dataclass
from datetime import datetime
from typing import Self

from placet_verify import times
from placet_verify.predicates import PROVENANCE_TYPE
from placet_verify.statements.base import Json, Statement, digests, hex_of

BUILD_TYPE = "https://placet.dev/build/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenanceStatement(Statement):
    """How a Bento came to be, as SLSA provenance v1. Signed by the build key.

    ``parameters`` are the format, the Python version and what else the version asked for;
    ``isolation`` is the sandbox that was really used (``bwrap`` or ``user``).
    """

    TYPE = PROVENANCE_TYPE

    build: str
    version: str
    bento_digest: str
    artifact_digest: str
    runtime_digest: str
    sbom_digest: str
    parameters: Json
    isolation: str
    builder: str
    started_at: datetime
    finished_at: datetime

    def subject(self) -> dict[str, str]:
        """Return the Bento."""
        return {"bento": self.bento_digest}

    def predicate(self) -> Json:
        """Return the members of the predicate."""
        return {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {"version": self.version, **self.parameters},
                "internalParameters": {"isolation": self.isolation},
                "resolvedDependencies": [
                    {"name": "artifact", "digest": {"sha256": hex_of(self.artifact_digest)}},
                    {"name": "runtime", "digest": {"sha256": hex_of(self.runtime_digest)}},
                ],
            },
            "runDetails": {
                "builder": {"id": self.builder},
                "metadata": {
                    "invocationId": self.build,
                    "startedOn": times.rfc3339(self.started_at),
                    "finishedOn": times.rfc3339(self.finished_at),
                },
                "byproducts": [{"name": "sbom", "digest": {"sha256": hex_of(self.sbom_digest)}}],
            },
        }

    @classmethod
    def read(cls, predicate: Json, subject: dict[str, str]) -> Self:
        """Build the statement from its predicate and subject."""
        definition, details = predicate["buildDefinition"], predicate["runDetails"]
        metadata, external = details["metadata"], dict(definition["externalParameters"])
        dependencies = digests(definition["resolvedDependencies"])
        return cls(
            build=str(metadata["invocationId"]),
            version=str(external.pop("version")),
            bento_digest=subject["bento"],
            artifact_digest=dependencies["artifact"],
            runtime_digest=dependencies["runtime"],
            sbom_digest=digests(details["byproducts"])["sbom"],
            parameters=external,
            isolation=str(definition["internalParameters"]["isolation"]),
            builder=str(details["builder"]["id"]),
            started_at=times.parse(metadata["startedOn"]),
            finished_at=times.parse(metadata["finishedOn"]),
        )
