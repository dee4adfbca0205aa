"""The project's world of this release's tests, where every row is made by an action.

Those tests make versions, builds and Bentos by hand; then the log does not have them.
"""

import hashlib
import io
from typing import Any

from apps.builds import actions as builds
from apps.builds.models import Bento
from apps.builds.rules import Built, BuiltRuntime, Line, ScanReport, SmokeReport
from apps.jobs.actions.lease import claim
from apps.jobs.handlers import LeasedJob
from apps.registry import actions as registry
from apps.registry.models import ModelVersion, Upload
from apps.registry.readiness import manifest
from apps.registry.store import store
from apps.serving.actions import create_target
from apps.serving.models import Target
from placet.kernel.actor import SYSTEM, Actor
from placet.kernel.clock import now
from placet.keystore import signer
from placet_verify import canonical
from placet_verify.statements import ProvenanceStatement
from tests.bundled import BILL, signed_by_placet
from tests.governed import SIGNATURE, World, digest_of

REQUIREMENTS = ["scikit-learn==1.7.2"]
LOCK = "numpy==2.3.5 \\\n    --hash=sha256:00\n"
WHEEL = {"name": "numpy-2.3.5-py3-none-any.whl", "sha256": "d" * 64, "size": 3}


def target(name: str = "local") -> Target:
    """Add a target that has room."""
    return create_target(name=name, capacity_mb=65536, labels={"default": "true"}, actor=SYSTEM)


def put(version: ModelVersion, path: str, content: bytes, actor: Actor) -> None:
    """Upload a file."""
    upload = registry.start_upload(
        version,
        path=path,
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        actor=actor,
    )
    if isinstance(upload, Upload):
        registry.receive_chunk(upload, offset=0, stream=io.BytesIO(content), actor=actor)


def version(
    self: World, model: str = "churn", *, author: str = "Alan", **fields: Any
) -> ModelVersion:
    """Upload and finalise a version."""
    registered = self.project.models.filter(name=model).first() or registry.create_model(
        self.project, name=model, description="Who leaves", actor=self.ada
    )
    actor = getattr(self, author.lower())
    values: Any = {"signature": SIGNATURE, "requirements": REQUIREMENTS, **fields}
    draft = registry.create_version(registered, actor=actor, **values)
    put(draft, "model.joblib", f"model {registered.pk} {draft.number}".encode(), actor)
    return registry.finalise(draft, actor=actor)


def taken(build: Any) -> LeasedJob:
    """Claim a build's job as a worker does."""
    job = claim(job_id=build.job)
    assert job is not None
    return LeasedJob(
        id=job.pk,
        kind=job.kind,
        args=job.args,
        project=job.project,
        generation=job.generation,
        attempt=1,
        max_attempts=2,
    )


def bento(
    self: World,
    version: ModelVersion,
    *,
    isolation: str = "bwrap",
    result: str = "equal",
    verdict: str = "safe",
    metrics: dict[str, Any] | None = None,
) -> Bento:
    """Have a version built, with all that the worker reports of a build."""
    build = builds.request_build(version, actor=self.ada)
    job = taken(build)
    begun = builds.start(build.pk, job=job, isolation=isolation)
    assert begun is not None
    builds.append_lines(begun, [Line(now(), "fetch", "Fetched 1 file")], job=job)
    builds.record_scan(begun, ScanReport(verdict, [], {"name": "placet"}, 1), job=job)
    built = builds.succeed(begun, outcome(version, begun.pk, isolation, result), job=job)
    if metrics is not None:
        registry.add_evidence(
            version, kind="metrics", data=metrics, source="reported", actor=self.ada
        )
    return built


def outcome(version: ModelVersion, build: str, isolation: str, result: str) -> Built:
    """Return what the build worker made, signed as it signs it."""
    bill, _ = store().put_stream(io.BytesIO(BILL))
    files = list(version.files.order_by("path"))
    digest, runtime = digest_of(f"bento {build}"), digest_of("runtime")
    statement = ProvenanceStatement(
        build=build,
        version=version.pk,
        bento_digest=digest,
        artifact_digest=canonical.digest(manifest(files)),
        runtime_digest=runtime,
        sbom_digest="sha256:" + bill,
        parameters={"format": "sklearn"},
        isolation=isolation,
        builder="https://placet.dev/builder",
        started_at=now(),
        finished_at=now(),
    )
    content = f"model {version.model_id} {version.number}".encode()
    return Built(
        bento_sha256=digest.removeprefix("sha256:"),
        bento_size=1000,
        runtime=BuiltRuntime(runtime, "3.13", LOCK, [WHEEL]),
        smoke=SmokeReport(result, 3, 3, isolation, 2.5, "All 3 rows are predicted as expected"),
        sbom_sha256=bill,
        components=0,
        provenance=statement.sign(signer("build")).to_json(),
        model_signature=signed_by_placet(content),
        isolation=isolation,
        timings={"fetch": 0.1, "build": 1.2},
    )
