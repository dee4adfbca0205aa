"""The model list, a model with its versions, and one version."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Count, Max, OuterRef, QuerySet, Subquery
from django.urls import reverse

from apps.builds.models import Build
from apps.builds.rules import ACCELERABLE
from apps.console.queries.audit import Line, story
from apps.console.queries.paging import PAGE, keyed
from apps.governance.models import Release
from apps.identity.models import Project
from apps.identity.queries import people_names, visible
from apps.registry.comparison import Change, Comparison
from apps.registry.models import (
    Alias,
    ArtifactFile,
    Evidence,
    ModelVersion,
    RegisteredModel,
    SigningKey,
)
from apps.registry.queries import models
from placet.kernel.actor import Actor
from placet.kernel.problems import NotFound

FEW = 6  # rows that are the same and need no folding


@dataclass(slots=True)
class ModelRow:
    """One line of the model list."""

    model: RegisteredModel
    versions: int
    latest: int | None
    live: list[Release]


@dataclass(slots=True)
class VersionRow:
    """One line of a model's version table."""

    version: ModelVersion
    author: str
    metrics: dict[str, float]
    build: Build | None
    aliases: list[str]
    live: list[Release]


@dataclass(slots=True)
class Step:
    """One thing between a new version and its first release."""

    title: str
    done: bool
    hint: str = ""
    url: str = ""


@dataclass(slots=True)
class Part:
    """One table of a comparison. Long runs of what is the same are folded away."""

    title: str
    rows: list[Change]
    narrow: bool = False

    @property
    def changed(self) -> int:
        """Return how many rows differ."""
        return sum(row.state != "same" for row in self.rows)

    @property
    def shown(self) -> list[Change]:
        """Return the rows that are shown at once."""
        if len(self.rows) - self.changed <= FEW:
            return self.rows
        return [row for row in self.rows if row.state != "same"]

    @property
    def folded(self) -> list[Change]:
        """Return the rows that show on demand."""
        return [row for row in self.rows if row.state == "same"] if self.shown != self.rows else []


@dataclass(slots=True)
class VersionView:
    """Everything the page of one version shows."""

    version: ModelVersion
    names: dict[str, str]
    metrics: Evidence | None
    evidence: list[Evidence]
    files: list[ArtifactFile]
    builds: list[Build]
    releases: list[Release]
    others: Sequence[ModelVersion]
    timeline: list[Line]
    signature: Evidence | None = None  # what the model.sig that came with it was found to be worth
    signers: dict[str, str] = field(default_factory=dict)  # label by the fingerprint of the key
    compare_live: ModelVersion | None = None
    steps: list[Step] = field(default_factory=list)

    @property
    def built(self) -> bool:
        """Tell whether there is a Bento to ask a release of."""
        return any(b.state == "succeeded" for b in self.builds)

    @property
    def next_step(self) -> Step | None:
        """Return the first step that is not done."""
        return next((s for s in self.steps if not s.done), None)

    @property
    def accelerable(self) -> bool:
        """Tell whether a build may try the model's ONNX form."""
        return self.version.format in ACCELERABLE


def models_matching(
    actor: Actor, *, search: str = "", project: str = ""
) -> QuerySet[RegisteredModel]:
    """Return the models that ``actor`` may see, of one project or whose name holds ``search``."""
    found = models(actor)
    if search:
        found = found.filter(name__contains=search.strip().lower()[:80])
    return found.filter(project__slug=project) if project else found


def model_page(
    actor: Actor, *, search: str = "", project: str = "", after: str = ""
) -> tuple[list[ModelRow], str]:
    """Return one page of models by project and name, and the key to go on after."""
    found = models_matching(actor, search=search, project=project)
    rows, key = keyed(found, ("project__slug", "name"), after)
    return model_rows(rows), key


def model_rows(rows: Sequence[RegisteredModel]) -> list[ModelRow]:
    """Return models with their versions counted and where they are live, in two queries."""
    versions = ModelVersion.objects.filter(model__in=rows).values("model").order_by("model")
    counted = {
        row["model"]: (row["count"], row["latest"])
        for row in versions.annotate(count=Count("pk"), latest=Max("number"))
    }
    live = _live_by_model(rows)
    return [ModelRow(m, *counted.get(m.pk, (0, None)), live[m.pk]) for m in rows]


def projects_of(actor: Actor) -> list[Project]:
    """Return the projects that ``actor`` may see, by name."""
    return list(visible(Project.objects.order_by("name"), actor, project="pk"))


def _live_by_model(models: Iterable[RegisteredModel]) -> dict[str, list[Release]]:
    live: dict[str, list[Release]] = defaultdict(list)
    for release in _live().filter(version__model__in=models):
        live[release.version.model_id].append(release)
    return live


def _live() -> QuerySet[Release]:
    return (
        Release.objects.filter(state="live")
        .select_related("environment", "endpoint", "version")
        .order_by("environment__position")
    )


def _live_in() -> QuerySet[Any]:
    """The position of the last environment that the outer version is live in."""
    live = Release.objects.filter(version=OuterRef("pk"), state="live")
    return live.order_by("-environment__position").values("environment__position")[:1]


def model_of(actor: Actor, project: str, name: str) -> RegisteredModel:
    """Return the model, or raise :class:`NotFound`."""
    found = visible(RegisteredModel.objects.select_related("project"), actor, view="model.view")
    model = found.filter(project__slug=project, name=name).first()
    if model is None:
        raise NotFound
    return model


