"""Who may use a target: adding and taking away entries of its list."""

from apps.audit.actions import record
from apps.identity.models import Project
from apps.identity.queries import authorize
from apps.identity.sign_in.freshness import demand_fresh
from apps.serving.actions.locking import lock_target
from apps.serving.errors import TargetInUse
from apps.serving.events import TARGET_USE_ADDED, TARGET_USE_REMOVED
from apps.serving.models import Endpoint, Target, TargetUse
from apps.serving.queries import visible_endpoints
from apps.serving.rules import EndpointState
from placet.kernel.actor import Actor
from placet.kernel.problems import FieldError, InvalidInput, NotFound
from placet_protocol.fields import MAX_ENVIRONMENT, is_name

NAMED = 10  # endpoints in a refusal


def allow_use(
    target: Target, *, project: Project, environment: str = "", actor: Actor
) -> tuple[TargetUse, bool]:
    """Let ``project`` use ``target``: all of it, or the environment of this name, which may be
    made later. Needs ``target.manage`` everywhere, of somebody who has just shown who they are.

    Returns the entry, and whether it is new: what is there already is left as it is.
    """
    if environment and not is_name(environment, MAX_ENVIRONMENT):
        detail = "The name of an environment, or nothing for the whole project"
        raise InvalidInput(errors=[FieldError("/environment", detail)])
    with record(actor) as log:
        authorize(actor, "target.manage", None)
        demand_fresh(actor)
        row = lock_target(target.pk)  # as whoever puts something on it does
        use, created = TargetUse.objects.get_or_create(
            target=row,
            project=project,
            environment=environment,
            defaults={"created_by": actor.id},
        )
        if created:
            log.add(TARGET_USE_ADDED, use, subject=row.pk, data={"whom": _whom(use)})
    return use, created


def end_use(use: TargetUse, *, actor: Actor) -> None:
    """Take an entry off its target's list. Needs ``target.manage`` everywhere.

    Refused with :class:`TargetInUse` while an endpoint that is not stopped stands there by it.
    Raises :class:`NotFound` when somebody took it away before.
    """
    with record(actor) as log:
        authorize(actor, "target.manage", None)
        target = lock_target(use.target_id)
        row = TargetUse.objects.select_for_update().filter(pk=use.pk).first()
        if row is None:
            raise NotFound
        _refuse_in_use(row, actor)
        pk = row.pk
        row.delete()
        row.pk = pk  # the log names the row that is gone
        log.add(TARGET_USE_REMOVED, subject=target.pk, deleted=(row,), data={"whom": _whom(row)})


def _whom(use: TargetUse) -> str:
    return f"{use.environment} of a project" if use.environment else "a project"


def _refuse_in_use(use: TargetUse, actor: Actor) -> None:
    """What is stopped does not keep an entry: it cannot be started before it is listed again."""
    others = TargetUse.objects.filter(target=use.target_id, project=use.project_id)
    covered = set(others.exclude(pk=use.pk).values_list("environment", flat=True))
    there = Endpoint.objects.filter(
        target=use.target_id, project=use.project_id, state=EndpointState.ACTIVE
    )
    if use.environment:
        there = there.filter(environment=use.environment)
    left = there.none() if "" in covered else there.exclude(environment__in=covered)
    count = left.count()
    if not count:
        return
    endpoints = visible_endpoints(actor).filter(pk__in=left.values("pk"))
    first = endpoints.order_by("environment", "name")[:NAMED]
    named = [f"{row.project.slug}/{row.environment}/{row.name}" for row in first]
    more = [f"{count - len(named)} more"] if count > len(named) else []
    raise TargetInUse(f"Not stopped yet: {', '.join(named + more)}")
