"""Reads the members of one gate of a policy, fills in defaults, refuses everything else."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from placet.kernel.durations import seconds
from placet_verify.numbers import is_whole

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


class GateFault(ValueError):
    """One member of a gate is wrong; ``member`` names it ('' for the gate as a whole)."""

    def __init__(self, member: str, detail: str) -> None:
        super().__init__(detail)
        self.member = member
        self.detail = detail


class Fields:
    """The members of one gate. Each reader takes one; :meth:`done` refuses what is left."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self._left = dict(raw)
        self._result: dict[str, Any] = {"gate": self._left.pop("gate")}

    def _take(self, name: str, default: Any) -> Any:
        if name in self._left:
            return self._left.pop(name)
        if default is ...:
            raise GateFault(name, "is missing")
        return default

    def text(self, name: str, *, default: Any = ..., limit: int = 200) -> str:
        """Take a line of text."""
        value = self._take(name, default)
        if not isinstance(value, str) or (default is ... and not value.strip()):
            raise GateFault(name, "must be text")
        if len(value) > limit:
            raise GateFault(name, f"may have at most {limit} characters")
        if any(ord(c) < 32 and c not in "\n\t" for c in value):
            raise GateFault(name, "holds a control character")
        self._result[name] = value.strip()
        return value.strip()

    def name(self, name: str) -> None:
        """Take the name of something else in the project."""
        value = self._take(name, ...)
        if not isinstance(value, str) or not _NAME.fullmatch(value):
            raise GateFault(name, "must be a name of small letters, digits, '-' and '_'")
        self._result[name] = value

    def names(self, name: str) -> None:
        """Take a list of names, each once, at least one; nothing when it is left out."""
        value = self._take(name, None)
        if value is None:
            return
        named = value if isinstance(value, list) else []
        plain = all(isinstance(v, str) and _NAME.fullmatch(v) for v in named)
        if not named or not plain or len(set(named)) != len(named):
            raise GateFault(name, "must be a list of names, each once")
        self._result[name] = sorted(value)

    def choice(self, name: str, options: Sequence[str], *, default: Any = ...) -> str:
        """Take one word out of ``options``."""
        value = self._take(name, default)
        if value not in options:
            raise GateFault(name, f"must be one of: {', '.join(options)}")
        self._result[name] = value
        return str(value)

    def choices(self, name: str, options: Sequence[str], *, default: Sequence[str]) -> None:
        """Take a list of words out of ``options``, each once, at least one."""
        value = self._take(name, list(default))
        if not isinstance(value, list) or not value or any(v not in options for v in value):
            raise GateFault(name, f"must be a list out of: {', '.join(options)}")
        if len(set(value)) != len(value):
            raise GateFault(name, "names something twice")
        self._result[name] = sorted(value)

    def integer(self, name: str, low: int, high: int, *, default: Any = ...) -> None:
        """Take a whole number from ``low`` to ``high``; the default ``None`` leaves it out."""
        value = self._take(name, default)
        if value is None and default is None:
            return
        if not is_whole(value, low, high):
            raise GateFault(name, f"must be a whole number from {low} to {high}")
        self._result[name] = value

    def flag(self, name: str, *, default: bool) -> None:
        """Take true or false."""
        value = self._take(name, default)
        if not isinstance(value, bool):
            raise GateFault(name, "must be true or false")
        self._result[name] = value

    def duration(self, name: str) -> None:
        """Take a duration such as ``60s``."""
        value = self._take(name, ...)
        try:
            seconds(value if isinstance(value, str) else "")
        except ValueError as error:
            raise GateFault(name, str(error)) from None
        self._result[name] = value

    def done(self) -> dict[str, Any]:
        """Return the gate with defaults filled in, or refuse the first member nobody took."""
        for name in sorted(self._left):
            raise GateFault(name, f"is not a member of the gate {self._result['gate']}")
        return self._result
