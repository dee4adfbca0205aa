"""Reads of builds, Bentos and runtimes, through the actor but for what the store asks."""

from collections.abc import Collection

from django.db.models import OuterRef, QuerySet, Subquery

from apps.builds.errors import NotFinalised
from apps.builds.ml_bom import ml_bom
from apps.builds.models import Bento, Build, BuildLine, Runtime
from apps.builds.rules import BuildState
from apps.identity.queries import visible
from apps.registry.models import Evidence, EvidenceSource, ModelVersion, VersionState
from apps.registry.queries import latest_evidence
from placet.kernel.actor import Actor
from placet.kernel.problems import NotFound

MAX_LINES_AT_ONCE = 1000


def builds(actor: Actor, version: ModelVersion | None = None) -> QuerySet[Build]:
    """Return the builds the actor may see, of one version or of all, each with what the smoke test
    of its Bento found (``smoke_test``)."""
    rows = Build.objects.select_related("version__model", "project")
    found = rows.annotate(smoke_test=Subquery(smoke_tests().values("data")[:1]))
    rows = visible(found, actor, view="build.view")
    return rows if version is None else rows.filter(version=version)


def smoke_tests(bento: str = "bento_digest") -> QuerySet[Evidence]:
    """Return Placet's own smoke tests of a Bento, the newest first, for a query that reads builds
    or Bentos and has its digest as ``bento``."""
    tests = Evidence.objects.filter(
        version=OuterRef("version"),
        kind="smoke_test",
        source=EvidenceSource.MEASURED,
        bento_digest=OuterRef(bento),
    )
    return tests.exclude(bento_digest="").order_by("-created_at", "-pk")


def build_for(build_id: str, actor: Actor) -> Build:
    """Return one build."""
    build = builds(actor).filter(pk=build_id).first()
    if build is None:
        raise NotFound
    return build


def last_build_failed(version: ModelVersion) -> Build | None:
    """Return the last build of ``version`` if it failed."""
    last = version.builds.order_by("-created_at").first()
    return last if last is not None and last.state == BuildState.FAILED else None


def lines_after(build: Build, after: int) -> list[BuildLine]:
    """Return the log lines numbered above ``after``, at most 1,000."""
    return list(build.lines.filter(number__gt=after).order_by("number")[:MAX_LINES_AT_ONCE])


def bentos(actor: Actor, version: ModelVersion | None = None) -> QuerySet[Bento]:
    """Return the Bentos the actor may see, of one version or of all."""
    rows = visible(
        Bento.objects.select_related("version__model", "project", "runtime", "build"),
        actor,
        view="build.view",
    )
    return rows if version is None else rows.filter(version=version)


def bento_for(digest: str, actor: Actor) -> Bento:
    """Return one Bento by its digest."""
    bento = bentos(actor).filter(pk=digest).first()
    if bento is None:
        raise NotFound
    return bento


def latest_bento(version: ModelVersion, actor: Actor) -> Bento | None:
    """Return the newest Bento of a version."""
    return bentos(actor, version).order_by("-created_at").first()


def version_ml_bom(version: ModelVersion, actor: Actor) -> bytes:
    """Return the ML bill of materials of a finalised version, by what is known of it now."""
    if version.state != VersionState.FINALISED:
        raise NotFinalised("The version is a draft: its bill of materials is made once it is final")
    return ml_bom(version, latest_evidence(version), latest_bento(version, actor))


def runtime_for(digest: str, actor: Actor) -> Runtime:
    """Return a runtime that a Bento which the actor may see runs on."""
    used = visible(Bento.objects.filter(runtime=digest), actor, view="build.view")
    runtime = Runtime.objects.filter(pk=digest).first()
    if runtime is None or not used.exists():
        raise NotFound
    return runtime


def blobs_needed(digests: Collection[str]) -> set[str]:
    """Return the blobs that Bentos and runtimes need: archives, wheels, and every SBOM."""
    wanted = set(digests)
    archives = Bento.objects.filter(collected_at=None, pk__in=[f"sha256:{d}" for d in wanted])
    needed = {pk.removeprefix("sha256:") for pk in archives.values_list("pk", flat=True)}
    needed |= set(Bento.objects.filter(sbom__in=wanted).values_list("sbom", flat=True))
    for wheels in Runtime.objects.filter(collected_at=None).values_list("wheels", flat=True):
        needed |= wanted & {wheel["sha256"] for wheel in wheels}
    return needed
