"""Making and changing projects."""

from apps.audit.actions import record
from apps.identity import hooks
from apps.identity.actions.checks import unique
from apps.identity.events import PROJECT_CREATED, PROJECT_QUOTA_SET, PROJECT_UPDATED
from apps.identity.models import Project
from apps.identity.queries import authorize
from apps.identity.rules import MOST_BYTES
from apps.identity.sign_in.freshness import demand_fresh
from placet.kernel.actor import Actor
from placet.kernel.problems import FieldError, Forbidden, InvalidInput, Stale
from placet.kernel.texts import clean_text
from placet_protocol.fields import is_name


def slug_or_refuse(field: str, text: str) -> str:
    """Return ``text`` when it can be part of an address: small letters, digits, inner hyphens."""
    if not is_name(text):
        detail = "Small letters, digits and hyphens, at most 60, no hyphen first or last"
        raise InvalidInput(errors=[FieldError(f"/{field}", detail)])
    return text


def create_project(
    *,
    slug: str,
    name: str,
    description: str = "",
    artifact_quota: int = 0,
    template: str = "",
    actor: Actor,
) -> Project:
    """Make a project; what stands above identity adds what ``template`` says through the hook.

    That puts policies in force, so a person has just shown who they are.
    """
    with record(actor) as log:
        authorize(actor, "project.create", None)
        demand_fresh(actor)
        project = Project(
            slug=slug_or_refuse("slug", slug),
            name=clean_text("name", name, limit=120),
            description=clean_text("description", description, limit=10_000, empty=True),
            artifact_quota=quota_or_refuse(artifact_quota),
            created_by=actor.id,
        )
        with unique("slug"):
            project.save(force_insert=True)
        log.add(PROJECT_CREATED, project)
        hooks.project_created(project, template, actor)
        return project


def update_project(
    project: Project,
    *,
    name: str | None = None,
    description: str | None = None,
    artifact_quota: int | None = None,
    version: int | None = None,
    actor: Actor,
) -> Project:
    """Change a project's name, description or storage quota; ``version`` is the one the caller
    read. A quota of 0 is none; one below what is kept keeps more from coming and drops nothing;
    it is changed by those alone who may edit every project."""
    with record(actor) as log:
        row = Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        authorize(actor, "project.edit", row)
        if version is not None and version != row.version:
            raise Stale
        if name is not None:
            row.name = clean_text("name", name, limit=120)
        if description is not None:
            row.description = clean_text("description", description, limit=10_000, empty=True)
        quota = row.artifact_quota if artifact_quota is None else quota_or_refuse(artifact_quota)
        changed, row.artifact_quota = quota != row.artifact_quota, quota
        if changed and not actor.can("project.edit"):
            raise Forbidden(
                "The quota protects what all share: who edits projects everywhere changes it"
            )
        row.version += 1
        row.save()
        if changed:
            log.add(PROJECT_QUOTA_SET, row, data={"quota": quota})
        else:
            log.add(PROJECT_UPDATED, row)
        return row


def quota_or_refuse(quota: int) -> int:
    """Return ``quota`` when it is a number of bytes that a column holds."""
    if not 0 <= quota <= MOST_BYTES:
        detail = f"A number of bytes from 0 (no limit) to {MOST_BYTES}"
        raise InvalidInput(errors=[FieldError("/artifact_quota", detail)])
    return quota
