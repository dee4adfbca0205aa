"""The parts that documents are made of: what a member must be, and how it is said that it is not.

A part is a pydantic model, and each of its members has a rule::

    class Pause(Part):
        duration_seconds: Annotated[int | None, whole(1, 30 * 86_400)] = None

What is wrong with members by themselves is found at once, each fault with its place. What several
must be together (the shape of a metric, the order of the steps, what a strategy promises) is judged
before or behind that, and one of the two may hide the other: who mends every fault that was named
may be told of another. What was stored was judged when it came: it is read with the context
``STORED``, and no bound of today is held against it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    ModelWrapValidatorHandler,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, core_schema

from placet_verify.numbers import is_number, is_whole

Loc = tuple[int | str, ...]
Faults = list[tuple[str, str]]  # the JSON pointer of each, and what is wrong there
STORED: Final = {"stored": True}
MAX_NAME = 64  # characters of a name that nobody knows, in a pointer


class DocumentFault(ValueError):
    """A plan or serving configuration is wrong; ``faults`` are ``(pointer, detail)``."""

    def __init__(self, faults: Faults) -> None:
        super().__init__("; ".join(f"{pointer} {detail}" for pointer, detail in faults))
        self.faults = faults


def wrong(*faults: tuple[Loc, str]) -> ValidationError:
    """Return the error that says what is wrong with a part, by places within it."""
    lines = [
        InitErrorDetails(
            type=PydanticCustomError("fault", "{detail}", {"detail": detail}), loc=loc, input=None
        )
        for loc, detail in faults
    ]
    return ValidationError.from_exception_data("part", lines)


def within(name: str, error: ValidationError) -> ValidationError:
    """Return the error of a part that stands under ``name``."""
    return wrong(*(((name, *line["loc"]), line["msg"]) for line in error.errors()))


def is_stored(info: ValidationInfo) -> bool:
    """Tell whether a document is read that was judged when it came."""
    return info.context is STORED


@dataclass(frozen=True, slots=True)
class ReadBy:
    """Reads a member by a function. What it returns is written as it is: 5 stays a whole number."""

    function: Callable[[Any, ValidationInfo], Any]

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(self.function)


def rule(holds: Callable[[Any], bool], detail: str) -> ReadBy:
    """What a member must be, and the sentence for all that it is not. ``None`` is a value like any
    other: a member that may be left out may not be null."""

    def judge(value: Any, info: ValidationInfo) -> Any:
        if not is_stored(info) and not holds(value):
            raise wrong(((), detail))
        return value

    return ReadBy(judge)


ANYTHING: Final = ReadBy(lambda value, _: value)  # what is judged with others


def whole(low: int, high: int) -> ReadBy:
    """A whole number within these bounds."""
    return rule(
        lambda value: is_whole(value, low, high), f"must be a whole number from {low} to {high}"
    )


def share(low: float, high: float) -> ReadBy:
    """A share within these bounds; what is no number lies nowhere."""
    return rule(
        lambda value: is_number(value, low, high), f"must be a share from {low:g} to {high:g}"
    )


def one_of(*names: str, detail: str = "") -> ReadBy:
    """One of these words."""
    return rule(lambda value: value in names, detail or f"must be one of: {', '.join(names)}")


def text(most: int, detail: str) -> ReadBy:
    """A line of text that can be seen."""
    return rule(lambda value: is_text(value, most), detail)


def is_text(value: object, most: int) -> bool:
    """Tell whether this is a line of text that can be seen."""
    return isinstance(value, str) and 1 <= len(value) <= most and value.isprintable()


def must() -> Any:
    """Return the default of a member that has none: left out, it is wrong as null is."""
    return Field(None, validate_default=True)


class Omittable:
    """Marks a part that may be left out, and may not be null: ``Annotated[Part | None, …]``."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return handler(get_args(source)[0])


class Part(BaseModel):
    """A part of a document, with every default filled in."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    EXPECTED: ClassVar[str] = "must be an object"
    UNKNOWN: ClassVar[str] = "is not known"  # '' where it is the part that is wrong then
    MISSING: ClassVar[str] = ""
    AT: ClassVar[str] = ""  # where the whole document stands in what somebody sends

    @model_validator(mode="wrap")
    @classmethod
    def _whole(cls, given: Any, read: ModelWrapValidatorHandler[Self]) -> Self:
        if isinstance(given, cls):
            return given
        if not isinstance(given, dict):
            raise wrong(((), cls.EXPECTED))
        try:
            return read(given)
        except ValidationError as error:
            raise wrong(*cls.faults(error)) from None

    @classmethod
    def faults(cls, error: ValidationError) -> list[tuple[Loc, str]]:
        """Return what is wrong by its place, as it is said."""
        lines = error.errors(include_url=False, include_context=False, include_input=False)
        details = {"extra_forbidden": cls.UNKNOWN, "missing": cls.MISSING}
        said = [
            (line["loc"], details.get(line["type"], line["msg"]))
            for line in lines
            if line["type"] != "default_factory_not_called"  # by a fault of what it is made of
        ]
        return said if all(detail for _, detail in said) else [((), cls.EXPECTED)]

    @classmethod
    def read(cls, given: Any, at: str | None = None) -> Self:
        """Return what somebody wrote, with every default filled in, or raise
        :class:`DocumentFault`; ``at`` is where it stands in what they sent."""
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            faults = cls.faults(error)
        root = cls.AT if at is None else at
        raise DocumentFault([("".join((root, *map(_step, loc))), detail) for loc, detail in faults])

    @property
    def document(self) -> dict[str, Any]:
        """The part as it is written, stored and signed."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


def _step(name: int | str) -> str:
    return f"/{str(name)[:MAX_NAME]}"
