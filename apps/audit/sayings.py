"""What events of a kind may say, with every word that values of theirs can be: which of them a
search for words finds. Pure: what is asked is answered by kinds and by values, never by the log."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import product

from apps.audit.events import EventKind, declared, fields_of, kinds

# Verbs whose past, which sentences have, does not begin as they do; and the state of a release of
# which they say what brought it there.
PAST = {
    "withdraw": "withdrew",
    "withdrawn": "withdrew",
    "give": "gave",
    "given": "gave",
    "take": "took",
    "taken": "took",
    "freeze": "froze",
    "frozen": "froze",
    "send": "sent",
    "hold": "held",
    "deny": "denied",
    "try": "tried",
    "superseded": "was replaced",
}
# With what the name begins that pages write for an id.
NOUNS = {"release": "release …"}


@dataclass(frozen=True, slots=True)
class Saying:
    """One sentence of a kind: that of the events whose data has these ``values``, ``has`` all of
    these fields, and of each of ``lacks`` not all."""

    kind: str
    text: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    has: frozenset[str] = frozenset()
    lacks: tuple[frozenset[str], ...] = ()


def found_saying(text: str) -> list[Saying]:
    """Return the sentences in which every word of ``text`` stands, as pages have them or as people
    ask: *withdraw* finds *Withdrew the recall*. Where any value will do, none is given.

    Numbers are passed over: which release, how much. What has no word at all finds nothing.
    """
    words = [word for word in text.casefold().split() if any(map(str.isalpha, word))]
    return [one for name in kinds() for one in _of_kind(name, words)] if words else []


def _of_kind(name: str, words: list[str]) -> list[Saying]:
    found, whole = [], True
    for sayings in _sayings(name):
        some = [one for one in sayings if _are_in(words, one.text)]
        whole = whole and some == sayings
        first = sayings[0]
        any_value = [Saying(name, has=first.has, lacks=first.lacks)]
        found += any_value if some == sayings else some
    return [Saying(name)] if whole else found


@cache
def _sayings(name: str) -> list[list[Saying]]:
    """Return its sentences, those of each template together."""
    kind, sayings = declared(name), []
    fuller: list[frozenset[str]] = []
    for template in kind.templates:
        fields = frozenset(fields_of(template))
        has = fields if template in kind.fuller else frozenset()
        sayings.append(list(_of_template(kind, template, has, tuple(fuller))))
        fuller.append(fields)
    return sayings


def _of_template(
    kind: EventKind, template: str, has: frozenset[str], lacks: tuple[frozenset[str], ...]
) -> Iterator[Saying]:
    closed = {name: kind.words[name] for name in fields_of(template) if name in kind.words}
    alone = EventKind(kind.name, template)
    for chosen in product(*closed.values()):
        values = dict(zip(closed, chosen, strict=True))
        yield Saying(kind.name, alone.line(NOUNS | values).casefold(), values, has, lacks)


def _are_in(words: list[str], said: str) -> bool:
    return all(word in said or PAST.get(word, word) in said for word in words)
