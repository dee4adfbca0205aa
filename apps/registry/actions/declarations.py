"""Declaring who owns a data set, and who wrote the code that trained a version."""

from apps.audit.actions import record
from apps.identity.models import Project, User
from apps.identity.queries import authorize
from apps.registry.actions.locking import refuse
from apps.registry.events import DECLARED
from apps.registry.models import Declaration, DeclaredFact, ModelVersion
from placet.kernel.actor import Actor
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
        named = _person(person)
        said = {
            "project": project, "fact": fact, "about": about, "person": named.pk,
            "declared_by": actor.accountable,
        }  # fmt: skip
        row, new = Declaration.objects.get_or_create(**said)
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


def _person(text: str) -> User:
    text = text.strip()
    by = {"email__iexact": text} if "@" in text else {"pk": text}
    person = User.objects.filter(**by).first()
    if person is None:
        detail = "There is nobody with this id or e-mail address"
        raise InvalidInput(errors=[FieldError("/person", detail)])
    return person
