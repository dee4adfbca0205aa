"""The form of a draft's signature: a row for each input and output, with an example."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.http import QueryDict

from apps.console.queries.draft.rows import (
    TypedForm,
    TypedRow,
    read_rows,
    text_of,
    too_long,
    value_of,
)
from apps.console.templatetags.placet import number
from apps.registry.actions import DraftFields
from apps.registry.formats import Derived
from apps.registry.models import ModelVersion
from apps.registry.rules import TYPES, answer_form, signature_faults

CELLS = ("name", "type", "shape", "required", "tags", "example")
SIDES = ("inputs", "outputs")
MOST_COLUMNS = 200
TYPED_BY = ("name", "shape", "tags", "example")  # what makes a row more than an empty one


@dataclass(slots=True)
class SignatureForm(TypedForm):
    """Inputs and outputs as they stand in the form."""

    inputs: list[TypedRow] = field(default_factory=list)
    outputs: list[TypedRow] = field(default_factory=list)
    api: str = ""
    expected: str = ""
    more_examples: list[dict[str, Any]] = field(default_factory=list)
    more_expected: list[Any] = field(default_factory=list)
    keep: bool = True  # the examples behind the first, which the form does not show
    from_files: bool = False  # it shows what the files tell
    too_large: bool = False

    types = tuple((kind, kind) for kind in TYPES)
    answers = (("yes", "yes"), ("no", "no"))

    @property
    def tables(self) -> Mapping[str, list[TypedRow]]:
        """Its two tables."""
        return {"inputs": self.inputs, "outputs": self.outputs}

    @classmethod
    def of(cls, version: ModelVersion, derived: Derived | None) -> "SignatureForm":
        """Return the form filled in with what the version says, and else with what its files do."""
        told = derived if derived and version.signature is None else None
        signature = version.signature or (told.signature if told else None) or {}
        example = version.example or (told.example if told else None) or []
        form = cls(from_files=bool(told and told.signature), api=signature.get("api", ""))
        form._keep_others(version)
        columns = [column for side in SIDES for column in signature.get(side, ())]
        first, answer = example[:1], (version.expected or [])[:1]
        if len(columns) > MOST_COLUMNS or too_long(columns, first, answer):
            form.too_large = True
            return form
        row = first[0] if first else {}
        form.inputs = [_row(column, row) for column in signature.get("inputs", _guessed(row))]
        form.outputs = [_row(column, {}) for column in signature.get("outputs", ())]
        form.expected = text_of(answer[0]) if answer else ""
        return form

    @classmethod
    def read(cls, data: QueryDict, version: ModelVersion) -> "SignatureForm":
        """Return the form as it was sent."""
        form = cls(
            inputs=read_rows(data, "inputs", CELLS, by=TYPED_BY),
            outputs=read_rows(data, "outputs", CELLS[:3] + CELLS[4:5], by=TYPED_BY[:3]),
            api=data.get("api", "").strip(),
            expected=data.get("expected", ""),
            keep=data.get("keep") == "yes",
        )
        form._keep_others(version)
        return form

    def _keep_others(self, version: ModelVersion) -> None:
        self.more_examples = (version.example or [])[1:]
        self.more_expected = (version.expected or [])[1:]

    def fields(self) -> DraftFields:
        """Return what the action takes."""
        said: dict[str, Any] = {"inputs": _columns(self.inputs), "outputs": _columns(self.outputs)}
        if self.api:
            said["api"] = self.api
        row = {
            cells["name"]: _example(cells)
            for cells in (each.cells for each in self.inputs)
            if cells["example"].strip()
        }
        examples = [row] if row else []
        answers = [self._answer()] if row and self.expected.strip() else []
        if self.keep:
            examples += self.more_examples
            answers += self.more_expected if answers or not row else []
        return DraftFields(
            signature=said if self.inputs or self.outputs or self.api else None,
            example=examples or None,
            expected=answers or None,
        )

    def _answer(self) -> Any:
        one = len(self.outputs) == 1 and self.outputs[0].cells
        return _example(one | {"example": self.expected}) if one else value_of(self.expected)

    @property
    def answer(self) -> str:
        """What the service answers to one row, in sample values; '' before outputs are named."""
        outputs = _columns([row for row in self.outputs if not row.blank])
        if signature_faults({"inputs": outputs, "outputs": outputs}):
            return ""
        return answer_form(outputs)

    @property
    def _unanswered(self) -> str:
        """Why the output of the first row is not enough; '' where no further row is kept."""
        count = len(self.more_examples)
        if not (self.keep and count > len(self.more_expected)):
            return ""
        rows = f"{number(count)} further example row{'s' if count > 1 else ''}"
        like = f", such as {self.answer}" if self.answer else ""
        return (
            f"“Keep {rows}” is ticked, and every row needs an output: untick that, which leaves "
            f"one row, and type the output of this row{like}"
        )

    def blame(self, steps: Sequence[str], detail: str) -> bool:
        """Say what is wrong beside an input; tell whether there is one for it."""
        match steps:
            case ["signature", "inputs" | "outputs" as side, position, *cell]:
                self.tables[side][int(position)].blame(cell[0] if cell else "name", detail)
            case ["signature", "api" | "inputs" | "outputs" as name]:
                self.faults.setdefault(name, []).append(detail)
            case ["example", "0", name]:
                rows = [row for row in self.inputs if row.cells["name"] == name]
                for row in rows[:1]:
                    row.blame("example", detail)
                return bool(rows)
            case ["expected", "0", name]:
                self.faults.setdefault("expected", []).append(f"{name}: {detail}")
            case ["expected", *place]:
                said = detail if place else self._unanswered or detail
                self.faults.setdefault("expected", []).append(said)
            case _:
                return False
        return True


def _row(column: Mapping[str, Any], example: Mapping[str, Any]) -> TypedRow:
    name = column["name"]
    value = example.get(name)
    plain = column["type"] == "string" and not column.get("shape")
    return TypedRow(
        {
            "name": name,
            "type": column["type"],
            "shape": ", ".join(map(str, column.get("shape", ()))),
            "required": "yes" if column.get("required", True) else "no",
            "tags": ", ".join(column.get("tags", ())),
            "example": "" if value is None else value if plain else text_of(value),
        }
    )


def _guessed(example: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the columns that an example without a signature seems to have."""
    types = {bool: "boolean", int: "long", str: "string"}
    return [
        {"name": name, "type": types.get(type(value), "double")} for name, value in example.items()
    ]


def _columns(rows: Sequence[TypedRow]) -> list[dict[str, Any]]:
    return [_column(row.cells) for row in rows]


def _column(cells: Mapping[str, str]) -> dict[str, Any]:
    column: dict[str, Any] = {"name": cells["name"], "type": cells["type"]}
    if cells.get("required") == "no":
        column["required"] = False
    if lengths := re.findall(r"[^\s,\[\]()×]+", cells["shape"]):
        column["shape"] = [value_of(length) for length in lengths]
    if tags := cells["tags"].replace(",", " ").split():
        column["tags"] = tags
    return column


def _example(cells: Mapping[str, str]) -> Any:
    """Return the value that was typed; a list may be typed without its brackets."""
    text, shape = cells["example"], cells["shape"].strip()
    if cells["type"] == "string" and not shape:
        return text
    value = value_of(text)
    return value_of(f"[{text}]") if shape and isinstance(value, str) else value
