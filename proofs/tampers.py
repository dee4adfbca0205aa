"""Random tampers of a log, each of which must be located: ``python proofs/tampers.py``.

Logs are made, tampered with and verified in memory by the code that verifies a database and an
export (``placet_verify.verify_log``); ``tests/integration/audit/test_fsck.py`` does the same kinds
to PostgreSQL with its triggers off.

Where each must be found follows from the kind and the place of the tamper alone, never from what
the verifier says. A leaf that disagrees with itself, is missing, or is in a full tile must be named
exactly. One that was rewritten in agreement with itself and lies in no full tile must lie in the
leaves between two checkpoints that the verifier names; so must one whose tiles were rewritten too.
"""

import argparse
import json
import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "platform"), str(ROOT)]

from placet_verify import canonical  # noqa: E402
from placet_verify.log.checking import LeafRecord, LogReport, verify_log  # noqa: E402
from placet_verify.log.merkle import TILE_WIDTH, Frontier, leaf_hash  # noqa: E402
from proofs.record import commit  # noqa: E402

SIZES = (1, 2, 255, 256, 257, 300, 511, 512, 700, 1000)
Tiles = dict[tuple[int, int], bytes]


@dataclass
class Log:
    """A log as a database holds it, and the checkpoints that lie outside."""

    records: list[LeafRecord]
    tiles: Tiles
    heads: list[tuple[int, bytes]]

    def copy(self) -> "Log":
        """Return one that may be tampered with."""
        return Log(list(self.records), dict(self.tiles), list(self.heads))

    def verify(self) -> LogReport:
        """Verify it as ``audit verify`` does."""
        return verify_log(
            self.records,
            heads=self.heads,
            tiles=lambda level, index: self.tiles.get((level, index)),
        )


@dataclass(frozen=True)
class Expected:
    """Where the fault must be found: at one of ``places``, or in a range that holds ``leaf``."""

    places: frozenset[str]
    leaf: int | None = None


def body(index: int, salt: int) -> str:
    """Return an event's body."""
    members = {"at": f"{index:09d}", "kind": "tamper.made.v1", "n": index, "salt": salt}
    return canonical.dumps(members).decode()


def grown(records: list[LeafRecord], marks: list[int]) -> tuple[Tiles, list[tuple[int, bytes]]]:
    """Return the full tiles of a log and its heads at ``marks``."""
    tiles: Tiles = {}
    frontier = Frontier(
        lambda level, index, hashes: tiles.update({(level, index): b"".join(hashes)})
    )
    heads = []
    for index, _, leaf in records:
        frontier.append(leaf)
        if index + 1 in marks:
            heads.append((index + 1, frontier.root()))
    return tiles, heads


def made(size: int, chance: random.Random) -> Log:
    """Return a log with checkpoints at some sizes and at its end."""
    salt = chance.getrandbits(48)
    bodies = [body(index, salt) for index in range(size)]
    records = [(n, text, leaf_hash(text.encode())) for n, text in enumerate(bodies)]
    marks = sorted({size, *(chance.randint(1, size) for _ in range(chance.randint(0, 5)))})
    return Log(records, *grown(records, marks))


def at(leaf: int) -> Expected:
    """Return that exactly this leaf must be named."""
    return Expected(frozenset({f"leaf {leaf}"}))


