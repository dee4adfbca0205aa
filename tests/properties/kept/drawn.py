"""What each client does, drawn from a seed: the same seed asks the same."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from tests.properties.kept.asked import KINDS, LARGE, Asked, asked

LEAVES = 0.1  # so many turns are a client's last on a connection
PAUSES = 40  # one turn of so many
SMALL = [name for name in KINDS if name not in LARGE]
LEAVING = ("in a head", "in a body", "unanswered", "reset", "half closed")


@dataclass(frozen=True)
class Turn:
    """Requests that are sent behind one another, and how."""

    requests: list[Asked]
    pieces: list[bytes]  # as they are sent, each in a packet of its own
    leaves: str = ""  # how the client leaves with it; '' when it stays for the answers
    pauses: bool = False  # before it, as a client does that has nothing to ask


def turns(seed: str, first: int, requests: int, token: str) -> Iterator[Turn]:
    """Yield what one client does until it has sent so many requests, numbered from ``first``."""
    rng, sent, number = Random(seed), 0, 0
    alone, together, leaving = dealt(rng, [*KINDS]), dealt(rng, SMALL), dealt(rng, [*LEAVING])
    while sent < requests:
        count = min(rng.choice([1, 1, 1, 1, 2, 3, 5]), requests - sent)
        leaves = next(leaving) if rng.random() < LEAVES else ""
        kinds = alone if count == 1 and not leaves else together
        made = [asked(next(kinds), first + sent + at, token) for at in range(count)]
        pieces = cut(rng, b"".join(one.raw for one in made))
        yield Turn(made, pieces, leaves, pauses=number % PAUSES == PAUSES // 2)
        sent, number = sent + count, number + 1


def dealt(rng: Random, names: list[str]) -> Iterator[str]:
    """Yield names for ever, each of them once before any comes again."""
    while True:
        yield from rng.sample(names, len(names))


def cut(rng: Random, raw: bytes) -> list[bytes]:
    """Return bytes in one piece, or in a few that begin and end anywhere."""
    places = sorted(rng.sample(range(1, len(raw)), rng.choice([0, 0, 1, 3])))
    return [raw[a:b] for a, b in zip([0, *places], [*places, len(raw)], strict=True)]
