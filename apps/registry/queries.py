"""Reads of the registry, always through the actor."""

from collections.abc import Iterable
from typing import Any

from django.db.models import Count, OuterRef, QuerySet, Subquery, Window
from django.db.models.functions import Coalesce, RowNumber

from apps.identity.models import Project
from apps.identity.queries import authorize, visible
from apps.registry.comparison import (
    VersionComparison,
    VersionSide,
    changes,
    code_facts,
    column_kinds,
    dataset_digests,
    requirement_versions,
)
from apps.registry.models import (
    Alias,
    ArtifactFile,
    Evidence,
    EvidenceSource,
    ModelVersion,
    RegisteredModel,
    SigningKey,
    Upload,
)
from apps.registry.rules import KINDS, MEASURED_KINDS
from placet.kernel.actor import Actor, Scope
from placet.kernel.line_diff import line_diff
from placet.kernel.problems import NeedsPermission, NotFound
from placet_verify.numbers import is_number


def project_for(slug: str, actor: Actor, view: str = "model.view") -> Project:
    """Return the project called ``slug``.

    404 when the actor may not see it, 403 when they see it but not what ``view`` names.
    """
    project = visible(Project.objects.filter(slug=slug), actor, view=view, project="pk").first()
    if project is not None:
        return project
    seen = visible(
        Project.objects.filter(slug=slug), actor, view="project.view", project="pk"
    ).first()
    if seen is not None:
        raise NeedsPermission(actor, view, scope=Scope(seen.pk))
    raise NotFound


LARGE = (
    "requirements",
    "variables",
    "signature",
    "example",
    "expected",
    "parameters",
    "lineage",
    "card",
)  # of these one version may have megabytes, and a list has fifty


def large_of(place: str) -> list[str]:
    """Return ``LARGE`` as columns of the version that is read along at ``place``, to defer."""
    return [f"{place}__{name}" for name in LARGE]


def models(actor: Actor, project: Project | None = None) -> QuerySet[RegisteredModel]:
    """Return the models the actor may see, of one project or of all of them."""
    rows = visible(RegisteredModel.objects.select_related("project"), actor, view="model.view")
    return rows if project is None else rows.filter(project=project)


def with_latest(rows: QuerySet[RegisteredModel]) -> QuerySet[RegisteredModel]:
    """Add ``version_count``, ``latest_number`` and ``latest_at`` to each model, in one query."""
    newest = ModelVersion.objects.filter(model=OuterRef("pk")).order_by("-number")
    counted = newest.order_by().values("model").annotate(count=Count("pk")).values("count")
    return rows.annotate(
        version_count=Coalesce(Subquery(counted), 0),
        latest_number=Subquery(newest.values("number")[:1]),
        latest_state=Subquery(newest.values("state")[:1]),
        latest_at=Subquery(newest.values("created_at")[:1]),
    )


def model_for(slug: str, name: str, actor: Actor) -> RegisteredModel:
    """Return the model called ``name`` in the project called ``slug``."""
    model = models(actor).filter(project__slug=slug, name=name).first()
    if model is None:
        raise NotFound
    return model


def versions(actor: Actor, model: RegisteredModel | None = None) -> QuerySet[ModelVersion]:
    """Return the versions the actor may see, of one model or of all of them."""
    rows = visible(
        ModelVersion.objects.select_related("model__project", "project"),
        actor,
        view="version.view",
    )
    return rows if model is None else rows.filter(model=model)


def version_summaries(actor: Actor, model: RegisteredModel) -> QuerySet[ModelVersion]:
    """Return the versions of ``model`` for lists: without their large columns, and without
    reading the model, which is known, along with every row."""
    return visible(model.versions.defer(*LARGE), actor, view="version.view")


def version_for(slug: str, name: str, number: int, actor: Actor) -> ModelVersion:
    """Return version ``number`` of the model called ``name``."""
    rows = versions(actor).filter(project__slug=slug, model__name=name, number=number)
    version = rows.first()
    if version is None:
        raise NotFound
    return version


def version_by_id(version_id: str, actor: Actor) -> ModelVersion:
    """Return the version with this id, if the actor may see it."""
    version = versions(actor).filter(pk=version_id).first()
    if version is None:
        raise NotFound
    return version


def upload_for(upload_id: str, actor: Actor) -> Upload:
    """Return an unfinished upload that the actor may write to; who only looks gets 403."""
    row = Upload.objects.select_related("version__project").filter(pk=upload_id).first()
    if row is None:
        raise NotFound
    authorize(actor, "version.edit", row.version, view="version.view")
    return row


def file_for(version: ModelVersion, path: str, actor: Actor) -> ArtifactFile:
    """Return the file of ``version`` at ``path``."""
    files = visible(ArtifactFile.objects.filter(version=version), actor, view="version.view")
    file = files.filter(path=path).first()
    if file is None:
        raise NotFound
    return file


def aliases(model: RegisteredModel, actor: Actor) -> QuerySet[Alias]:
    """Return the aliases of ``model``."""
    rows = Alias.objects.filter(model=model).select_related("version").defer(*large_of("version"))
    return visible(rows, actor, view="model.view")


