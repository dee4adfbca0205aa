"""Locking what an action changes, in one order: project, environment, releases by id."""

from django.db.models import QuerySet

from apps.governance.models import Environment, PolicyRevision, Release
from apps.governance.queries.facts import WITH_ALL
from apps.identity.models import Project
from apps.identity.queries import authorize
from apps.identity.sign_in.freshness import demand_fresh
from placet.kernel.actor import Actor
from placet.kernel.problems import NotFound


def lock_project(project_id: str) -> Project:
    """Hold the project's row: numbers of releases are counted under it."""
    return Project.objects.select_for_update(no_key=True).get(pk=project_id)


def lock_environment(environment: Environment, actor: Actor, permission: str) -> Environment:
    """Hold the environment's row: requests, publications and freezes of it go one by one."""
    row = Environment.objects.select_for_update(no_key=True).filter(pk=environment.pk).first()
    if row is None:
        raise NotFound
    authorize(actor, permission, row)
    return row


def lock_policy(policy: PolicyRevision, actor: Actor, permission: str) -> PolicyRevision:
    """Hold a policy revision and its environment."""
    row = PolicyRevision.objects.filter(pk=policy.pk).first()
    if row is None:
        raise NotFound
    environment = lock_environment(row.environment, actor, permission)
    row = PolicyRevision.objects.select_for_update(no_key=True).get(pk=policy.pk)
    row.environment = environment
    return row


def lock_release(
    release: Release, actor: Actor, permission: str, *, view: str = "release.view"
) -> Release:
    """Hold a release with everything its gates need beside it."""
    row = next(iter(lock_releases(Release.objects.filter(pk=release.pk))), None)
    if row is None:
        raise NotFound
    authorize(actor, permission, row, view=view)
    return row


def lock_releases(wanted: QuerySet[Release]) -> list[Release]:
    """Hold the releases that ``wanted`` names, by id, and read them with all that stands beside.

    Two statements: a row that another transaction moved to another policy while we waited would
    no longer match the policy it was joined with, and be missing from a locking join.
    """
    held = list(wanted.order_by("pk").select_for_update(no_key=True).values_list("pk", flat=True))
    rows = Release.objects.filter(pk__in=held).select_related("project", *WITH_ALL)
    return list(rows.order_by("pk"))


def demand_fresh_at(policy: PolicyRevision | None, actor: Actor) -> None:
    """Have ``actor`` just shown who they are, where ``policy`` has people approve what goes out."""
    if policy is not None and policy.approvals.rules:
        demand_fresh(actor)
