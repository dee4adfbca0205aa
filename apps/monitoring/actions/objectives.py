"""Saying what an endpoint is held to."""

from dataclasses import asdict

from apps.audit.actions import record
from apps.identity.models import User
from apps.identity.queries import actor_for_user, authorize
from apps.monitoring.events import OBJECTIVE_REMOVED, OBJECTIVE_SET
from apps.monitoring.models import Objective
from apps.monitoring.rules import ObjectiveTerms
from apps.serving.actions import refuse_deleted
from apps.serving.actions.locking import lock_endpoint
from apps.serving.models import Endpoint
from placet.kernel.actor import Actor, Scope
from placet.kernel.problems import FieldError, InvalidInput, NotFound, Stale


def set_objective(
    endpoint: Endpoint,
    *,
    terms: ObjectiveTerms,
    owner: str = "",
    if_generation: int | None = None,
    actor: Actor,
) -> Objective:
    """Hold ``endpoint`` to ``terms``. Needs ``endpoint.operate``.

    ``owner`` is the person who is told when they are not met: whoever sets them unless another one
    is named, who must be able to see the endpoint. ``if_generation`` is the objective that was
    read, ``None`` when there was none: another one meanwhile is :class:`Stale`.
    """
    with record(actor) as log:
        endpoint = lock_endpoint(endpoint.pk)
        authorize(actor, "endpoint.operate", endpoint, view="endpoint.view")
        refuse_deleted(endpoint)
        if faults := terms.faults():
            raise InvalidInput(errors=[FieldError(f"/{n}", d) for n, d in faults.items()])
        row = Objective.objects.filter(endpoint=endpoint).first()
        if (row.generation if row else None) != if_generation:
            raise Stale
        if row is None:
            row = Objective(endpoint=endpoint, project_id=endpoint.project_id, generation=-1)
        for name, value in asdict(terms).items():
            setattr(row, name, value)
        row.owner = _owner(owner, endpoint, actor)
        row.generation += 1
        row.save()
        log.add(OBJECTIVE_SET, row)
    return row


def _owner(wished: str, endpoint: Endpoint, actor: Actor) -> str:
    """Return the person to tell: the one named, else the one who answers for the actor."""
    if not wished:
        return actor.accountable if actor.accountable.startswith("per_") else ""
    person = User.objects.filter(pk=wished, is_active=True).first()
    scope = Scope(endpoint.project_scope(), endpoint.environment_scope())
    if person is None or not actor_for_user(person).can("endpoint.view", scope):
        raise InvalidInput(errors=[FieldError("/owner", "A person who may see the endpoint")])
    return str(person.pk)


def remove_objective(endpoint: Endpoint, *, if_generation: int, actor: Actor) -> None:
    """Hold ``endpoint`` to nothing any more. Needs ``endpoint.operate``."""
    with record(actor) as log:
        endpoint = lock_endpoint(endpoint.pk)
        authorize(actor, "endpoint.operate", endpoint, view="endpoint.view")
        row = Objective.objects.filter(endpoint=endpoint).first()
        if row is None:
            raise NotFound
        if row.generation != if_generation:
            raise Stale
        log.add(
            OBJECTIVE_REMOVED,
            subject=endpoint.pk,
            deleted=(row,),
            project=endpoint.project_id,
            environment=endpoint.environment,
        )
        row.delete()
