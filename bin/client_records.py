"""Writes the client's records from the snapshot of the API.

``bin/client_records.py`` writes ``platform/placet_client/records``, all but ``base.py``; with
``--check`` it writes nothing, and shows what differs. What the snapshot cannot say, such as which
schemas are records and in which module, stands in ``client_records.toml``.
"""

import difflib
import re
import subprocess
import sys
import tempfile
import textwrap
import tomllib
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
SNAPSHOT = ROOT / "tests" / "contract" / "openapi.yaml"
TABLE = Path(__file__).with_suffix(".toml")
FOLDER = ROOT / "platform" / "placet_client" / "records"
BY_HAND = "base.py"
HEADER = (
    f"# Written from {SNAPSHOT.relative_to(ROOT)} by bin/{Path(__file__).name}: "
    "`make schema` renews it.\n"
)
INDENT, WIDTH = "    ", 100
PLAIN = {
    "any": "Any",
    "boolean": "bool",
    "integer": "int",
    "null": "None",
    "number": "float",
    "string": "str",
}


class Unreadable(Exception):
    """What a record cannot be made of."""


def union(parts: list[str]) -> str:
    """Return the annotation of a value that is one of ``parts``, of which one may be ``None``."""
    values = set(parts) - {"None"}
    if "Any" in values:
        return "Any"
    if len(values) != 1:
        raise Unreadable(f"one of {', '.join(parts)}: a record reads one type, or null")
    return values.pop() + " | None" * ("None" in parts)


def says(description: str) -> str:
    """Return a description in Python's words."""
    return re.sub(r"\bnull\b", "None", description)


def docstring(text: str) -> str:
    return f'"""{text}\n"""' if "\n\n" in text else f'"""{text}"""'


class Records:
    """The records that schemas and table describe, as Python."""

    def __init__(self, schemas: dict[str, Any], table: dict[str, Any]) -> None:
        self.schemas, self.table = schemas, table
        self.modules = {name: part["records"] for name, part in table["modules"].items()}
        every = [record for records in self.modules.values() for record in records]
        self.known: dict[str, str] = {
            table["schemas"].get(record, record): record for record in every
        }

    def files(self) -> dict[str, str]:
        """Return the text of every file by its name, not laid out yet."""
        texts = {f"{name}.py": self.module(name) for name in self.modules}
        return {"__init__.py": self.package(), **texts}

    def package(self) -> str:
        """Return the module that has them all."""
        names = sorted(["Record", *self.known.values()])
        return "\n".join(
            [
                HEADER + docstring(self.table["says"].strip()),
                "from placet_client.records.base import Record",
                *self.imports(),
                f"__all__ = {names}\n",
            ]
        )

    def imports(self, but: str = "") -> list[str]:
        return [
            f"from placet_client.records.{name} import {', '.join(records)}"
            for name, records in self.modules.items()
            if name != but
        ]

    def module(self, name: str) -> str:
        """Return one module; imports that it does not need are taken out as it is laid out."""
        return "\n".join(
            [
                HEADER + docstring(self.table["modules"][name]["says"]),
                "from dataclasses import dataclass",
                "from datetime import datetime",
                "from typing import Any",
                "from placet_client.records.base import Json, Record",
                *self.imports(but=name),
                *(self.record(record) for record in self.modules[name]),
            ]
        )

    def record(self, name: str) -> str:
        """Return the class of one record: of one with a base, what it adds."""
        base = self.table["bases"].get(name, "Record")
        members, inherited = self.members(name), {} if base == "Record" else self.members(base)
        if list(members.items())[: len(inherited)] != list(inherited.items()):
            raise Unreadable(f"{name} does not begin with the members of {base}")
        body = [docstring(says(self.schema(name)["description"])), ""]
        for member in list(members)[len(inherited) :]:
            body += self.lines(name, member, members[member])
        return (
            f"@dataclass(frozen=True, slots=True, kw_only=True)\nclass {name}({base}):\n"
            + textwrap.indent("\n".join(body), INDENT)
        )

    def lines(self, record: str, member: str, hint: str) -> list[str]:
        """Return a member with what is said of it: beside it, or above where that is too long."""
        line = f"{member}: {hint}"
        said = says(self.schema(record)["properties"][member].get("description", ""))
        if not said or len(f"{INDENT}{line}  # {said}") <= WIDTH:
            return [f"{line}  # {said}" if said else line]
        wrapped = textwrap.wrap(
            said, WIDTH - len(INDENT), initial_indent="# ", subsequent_indent="# "
        )
        return [*wrapped, line]

    def schema(self, record: str) -> Any:
        return self.schemas[self.table["schemas"].get(record, record)]

    def members(self, record: str) -> dict[str, str]:
        """Return the members of a record in order, with their annotations."""
        found = self.schema(record)["properties"]
        first = self.table["first"].get(record)
        names = sorted(found, key=lambda name: name != first)
        types = self.table["types"]
        return {name: types.get(f"{record}.{name}") or self.hint(found[name]) for name in names}

    def hint(self, schema: Any) -> str:
        """Return the annotation of what ``schema`` describes."""
        if "$ref" in schema:
            return self.referred(schema["$ref"].rpartition("/")[2])
        if "allOf" in schema:  # a reference with a description of its own
            return self.all_of([self.hint(one) for one in schema["allOf"]])
        if "oneOf" in schema:
            return union([self.hint(one) for one in schema["oneOf"]])
        kinds = schema.get("type") or ("string" if "enum" in schema else "any")
        if isinstance(kinds, list):
            return union([self.hint(schema | {"type": kind}) for kind in kinds])
        if kinds == "array":
            return f"tuple[{self.hint(schema['items'])}, ...]"
        if kinds == "object":
            values = self.hint(schema.get("additionalProperties") or {})
            return "Json" if values == "Any" else f"dict[str, {values}]"
        if kinds == "string" and schema.get("format") == "date-time":
            return "datetime"
        return PLAIN[kinds]

    def all_of(self, parts: list[str]) -> str:
        if len(parts) != 1:
            raise Unreadable(f"all of {', '.join(parts)}: a record reads one type")
        return parts[0]

    def referred(self, name: str) -> str:
        if name in self.known:
            return self.known[name]
        if "properties" not in self.schemas[name]:
            return self.hint(self.schemas[name])
        if name not in self.table["plain"]:
            raise Unreadable(f"{name} is no record, and not plain JSON either: see {TABLE.name}")
        return "Json"


