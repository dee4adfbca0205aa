"""Random serving configurations, and the same with something changed that no node may run."""

import json
import random
from collections.abc import Callable, Iterator
from typing import Any

from placet_verify.permit.limits import BOUNDS, OF_THE_QUEUE
from placet_verify.permit.scaling import MOST_INFLIGHT
from placet_verify.permit.serving import MAX_EGRESS, MAX_REPLICAS
from placet_verify.permit.variables import SETTABLE
from proofs.agreement_logs import Case

LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
ODD = LETTERS + "ABCXYZ.:-[]%_ \n\t/@é٣"
Change = Callable[[random.Random, dict[str, Any]], None]


def _label(chance: random.Random) -> str:
    middle = "".join(chance.choices(LETTERS + "-", k=chance.choice([0, 3, 61])))
    return chance.choice(LETTERS) + middle + chance.choice(LETTERS[:26])


def _group(chance: random.Random) -> str:
    return chance.choice(["0", "0", f"{chance.randrange(1, 1 << 16):x}"])


def _host(chance: random.Random) -> str:
    """Return a name, or an address of either kind; of IPv6 not always in its shortest form."""
    kind = chance.randrange(4)
    if kind == 0:
        numbers = [chance.randrange(1, 127), *chance.choices(range(256), k=3)]
        return ".".join(map(str, numbers))
    if kind == 1:
        return f"[2001:{_group(chance)}::{chance.randrange(1, 1 << 16):x}]"
    return ".".join(_label(chance) for _ in range(chance.randint(1, 3)))


def _destination(chance: random.Random) -> str:
    return f"{_host(chance)}:{chance.randint(1, 65_535)}"


def _plain(chance: random.Random) -> str:
    return f"{_label(chance)}.example:{chance.randint(1, 65_535)}"


def made(chance: random.Random) -> dict[str, Any]:
    """Return a configuration that may run."""
    names = {f"M_{_label(chance)[:20].upper().replace('-', '_')}" for _ in range(3)}
    values = ["", "é", "😀 b", "x" * 3900]
    replicas = chance.randint(1, 9)
    return {
        "replicas": replicas,
        "max_replicas": chance.randint(replicas, MAX_REPLICAS),
        "min_replicas": chance.randint(0, replicas),
        "target_inflight": chance.randint(1, MOST_INFLIGHT),
        "memory_mb": 1024,
        "variables": {name: chance.choice(values) for name in sorted(names | SETTABLE)},
        "egress": sorted({_plain(chance) for _ in range(chance.randint(0, 5))}),
        "limits": {name: chance.randint(*bounds) for name, bounds in BOUNDS.items()},
    }


def _letter(chance: random.Random, text: str) -> str:
    at = chance.randrange(len(text) + 1)
    return text[:at] + chance.choice(["", *ODD]) + text[at + chance.randrange(2) :]


def _typed(chance: random.Random, given: dict[str, Any]) -> None:
    given["egress"] = [_letter(chance, _destination(chance)), *given["egress"]]


def _named(chance: random.Random, given: dict[str, Any]) -> None:
    name = chance.choice(["PATH", "LD_PRELOAD", "PYTHONPATH", "HTTPS_PROXY", "LC_ALL", "MODE"])
    given["variables"] = {**given["variables"], _letter(chance, name): "x"}


def _forbidden(chance: random.Random, given: dict[str, Any]) -> None:
    name = chance.choice(["PATH", "LD_AUDIT", "BASH_ENV", "ALL_PROXY", "LC_ALL", "M\n", "m", "_M"])
    given["variables"] = {**given["variables"], name: "x"}


def _valued(chance: random.Random, given: dict[str, Any]) -> None:
    value = chance.choice(["a\n", "\x7f", "\u2028", "\x85", "x" * 4097, 1, None, ["x"]])
    given["variables"] = {**given["variables"], "MODE": value}


def _nowhere(chance: random.Random, given: dict[str, Any]) -> None:
    host = chance.choice(
        [
            "localhost",
            "a.localhost",
            "127.0.0.1",
            "0.0.0.0",
            "[::1]",
            "224.0.0.1",
            "a_b",
            "[::ffff:a00:1]",
            "0x7f.1",
            "10.1",
            "[2001:0:0:0::1]",
        ]
    )
    given["egress"] = [*given["egress"], f"{host}:80"]


def _twice(chance: random.Random, given: dict[str, Any]) -> None:
    one = _plain(chance)
    given["egress"] = [one, one.upper()]


def _many(chance: random.Random, given: dict[str, Any]) -> None:
    given["egress"] = [f"h{n}:1" for n in range(MAX_EGRESS + 1)]


def _member(chance: random.Random, given: dict[str, Any]) -> None:
    given[chance.choice(["gpu", "Egress", "__proto__", "egress "])] = 1


def _no_list(chance: random.Random, given: dict[str, Any]) -> None:
    given["egress"] = chance.choice([None, {}, "db:1", 1, True, [1], [None], [["db:1"]]])


def _limited(chance: random.Random, given: dict[str, Any]) -> None:
    name, limits = chance.choice(list(BOUNDS)), given["limits"]
    low, high = BOUNDS[name]
    wrong = chance.choice([low - 1, high + 1, str(low), None, True, low + 0.5])
    alone = {chance.choice(OF_THE_QUEUE): 1, "rate": 1}  # may be alone where nothing need run
    given["min_replicas"] = max(1, given["min_replicas"])
    more = {chance.choice(["Rate", "rate ", "__proto__", "constructor"]): 1}
    given["limits"] = chance.choice(
        [None, {}, [], 1, "rate", alone, limits | {name: wrong}, limits | more]
    )


def _scaled(chance: random.Random, given: dict[str, Any]) -> None:
    if chance.randrange(4) == 0:
        del given["target_inflight"]  # which min_replicas needs
        return
    name, high = chance.choice(
        [("min_replicas", given["replicas"]), ("target_inflight", MOST_INFLIGHT)]
    )
    given[name] = chance.choice([-1, high + 1, str(high), None, True, 0.5, [1], {}])


def _older(chance: random.Random, given: dict[str, Any]) -> None:
    del given["egress"]
    given["variables"] = {"PATH": "/bin"}


SERVING: dict[str, Change] = {
    "a letter of a destination": _typed,
    "a letter of a name": _named,
    "a name never set": _forbidden,
    "no line": _valued,
    "no destination": _nowhere,
    "twice": _twice,
    "too many": _many,
    "another member": _member,
    "no list": _no_list,
    "no limits": _limited,
    "scaled so": _scaled,
    "from before": _older,
}
HARMLESS = {"serving: from before"}
MAY_HOLD = {"serving: a letter of a destination", "serving: a letter of a name"}


def cases(chance: random.Random) -> Iterator[Case]:
    """Yield a configuration that may run, and it with each kind of change."""
    good = made(chance)
    yield Case("serving", "", {"serving": json.dumps(good)})
    for name, change in SERVING.items():
        given = dict(good)
        change(chance, given)
        yield Case("serving", name, {"serving": json.dumps(given)})