def in_agreement(log: Log, leaf: int) -> Expected:
    """Return where a leaf must be found that agrees with itself: its tile knows better."""
    full = (0, leaf // TILE_WIDTH) in log.tiles
    return at(leaf) if full else Expected(frozenset({f"leaf {leaf}"}), leaf)


def flip(raw: bytes, chance: random.Random) -> bytes:
    """Return ``raw`` with one bit changed."""
    changed = bytearray(raw)
    changed[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def body_changed(log: Log, chance: random.Random) -> Expected:
    n = chance.randrange(len(log.records))
    index, _, leaf = log.records[n]
    log.records[n] = (index, body(n, chance.getrandbits(48)), leaf)
    return at(n)


def hash_changed(log: Log, chance: random.Random) -> Expected:
    n = chance.randrange(len(log.records))
    index, text, leaf = log.records[n]
    log.records[n] = (index, text, flip(leaf, chance))
    return at(n)


def leaf_rewritten(log: Log, chance: random.Random) -> Expected:
    n = chance.randrange(len(log.records))
    text = body(n, chance.getrandbits(48))
    log.records[n] = (n, text, leaf_hash(text.encode()))
    return in_agreement(log, n)


def leaf_deleted(log: Log, chance: random.Random) -> Expected:
    n = chance.randrange(len(log.records))
    del log.records[n]
    return at(n) if n < len(log.records) else cut_at(log, n)


def leaf_deleted_and_renumbered(log: Log, chance: random.Random) -> Expected:
    n = chance.randrange(len(log.records))
    rest = [(index - 1, text, leaf) for index, text, leaf in log.records[n + 1 :]]
    log.records[n:] = rest
    if not rest:
        return cut_at(log, n)
    return in_agreement(log, n)


def leaves_swapped(log: Log, chance: random.Random) -> Expected | None:
    if len(log.records) < 2:
        return None
    one, other = sorted(chance.sample(range(len(log.records)), 2))
    (_, first, a), (_, second, b) = log.records[one], log.records[other]
    log.records[one], log.records[other] = (one, second, b), (other, first, a)
    return in_agreement(log, one)


def leaf_inserted(log: Log, chance: random.Random) -> Expected:
    n = chance.randrange(len(log.records))
    text = body(n, chance.getrandbits(48))
    rest = [(index + 1, found, leaf) for index, found, leaf in log.records[n:]]
    log.records[n:] = [(n, text, leaf_hash(text.encode())), *rest]
    return in_agreement(log, n)


def leaf_reinserted(log: Log, chance: random.Random) -> Expected | None:
    """A deleted leaf comes back where another was."""
    if len(log.records) < 2:
        return None
    n, source = chance.sample(range(len(log.records)), 2)
    _, text, leaf = log.records[source]
    log.records[n] = (n, text, leaf)
    return in_agreement(log, n)


def cut_at(log: Log, size: int) -> Expected:
    """Return that the end must be said to be missing from ``size`` on."""
    return Expected(frozenset({"size"}))


def tail_cut(log: Log, chance: random.Random) -> Expected:
    size = chance.randrange(len(log.records))
    del log.records[size:]
    return cut_at(log, size)


def old_copy_restored(log: Log, chance: random.Random) -> Expected:
    """Events, tiles and the database's own checkpoints are of before; the kept ones are not."""
    size = chance.randrange(len(log.records))
    del log.records[size:]
    log.tiles = grown(log.records, [])[0]
    log.heads = log.heads[-1:]
    return cut_at(log, size)


def tile_changed(log: Log, chance: random.Random) -> Expected | None:
    if not log.tiles:
        return None
    level, index = chance.choice(sorted(log.tiles))
    log.tiles[level, index] = flip(log.tiles[level, index], chance)
    return Expected(frozenset({f"tile {level}/{index}"}))


def all_rewritten(log: Log, chance: random.Random) -> Expected:
    """From one leaf on everything agrees with itself again, but not with what is kept outside."""
    n = chance.randrange(len(log.records))
    text = body(n, chance.getrandbits(48))
    log.records[n] = (n, text, leaf_hash(text.encode()))
    log.tiles = grown(log.records, [])[0]
    return Expected(frozenset(), n)


def head_changed(log: Log, chance: random.Random) -> Expected:
    place = chance.randrange(len(log.heads))
    size, root = log.heads[place]
    log.heads[place] = (size, flip(root, chance))
    return Expected(frozenset({f"checkpoint {size}"}))


KINDS: tuple[Callable[[Log, random.Random], Expected | None], ...] = (
    body_changed,
    hash_changed,
    leaf_rewritten,
    leaf_deleted,
    leaf_deleted_and_renumbered,
    leaves_swapped,
    leaf_inserted,
    leaf_reinserted,
    tail_cut,
    old_copy_restored,
    tile_changed,
    all_rewritten,
    head_changed,
)


def located(log: Log, expected: Expected, report: LogReport) -> bool:
    """Tell whether the fault was found where it had to be."""
    if report.fault is None:
        return False
    place = report.fault.place
    if place in expected.places:
        return place != "size" or report.size == len(log.records)
    if expected.leaf is None or not place.startswith(("checkpoint ", "size")):
        return False
    end = log.heads[-1][0] if place == "size" else int(place.split()[1])
    return max(report.heads, default=0) <= expected.leaf < end


@dataclass
class Tally:
    """How many of each kind were made, and those that were not located."""

    made: dict[str, int] = field(default_factory=dict)
    exact: int = 0
    missed: list[str] = field(default_factory=list)


def campaign(count: int, seed: int) -> Tally:
    """Make ``count`` tampers and return what became of them."""
    chance, tally = random.Random(seed), Tally()
    fresh: dict[int, Log] = {}
    while sum(tally.made.values()) < count:
        size = chance.choice(SIZES)
        if size not in fresh or chance.random() < 0.01:
            fresh[size] = made(size, chance)
            assert fresh[size].verify().ok, "a log that nobody touched"
        log, kind = fresh[size].copy(), chance.choice(KINDS)
        expected = kind(log, chance)
        if expected is None:
            continue
        report = log.verify()
        tally.made[kind.__name__] = tally.made.get(kind.__name__, 0) + 1
        tally.exact += report.fault is not None and report.fault.place in expected.places
        if not located(log, expected, report):
            tally.missed.append(f"{kind.__name__} of {size}: {expected}, found {report.fault}")
    return tally


def main() -> int:
    """Run a campaign, print its result as JSON, and write it down when asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--to", type=Path, help="write the result to this file")
    options = parser.parse_args()
    begun, state = time.monotonic(), commit()
    tally = campaign(options.count, options.seed)
    result = {
        "date": datetime.now(tz=UTC).isoformat(timespec="seconds"),
        "commit": state,
        "tampers": sum(tally.made.values()),
        "seed": options.seed,
        "located": sum(tally.made.values()) - len(tally.missed),
        "exactly": tally.exact,
        "seconds": round(time.monotonic() - begun, 1),
        "kinds": dict(sorted(tally.made.items())),
        "missed": tally.missed[:20],
    }
    text = json.dumps(result, indent=1)
    sys.stdout.write(text + "\n")
    if options.to:
        options.to.write_text(text + "\n")
    return 1 if tally.missed else 0


if __name__ == "__main__":
    sys.exit(main())
