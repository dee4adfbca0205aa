"""Environments: making and changing them, and what a new project starts with."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Exists, Max, OuterRef, QuerySet

from apps.audit.actions import record
from apps.governance.actions.locking import lock_environment, lock_project
from apps.governance.actions.policies import publish_new
from apps.governance.actions.promoting import read_promote
from apps.governance.actions.reviewing import DAYS, MOST_DAYS
from apps.governance.errors import EnvironmentExists
from apps.governance.events import ENVIRONMENT_CHANGED, ENVIRONMENT_CREATED
from apps.governance.models import Environment
from apps.governance.plan import PRESETS, DocumentFault, Plan
from apps.governance.policy_templates import DEFAULT, template_named
from apps.identity.errors import NeedsSession
from apps.identity.models import Project
from apps.serving.actions import allow_use
from apps.serving.desired import publish
from apps.serving.models import Endpoint, Target
from apps.serving.uses import unlisted
from placet.kernel.actor import SYSTEM, Actor, Scope
from placet.kernel.problems import FieldError, InvalidInput, NeedsPermission, NotFound, Stale
from placet_protocol.fields import MAX_ENVIRONMENT, is_name

MAX_PLANS = 20


def create_environment(
    project: Project,
    *,
    name: str,
    position: int | None = None,
    targets: Iterable[Target] = (),
    actor: Actor,
) -> Environment:
    """Add an environment, last in order unless ``position`` says where.

    It has no policy yet, and without one nothing passes. Each target must list it, or its project.
    """
    if not is_name(name, MAX_ENVIRONMENT):
        detail = "Small letters, digits and hyphens, at most 40, no hyphen first or last"
        raise InvalidInput(errors=[FieldError("/name", detail)])
    with record(actor) as log:
        row = lock_project(project.pk)
        _authorize_manage(actor, row)
        environment = Environment(
            project=row, name=name, position=_next(row) if position is None else position
        )
        try:
            with transaction.atomic():
                environment.save(force_insert=True)
        except IntegrityError:
            raise EnvironmentExists from None
        chosen = list(targets)
        _refuse_unlisted(environment, chosen)
        environment.targets.set(chosen)
        log.add(ENVIRONMENT_CREATED, environment)
        return environment


def _authorize_manage(actor: Actor, project: Project) -> None:
    """An environment is made at the project, which a role in one environment does not reach."""
    if not actor.can("environment.manage", Scope(project.pk)):
        seen = actor.projects_with("project.view")
        if seen is not None and project.pk not in seen:
            raise NotFound
        raise NeedsPermission(actor, "environment.manage", scope=Scope(project.pk))


def _next(project: Project) -> int:
    last = project.environments.aggregate(last=Max("position"))["last"]
    return 0 if last is None else last + 10


def update_environment(
    environment: Environment,
    *,
    position: int | None = None,
    targets: Sequence[Target] | None = None,
    on_state_expired: str | None = None,
    on_recall: str | None = None,
    plans: Mapping[str, Any] | None = None,
    promote: Mapping[str, Any] | None = None,
    review_days: int | None = None,
    revision: int | None = None,
    actor: Actor,
) -> Environment:
    """Change order, targets, what a node does past the end of its signed state, what an endpoint
    does when what is live is recalled, plans, where a request opens by itself, or within how many
    days who is asked by name to review answers.

    ``plans`` are all that are ready to be chosen here by a name of their own, besides those that
    every environment has. ``promote`` is ``{"after": "soaked", "to": "production"}``, with a
    ``plan`` of there by its name if not the usual one, and ``{}`` for nothing. ``review_days`` are
    0 for no due date. ``revision`` is the one the caller read. A target that endpoints stand on
    stays; a new one must list the environment, or its project.
    """
    said: dict[str, Any] = _choices(on_state_expired, on_recall)
    said |= {"position": position, "plans": _own_plans(plans)}
    changes = {name: v for name, v in said.items() if v is not None} | _days(review_days)
    with record(actor) as log:
        row = lock_environment(environment, actor, "environment.manage")
        if revision is not None and revision != row.revision:
            raise Stale
        if targets is not None:
            _put_on(row, targets)
        if promote is not None:
            changes |= read_promote(row, promote, actor)
        ends_otherwise = on_state_expired not in (None, row.on_state_expired)
        _change(row, changes)
        log.add(ENVIRONMENT_CHANGED, row)
        if ends_otherwise:  # nothing else of it is in the signed states
            _publish(row)
        return row


def _publish(row: Environment) -> None:
    """Have the states of its targets signed anew, in one order: two changes that hold each other's
    waiting jobs would be a deadlock."""
    for target in sorted(set(_endpoints(row).values_list("target", flat=True))):
        publish(target)


def _change(row: Environment, changes: Mapping[str, Any]) -> None:
    row.revision += 1
    for name, value in changes.items():
        setattr(row, name, value)
    row.save(update_fields=[*changes, "revision"])


def _choices(on_state_expired: str | None, on_recall: str | None) -> dict[str, str | None]:
    """Return what is said of both, or refuse what is no choice."""
    if on_state_expired not in (None, "serve", "stop"):
        raise InvalidInput(errors=[FieldError("/on_state_expired", "serve or stop")])
    if on_recall not in (None, "fall_back", "stop"):
        raise InvalidInput(errors=[FieldError("/on_recall", "fall_back or stop")])
    return {"on_state_expired": on_state_expired, "on_recall": on_recall}


def _days(review_days: int | None) -> dict[str, int | None]:
    """Return the column of within how many days reviewers answer, nothing to leave it as it is."""
    if review_days is None:
        return {}
    if not 0 <= review_days <= MOST_DAYS:
        raise InvalidInput(errors=[FieldError("/review_days", DAYS)])
    return {"review_days": review_days or None}


def _own_plans(documents: Mapping[str, Any] | None) -> dict[str, dict[str, Any]] | None:
    """Return plans by name with their defaults filled in; refuse what is wrong with any."""
    if documents is None:
        return None
    faults, plans = [], {}
    if len(documents) > MAX_PLANS:
        faults.append(FieldError("/plans", f"must be {MAX_PLANS} at most"))
    for name, raw in documents.items():
        at = f"/plans/{name[:64]}"
        if not is_name(name, MAX_ENVIRONMENT) or name in PRESETS:
            detail = "must be named by small letters, digits and hyphens, and by no strategy"
            faults.append(FieldError(at, detail))
            continue
        try:
            plans[name] = Plan.read(raw, at).document
        except DocumentFault as fault:
            faults += [FieldError(pointer, detail) for pointer, detail in fault.faults]
    if faults:
        raise InvalidInput(errors=faults)
    return plans


def _endpoints(environment: Environment) -> QuerySet[Endpoint]:
    endpoints = Endpoint.objects.kept().filter(project=environment.project_id)
    return endpoints.filter(environment=environment.name)


def stops_when_expired(target: Target) -> bool:
    """Tell whether an environment that serves on ``target`` wants it to stop past its state's end.

    A node has one state, so the strictest environment on it counts.
    """
    strict = Environment.objects.filter(
        project=OuterRef("project"), name=OuterRef("environment"), on_state_expired="stop"
    )
    return Endpoint.objects.kept().filter(Exists(strict), target=target).exists()


def _refuse_used(environment: Environment, targets: Sequence[Target]) -> None:
    used = _endpoints(environment).exclude(target__in=targets)
    names = sorted(used.values_list("target__name", flat=True).distinct())
    if names:
        detail = f"Endpoints of this environment stand on {', '.join(names)}"
        raise InvalidInput(errors=[FieldError("/targets", detail)])


def _put_on(environment: Environment, targets: Sequence[Target]) -> None:
    """Have it use these targets alone. What it is on already may stay, listed or not."""
    _refuse_used(environment, targets)
    before = set(environment.targets.values_list("pk", flat=True))
    _refuse_unlisted(environment, [target for target in targets if target.pk not in before])
    environment.targets.set(targets)


def _refuse_unlisted(environment: Environment, targets: Sequence[Target]) -> None:
    """Refuse targets that do not list the environment, and hold the others until it is on them."""
    keys = [target.pk for target in targets]
    why = unlisted(keys, environment.project_id, environment.name)
    if why:
        raise InvalidInput(errors=[FieldError("/targets", text) for text in sorted(why.values())])


def create_project_defaults(project: Project, template: str, actor: Actor) -> None:
    """Give a new project development, staging and production, with the template's policies.

    The default targets list them from then on: they are there for every project. Nobody can ask a
    program who it is, so a token takes the default template alone.
    """
    chosen, targets = template_named(template), default_targets()
    if actor.token is not None and chosen.name != DEFAULT:
        detail = f"A token may only use {DEFAULT}: leave it out, or choose it in the browser"
        raise NeedsSession(errors=[FieldError("/template", detail)])
    for position, (name, source) in enumerate(chosen.sources.items()):
        for target in targets:
            allow_use(target, project=project, environment=name, actor=SYSTEM)
        environment = create_environment(
            project, name=name, position=position * 10, targets=targets, actor=SYSTEM
        )
        publish_new(environment, source=source, actor=SYSTEM)


def default_targets() -> list[Target]:
    """Return the targets labelled ``default: true``; the only target is one without a label."""
    targets = list(Target.objects.order_by("pk"))
    labelled = [t for t in targets if str(t.labels.get("default", "")).lower() == "true"]
    return labelled or (targets if len(targets) == 1 else [])


def check_endpoint(endpoint: Endpoint) -> None:
    """Refuse an endpoint in an environment that is not there, or on a target it may not use."""
    environment = Environment.objects.filter(
        project=endpoint.project_id, name=endpoint.environment
    ).first()
    if environment is None:
        raise InvalidInput(errors=[FieldError("/environment", "There is no such environment")])
    if not environment.targets.filter(pk=endpoint.target_id).exists():
        detail = f"{environment.name} does not run on this target"
        raise InvalidInput(errors=[FieldError("/target", detail)])
    why = unlisted([endpoint.target_id], endpoint.project_id, endpoint.environment)
    if why:
        raise InvalidInput(errors=[FieldError("/target", why[endpoint.target_id])])
