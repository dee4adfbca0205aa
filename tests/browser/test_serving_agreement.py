"""Both verifiers judge destinations, variables and whole configurations alike."""

import random
import string
from dataclasses import replace
from typing import Any

import pytest

from placet_verify.permit import variables
from placet_verify.permit.serving import Destination
from tests.support.offline import Papers, Second, both
from tests.unit.verify.test_serving import FORBIDDEN, REFUSED_DESTINATIONS, SCALED

pytestmark = pytest.mark.browser
SERVING: dict[str, Any] = {"replicas": 1, "memory_mb": 1024, "variables": {}}  # from before
JUDGE = """({texts, names}) => [
  texts.map((text) => {
    try { return placetVerify.destination(text); }
    catch (fault) { if (fault.code === undefined) throw fault; return ""; }
  }),
  names.map(placetVerify.mayBeSet),
]"""
GOOD = [
    "db.example.com:5432",
    "DB.Example.com:1",
    "a:65535",
    "10.0.0.7:443",
    "169.254.169.254:80",
    "[2001:db8::1]:443",
    "[fe80::1]:80",
    "[64:ff9b::102:304]:80",
    "[2001:db8:0:1::]:80",
    "[2001:0:0:1:0:0:0:1]:80",
    "[2001::1:0:0:1]:80",
    "[2001:0:0:1::1]:80",
]


def read(text: object) -> str:
    try:
        return str(Destination.read(text))
    except ValueError:
        return ""


def mutated(chance: random.Random, text: str) -> str:
    """Change, add or drop a few letters, most of them such as stand in destinations."""
    letters, some = list(text), "0123456789abcdefxX.:-[]%\n Aé_"
    for _ in range(chance.randrange(1, 4)):
        at = chance.randrange(len(letters) + 1)
        letters[at : at + chance.randrange(2)] = chance.choice([[], [chance.choice(some)]])
    return "".join(letters)


def test_they_read_the_same_destinations(second: Second) -> None:
    chance = random.Random(4)
    plain = [text for text in REFUSED_DESTINATIONS if isinstance(text, str)] + GOOD
    texts = plain + [mutated(chance, chance.choice(plain)) for _ in range(6_000)]
    theirs, _ = second.page.evaluate(JUDGE, {"texts": texts, "names": []})
    ours = [read(text) for text in texts]
    assert [row for row in zip(texts, ours, theirs, strict=True) if row[1] != row[2]] == []
    assert 400 < sum(map(bool, ours)) < 4_000


def test_they_let_the_same_names_be_set(second: Second) -> None:
    chance = random.Random(5)
    known = [*FORBIDDEN, *variables.SETTABLE, *variables._NEVER]
    known += [f"{prefix}X" for prefix in variables._NEVER_PREFIXES]
    known += [f"X{suffix}" for suffix in variables._NEVER_SUFFIXES]
    letters = string.ascii_uppercase + "_0\na"
    names = known + [
        name[: (at := chance.randrange(len(name) + 1))] + chance.choice(letters) + name[at:]
        for name in known * 10
    ]
    _, theirs = second.page.evaluate(JUDGE, {"texts": [], "names": names})
    ours = [not variables.variable_fault(name) for name in names]
    assert [row for row in zip(names, ours, theirs, strict=True) if row[1] != row[2]] == []
    assert 500 < sum(ours) < len(ours)


def papers(configuration: dict[str, Any]) -> Papers:
    """A release with this configuration, which everybody signed as they should."""

    class Asked(Papers):
        def __post_init__(self) -> None:
            super().__post_init__()
            self.asked = replace(self.asked, serving=configuration)
            self.request = self.asked.sign(self.keys.decision)
            self.decisions = [self.decide("reviewer"), self.decide("approver")]

    return Asked()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, "network: older isolation: the host's network"),
        ({"variables": {"PATH": "/bin"}}, "network: older isolation: the host's network"),
        ({"egress": []}, "network: may reach nothing"),
        ({"egress": ["Db:1", "[2001:db8::1]:2"]}, "network: may reach: db:1, [2001:db8::1]:2"),
        ({"egress": [], "variables": {"M": "é😀" * 2048}}, "network: may reach nothing"),
        ({"egress": [], "target_inflight": 1000}, "network: may reach nothing"),
        (SCALED | {"min_replicas": 1}, "network: may reach nothing"),
        (SCALED | {"min_replicas": 2}, "network: may reach nothing"),
        (SCALED | {"min_replicas": 0, "limits": {"queue": 1}}, "network: may reach nothing"),
    ],
)
def test_both_say_what_a_replica_may_reach(
    second: Second, changed: dict[str, Any], said: str
) -> None:
    made = papers(SERVING | changed)
    answer = both(second, made.files(), made.root)
    assert answer.code == ""
    assert said in answer.lines


@pytest.mark.parametrize(
    "changed",
    [
        {"egress": {}},
        {"egress": None},
        {"egress": [1]},
        {"egress": ["localhost:1"]},
        {"egress": ["db:1", "DB:1"]},
        {"egress": [f"h{n}:1" for n in range(33)]},
        {"egress": [], "sockets": 1},
        {"egress": [], "__proto__": {}},
        {"egress": [], "limits": {}},
        {"egress": [], "limits": {"queue": 1}},
        {"egress": [], "limits": {"rate": 10_001}},
        {"egress": [], "limits": {"rate": 1, "__proto__": 1}},
        {"egress": [], "target_inflight": 0},
        {"egress": [], "target_inflight": 1001},
        {"egress": [], "target_inflight": "4"},
        {"egress": [], "target_inflight": True},
        {"egress": [], "target_inflight": None},
        {"egress": [], "min_replicas": 1},
        SCALED | {"min_replicas": -1},
        SCALED | {"min_replicas": 1, "limits": {"queue": 1}},
        SCALED | {"min_replicas": 3},
        SCALED | {"min_replicas": None},
        {"egress": [], "target_inflight": 1, "min_replicas": 2},
        {"egress": [], "variables": {"LD_PRELOAD": "x"}},
        {"egress": [], "variables": {"M\n": ""}},
        {"egress": [], "variables": {"M": "a\u2028b"}},
        {"egress": [], "variables": {"M": 1}},
        {"egress": [], "variables": {"M": "é😀" * 2048 + "x"}},
        {"egress": [], "variables": []},
        {"egress": [], "variables": {f"M{n}": "" for n in range(51)}},
    ],
)
def test_both_refuse_what_no_node_may_run(second: Second, changed: dict[str, Any]) -> None:
    made = papers(SERVING | changed)
    assert both(second, made.files(), made.root).code == "serving"