def laid_out(texts: dict[str, str]) -> dict[str, str]:
    """Return files as ruff has them: laid out, imports sorted, without those not needed."""
    ruff = [sys.executable, "-m", "ruff"]
    rules = "--select=F401,I,RUF022"
    with tempfile.TemporaryDirectory() as folder:
        for name, text in texts.items():
            (Path(folder) / name).write_text(text)
        for words in (["check", "--fix", rules], ["format"]):
            subprocess.run(
                [*ruff, *words, "-q", "--no-cache", "--config", ROOT / "pyproject.toml", folder],
                cwd=ROOT,
                check=True,
            )
        return {name: (Path(folder) / name).read_text() for name in texts}


def read() -> Records:
    document = yaml.load(SNAPSHOT.read_text(), Loader=yaml.CSafeLoader)
    return Records(document["components"]["schemas"], tomllib.loads(TABLE.read_text()))


def differences(there: dict[str, str], wanted: dict[str, str]) -> list[str]:
    """Return the lines of a diff of all files; one that is not there counts as empty."""
    return [
        line
        for name in sorted(there.keys() | wanted.keys())
        for line in difflib.unified_diff(
            there.get(name, "").splitlines(keepends=True),
            wanted.get(name, "").splitlines(keepends=True),
            str(FOLDER.relative_to(ROOT) / name),
            "as it is written",
        )
    ]


def main(words: list[str]) -> int:
    """Write the records, or show what differs."""
    wanted = laid_out(read().files())
    there = {path.name: path.read_text() for path in FOLDER.glob("*.py") if path.name != BY_HAND}
    if words == ["--check"]:
        sys.stdout.writelines(differences(there, wanted))
        return int(there != wanted)
    for name in there.keys() - wanted.keys():
        (FOLDER / name).unlink()
    for name, text in wanted.items():
        (FOLDER / name).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
