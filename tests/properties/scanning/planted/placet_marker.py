"""What payloads call: whoever loads a file and comes here has run what stood in it."""

from typing import Any, NoReturn


class Ran(BaseException):
    """Code of a file ran. No loader catches it; ``loading`` does."""


def fire(*args: Any, **named: Any) -> NoReturn:
    """Say that the file had this called."""
    raise Ran("its marker fired")


class Fires:
    """Made by calling it, by NEWOBJ or by BUILD: each is the file's own doing."""

    def __new__(cls, *args: Any, **named: Any) -> "Fires":
        """Fire when it is made with anything."""
        if args or named:
            fire()
        return super().__new__(cls)

    def __setstate__(self, state: Any) -> None:
        """Fire when it is given a state."""
        fire()

    def append(self, item: Any) -> None:
        """Fire when a pickle appends to it."""
        fire()

    def extend(self, items: Any) -> None:
        """Fire when a pickle extends it."""
        fire()

    def add(self, item: Any) -> None:
        """Fire when a pickle adds to it, as to a set."""
        fire()

    def __setitem__(self, key: Any, value: Any) -> None:
        """Fire when a pickle sets an item."""
        fire()

    def load_model(self, path: Any) -> None:
        """Fire when a loader takes it for a model."""
        fire()
