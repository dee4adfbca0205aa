"""Registering models."""

from django.db import IntegrityError, transaction

from apps.audit.actions import record
from apps.identity.models import Project
from apps.identity.queries import authorize
from apps.registry import rules
from apps.registry.actions.locking import lock_model, refuse
from apps.registry.errors import NameTaken
from apps.registry.events import MODEL_CREATED, MODEL_EDITED
from apps.registry.models import RegisteredModel
from placet.kernel.actor import Actor
from placet.kernel.problems import FieldError

MAX_DESCRIPTION = 20_000


def create_model(
    project: Project, *, name: str, description: str = "", actor: Actor
) -> RegisteredModel:
    """Register a model called ``name`` in ``project``."""
    with record(actor) as log:
        authorize(actor, "model.create", project)
        refuse(rules.model_name_faults(name) + _description_faults(description))
        model = RegisteredModel(
            project=project, name=name, description=description, created_by=actor.id
        )
        try:
            with transaction.atomic():
                model.save(force_insert=True)
        except IntegrityError:
            raise NameTaken(f"This project has a model called {name!r} already") from None
        log.add(MODEL_CREATED, model)
    return model


def edit_model(
    model: RegisteredModel, *, description: str, actor: Actor, if_revision: int | None = None
) -> RegisteredModel:
    """Change a model's description."""
    with record(actor) as log:
        row = lock_model(model, actor, "model.edit", if_revision)
        refuse(_description_faults(description))
        row.description = description
        row.revision += 1
        row.save(update_fields=["description", "revision"])
        log.add(MODEL_EDITED, row)
    return row


def _description_faults(description: str) -> list[FieldError]:
    if len(description) <= MAX_DESCRIPTION:
        return []
    return [FieldError("/description", f"At most {MAX_DESCRIPTION} characters")]
