"""Who is meant by a text that somebody typed: a name, an address or an id."""

from typing import Any

from django.db.models import Q

from apps.identity.models import Project, ServiceAccount, Team, User
from apps.identity.queries import authorize
from apps.identity.sign_in.freshness import demand_fresh
from placet.kernel.actor import Actor
from placet.kernel.ids import is_id
from placet.kernel.problems import FieldError, InvalidInput

NOBODY = (
    "No person, team or service account with this address, name or ID: an administrator has to add "
    "them first"
)
SEVERAL = "More than one is called so: give a person's e-mail address, or the ID"


def named_by(text: str) -> Q:
    """Return the condition that something with an id and a name is meant by ``text``: its id, or
    its name in letters of any size.

    What looks like an address or an id is no name: whoever bears it as one would pass for another.
    """
    text = text.strip()
    named = Q(pk=text)
    return named | Q(name__iexact=text) if text and "@" not in text and not is_id(text) else named


def person_called(text: str) -> Q:
    """Return the condition that a person is meant by ``text``: as :func:`named_by`, or by their
    e-mail address."""
    return named_by(text) | Q(email=User.objects.normalize_email(text.strip()))


def subject_for(project: Project, text: str, actor: Actor) -> tuple[str, Any]:
    """Return what ``text`` means, ``person``, ``team`` or ``service_account``, and that row, as
    :func:`person_called` and :func:`named_by` have it, if it is one alone. Only for who manages
    access in ``project`` and has just shown who they are: others do not learn who has an account.
    """
    authorize(actor, "access.manage", project)
    demand_fresh(actor)
    text = text.strip()
    named, people = named_by(text), User.objects.filter(person_called(text))
    found: list[tuple[str, Any]] = [
        *(("person", row) for row in people),
        *(("team", row) for row in Team.objects.filter(named)),
        *(("service_account", row) for row in ServiceAccount.objects.filter(named)),
    ]
    if len(found) > 1:  # of those who are called so but for the size of letters, whom it spells
        found = [one for one in found if one[1].name == text] or found
    if len(found) == 1:
        return found[0]
    raise InvalidInput(errors=[FieldError("/who", SEVERAL if found else NOBODY)])
