"""Declaring who owns a data set, and who wrote the code that trained a version."""

from apps.audit.actions import record
from apps.identity.models import Project, User
from apps.identity.queries import authorize, people_with
from apps.registry.actions.locking import refuse
from apps.registry.events import DECLARED
from apps.registry.models import Declaration, DeclaredFact, ModelVersion
from placet.kernel.actor import Actor, Scope
from placet.kernel.problems import FieldError, InvalidInput
from placet_verify import canonical


def declare(project: Project, *, fact: str, about: str, person: str, actor: Actor) -> Declaration:
    """Say that ``person`` (an id or an e-mail address) owns the data set with the digest ``about``,
    or wrote the code that trained the version with that id.

    It is added to what others said, and stays. Who said it already has said it.
    """
    with record(actor) as log:
        authorize(actor, "version.edit", project)
        refuse(_faults(project, fact, about))
        named = _person(person, project)
        columns = {
            "project": project,
            "fact": fact,
            "about": about,
            "person": named.pk,
            "declared_by": actor.accountable,
        }
        row, new = Declaration.objects.get_or_create(**columns)
        if new:
            log.add(DECLARED, row, data={"fact": row.fact})
    return row


def _faults(project: Project, fact: str, about: str) -> list[FieldError]:
    if fact == DeclaredFact.DATA_OWNER:
        if canonical.is_digest(about):
            return []
        return [FieldError("/about", "The digest of the data set: sha256: and 64 hex digits")]
    if fact == DeclaredFact.CODE_AUTHOR:
        if ModelVersion.objects.filter(pk=about, project=project).exists():
            return []
        return [FieldError("/about", "There is no version with this id in the project: ver_…")]
    return [FieldError("/fact", f"One of {', '.join(DeclaredFact.values)}")]


def _person(text: str, project: Project) -> User:
    """Return who is meant. By e-mail address only people of the project are found: who has an
    account elsewhere is not for everybody to try out. Ids are random, so whoever has one knows."""
    text = text.strip()
    if "@" in text:
        members = people_with("project.view", Scope(project.pk))
        email = User.objects.normalize_email(text)
        people = [person for person in members if person.email == email]
    else:
        people = list(User.objects.filter(pk=text))
    if not people:
        detail = (
            "Nobody in this project has this id or e-mail address: an access admin can give you "
            "the id of somebody else"
        )
        raise InvalidInput(errors=[FieldError("/person", detail)])
    return people[0]
