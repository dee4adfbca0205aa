"""The model list, and a model with its versions."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Count, Max, OuterRef, Q, QuerySet
from django.urls import reverse

from apps.assurance.queries.visible_recalls import recalls_of_version
from apps.builds.models import Build
from apps.builds.rules import BuildState
from apps.console.queries.empty_lists import EmptyList
from apps.console.queries.page_parts import Button, Sign, counted, no_project
from apps.console.queries.paging import keyed
from apps.console.queries.sorting import MODELS, VERSIONS, Sorting
from apps.console.queries.verdicts import build_sign, with_smoke
from apps.console.queries.version_parts import alias_words, others
from apps.console.queries.version_recall import all_recalls, withdrawn_recall
from apps.discussions.queries import open_threads
from apps.governance.models import Release
from apps.governance.rules import ReleaseState
from apps.identity.models import Project
from apps.identity.queries import people_names, visible
from apps.registry.models import (
    Alias,
    Evidence,
    ModelVersion,
    RegisteredModel,
)
from apps.registry.queries import LARGE, large_of, models
from apps.serving.hooks import keeper
from placet.kernel.actor import Actor, Scope
from placet.kernel.problems import NotFound


@dataclass(slots=True)
class ModelRow:
    """One line of the model list."""

    model: RegisteredModel
    versions: int
    latest: int | None
    live: list[Release]

    @property
    def counted(self) -> str:
        """How many versions it has, in words."""
        return counted(self.versions, "version")


@dataclass(slots=True)
class VersionRow:
    """One line of a model's version table."""

    version: ModelVersion
    author: str
    metrics: dict[str, float]
    build: Build | None
    aliases: list[str]
    live: list[Release]

    @property
    def alias_words(self) -> list[str]:
        """What it is called besides, as pages show it."""
        return alias_words(self.aliases, self.live)

    @property
    def recalled(self) -> str:
        """Why no release of it runs, where it is recalled."""
        version: Any = self.version  # with the column that version_list_page adds
        return keeper().sentence(version.recalls)

    @property
    def build_sign(self) -> Sign:
        """How its newest build stands; nothing that is recalled reads as a success."""
        build: Any = self.build  # with the column that version_rows adds
        if self.recalled and build.state == BuildState.SUCCEEDED:
            return Sign("fail", "✕", "Recalled")
        return build_sign(build.state, build.smoke)

    def values(self, names: Iterable[str]) -> list[Any]:
        """Return the metrics called ``names``, '' for what it does not have."""
        return [self.metrics.get(name, "") for name in names]


@dataclass(frozen=True, slots=True)
class ModelListPage:
    """The list of models, and the form that makes one."""

    actor: Actor
    projects: list[Project]
    rows: list[ModelRow]
    search: str
    project: str
    typed: Mapping[str, Any]

    @property
    def may_create(self) -> bool:
        """Whether the reader may make a model somewhere."""
        return bool(self.open_projects)

    @property
    def open_projects(self) -> list[Project]:
        """Those projects that the reader may make a model in."""
        return [p for p in self.projects if self.actor.can("model.create", Scope(p.pk))]

    @property
    def no_project(self) -> str:
        """Why who sees no project sees none."""
        return no_project(self.actor)

    @property
    def empty(self) -> EmptyList:
        """What is said where no row is there."""
        found = (p.pk for p in self.projects if p.slug == self.project)
        return EmptyList(self.actor, "models", "model.view", next(found, ""))

    @property
    def standing_in(self) -> str:
        """What the project is called whose models are shown, as far as the reader sees it."""
        return next((p.name for p in self.projects if p.slug == self.project), "")

    @property
    def filtered(self) -> bool:
        """Whether something else than the models of a project was asked for."""
        return bool(self.search or (self.project and not self.standing_in))

    @property
    def nothing(self) -> str:
        """Says that no row is there."""
        if self.filtered:
            return "No matches"
        return self.empty.title(f"in {self.standing_in}")

    @property
    def first(self) -> Button | None:
        """What makes the first model."""
        if self.search or not self.may_create:
            return None
        return Button("New model…", dialog="new-model", tone="primary")

    @property
    def registering(self) -> str:
        """The project that a model would be registered in by the command that is shown."""
        open_ones = [project.slug for project in self.open_projects]
        return self.project if self.project in open_ones else next(iter(open_ones), "")

    @property
    def chosen(self) -> str:
        """The project that the form's model would be in."""
        return str(self.typed.get("project") or self.project)


