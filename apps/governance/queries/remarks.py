"""Comments on releases, with who wrote them and what they say."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from apps.audit.queries import unseal_many
from apps.governance.models import Comment
from apps.identity.queries import people_names


@dataclass(frozen=True, slots=True)
class CommentRow:
    """A comment with its author's name and its text."""

    id: str
    author: str
    name: str
    text: str
    created_at: datetime


def comment_rows(comments: Sequence[Comment]) -> list[CommentRow]:
    """Return comments with names and texts, in at most four queries."""
    names = people_names(c.author for c in comments)
    texts = unseal_many(c.text_sealed for c in comments)
    return [
        CommentRow(c.pk, c.author, names[c.author], texts[c.text_sealed], c.created_at)
        for c in comments
    ]
