"""Making teams and their members."""

from apps.audit.actions import record
from apps.identity import hooks
from apps.identity.actions.checks import authorize_access, by_person, not_own, unique
from apps.identity.actions.credentials import vouched
from apps.identity.errors import Inactive
from apps.identity.events import (
    TEAM_CREATED,
    TEAM_DELETED,
    TEAM_MEMBER_ADDED,
    TEAM_MEMBER_REMOVED,
)
from apps.identity.models import RoleBinding, Team, TeamMember, User
from placet.kernel.actor import Actor
from placet.kernel.texts import clean_text


def create_team(*, name: str, actor: Actor) -> Team:
    """Make a team, empty and without roles."""
    by_person(actor)
    with record(actor) as log:
        authorize_access(actor)
        team = Team(name=clean_text("name", name, limit=120))
        with unique("name"):
            team.save(force_insert=True)
        log.add(TEAM_CREATED, team)
        return team


def delete_team(team: Team, *, actor: Actor) -> None:
    """Remove a team with its memberships and the roles that were given to it."""
    by_person(actor)
    with record(actor) as log:
        row = Team.objects.select_for_update().get(pk=team.pk)
        authorize_access(actor)
        members = list(TeamMember.objects.select_for_update().filter(team=row).order_by("pk"))
        roles = list(RoleBinding.objects.select_for_update().filter(team=row).order_by("pk"))
        TeamMember.objects.filter(pk__in=[m.pk for m in members]).delete()
        RoleBinding.objects.filter(pk__in=[r.pk for r in roles]).delete()
        Team.objects.filter(pk=row.pk).delete()
        log.add(TEAM_DELETED, deleted=(row, *members, *roles))


def add_member(team: Team, *, person: User, actor: Actor) -> TeamMember:
    """Put a person into a team. Nobody adds themselves: the team's roles would be theirs."""
    by_person(actor)
    with record(actor) as log:
        authorize_access(actor)
        not_own(actor, person.pk)
        with hooks.more_access(actor):
            row = vouched(person)
            if not row.is_active:
                raise Inactive
            existing = TeamMember.objects.filter(team=team, person=row).first()
            if existing is not None:
                return existing
            member = TeamMember(team=team, person=row)
            with unique("person"):
                member.save(force_insert=True)
        log.add(TEAM_MEMBER_ADDED, member, data=_who_and_where(member))
        return member


def remove_member(team: Team, *, person: User, actor: Actor) -> None:
    """Take a person out of a team; with the membership go its roles, at once."""
    by_person(actor)
    with record(actor) as log:
        authorize_access(actor)
        member = TeamMember.objects.select_for_update().filter(team=team, person=person).first()
        if member is None:
            return
        TeamMember.objects.filter(pk=member.pk).delete()
        log.add(TEAM_MEMBER_REMOVED, deleted=(member,), data=_who_and_where(member))


def _who_and_where(member: TeamMember) -> dict[str, str]:
    """Return what the log says of a membership by id: once it is over its row does not say it."""
    return {"person": member.person_id, "team": member.team_id}
