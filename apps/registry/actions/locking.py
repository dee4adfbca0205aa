"""Locking the rows that an action changes, in one order: project, models by id, versions by id."""

from collections.abc import Iterable
from typing import Any

from django.db.models import QuerySet

from apps.identity.queries import authorize
from apps.registry.errors import NotDraft
from apps.registry.models import ModelVersion, RegisteredModel, VersionState
from placet.kernel.actor import Actor
from placet.kernel.problems import FieldError, InvalidInput, NotFound, Stale


def refuse(faults: list[FieldError]) -> None:
    """Raise :class:`InvalidInput` when there are faults."""
    if faults:
        raise InvalidInput(errors=faults)


def lock_model(
    model: RegisteredModel, actor: Actor, permission: str, if_revision: int | None = None
) -> RegisteredModel:
    """Lock the model's row for ``permission``; ``if_revision`` refuses a state read earlier."""
    row = RegisteredModel.objects.select_for_update(no_key=True).filter(pk=model.pk).first()
    if row is None:
        raise NotFound
    authorize(actor, permission, row, view="model.view")
    if if_revision is not None and row.revision != if_revision:
        raise Stale
    return row


def lock_version(
    version: ModelVersion, actor: Actor, permission: str, if_generation: int | None = None
) -> ModelVersion:
    """Lock the version's row for ``permission``; ``if_generation`` refuses a state read earlier."""
    row = (
        ModelVersion.objects.select_for_update(of=("self",), no_key=True)
        .select_related("model__project", "project")
        .filter(pk=version.pk)
        .first()
    )
    if row is None:
        raise NotFound
    authorize(actor, permission, row, view="version.view")
    if if_generation is not None and row.generation != if_generation:
        raise Stale
    return row


def lock_models(models: Iterable[str] | QuerySet[Any, Any]) -> dict[str, RegisteredModel]:
    """Hold the models of these ids, in one order, and return them by id."""
    rows = RegisteredModel.objects.filter(pk__in=models).order_by("pk")
    return {row.pk: row for row in rows.select_for_update(no_key=True)}


def lock_versions(versions: Iterable[str]) -> None:
    """Hold the versions of these ids, in one order, before one after another is changed."""
    rows = ModelVersion.objects.filter(pk__in=set(versions)).order_by("pk")
    list(rows.select_for_update(no_key=True).values_list("pk", flat=True))


def lock_draft(
    version: ModelVersion, actor: Actor, if_generation: int | None = None
) -> ModelVersion:
    """Lock a version that is still a draft, to edit it."""
    row = lock_version(version, actor, "version.edit", if_generation)
    if row.state != VersionState.DRAFT:
        raise NotDraft
    return row


def touch(version: ModelVersion, *fields: str) -> None:
    """Save ``fields`` of a locked version and move its generation on, which its ETag shows."""
    version.generation += 1
    version.save(update_fields=[*fields, "generation"])
