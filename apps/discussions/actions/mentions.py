"""Whom a comment mentions."""

from dataclasses import dataclass

from apps.discussions.markdown import said_in
from apps.discussions.models import Comment, Mention
from apps.discussions.queries import readers_called
from apps.discussions.rules import MOST_MENTIONS, handles_in
from placet.kernel.actor import Actor
from placet.kernel.clock import now
from placet.kernel.problems import FieldError, InvalidInput

NOBODY = "was not mentioned: nobody who can see this is called so"  # with an account or without
SEVERAL = "is the name of several people here: write the whole address"
ELSEWHERE = "was not told: only a comment in a discussion mentions people"


@dataclass(frozen=True, slots=True)
class Unmentioned:
    """What somebody typed that mentions nobody, and why."""

    handle: str
    why: str

    @property
    def sentence(self) -> str:
        """What the author is told."""
        return f"@{self.handle} {self.why}"


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
    reasons = {each: SEVERAL if each in several else NOBODY for each in handles}
    return [Unmentioned(each, why) for each, why in reasons.items() if each not in meant]


def named_elsewhere(text: str) -> list[Unmentioned]:
    """Return whom a text names as a mention does, though it is in no discussion: they are told
    nothing of it, and nobody is looked up."""
    handles = handles_in(said_in(text))[:MOST_MENTIONS]
    return [Unmentioned(each, ELSEWHERE) for each in handles]
