"""Random logs, what proves things of them, and the same with something changed."""

import base64
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from placet_verify.log import checkpoint, merkle, tlog_proof
from placet_verify.signing.keys import PrivateKey

LARGEST = 300  # leaves
CHANGES = 3  # of each original
ORIGIN = "placet.example/log"
Change = Callable[[random.Random, dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Case:
    """One question: its kind, what was changed ('' for nothing), and what is to be judged."""

    kind: str
    change: str
    given: dict[str, Any]

    @property
    def name(self) -> str:
        """What is counted together."""
        return f"{self.kind}: {self.change or 'as made'}"


# --- what is changed ------------------------------------------------------------------------------


def _bit(chance: random.Random, raw: bytes) -> bytes:
    changed = bytearray(raw)
    changed[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _member(name: str) -> Change:
    def change(chance: random.Random, given: dict[str, Any]) -> None:
        given[name] = _bit(chance, given[name])

    return change


def _moved(name: str) -> Change:
    def change(chance: random.Random, given: dict[str, Any]) -> None:
        given[name] = max(0, given[name] + chance.choice([-2, -1, 1, 2, 7, 256, 2**40]))

    return change


def _step(chance: random.Random, given: dict[str, Any]) -> None:
    at = chance.randrange(len(given["path"]))
    given["path"][at] = _bit(chance, given["path"][at])


def _less(chance: random.Random, given: dict[str, Any]) -> None:
    del given["path"][chance.randrange(len(given["path"]))]


def _swap(chance: random.Random, given: dict[str, Any]) -> None:
    one, other = chance.sample(range(len(given["path"])), 2)
    path = given["path"]
    path[one], path[other] = path[other], path[one]


def _more(chance: random.Random, given: dict[str, Any]) -> None:
    given["path"].insert(chance.randint(0, len(given["path"])), chance.randbytes(32))


def _again(chance: random.Random, given: dict[str, Any]) -> None:
    at = chance.randrange(len(given["path"]))
    given["path"].insert(at, given["path"][at])


def _none(chance: random.Random, given: dict[str, Any]) -> None:
    given["path"] = []


def _turned(chance: random.Random, given: dict[str, Any]) -> None:
    given["old_root"], given["new_root"] = given["new_root"], given["old_root"]


def _short(chance: random.Random, given: dict[str, Any]) -> None:
    given["path"][-1] = given["path"][-1][:31]


PATH: dict[str, Change] = {
    "a bit of a step": _step,
    "a step less": _less,
    "two steps swapped": _swap,
    "a step more": _more,
    "a step twice": _again,
    "no steps": _none,
    "a step cut off": _short,
}
INCLUSION: dict[str, Change] = PATH | {
    "a bit of the leaf": _member("leaf"),
    "a bit of the root": _member("root"),
    "another index": _moved("index"),
    "another size": _moved("size"),
}
CONSISTENCY: dict[str, Change] = PATH | {
    "a bit of the old root": _member("old_root"),
    "a bit of the new root": _member("new_root"),
    "another old size": _moved("old"),
    "another new size": _moved("new"),
    "turned round": _turned,
}


def _signed(text: str, key: PrivateKey, name: str = ORIGIN) -> str:
    signature = key.sign(text.encode())
    blob = checkpoint.note_key_id(name, key.public) + signature
    return f"— {name} {base64.b64encode(blob).decode()}\n"


def _letter(chance: random.Random, text: str) -> str:
    at = chance.randrange(len(text) - 1)  # the last line feed is a matter of its own
    return text[:at] + chr(ord(text[at]) ^ 1 << chance.randrange(7)) + text[at + 1 :]


def _line_gone(chance: random.Random, text: str) -> str:
    lines = text.splitlines(keepends=True)
    del lines[chance.randrange(len(lines))]
    return "".join(lines)


def _resigned(alter: Callable[[str], str]) -> Callable[[random.Random, str, PrivateKey], str]:
    def change(chance: random.Random, note: str, key: PrivateKey) -> str:
        text = alter(note.partition("\n\n")[0] + "\n")
        return f"{text}\n{_signed(text, key)}"

    return change


def _with_line(note: str, line: str, first: bool) -> str:
    text, gap, signatures = note.partition("\n\n")
    return text + gap + (line + signatures if first else signatures + line)


NOTE: dict[str, Callable[[random.Random, str, PrivateKey], str]] = {
    "a letter": lambda chance, note, key: _letter(chance, note),
    "a line less": lambda chance, note, key: _line_gone(chance, note),
    "its last line feed missing": lambda chance, note, key: note[:-1],
    "the signature twice": lambda chance, note, key: note + note.splitlines(keepends=True)[-1],
    "signed by another": lambda chance, note, key: _resigned(str)(
        chance, note, PrivateKey.generate()
    ),
    "a stranger's signature beside": lambda chance, note, key: _with_line(
        note, _signed("", PrivateKey.generate(), "witness.example"), chance.random() < 0.5
    ),
    "a bad signature beside": lambda chance, note, key: _with_line(
        note, _signed("something else\n", key), chance.random() < 0.5
    ),
    "an extension": _resigned(lambda text: text + "more\n"),
    "an empty extension": _resigned(lambda text: text + "\nmore\n"),
    "a size with a zero in front": _resigned(lambda text: text.replace("\n", "\n0", 1)),
    "a negative size": _resigned(lambda text: text.replace("\n", "\n-", 1)),
    "no root": _resigned(lambda text: "".join(text.splitlines(keepends=True)[:2])),
    "a tabulator": _resigned(lambda text: text + "more\tmore\n"),
}
HARMLESS = {"note: a stranger's signature beside", "note: an extension"}
MAY_HOLD = {  # a size or an index may be another one of the same tree's shape; a step may be alike
    "inclusion: another index",
    "inclusion: another size",
    "consistency: another old size",
    "consistency: another new size",
    "note: the signature twice",
}


# --- random logs ----------------------------------------------------------------------------------


def cases(chance: random.Random, key: PrivateKey) -> Iterator[Case]:
    """Yield the cases of one random log."""
    size = chance.choice([chance.randint(1, 8), chance.randint(1, LARGEST)])
    bodies = [chance.randbytes(chance.randint(0, 40)) for _ in range(size)]
    leaves = [merkle.leaf_hash(body) for body in bodies]
    source, root = merkle.source_of(leaves), merkle.root(leaves)
    index, old = chance.randrange(size), chance.randint(1, size)
    path = merkle.inclusion_proof(index, size, source)
    inclusion = {"leaf": leaves[index], "index": index, "size": size, "path": path, "root": root}
    yield from _changed(chance, "inclusion", inclusion, INCLUSION)
    consistency = {
        "old": old,
        "new": size,
        "old_root": merkle.root(leaves[:old]),
        "new_root": root,
        "path": merkle.consistency_proof(old, size, source),
    }
    yield from _changed(chance, "consistency", consistency, CONSISTENCY)
    yield from _from_nothing(chance, size, root)
    note = checkpoint.make(ORIGIN, size, root, key)
    yield Case("note", "", {"note": note})
    for name in chance.sample(sorted(NOTE), CHANGES):
        yield Case("note", name, {"note": NOTE[name](chance, note, key)})
    text = tlog_proof.write(index, path, note, bodies[index])
    other = tlog_proof.write(index, path, note, bodies[index] + b".")
    yield Case("proof", "", {"text": text})
    changed = {
        "a letter": _letter(chance, text),
        "a line less": _line_gone(chance, text),
        "another body": other,
    }
    name = chance.choice(sorted(changed))
    yield Case("proof", name, {"text": changed[name]})


def _from_nothing(chance: random.Random, size: int, root: bytes) -> Iterator[Case]:
    """Every tree continues the empty one, which has one root."""
    new, new_root = chance.choice([(0, merkle.EMPTY_ROOT), (size, root)])
    made = {"old": 0, "new": new, "old_root": merkle.EMPTY_ROOT, "new_root": new_root, "path": []}
    yield Case("consistency", "", made)
    other = chance.randbytes(32)
    spoilt = made | {"old_root": other} | ({} if new else {"new_root": other})
    yield Case("consistency", "an empty tree with another root", spoilt)


def _changed(
    chance: random.Random, kind: str, made: dict[str, Any], changes: Mapping[str, Change]
) -> Iterator[Case]:
    yield Case(kind, "", made)
    possible = [name for name in sorted(changes) if name not in PATH or len(made["path"]) > 1]
    for name in chance.sample(possible, min(CHANGES, len(possible))):
        given = made | {"path": list(made["path"])}
        changes[name](chance, given)
        if given != made:
            yield Case(kind, name, given)
