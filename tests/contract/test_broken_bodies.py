"""Bodies that are broken on purpose: whoever sends them is refused, and nothing breaks.

Schemathesis draws requests of every operation that takes a body, right and wrong ones, and asks
them as each role; most go with a body of which ours break something (``breaking.WAYS``), every
second one a body that would have got far. What the published document leaves out (forms, sign-in,
the nodes' door) is asked by a document of its own. Others go one by one through each member of a
body that gets far. What is sent depends on ``--hypothesis-seed`` alone.

In the usual run the roles ask a part, in turns; in ``make prove`` each asks all that is drawn, and
of the others all where the operation lets it come as far as the body, else one of ten. A role, a
way or an operation that is never drawn makes it fail.
"""

import json
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest
import yaml
from hypothesis import strategies as st
from schemathesis.checks import CHECKS
from schemathesis.generation import GenerationMode

from proofs.record import RESULTS, commit
from tests.contract import unpublished
from tests.contract.asking import PROVING, WHO, Asking, asking, collected, counts, loaded
from tests.contract.breaking import PLAIN, WAYS, Sent, dumped, one_by_one
from tests.contract.broken_forms import FORM, FORM_WAYS, pairs
from tests.contract.operations import SNAPSHOT
from tests.contract.test_schemathesis import CONFIG

__all__ = ["asking"]  # a fixture
DRAWN = 8 if PROVING else 3  # for each operation; in the usual run each is asked by one role
SHARE = 20  # one of so many goes one by one, and no multiple of the roles: each of them asks
OTHERS = 10  # one of so many is also asked by whom the operation stops before the body
AS_DRAWN = "as drawn"  # by schemathesis, whose wrong bodies break the document's schema
NEGATIVE, POSITIVE = GenerationMode.NEGATIVE, GenerationMode.POSITIVE
# No reader of JSON may take these: readers disagree about what they mean.
NO_JSON = {"no number", "half of a pair", "NUL", "a name twice", "not UTF-8"}


def refused_as_a_problem(context: Any, response: Any, case: Any) -> None:
    """The API says what is wrong in one form."""
    [kind] = response.headers.get("content-type", [""])
    if case.path.startswith("/api/v1/") and response.status_code >= 400:
        assert kind == "application/problem+json", f"{response.status_code} as {kind}"


# Whatever was asked, these hold.
SOUND = [
    refused_as_a_problem,
    *(
        CHECKS.get_one(name)
        for name in (
            "not_a_server_error",
            "status_code_conformance",
            "content_type_conformance",
            "response_headers_conformance",
            "response_schema_conformance",
        )
    ),
]


@dataclass(frozen=True)
class Broken:
    """A request, and how its body is broken; ``sent`` where that is settled."""

    case: Any
    way: str
    number: int = 0
    known: bool = True
    sent: Sent | None = None


@dataclass(frozen=True)
class Operation:
    """What is asked: an operation of a document, with a body that gets far."""

    label: str
    found: Any
    body: Any

    @property
    def kind(self) -> str:
        """The type of its body."""
        return str(next(iter(self.found.definition.raw["requestBody"]["content"])))

    @property
    def by_node(self) -> bool:
        """Whether nodes ask it, and nobody else gets far."""
        return unpublished.NODES in self.label

    @property
    def changes(self) -> bool:
        """Whether it changes what is there, as it was read."""
        return not self.label.startswith("POST ")

    def who(self) -> tuple[str, ...]:
        """Return who asks it."""
        return ("node",) if self.by_node else WHO

    def ways(self) -> list[str]:
        """Return the ways to break its body."""
        return [AS_DRAWN, *(FORM_WAYS if self.kind == FORM else WAYS)]

    def drawn(self, seed: int) -> list[Broken]:
        """Return what schemathesis draws of it, and how it is broken."""
        cases = st.one_of(
            [self.found.as_strategy(generation_mode=mode) for mode in (NEGATIVE, POSITIVE)]
        )
        strategy = st.builds(
            Broken, cases, st.sampled_from(self.ways()), st.integers(0, 2**32), st.booleans()
        )
        return collected(strategy, seed, DRAWN)

    def one_by_one(self) -> Iterator[Broken]:
        """Yield what goes one by one through a body that gets far; of a form, each way once."""
        case = self.found.Case(query=unpublished.query(self.label))
        if self.kind == FORM:
            yield from (Broken(case, way, at) for at, way in enumerate(FORM_WAYS))
            return
        for sent in one_by_one(self.body):
            yield Broken(case, "one by one", sent=sent)


def operations(asking: Asking) -> list[Operation]:
    """Return every operation that takes a body: published, or not."""
    plain = unpublished.bodies(asking)
    documents = (
        (loaded(yaml.safe_load(SNAPSHOT.read_text()), CONFIG), asking.world.bodies),
        (loaded(unpublished.document(plain)), plain),
    )
    return [
        Operation(found.ok().label, found.ok(), bodies.get(found.ok().label) or {})
        for schema, bodies in documents
        for found in schema.get_all_operations()
        if "requestBody" in found.ok().definition.raw
    ]