def evidence(version: ModelVersion, actor: Actor) -> QuerySet[Evidence]:
    """Return all evidence about ``version``, for lists."""
    return visible(Evidence.objects.filter(version=version), actor, view="version.view")


def signing_keys(project: Project, actor: Actor) -> QuerySet[SigningKey]:
    """Return the model signing keys of ``project``, revoked ones too."""
    rows = SigningKey.objects.filter(project=project)
    return visible(rows, actor, view="project.view")


def signing_key_for(project: Project, key: str, actor: Actor) -> SigningKey:
    """Return one model signing key of ``project``."""
    row = signing_keys(project, actor).filter(pk=key).first()
    if row is None:
        raise NotFound
    return row


def latest_evidence(
    version: ModelVersion,
    *,
    evidence_ids: Iterable[str] | None = None,
    source: str | None = None,
) -> dict[str, Evidence]:
    """Return the newest evidence of each kind.

    ``evidence_ids`` looks at those alone (what a release pinned), ``source`` at ``reported`` or
    ``measured`` alone. Of what Placet measures itself (scan, smoke test, SBOM) a reported one
    never hides a measured one.
    """
    rows = Evidence.objects.filter(version=version)
    if evidence_ids is not None:
        rows = rows.filter(pk__in=list(evidence_ids))
    if source is not None:
        rows = rows.filter(source=source)
    return newest_by_kind(rows.order_by("created_at", "pk"))


def newest_evidence(version: ModelVersion, most: int) -> list[Evidence]:
    """Return at most so many of a version's evidence, the newest first, and of each kind and source
    the newest before older ones: a card that is changed often pushes out no scan."""
    same = Window(RowNumber(), partition_by=["kind", "source"], order_by="-created_at")
    rows = version.evidence.alias(place=same).order_by("place", "-created_at")[:most]
    return sorted(rows, key=lambda row: row.created_at, reverse=True)


def newest_by_kind(rows: Iterable[Evidence]) -> dict[str, Evidence]:
    """Return the last of each kind from rows in order of time; the order of kinds is ours."""
    newest: dict[str, Evidence] = {}
    for row in rows:
        before = newest.get(row.kind)
        hides = (
            before is not None
            and row.kind in MEASURED_KINDS
            and before.source == EvidenceSource.MEASURED
            and row.source != EvidenceSource.MEASURED
        )
        if not hides:
            newest[row.kind] = row
    return {kind: newest[kind] for kind in KINDS if kind in newest}


def compare(a: ModelVersion, b: ModelVersion, actor: Actor) -> VersionComparison:
    """Return what changed from version ``a`` to version ``b``; both must be visible."""
    rows = {
        row.pk: row for row in versions(actor).prefetch_related("files").filter(pk__in=[a.pk, b.pk])
    }
    if a.pk not in rows or b.pk not in rows:
        raise NotFound
    old, new = rows[a.pk], rows[b.pk]
    parents = {side.lineage.get("parent", "") for side in (old, new)} - {""}
    named = {row.pk: str(row) for row in versions(actor).filter(pk__in=parents)} if parents else {}
    metrics = _metrics_of([old.pk, new.pk])
    return VersionComparison(
        a=_side(old),
        b=_side(new),
        metrics=changes(metrics.get(old.pk, {}), metrics.get(new.pk, {})),
        parameters=changes(old.parameters, new.parameters),
        inputs=changes(
            column_kinds(old.signature, "inputs"), column_kinds(new.signature, "inputs")
        ),
        outputs=changes(
            column_kinds(old.signature, "outputs"), column_kinds(new.signature, "outputs")
        ),
        requirements=changes(
            requirement_versions(old.requirements), requirement_versions(new.requirements)
        ),
        files=changes(
            {file.path: file.sha256 for file in old.files.all()},
            {file.path: file.sha256 for file in new.files.all()},
        ),
        card=line_diff(old.card, new.card, (str(old), str(new))),
        datasets=changes(dataset_digests(old.lineage), dataset_digests(new.lineage)),
        code=changes(code_facts(old.lineage, named), code_facts(new.lineage, named)),
    )


def _metrics_of(version_ids: list[str]) -> dict[str, dict[str, Any]]:
    rows = Evidence.objects.filter(version__in=version_ids, kind="metrics")
    return {row.version_id: row.data for row in rows.order_by("created_at", "pk")}


def metric_names(version_id: str) -> set[str]:
    """Return the names of figures that were ever reported as metrics of a version."""
    rows = Evidence.objects.filter(version=version_id, kind="metrics")
    return {
        name
        for data in rows.values_list("data", flat=True)
        for name, value in data.items()
        if is_number(value)
    }


def _side(version: ModelVersion) -> VersionSide:
    return VersionSide(
        id=version.pk,
        label=str(version),
        number=version.number,
        artifact_digest=version.artifact_digest,
        format=version.format,
        python_version=version.python_version,
    )