def version_page(
    model: RegisteredModel, before: int | None = None
) -> tuple[list[VersionRow], int | None]:
    """Return 50 versions of ``model``, newest first, and the number to go on before."""
    found = model.versions.order_by("-number")
    if before is not None:
        found = found.filter(number__lt=before)
    versions = list(found[: PAGE + 1])
    older = versions[PAGE - 1].number if len(versions) > PAGE else None
    return version_rows(versions[:PAGE]), older


def version_rows(versions: Sequence[ModelVersion]) -> list[VersionRow]:
    """Return versions with what is known of each, in a fixed number of queries."""
    names = people_names({v.author for v in versions})
    metrics = newest_metrics(versions)
    builds: dict[str, Build] = {}
    for build in Build.objects.filter(version__in=versions).order_by("created_at"):
        builds[build.version_id] = build
    aliases: dict[str, list[str]] = defaultdict(list)
    for alias in Alias.objects.filter(version__in=versions).order_by("name"):
        aliases[alias.version_id].append(alias.name)
    live: dict[str, list[Release]] = defaultdict(list)
    for release in _live().filter(version__in=versions):
        live[release.version_id].append(release)
    return [
        VersionRow(
            v, names.get(v.author, ""), metrics.get(v.pk, {}), builds.get(v.pk),
            aliases[v.pk], live[v.pk],
        )
        for v in versions
    ]  # fmt: skip


def newest_metrics(versions: Iterable[ModelVersion]) -> dict[str, dict[str, Any]]:
    """Return the newest metrics of each version, by version id, in one query."""
    found = Evidence.objects.filter(version__in=list(versions), kind="metrics").order_by(
        "created_at"
    )
    return {e.version_id: e.data for e in found}


def metric_columns(rows: Iterable[VersionRow], most: int = 4) -> list[str]:
    """Return the names of the metrics that most of ``rows`` have, the commonest first."""
    counts: dict[str, int] = defaultdict(int)
    for row in rows:
        for name in row.metrics:
            counts[name] += 1
    return sorted(counts, key=lambda n: (-counts[n], n))[:most]


def version_of(actor: Actor, project: str, name: str, number: int) -> ModelVersion:
    """Return the version, or raise :class:`NotFound`."""
    found = visible(
        ModelVersion.objects.select_related("model", "project").annotate(
            alias_names=ArraySubquery(
                Alias.objects.filter(version=OuterRef("pk")).order_by("name").values("name")
            )
        ),
        actor,
        view="version.view",
    )
    version = found.filter(project__slug=project, model__name=name, number=number).first()
    if version is None:
        raise NotFound
    return version


def version_view(version: ModelVersion, actor: Actor) -> VersionView:
    """Return everything the page of ``version`` shows."""
    evidence = list(version.evidence.order_by("-created_at")[:PAGE])
    builds = list(version.builds.order_by("-created_at")[:10])
    releases = list(
        version.releases.select_related("environment", "endpoint").order_by("-created_at")[:20]
    )
    lines, names = story(
        [version.pk, *(b.pk for b in builds), *(r.pk for r in releases)],
        actor,
        people={version.author, *(e.created_by for e in evidence)},
    )
    others = list(
        version.model.versions.exclude(pk=version.pk)
        .annotate(live_in=Subquery(_live_in()))
        .order_by("-number")[:PAGE]
    )
    view = VersionView(
        version=version,
        names=names,
        metrics=next((e for e in evidence if e.kind == "metrics"), None),
        evidence=evidence,
        files=list(version.files.order_by("path")[:200]),
        builds=builds,
        releases=releases,
        others=others,
        timeline=lines,
    )
    measured = (e for e in evidence if e.kind == "model_signature" and e.source == "measured")
    if (signature := next(measured, None)) is not None:
        view.signature, view.signers = signature, signer_labels(version.project_id)
    view.steps = steps(view)
    live = [v for v in others if v.live_in is not None]
    view.compare_live = max(live, key=lambda v: v.live_in, default=None)
    return view


def signer_labels(project_id: str) -> dict[str, str]:
    """Return the project's model signing keys: their labels, and which of them were revoked."""
    rows = SigningKey.objects.filter(project=project_id)
    return {
        row.fingerprint: f"{row.label}, since revoked" if row.revoked_at else row.label
        for row in rows
    }


def steps(view: VersionView) -> list[Step]:
    """Return what stands between this version and serving, in order."""
    newest = view.builds[0] if view.builds else None
    tried = {
        "failed": "The last build failed: see why.",
        "queued": "A build waits for a worker: see it.",
        "running": "It is being built: watch it.",
    }.get(newest.state if newest else "", "")
    return [
        Step("Files uploaded", bool(view.files), "Upload the model's files."),
        Step(
            "Finalised",
            view.version.state == "finalised",
            "Finalise it: its files and facts are then frozen.",
        ),
        Step("Metrics reported", view.metrics is not None, "Report metrics as evidence."),
        Step(
            "Built and smoke-tested",
            view.built,
            tried or "Build it into a Bento.",
            reverse("build", args=[newest.pk]) if newest and tried else "",
        ),
        Step("Released", bool(view.releases), "Ask for a release to an environment."),
    ]


def compared_parts(found: Comparison) -> list[Part]:
    """Return the tables of a comparison, what matters most first."""
    return [
        Part("Metrics", found.metrics),
        Part("Inputs", found.inputs, narrow=True),
        Part("Outputs", found.outputs, narrow=True),
        Part("Requirements", found.requirements, narrow=True),
        Part("Parameters", found.parameters, narrow=True),
        Part("Files", found.files),
    ]
