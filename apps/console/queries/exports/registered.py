"""Models, versions and the keys that sign models, as tables."""

from collections.abc import Iterator
from typing import Any

from apps.assurance.queries.visible_recalls import recalls_of_version
from apps.console.queries.actor_names import actor_names
from apps.console.queries.models import model_rows, models_matching, version_rows
from apps.console.queries.tables import Filters, ListTable, in_batches
from apps.identity.queries import visible
from apps.registry.models import SigningKey
from apps.registry.queries import LARGE, versions
from placet.kernel.actor import Actor


def _models(actor: Actor, filters: Filters) -> Iterator[tuple[Any, ...]]:
    matching = models_matching(
        actor, search=filters.get("q", ""), project=filters.get("project", "")
    )
    for batch in in_batches(matching.order_by("project__slug", "name")):
        names = actor_names({row.created_by for row in batch})
        for row in model_rows(batch):
            yield row, row.model, names


def _versions(actor: Actor, filters: Filters) -> Iterator[tuple[Any, ...]]:
    rows = versions(actor).defer(*LARGE).annotate(recalls=recalls_of_version())
    if project := filters.get("project"):
        rows = rows.filter(project__slug=project)
    if model := filters.get("model"):
        rows = rows.filter(model__name=model)
    for batch in in_batches(rows.order_by("pk")):
        for row in version_rows(batch):
            yield row, row.version


def _signers(actor: Actor, filters: Filters) -> Iterator[tuple[Any, ...]]:
    rows = visible(SigningKey.objects.all(), actor)
    if project := filters.get("project"):
        rows = rows.filter(project__slug=project)
    for batch in in_batches(rows.select_related("project").order_by("project__slug", "label")):
        names = actor_names({row.created_by for row in batch})
        for row in batch:
            yield row, names


MODELS = ListTable(
    {
        "project": lambda row, model, names: model.project.slug,
        "model": lambda row, model, names: model.name,
        "description": lambda row, model, names: model.description,
        "versions": lambda row, model, names: row.versions,
        "latest": lambda row, model, names: row.latest,
        "live": lambda row, model, names: [
            f"{release.environment.name} {release.version.number}" for release in row.live
        ],
        "created_by": lambda row, model, names: names.get(model.created_by, ""),
        "created_at": lambda row, model, names: model.created_at,
        "id": lambda row, model, names: model.pk,
    },
    ("project", "q"),
    _models,
    "model.view",
)
VERSIONS = ListTable(
    {
        "project": lambda row, version: version.project.slug,
        "model": lambda row, version: version.model.name,
        "version": lambda row, version: version.number,
        "state": lambda row, version: version.state,
        "recalled": lambda row, version: row.recalled,
        "format": lambda row, version: version.format,
        "author": lambda row, version: row.author,
        "artifact_digest": lambda row, version: version.artifact_digest,
        "aliases": lambda row, version: row.aliases,
        "live": lambda row, version: [release.environment.name for release in row.live],
        "build": lambda row, version: row.build.state if row.build else "",
        "metrics": lambda row, version: row.metrics,
        "created_at": lambda row, version: version.created_at,
        "finalised_at": lambda row, version: version.finalised_at,
        "id": lambda row, version: version.pk,
    },
    ("project", "model"),
    _versions,
    "version.view",
)
SIGNERS = ListTable(
    {
        "project": lambda row, names: row.project.slug,
        "label": lambda row, names: row.label,
        "fingerprint": lambda row, names: row.fingerprint,
        "trusted_by": lambda row, names: names.get(row.created_by, ""),
        "created_at": lambda row, names: row.created_at,
        "valid_until": lambda row, names: row.valid_until,
        "revoked_at": lambda row, names: row.revoked_at,
        "id": lambda row, names: row.pk,
    },
    ("project",),
    _signers,
)
TABLES = {"models": MODELS, "versions": VERSIONS, "signers": SIGNERS}
