"""Hooks: where apps above take part in what an app does that may not import them.

An app names them in its ``hooks.py``; who stands above registers in ``AppConfig.ready()``.

They are no signals of Django: mypy holds who calls a hook and everybody who takes part to one
signature, answers included. A signal takes anything by keyword and answers with anything.
"""

from collections.abc import Callable
from functools import update_wrapper
from typing import Generic, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class Hook(Generic[P, R]):
    """The decorated function, and all that were registered with it.

    The function is this app's own part: what is so when nobody above takes part. A call asks it
    first and then the others, in the order in which they came, and returns every answer. What one
    raises ends the call.
    """

    def __init__(self, own: Callable[P, R]) -> None:
        self.parts: list[Callable[P, R]] = [own]
        update_wrapper(self, own)

    def register(self, part: Callable[P, R]) -> None:
        """Have ``part`` called too; once, however often it is registered."""
        if part not in self.parts:
            self.parts.append(part)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> list[R]:
        """Call everybody, and return what each answered."""
        return [part(*args, **kwargs) for part in self.parts]


class Slot(Generic[T]):
    """A place for exactly one. Asked before it is filled it raises: nobody could say what is so."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.part: T | None = None

    def fill(self, part: T) -> None:
        """Have ``part`` here from now on."""
        self.part = part

    def __call__(self) -> T:
        """Return who is here."""
        if self.part is None:
            raise LookupError(f"no app above has said {self.what}")
        return self.part
