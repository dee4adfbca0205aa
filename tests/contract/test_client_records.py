"""The client's records are those of the snapshot: nobody changes one of the two alone."""

import copy
from typing import Any

import pytest

from bin import client_records
from bin.client_records import Records, Unreadable

TIME = {"type": "string", "format": "date-time"}
TEXT = {"type": "string"}


@pytest.fixture(scope="module")
def found() -> Records:
    return client_records.read()


@pytest.fixture
def records(found: Records) -> Records:
    return Records(copy.deepcopy(found.schemas), copy.deepcopy(found.table))


def test_the_records_are_those_of_the_snapshot(capsys: pytest.CaptureFixture[str]) -> None:
    assert client_records.main(["--check"]) == 0, "run `make schema` and look at the difference"
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("schema", "hint"),
    [
        (TEXT, "str"),
        ({"type": "string", "format": "uuid"}, "str"),
        (TIME, "datetime"),
        (TIME | {"type": ["string", "null"]}, "datetime | None"),
        ({"type": ["integer", "null"]}, "int | None"),
        ({"type": "number", "format": "double"}, "float"),
        ({"type": "boolean"}, "bool"),
        ({}, "Any"),
        ({"oneOf": [{}, {"type": "null"}]}, "Any"),
        ({"enum": [""]}, "str"),
        ({"oneOf": [{"enum": ["a"], "type": "string"}, {"enum": [""]}]}, "str"),
        ({"$ref": "#/components/schemas/WorkStateEnum"}, "str"),
        ({"allOf": [{"$ref": "#/components/schemas/Event"}], "description": "It"}, "AuditEvent"),
        ({"oneOf": [{"enum": ["a"]}, {"$ref": "#/components/schemas/NullEnum"}]}, "str | None"),
        ({"type": "array", "items": TEXT}, "tuple[str, ...]"),
        ({"type": ["array", "null"], "items": {"type": "object"}}, "tuple[Json, ...] | None"),
        ({"type": "object", "additionalProperties": {}}, "Json"),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, "dict[str, int]"),
        ({"$ref": "#/components/schemas/Event"}, "AuditEvent"),
        ({"oneOf": [{"$ref": "#/components/schemas/Node"}, {"type": "null"}]}, "Node | None"),
        ({"$ref": "#/components/schemas/CaptureSettings"}, "Json"),
    ],
)
def test_a_schema_is_read_as_a_type(schema: Any, hint: str, records: Records) -> None:
    assert records.hint(schema) == hint


def test_a_record_says_what_its_schema_says(records: Records) -> None:
    """Beside a member where there is room, else above; a base's members are not said again."""
    records.schemas["Cosigned"] = {
        "description": "A head.\n\nIts root is ``null`` at first.",
        "properties": {
            "size": {"type": "integer", "description": "In events"},
            "root": {"type": ["string", "null"], "description": "null at first " + "." * 80},
        },
    }
    properties = {**records.schemas["Cosigned"]["properties"], "note": TEXT}
    records.schemas["Checkpoint"] = {"description": "More.", "properties": properties}
    assert records.record("Cosigned") == (
        "@dataclass(frozen=True, slots=True, kw_only=True)\n"
        "class Cosigned(Record):\n"
        '    """A head.\n\n    Its root is ``None`` at first.\n    """\n\n'
        "    size: int  # In events\n"
        f"    # None at first {'.' * 80}\n"
        "    root: str | None"
    )
    assert records.record("Checkpoint").endswith(
        'class Checkpoint(Cosigned):\n    """More."""\n\n    note: str'
    )


def test_what_a_record_cannot_be_is_refused(records: Records) -> None:
    with pytest.raises(Unreadable, match="one of str, int: a record reads one type, or null"):
        records.hint({"type": ["string", "integer"]})
    with pytest.raises(Unreadable, match="AlertPage is no record, and not plain JSON either"):
        records.hint({"$ref": "#/components/schemas/AlertPage"})
    records.schemas["Token"]["properties"] = {"new": TEXT, **records.schemas["Token"]["properties"]}
    with pytest.raises(Unreadable, match="IssuedToken does not begin with the members of Token"):
        records.record("IssuedToken")


def test_each_file_that_differs_is_shown() -> None:
    there = {"same.py": "a\n", "edited.py": "b\n", "former.py": "c\n"}
    wanted = {"same.py": "a\n", "edited.py": "d\n", "missing.py": "e\n"}
    shown = client_records.differences(there, wanted)
    assert [line for line in shown if line[0] in "+-" and line[:3] not in ("+++", "---")] == [
        "-b\n",
        "+d\n",
        "-c\n",
        "+e\n",
    ]
