"""Whom a comment mentions."""

from dataclasses import dataclass

from apps.discussions.markdown import said_in
from apps.discussions.models import Comment, Mention
from apps.discussions.queries import readers_called
from apps.discussions.rules import MOST_MENTIONS, handles_in
from placet.kernel.actor import Actor
from placet.kernel.clock import now
from placet.kernel.problems import FieldError, InvalidInput


@dataclass(frozen=True, slots=True)
class Unmentioned:
    """What somebody typed that mentions nobody: nobody who may see the thing is called so, which
    says nothing of who has an account, or several are (``is_several``)."""

    handle: str
    is_several: bool

    @property
    def sentence(self) -> str:
        """What the author is told."""
        if self.is_several:
            return f"@{self.handle} is the name of several people here: write the whole address"
        return f"@{self.handle} was not mentioned: nobody who can see this is called so"


def handles_of(text: str) -> list[str]:
    """Return whom a text mentions as it was typed, or refuse it: too many."""
    handles = handles_in(said_in(text))
    if len(handles) > MOST_MENTIONS:
        detail = f"It mentions {len(handles)} people, and at most {MOST_MENTIONS} may be"
        raise InvalidInput(errors=[FieldError("/text", detail)])
    return handles


def mention(comment: Comment, handles: list[str], actor: Actor) -> list[Unmentioned]:
    """Have a comment mention whom its text does, and nobody else; return what means nobody."""
    meant, several = readers_called(comment.thread, handles)
    people = {person.pk for person in meant.values()} - {actor.accountable}
    comment.mentions.exclude(person__in=people).delete()
    at = now()
    rows = [
        Mention(comment=comment, thread=comment.thread, person_id=person, created_at=at)
        for person in sorted(people)
    ]
    Mention.objects.bulk_create(rows, ignore_conflicts=True)
    return [Unmentioned(each, each in several) for each in handles if each not in meant]
