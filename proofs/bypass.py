"""Whether the search for too few people finds every planted path, and none where there is none.

Three trials, all by ``--seed``. *Known by their making*: 1,000 organisations of 8 to 300 people,
half of them with one planted path of eleven kinds, the others with what only looks like one.
*Judged by walking*: 1,000 small organisations made without a plan, each searched, and also walked
through state by state by code that shares nothing with the search (``tests/support/reach.py``);
both must name the same size of the smallest set, with and without an access admin who adds people
that do not exist. *Time*: how long an ordinary change of roles takes to check where 300 people work
in 30 environments. Prints one JSON object and keeps it in ``proofs/results``; ends with 1 when
anything was missed or made up.

Usage: python proofs/bypass.py [--organisations N] [--seed N]
"""

import argparse
import json
import random
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "platform"), str(ROOT)]

from apps.governance import duties  # noqa: E402
from apps.governance.duties import Binding, Organisation, OrganisationMember  # noqa: E402
from proofs.record import RESULTS, commit  # noqa: E402
from tests.support import organisations as made  # noqa: E402
from tests.support.reach import fewest_walking  # noqa: E402

PEOPLE, ENVIRONMENTS = 300, 30


def known(seed: int) -> tuple[str, bool]:
    """Make one organisation; return what was planted ('' for nothing), and whether it was found."""
    rng = random.Random(seed)
    signed = rng.random() < 0.3
    draft = (made.signed if signed else made.sound)(rng, rng.randint(8, 300))
    rules = made.ONE_SIGNS if signed else made.TWO_DECIDE
    kind, plants = "", made.SIGNED_PLANTS if signed else made.PLANTS
    if rng.random() < 0.5:
        kind = rng.choice(sorted(plants))
        plants[kind](draft)
    access = duties.environment_access(draft.made(), "risk", "production", rules)
    most = duties.demanded(rules) - 1
    return kind, duties.fewest(access, most=most, hire=signed) is not None


def walked(seed: int) -> list[tuple[int | None, int | None, int]]:
    """Return the sizes that the search and the walk name, and what is demanded: without and with
    people made up."""
    rng = random.Random(seed)
    organisation, rules = made.anything(rng), made.any_rules(rng)
    access = duties.environment_access(organisation, "risk", "production", rules)
    told, demanded = [], duties.demanded(rules)
    for hire in (False, True):
        most = min(3, demanded)
        found = duties.fewest(access, most=most, hire=hire)
        walk = fewest_walking(organisation, rules, most=most, hire=hire)
        told.append((found.people if found else None, walk, demanded))
    return told


def seconds(seed: int) -> float:
    """Return the processor time that the search takes about one role given, in every place."""
    rng = random.Random(seed)
    people = tuple(OrganisationMember(f"per_{n}", f"{n}@example.com") for n in range(PEOPLE))
    projects = [f"project {n}" for n in range(ENVIRONMENTS // 3)]
    held = tuple(
        Binding(rng.choice([*made.KINDS, "viewer"]), person.id, rng.choice([*projects, ""]))
        for person in people
        for _ in range(3)
    )
    more = (*held, Binding("reviewer", "per_0"))
    began = time.process_time()
    before, after = Organisation(people, held), Organisation(people, more)
    for project in projects:
        for name in ("development", "staging", "production"):
            then, now = (
                duties.environment_access(o, project, name, made.TWO_DECIDE)
                for o in (before, after)
            )
            duties.opened(then, now)
    return time.process_time() - began


def trial(count: int, seed: int) -> dict[str, Any]:
    """Run all three; ``good`` says whether nothing was missed and nothing made up."""
    planted, missed, made_up = Counter[str](), Counter[str](), 0
    for number in range(count):
        kind, found = known(seed * 1_000_000 + number)
        if kind:
            planted[kind] += 1
            missed[kind] += not found
        else:
            made_up += found
    told = [one for number in range(count) for one in walked(seed * 1_000_000 + number)]
    differ = sum(search != walk for search, walk, _ in told)
    return {
        "organisations": count,
        "planted": dict(sorted(planted.items())),
        "missed": sum(missed.values()),
        "sound": count - planted.total(),
        "found_in_sound": made_up,
        "walked": len(told),
        "walked_below_the_demand": sum(walk is not None and walk < most for _, walk, most in told),
        "walked_at_the_demand": sum(walk == most for _, walk, most in told),
        "walks_that_differ": differ,
        "cpu_seconds_for_a_role": round(max(seconds(seed + n) for n in range(5)), 3),
        "good": not (missed.total() or made_up or differ),
    }


def main() -> int:
    """Run the trials and tell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--organisations", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    begun, state = datetime.now(tz=UTC), commit()
    result = {
        "date": begun.isoformat(timespec="seconds"),
        "commit": state,
        "seed": given.seed,
        **trial(given.organisations, given.seed),
    }
    text = json.dumps(result, indent=1) + "\n"
    print(text, end="")
    (RESULTS / f"bypass-{begun:%Y%m%d-%H%M}-{state[:12]}.json").write_text(text)
    return 0 if result["good"] else 1


if __name__ == "__main__":
    sys.exit(main())
