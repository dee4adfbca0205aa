"""Requests for a release, drawn from what the API's schema allows and from just outside of it.

Each holds one part that is drawn wild, which ``kind`` names; every other part is good.
"""

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from placet_verify.permit.limits import BOUNDS
from placet_verify.permit.scaling import MOST_INFLIGHT
from placet_verify.permit.serving import MAX_EGRESS, MAX_MEMORY_MB, MAX_REPLICAS, MIN_MEMORY_MB
from placet_verify.permit.variables import MAX_VALUE, MAX_VARIABLES, SETTABLE, variable_fault

TEXTS = [
    "",
    "a\nb",
    "x\n",
    "\n",
    "\x00",
    "'",
    '"',
    "\\",
    "-f",
    "-u",
    "-m",
    "--",
    "-",
    "%[env(PATH)]",
    "%[",
    "a b",
    " ",
    "é",
    "٣",
    "x" * 64,
    "x" * 65,
    "x" * 5000,
    "\ud800",
    "\u2028",
    "\u200b",
    "\u00a0",
    "\U000e0041",
    "\ue000",
    "\uffff",
    "\x7f",
    "\x85",
    "{{",
    "${HOME}",
    "$(id)",
    "#",
    ";",
    "}",
    "Cookie",
    "AUTHORIZATION",
    "x-api-key",
    "😀",
    "../..",
    "a/b",
    "a:b",
    "A",
    "_",
    "x,y",
]
OTHERS = [
    None,
    True,
    False,
    0,
    -1,
    1,
    1.5,
    1e308,
    5e-324,
    2**53,
    10**30,
    [],
    {},
    ["x"],
    {"a": 1},
    [[]],
]
JUNK: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(TEXTS),
    st.sampled_from(OTHERS),
    st.text(max_size=20),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
)


def around(low: int, high: int) -> st.SearchStrategy[Any]:
    """Draw a whole number within bounds, on each bound, and just outside."""
    edges = st.sampled_from([low - 1, low, low + 1, high - 1, high, high + 1])
    return st.one_of(st.integers(low, high), edges, JUNK)


