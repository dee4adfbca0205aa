"""Granting and revoking roles."""

from apps.audit.actions import record
from apps.identity import hooks
from apps.identity.actions.checks import authorize_access, by_person, not_own, unique
from apps.identity.actions.credentials import vouched
from apps.identity.actions.projects import slug_or_refuse
from apps.identity.errors import AlreadyGranted, Inactive, NameTaken
from apps.identity.events import ROLE_GRANTED, ROLE_REVOKED
from apps.identity.models import Project, RoleBinding, ServiceAccount, Team, TeamMember, User
from apps.identity.rules import ROLES
from placet.kernel.actor import Actor
from placet.kernel.problems import FieldError, InvalidInput, NotFound

RoleSubject = User | Team | ServiceAccount


def grant_role(
    *,
    role: str,
    person: User | None = None,
    team: Team | None = None,
    service_account: ServiceAccount | None = None,
    project: Project | None = None,
    environment: str = "",
    actor: Actor,
) -> RoleBinding:
    """Give ``role`` to one subject everywhere, in ``project``, or in one environment of it.

    Access admins never reach themselves: not directly, not by a team they are in, not by a service
    account they own.
    """
    by_person(actor)
    subjects: list[RoleSubject] = [s for s in (person, team, service_account) if s is not None]
    if len(subjects) != 1:
        raise InvalidInput("Name exactly one of person, team and service_account")
    _check_place(role, project, environment)
    with record(actor) as log:
        binding = RoleBinding(
            role=role,
            person=person,
            team=team,
            service_account=service_account,
            project=project,
            environment=environment,
            granted_by=actor.id,
        )
        authorize_access(actor, binding)
        with hooks.more_access(actor):
            not_own(actor, *_reached(subjects[0]))
            try:
                with unique("role"):
                    binding.save(force_insert=True)
            except NameTaken:
                raise AlreadyGranted from None
        log.add(ROLE_GRANTED, binding, data=_said_of(binding))
        return binding


def _check_place(role: str, project: Project | None, environment: str) -> None:
    if role not in ROLES:
        raise InvalidInput(errors=[FieldError("/role", f"One of {', '.join(ROLES)}")])
    if environment:
        slug_or_refuse("environment", environment)
        if project is None:
            detail = "An environment belongs to a project: name it too"
            raise InvalidInput(errors=[FieldError("/environment", detail)])


def _reached(subject: RoleSubject) -> list[str]:
    """Lock the subject and return the people whose access would grow."""
    if isinstance(subject, User):
        row = vouched(subject)
        if not row.is_active:
            raise Inactive
        return [row.pk]
    if isinstance(subject, Team):
        Team.objects.select_for_update(no_key=True).get(pk=subject.pk)
        return list(TeamMember.objects.filter(team=subject).values_list("person_id", flat=True))
    account = ServiceAccount.objects.select_for_update(no_key=True).get(pk=subject.pk)
    if not account.is_active:
        raise Inactive
    return [account.owner_id]


def revoke_role(binding: RoleBinding, *, actor: Actor) -> None:
    """Take a role away. Whoever decides by it at this moment is waited for, or finds it gone."""
    by_person(actor)
    with record(actor) as log:
        row = RoleBinding.objects.select_for_update(of=("self",)).filter(pk=binding.pk).first()
        if row is None:
            raise NotFound
        authorize_access(actor, row)
        RoleBinding.objects.filter(pk=row.pk).delete()
        log.add(ROLE_REVOKED, deleted=(row,), data=_said_of(row))


def _said_of(binding: RoleBinding) -> dict[str, str]:
    """Return what the log says of a role: whose and where it is, of what there is to say."""
    said = {
        "role": binding.role,
        "holder": binding.person_id or binding.team_id or binding.service_account_id,
        "project": binding.project_id,
        "environment": binding.environment,
    }
    return {name: value for name, value in said.items() if value}
