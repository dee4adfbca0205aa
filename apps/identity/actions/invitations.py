"""Adding a person together with a first role and the link by which they come in."""

from dataclasses import dataclass

from apps.audit.actions import record
from apps.identity.actions.people import create_person, setup_link
from apps.identity.actions.roles import grant_role
from apps.identity.models import Project, User
from placet.kernel.actor import Actor


@dataclass(frozen=True, slots=True)
class Invitation:
    """A new person, and the path of the page where they set their first password."""

    person: User
    path: str


def invite_person(
    *,
    email: str,
    name: str,
    role: str = "",
    project: Project | None = None,
    environment: str = "",
    actor: Actor,
) -> Invitation:
    """Add a person who has no password, give them ``role`` if one is named, and make their link.

    It is all or nothing: where the role is refused nobody was added.
    """
    with record(actor):
        person = create_person(email=email, name=name, actor=actor)
        if role:
            grant_role(
                role=role, person=person, project=project, environment=environment, actor=actor
            )
        return Invitation(person, setup_link(person, actor=actor))