def wild(good: st.SearchStrategy[Any], *more: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Draw what is good, or anything else."""
    return st.one_of(good, *more, JUNK)


NAME = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
WORD = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True).filter(
    lambda word: word.lower() not in {"authorization", "cookie", "x-api-key"}
)
ANY_WORD = st.one_of(st.sampled_from([*TEXTS, "X-Try", "v2"]), JUNK)

SEEN = st.characters(exclude_categories=["C", "Z"], include_characters=" ")
VARIABLE = st.one_of(
    st.from_regex(r"M_[A-Z0-9_]{0,12}", fullmatch=True), st.sampled_from(sorted(SETTABLE))
)
VALUE = st.one_of(st.text(SEEN, max_size=40), st.sampled_from(["", " ", "-f", "%[", "'", '"', "="]))
VARIABLES = st.dictionaries(VARIABLE, VALUE, max_size=5)
ODD_VARIABLE = st.one_of(
    VARIABLE,
    st.sampled_from(["PATH", "LD_PRELOAD", "LC_ALL", "HTTPS_PROXY", "M\n", "m", ""]),
    st.sampled_from(["M" * 63, "M" * 64, "É", "M=", "M-X", "PLACET_INFO", "M\x00"]),
    st.text(max_size=8),
)
ODD_VALUE = st.one_of(
    VALUE, st.text(max_size=12), JUNK, st.sampled_from(["x" * MAX_VALUE, "x" * (MAX_VALUE + 1)])
)
MANY = st.integers(MAX_VARIABLES - 1, MAX_VARIABLES + 1).map(
    lambda most: {f"M_{number}": "é" for number in range(most)}
)
LARGE = st.integers(1, 12).map(lambda most: {f"M_{n}": "é" * MAX_VALUE for n in range(most)})
ODD_VARIABLES = st.one_of(
    VARIABLES,
    VARIABLES,
    st.dictionaries(ODD_VARIABLE, VALUE, max_size=3),
    MANY,
    LARGE,
    st.dictionaries(VARIABLE, ODD_VALUE, max_size=3),
    JUNK,
)

LABEL = st.from_regex(r"[a-z]([a-z0-9-]{0,10}[a-z])?", fullmatch=True)
HOST = st.one_of(
    st.lists(LABEL, min_size=1, max_size=3).map(".".join),
    st.tuples(st.integers(1, 126), *[st.integers(0, 255)] * 3).map(lambda b: ".".join(map(str, b))),
    st.integers(1, 0xFFFF).map(lambda group: f"[2001:db8::{group:x}]"),
).filter(lambda host: host.rpartition(".")[2] != "localhost")
DESTINATION = st.builds("{}:{}".format, HOST, st.integers(1, 65_535))
EGRESS = st.lists(DESTINATION, max_size=4, unique=True)
ODD_DESTINATION = st.one_of(
    DESTINATION,
    DESTINATION.map(str.upper),
    HOST,
    JUNK,
    st.builds("{}:{}".format, st.one_of(HOST, st.sampled_from(TEXTS)), around(1, 65_535)),
    st.builds("{}{}".format, DESTINATION, st.sampled_from(["\n", " ", "0", "/", "\x00", "٣"])),
    st.sampled_from(
        [
            "localhost:1",
            "a.localhost:1",
            "127.0.0.1:80",
            "0.0.0.0:1",
            "[::1]:1",
            "224.0.0.1:1",
            "[::ffff:a00:1]:1",
            "0x7f.1:80",
            "10.1:80",
            "010.0.0.1:1",
            "[2001:0::1]:1",
            "[fe80::1%lo]:1",
        ]
    ),
)
ODD_EGRESS = st.one_of(
    EGRESS,
    EGRESS,
    EGRESS,
    st.lists(ODD_DESTINATION, max_size=3),
    JUNK,
    st.sampled_from([MAX_EGRESS, MAX_EGRESS + 1]).map(lambda n: [f"h{i}:1" for i in range(n)]),
)

POINTER = st.lists(
    st.from_regex(r"[A-Za-z0-9_-]{1,12}", fullmatch=True), min_size=1, max_size=8
).map(lambda steps: "/" + "/".join(steps))
UNIT = st.one_of(
    st.fixed_dictionaries({"header": WORD}),
    st.fixed_dictionaries({"cookie": WORD}),
    st.fixed_dictionaries({"json": POINTER}),
)
ODD_UNIT = wild(
    UNIT,
    st.fixed_dictionaries({"header": ANY_WORD}),
    st.fixed_dictionaries({"cookie": ANY_WORD}),
    st.fixed_dictionaries({"json": st.one_of(POINTER, ANY_WORD, st.just("/a" * 9))}),
    st.fixed_dictionaries({"header": WORD, "cookie": WORD}),
)
TAG = st.from_regex(r"[a-z0-9]([a-z0-9_-]{0,8}[a-z0-9])?", fullmatch=True)
CAPTURE = st.fixed_dictionaries(
    {"percent": st.one_of(st.integers(1, 100), st.floats(0.01, 100))},
    optional={
        "redact": st.lists(TAG, max_size=10),
        "days": st.integers(1, 366),
        "max_bytes": st.integers(64, 65_536),
    },
)
ODD_CAPTURE = wild(
    CAPTURE,
    st.fixed_dictionaries(
        {"percent": st.one_of(st.sampled_from([0.01, 0.009, 100, 100.01]), JUNK)},
        optional={
            "redact": st.lists(st.one_of(TAG, st.sampled_from(TEXTS)), max_size=11),
            "days": around(1, 366),
            "max_bytes": around(64, 65_536),
        },
    ),
)
LIMITS = st.fixed_dictionaries(
    {"in_flight": st.integers(*BOUNDS["in_flight"])},
    optional={n: st.integers(*bounds) for n, bounds in BOUNDS.items() if n != "in_flight"},
)
ODD_LIMITS = wild(
    LIMITS,
    st.fixed_dictionaries({}, optional={n: around(*bounds) for n, bounds in BOUNDS.items()}),
)
SERVING = {
    "memory_mb": st.integers(MIN_MEMORY_MB, MAX_MEMORY_MB),
    "variables": VARIABLES,
    "egress": EGRESS,
    "unit": UNIT,
    "capture": CAPTURE,
    "server": st.just("slim"),
    "limits": LIMITS,
    "target_inflight": st.integers(1, MOST_INFLIGHT),
}
ODD_SERVING = {
    "memory_mb": around(MIN_MEMORY_MB, MAX_MEMORY_MB),
    "variables": ODD_VARIABLES,
    "egress": ODD_EGRESS,
    "unit": ODD_UNIT,
    "capture": ODD_CAPTURE,
    "server": st.sampled_from(["slim", "bentoml", "Slim", "", None, 1]),
    "limits": ODD_LIMITS,
    "target_inflight": around(1, MOST_INFLIGHT),
    # 0 and 1 as often as all else: whether it may stand there hangs on target_inflight, too
    "min_replicas": st.booleans().flatmap(lambda odd: around(0, 1) if odd else st.integers(0, 1)),
    "replicas": around(1, MAX_REPLICAS),
    "max_replicas": around(1, MAX_REPLICAS),
}

HEADER = st.fixed_dictionaries({"header": WORD, "value": WORD})
ODD_HEADER = st.one_of(
    HEADER,
    st.fixed_dictionaries({"header": ANY_WORD, "value": WORD}),
    st.fixed_dictionaries({"header": WORD, "value": ANY_WORD}),
)
PERCENT = st.one_of(st.integers(0, 100), st.integers(0, 10_000).map(lambda n: n / 100))
ODD_PERCENT = st.one_of(
    PERCENT, st.sampled_from([-0.01, -0.0, 100.01, 100.0, 101]), JUNK.filter(lambda p: p != 5e-324)
)
SHARE = st.floats(0.001, 0.9)
WINDOW = {"window_seconds": st.integers(5, 600), "minimum_requests": st.integers(5, 1_000_000)}
ODD_WINDOW = {"window_seconds": around(5, 600), "minimum_requests": around(5, 1_000_000)}
GUARD = st.fixed_dictionaries(
    {},
    optional={
        "consecutive_failures": st.integers(2, 1000),
        "error_rate": st.fixed_dictionaries({"at_most": SHARE}, optional=WINDOW),
        "latency": st.fixed_dictionaries(
            {"quantile": st.floats(0.5, 0.999), "at_most_ms": st.integers(5, 120_000)},
            optional=WINDOW,
        ),
    },
)
ODD_SHARE = st.one_of(
    SHARE, st.sampled_from([0, 0.0009, 0.001, 0.9, 0.901, 0.5, 0.999, 0.9991, 1]), JUNK
)
ODD_GUARD = st.one_of(
    GUARD,
    GUARD,
    JUNK,
    st.fixed_dictionaries({"consecutive_failures": around(2, 1000)}),
    st.fixed_dictionaries(
        {"error_rate": wild(st.fixed_dictionaries({"at_most": ODD_SHARE}, optional=ODD_WINDOW))}
    ),
    st.fixed_dictionaries(
        {
            "latency": st.fixed_dictionaries(
                {"quantile": ODD_SHARE, "at_most_ms": around(5, 120_000)}, optional=ODD_WINDOW
            )
        }
    ),
    st.dictionaries(st.sampled_from(TEXTS), JUNK, min_size=1, max_size=1),
)
ODD_NAME = st.one_of(
    NAME,
    st.sampled_from(["a" * 40, "a" * 41, "a" * 60, "a" * 61, "-a", "a-", "a_b", "A", *TEXTS]),
    NAME.map(lambda name: f"{name}\n"),
    st.text(max_size=10),
)

KINDS = (
    *ODD_SERVING,
    "another member",
    "header",
    "mirror",
    "guard",
    "project",
    "environment",
    "endpoint",
    "declared",
)


@dataclass(frozen=True)
class Asked:
    """What somebody asks for, and what else of it is drawn."""

    kind: str
    names: dict[str, str]
    declared: Any
    serving: dict[str, Any]
    header: Any = None  # the three of the plan that a node is told
    mirror: Any = None
    guard: Any = None
    weight: float = 5
    keys: tuple[str, ...] = ()  # SHA-256 of API keys

    @property
    def plan(self) -> dict[str, Any]:
        """The plan as a person writes it."""
        steps: list[dict[str, Any]] = []
        if self.header is not None:
            steps.append({"set_header_route": self.header})
        if self.mirror is not None:
            steps.append({"set_mirror": {"percent": self.mirror}})
        plan = {"strategy": "canary", "steps": [*steps, {"set_weight": self.weight}]}
        return plan if self.guard is None else plan | {"guard": self.guard}


@st.composite
def asked(draw: st.DrawFn, kind: str = "") -> Asked:
    """Draw a request of which the part ``kind`` may be anything, and all else is good."""

    def part(name: str, odd: st.SearchStrategy[Any], good: st.SearchStrategy[Any]) -> Any:
        return draw(odd if kind == name else good)

    serving = draw(st.fixed_dictionaries({}, optional=SERVING))
    if kind in ODD_SERVING:
        serving[kind] = draw(ODD_SERVING[kind])
    if kind == "another member":
        more = st.dictionaries(st.sampled_from(TEXTS), JUNK, min_size=1, max_size=1)
        serving |= draw(st.one_of(st.just({}), more, more))
    named = serving.get("variables")
    names = list(named) if isinstance(named, dict) else []
    names = sorted(name for name in names if not variable_fault(name) and name not in SETTABLE)
    declared = st.just(names[:MAX_VARIABLES])
    odd = st.one_of(
        st.lists(VARIABLE, max_size=3).map(lambda more: list(dict.fromkeys([*names, *more]))),
        st.lists(ODD_VARIABLE, max_size=3),
        JUNK,
    )
    return Asked(
        kind=kind,
        names={name: part(name, ODD_NAME, NAME) for name in ("project", "environment", "endpoint")},
        declared=part("declared", odd, declared),
        serving=serving,
        header=part("header", ODD_HEADER, st.none() | HEADER),
        mirror=part("mirror", ODD_PERCENT, st.none() | PERCENT),
        guard=part("guard", ODD_GUARD, st.none() | GUARD),
        weight=draw(st.integers(1, 9_999)) / 100,
        keys=tuple(draw(st.lists(st.just("cd" * 32), max_size=1))),
    )