def test_a_body_that_is_broken_breaks_nothing(asking: Asking, pytestconfig: pytest.Config) -> None:
    seed, begun = int(pytestconfig.getoption("--hypothesis-seed") or 1), datetime.now(UTC)
    told, wrong, every = Counter[tuple[str, ...]](), list[str](), operations(asking)
    for role, op, broken in asked(asking, every, seed):
        status, fault = answered(asking, role, op, broken)
        told["role", role] += 1
        told["way", broken.way] += 1
        told["operation", op.label] += 1
        told["status", str(status)] += 1
        if fault:
            wrong.append(f"{role}, {broken.way} {broken.number}: {fault}")
            print(wrong[-1], flush=True)
    print(counts(told))
    assert not wrong, f"{len(wrong)} wrong answers\n\n" + "\n\n".join(wrong[:40])
    wanted = {("role", role) for op in every for role in op.who()}
    wanted |= {("way", way) for op in every for way in op.ways()}
    wanted |= {("operation", op.label) for op in every}
    assert wanted - told.keys() == set(), "never drawn"
    if PROVING:
        keep(seed, begun, told)


def asked(
    asking: Asking, every: list[Operation], seed: int
) -> Iterator[tuple[str, Operation, Broken]]:
    """Yield who asks what: in the usual run the roles take turns."""
    drawn = [(op, broken) for op in every for broken in op.drawn(seed)]
    plain = [(op, broken) for op in every for broken in op.one_by_one()]
    if not PROVING:
        for at, (op, broken) in enumerate([*drawn, *plain[::SHARE]]):
            yield op.who()[at % len(op.who())], op, broken
        return
    for op, broken in drawn:
        yield from ((role, op, broken) for role in op.who())
    far = {op.label: gets_far(asking, op) for op in every}
    for at, (op, broken) in enumerate(plain):
        for place, role in enumerate(op.who()):
            if role in far[op.label] or (at + place) % OTHERS == 0:
                yield role, op, broken


def gets_far(asking: Asking, op: Operation) -> set[str]:
    """Return the roles that an operation does not stop before it looks at the body."""
    if op.kind == FORM:
        return set(op.who())
    case = op.found.Case(query=unpublished.query(op.label))
    whole = Broken(case, "whole", sent=Sent("whole", dumped(op.body)))
    stopped = (401, 403, 404)
    return {role for role in op.who() if answered(asking, role, op, whole)[0] not in stopped}


def answered(asking: Asking, role: str, op: Operation, broken: Broken) -> tuple[int, str]:
    """Send one; return the status, and what is wrong with the answer."""
    case, mine = broken.case.derive(), asking.credentials(role)
    if broken.known:
        asking.aim(role, case)
    if broken.way == AS_DRAWN:
        if not op.by_node:
            return asking.ask(case, SOUND, **mine)
        sent = Sent(AS_DRAWN, json.dumps(drawn_body(case)).encode())
    else:
        sent = broken.sent or made(op, case, broken)
    raw = sent.raw
    if op.label.endswith("/captures") and broken.number % 2 == 0:
        raw = zlib.compress(raw + b"\n")
    headers = mine["headers"] | {"Content-Type": sent.kind} | sent.headers
    if role == "node":
        headers |= asking.signed(case, raw)
    if op.changes and broken.known and (tag := asking.tag(role, case.formatted_path)):
        headers["If-Match"] = tag
    status, fault = asking.ask(case, SOUND, **mine | {"headers": headers}, data=raw)
    if broken.way in NO_JSON and op.kind == PLAIN and 200 <= status < 300:
        fault = f"{status}: what no reader of JSON may take"
    if "Transfer-Encoding" in sent.headers and 200 <= status < 300:
        fault = f"{status}: what it says was dropped, or read without a bound"
    return status, fault and f"{sent.word}, {sent.raw[:200]!r} as {sent.kind!r}: {fault}"


def made(op: Operation, case: Any, broken: Broken) -> Sent:
    """Break the body that gets far, or the one that was drawn."""
    rng, body = Random(broken.number), op.body if broken.known else drawn_body(case)
    if op.kind == FORM:
        return FORM_WAYS[broken.way](pairs(body), rng)
    return WAYS[broken.way](body, rng)


def drawn_body(case: Any) -> Any:
    """Return the body that was drawn, when JSON can say it."""
    try:
        json.dumps(case.body)
    except (TypeError, ValueError):
        return {}
    return case.body


def keep(seed: int, begun: datetime, told: Counter[tuple[str, ...]]) -> None:
    """Write down what was asked; no answer was wrong."""
    state = commit()
    path = RESULTS / f"bodies-{begun:%Y%m%d-%H%M}-{state[:12]}-seed{seed}.json"
    whole = {"begun": begun.isoformat(), "commit": state, "seed": seed, "server_errors": 0} | {
        "seconds": round((datetime.now(UTC) - begun).total_seconds()),
        "said": counts(told),
    }
    path.write_text(json.dumps(whole, indent=1) + "\n")
