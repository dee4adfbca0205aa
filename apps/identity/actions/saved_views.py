"""Saving views of lists, and deleting them: everybody their own."""

from collections.abc import Mapping

from django.db import transaction

from apps.identity.actions.checks import by_person
from apps.identity.models import SavedView, User
from apps.identity.queries import own_views
from placet.kernel.actor import Actor
from placet.kernel.problems import FieldError, InvalidInput
from placet.kernel.texts import clean_text

MOST = 20  # of one person and list
NAME_LIMIT, VALUE_LIMIT = 60, 200


def save_view(list_name: str, *, name: str, asked: Mapping[str, str], actor: Actor) -> SavedView:
    """Keep what ``asked`` narrows and sorts a list by under a name, in place of what has that name.

    It is not logged (:class:`SavedView`).
    """
    by_person(actor)
    called = " ".join(clean_text("name", name, limit=NAME_LIMIT).split())
    kept = {word: clean_text(word, value, limit=VALUE_LIMIT) for word, value in asked.items()}
    if not kept:
        detail = "Filter or sort the list first: there is nothing to save"
        raise InvalidInput(errors=[FieldError("/name", detail)])
    with transaction.atomic():
        person = User.objects.select_for_update(no_key=True).get(pk=actor.id)
        views = own_views(actor).filter(list_name=list_name)
        row = views.filter(name=called).first()
        if row is None and views.count() >= MOST:
            detail = f"You have {MOST} views of this list: delete one first"
            raise InvalidInput(errors=[FieldError("/name", detail)])
        row = row or SavedView(person=person, list_name=list_name, name=called)
        row.asked = kept
        row.save()
    return row


def delete_view(view_id: str, *, actor: Actor) -> None:
    """Delete a view of the actor's own; one that is not there, or another's, changes nothing."""
    by_person(actor)
    own_views(actor).filter(pk=view_id).delete()