@dataclass(frozen=True, slots=True)
class ModelPage:
    """A model with one page of its versions."""

    model: RegisteredModel
    rows: list[VersionRow]
    kept: int | None  # bytes of its project, where they are limited
    actor: Actor

    @property
    def may_create(self) -> bool:
        """Whether the reader may register a version."""
        scope = Scope(self.model.project_scope(), self.model.environment_scope())
        return self.actor.can("version.create", scope)

    @property
    def new_version(self) -> Button:
        """What makes the next version, to be filled in."""
        url = reverse("version-new", args=[self.model.project.slug, self.model.name])
        return Button("New version", post=url, tone="primary")

    @property
    def comparable(self) -> bool:
        """Whether there are two versions to set beside each other."""
        return len(self.rows) > 1

    @property
    def columns(self) -> list[str]:
        """The metrics that are shown of each version."""
        return metric_columns(self.rows)

    @property
    def shown(self) -> list[tuple[VersionRow, list[Any]]]:
        """Each version with what it has of those metrics."""
        columns = self.columns
        return [(row, row.values(columns)) for row in self.rows]


def models_matching(
    actor: Actor, *, search: str = "", project: str = ""
) -> QuerySet[RegisteredModel]:
    """Return the models that ``actor`` may see, of one project or whose name holds ``search``."""
    rows = models(actor)
    if search:
        rows = rows.filter(name__contains=search.strip().lower()[:80])
    return rows.filter(project__slug=project) if project else rows


def model_list_page(
    actor: Actor,
    *,
    search: str = "",
    project: str = "",
    sorting: Sorting = MODELS,
    after: str = "",
) -> tuple[list[ModelRow], str]:
    """Return one page of models, and the key to go on after."""
    matching = models_matching(actor, search=search, project=project)
    rows, key = keyed(matching, sorting.fields, after)
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
        Release.objects.filter(state=ReleaseState.LIVE)
        .select_related("environment", "endpoint", "version")
        .defer(*large_of("version"))
        .order_by("environment__position")
    )


def model_of(project: str, name: str, actor: Actor) -> RegisteredModel:
    """Return the model, or raise :class:`NotFound`."""
    rows = visible(RegisteredModel.objects.select_related("project"), actor, view="model.view")
    model = rows.filter(project__slug=project, name=name).first()
    if model is None:
        raise NotFound
    return model


def was_discarded(model: RegisteredModel, number: int) -> bool:
    """Tell whether a version of ``model`` was a draft that is discarded (one query): numbers are
    given out one after the other, and none of them twice."""
    numbers = model.versions.aggregate(highest=Max("number"), there=Count("pk", Q(number=number)))
    highest = max(numbers["highest"] or 0, model.highest_discarded)
    return 1 <= number <= highest and not numbers["there"]


def version_list_page(
    model: RegisteredModel, *, sorting: Sorting = VERSIONS, after: str = ""
) -> tuple[list[VersionRow], str]:
    """Return 50 versions of ``model``, and the number to go on after."""
    rows = model.versions.defer(*LARGE).annotate(recalls=recalls_of_version())
    versions, key = keyed(rows, sorting.fields, after)
    return version_rows(versions), key


def version_rows(versions: Sequence[ModelVersion]) -> list[VersionRow]:
    """Return versions with what is known of each, in a fixed number of queries."""
    names = people_names({v.author for v in versions})
    metrics = newest_metrics(versions)
    builds: dict[str, Build] = {}
    known = with_smoke(Build.objects.filter(version__in=versions))
    for build in known.order_by("created_at"):
        builds[build.version_id] = build
    aliases: dict[str, list[str]] = defaultdict(list)
    for alias in Alias.objects.filter(version__in=versions).order_by("name"):
        aliases[alias.version_id].append(alias.name)
    live: dict[str, list[Release]] = defaultdict(list)
    for release in _live().filter(version__in=versions):
        live[release.version_id].append(release)
    return [
        VersionRow(
            v,
            names.get(v.author, ""),
            metrics.get(v.pk, {}),
            builds.get(v.pk),
            aliases[v.pk],
            live[v.pk],
        )
        for v in versions
    ]


def newest_metrics(versions: Iterable[ModelVersion]) -> dict[str, dict[str, Any]]:
    """Return the newest metrics of each version, by version id, in one query."""
    evidence = Evidence.objects.filter(version__in=list(versions), kind="metrics").order_by(
        "created_at"
    )
    return {e.version_id: e.data for e in evidence}


def metric_columns(rows: Iterable[VersionRow], most: int = 4) -> list[str]:
    """Return the names of the metrics that most of ``rows`` have, the commonest first."""
    counts: dict[str, int] = defaultdict(int)
    for row in rows:
        for name in row.metrics:
            counts[name] += 1
    return sorted(counts, key=lambda n: (-counts[n], n))[:most]


def version_of(project: str, name: str, number: int, actor: Actor) -> ModelVersion:
    """Return the version, or raise :class:`NotFound`."""
    rows = visible(
        ModelVersion.objects.select_related("model", "project").annotate(
            alias_names=ArraySubquery(
                Alias.objects.filter(version=OuterRef("pk")).order_by("name").values("name")
            ),
            recalls=recalls_of_version(),
            all_recalls=all_recalls(),
            withdrawn_recall=withdrawn_recall(),
            open_threads=open_threads("version"),
            **others(),
        ),
        actor,
        view="version.view",
    )
    version = rows.filter(project__slug=project, model__name=name, number=number).first()
    if version is None:
        raise NotFound
    return version
