"""Typed inputs: pydantic builds the checks from the signature, which is data, never source."""

import json
from pathlib import Path
from typing import Annotated, Any, NotRequired

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import from_json
from typing_extensions import TypedDict

MAX_INSTANCES = 100_000
FLOAT32 = 3.4028234663852886e38
CHECKS: dict[str, Any] = {
    "double": float,
    "float": Annotated[float, Field(ge=-FLOAT32, le=FLOAT32)],
    "long": Annotated[int, Field(ge=-(2**63), le=2**63 - 1)],
    "integer": Annotated[int, Field(ge=-(2**31), le=2**31 - 1)],
    "boolean": bool,
    "string": str,
}


class BadInput(Exception):
    """The body does not fit the signature; ``errors`` name the fields."""

    def __init__(self, errors: list[dict[str, str]]) -> None:
        super().__init__(errors[0]["detail"])
        self.errors = errors


def read_info() -> dict[str, Any]:
    """Return what the build wrote beside this file."""
    here = Path(__file__).parent
    info: dict[str, Any] = json.loads((here / "placet.json").read_text("utf-8"))
    info["model_path"] = str(here / "artifact" / info["model_path"])
    if "accelerated" in info:
        info["accelerated_path"] = str(here / info["accelerated"]["model"])
    return info


def column_type(column: dict[str, Any]) -> Any:
    """Return the type that values of ``column`` must have."""
    kind: Any = CHECKS[column["type"]]
    for length in reversed(column.get("shape") or []):
        bounds = {"min_length": length, "max_length": length} if length >= 0 else {}
        kind = Annotated[list[kind], Field(**bounds)] if bounds else list[kind]
    return kind if column.get("required", True) else kind | None


def row_type(columns: list[dict[str, Any]]) -> Any:
    """Return the type of one row: these columns, no others, and no NaN or infinity."""
    fields = {
        column["name"]: column_type(column)
        if column.get("required", True)
        else NotRequired[column_type(column)]
        for column in columns
    }
    row: Any = TypedDict("Row", fields)  # type: ignore[misc]
    row.__pydantic_config__ = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
    return row


class Inputs:
    """Reads a request body into rows."""

    def __init__(self, columns: list[dict[str, Any]]) -> None:
        self._names = {column["name"] for column in columns}
        row = row_type(columns)
        self._one = TypeAdapter(row)
        self._many = TypeAdapter(
            Annotated[list[row], Field(min_length=1, max_length=MAX_INSTANCES)]
        )

    def read(self, body: bytes) -> tuple[list[dict[str, Any]], bool]:
        """Return the rows of ``body`` and whether it was one bare row."""
        try:
            value = from_json(body)
        except ValueError as error:
            raise BadInput([{"pointer": "", "detail": f"The body is not JSON: {error}"}]) from None
        if not isinstance(value, dict):
            raise BadInput([{"pointer": "", "detail": "Send an object: one row, or instances"}])
        many = "instances" in value and (
            "instances" not in self._names or isinstance(value["instances"], list)
        )
        if not many:
            return [_check(self._one, value, "")], True
        if extra := sorted(set(value) - {"instances"}):
            raise BadInput([{"pointer": _step(n), "detail": "Unknown field"} for n in extra[:20]])
        return _check(self._many, value["instances"], "/instances"), False


def _check(adapter: TypeAdapter[Any], value: Any, prefix: str) -> Any:
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        raise BadInput(
            [
                {
                    "pointer": prefix + "".join(_step(part) for part in fault["loc"]),
                    "detail": _words(fault),
                }
                for fault in error.errors(include_url=False, include_input=False)[:20]
            ]
        ) from None


def _step(part: object) -> str:
    return "/" + str(part).replace("~", "~0").replace("/", "~1")


def _words(fault: Any) -> str:
    known = {"missing": "This field is required", "extra_forbidden": "Unknown field"}
    return str(known.get(fault["type"], fault["msg"]))
